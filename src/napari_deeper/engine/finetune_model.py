"""The model that a fine-tuning job makes: its weights with a card that says where they come from."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from napari_deeper.engine.finetune_alone import SelfCheck
from napari_deeper.engine.finetune_job import FinetuneJob
from napari_deeper.engine.finetune_judge import MEASURES, PRETRAINED, TUNED, Verdict
from napari_deeper.engine.finetune_material import Material
from napari_deeper.engine.finetune_start import sha256_of
from napari_deeper.models import checkpoint
from napari_deeper.spectra.errors import FileError
from napari_deeper.training.cards import finite, versions
from napari_deeper.training.finetune_config import matters
from napari_deeper.training.finetune_course import Tuned


@dataclass(frozen=True)
class Record:
    """All that the card and the report tell of a job."""

    job: FinetuneJob
    material: Material
    tuned: Tuned
    recommended: bool
    notes: tuple[str, ...]
    verdict: Verdict | None = None
    check: SelfCheck | None = None

    @property
    def made_up_name(self) -> str:
        """A name for the model where none was given."""
        params = self.job.params
        task = "denoise" if params.what == "denoise" else f"{params.network} {params.scale}x"
        return f"{self.job.folder.resolve().name or 'my'} {task}"[:70].strip(" .")

    def card(self) -> dict[str, Any]:
        """Return the card, as JSON types."""
        params, tuned, start = self.job.params, self.tuned, self.material.start
        card: dict[str, Any] = {
            "title": "Fine-tuned on measured data",
            "normalization": start.normalization,
            "phase": start.phase,
            "data": dict(self.material.about),
            "started_from": None if params.from_scratch else start.name,
            "started_from_sha256": None if params.from_scratch else sha256_of(start),
            "recommended": self.recommended,
            "settings": matters(params),
            "seed": params.seed,
            "steps": tuned.fitted.n_done,
            "best_step": tuned.best_step,
            "batch_size": tuned.n_in_batch,
            "rate": tuned.rate,
            "figures": self._figures(),
            "hardware": "; ".join(tuned.fitted.hardware),
            "minutes": round(tuned.fitted.seconds / 60, 1),
            "versions": versions(),
            # Shown with every result, so what concerns the use of the weights alone.
            "notes": [note for note in self.notes if "keep to those" in note],
            "log": list(self.notes),
        }
        if start.wavenumber.size:
            card["wavenumber"] = start.wavenumber.tolist()
        return card

    def _figures(self) -> dict[str, Any]:
        tuned = self.tuned
        validation = {
            "psnr_before": tuned.before.psnr, "psnr_after": tuned.best.psnr,
            "ssim_before": tuned.before.ssim, "ssim_after": tuned.best.ssim,
        }  # fmt: skip
        figures: dict[str, Any] = {"validation": validation}
        if self.check is not None:
            # Decibels of an estimate would say more than is known.
            figures = {"estimated": dataclasses.asdict(self.check)}
        if self.verdict is not None and self.verdict.scores:
            figures["test"] = {
                method: {m: float(np.mean(self.verdict.values(method, m))) for m in MEASURES}
                for method in self.verdict.methods
            }
            figures["n_test"] = len(self.verdict.values(TUNED, "psnr"))
        found: dict[str, Any] = finite(figures)
        return found

    def lines(self) -> list[str]:
        """Return the head of the report, Markdown."""
        params, tuned, start = self.job.params, self.tuned, self.material.start
        what = f"{params.what} {params.scale}x" if params.what == "super-resolve" else params.what
        kept = "" if self.recommended else " **Keep to the weights it started from.**"
        ssim = ""
        if math.isfinite(tuned.best.ssim):
            ssim = f", SSIM {tuned.before.ssim:.4f} before and {tuned.best.ssim:.4f} after"
        outcome = (
            f"- validation: PSNR {tuned.before.psnr:.2f} dB before and {tuned.best.psnr:.2f} dB after"
            f"{ssim}.{kept}"
        )
        if self.check is not None:
            outcome = (
                f"- squared error on pixels that were not learned from, estimated without knowing the truth: "
                f"{self.check.ratio:.2f} +/- {self.check.error:.2f} of that before.{kept}"
            )
        return [
            f"- {what} ({params.network}), started from {start.name}",
            f"- {tuned.fitted.n_done} steps in {tuned.fitted.seconds / 60:.1f} minutes on "
            f"{'; '.join(tuned.fitted.hardware)}; best after step {tuned.best_step}; seed {params.seed}",
            outcome,
        ]


def save_weights(record: Record, net: nn.Module, path: Path) -> Path:
    """Write weights with their card into one file."""
    try:
        return checkpoint.save(net, path, record.card(), one_file=True)
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror or error}. The best weights are kept in "
            f"{record.job.folder / 'best.safetensors'}: make room, and run the same job again."
        ) from error


def lost_to_start(verdict: Verdict) -> bool:
    """Tell whether the weights that were started from are better on the test patches, on average."""
    if PRETRAINED not in verdict.methods:
        return False
    mine, theirs = (float(np.mean(verdict.values(m, "psnr"))) for m in (TUNED, PRETRAINED))
    return theirs > mine


def verdict_notes(verdict: Verdict) -> list[str]:
    """Say against whom the tuned weights lost on the test patches."""
    if not verdict.scores:
        return ["There were no test patches, so nothing tells how it does on what it has not seen."]
    mine = float(np.mean(verdict.values(TUNED, "psnr")))
    better = [
        f"{method} ({float(np.mean(verdict.values(method, 'psnr'))):.2f} dB)"
        for method in verdict.methods
        if method != TUNED and float(np.mean(verdict.values(method, "psnr"))) > mine
    ]
    if not better:
        return []
    return [
        f"On the test patches the tuned weights reached {mine:.2f} dB; better were: {', '.join(better)}."
    ]
