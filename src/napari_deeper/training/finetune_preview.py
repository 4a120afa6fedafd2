"""The preview of a run: one validation patch as the network sees it now, in a small file."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from napari_deeper.training.finetune_data import Subject


class Previewer:
    """Writes a preview every few seconds.

    Parameters
    ----------
    path
        ``.npz`` file: images (y, x) ``nearest``, ``bilinear``, ``now``, ``target`` of the channel
        ``channel``; to denoise the spectra ``measured``, ``now``, ``target`` or
        ``start``, and their ``wavenumber``.
    seconds
        Between two previews; 0 for none.
    tell
        Called as ``tell("preview", step=..., path=...)``.
    """

    def __init__(
        self, path: Path, subject: Subject, seconds: float, tell: Callable[..., Any]
    ) -> None:
        self.path, self.subject, self.seconds, self.tell = path, subject, seconds, tell
        self.last = -float("inf")

    def show(self, net: nn.Module, step: int) -> None:
        """Write a preview, unless the last one is but a moment old or the disk is full."""
        if not self.seconds or time.monotonic() - self.last < self.seconds:
            return
        self.last = time.monotonic()
        stream = io.BytesIO()
        np.savez(stream, **self.subject.preview(net))  # type: ignore[arg-type]
        partial = self.path.with_name(self.path.name + ".part")
        try:
            partial.write_bytes(stream.getvalue())
            partial.replace(self.path)
        except OSError:  # a preview is not worth a run
            partial.unlink(missing_ok=True)
            return
        self.tell("preview", step=step, path=str(self.path))
