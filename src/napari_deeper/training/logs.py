"""The losses of a run on disk: a CSV table, and TensorBoard's files where it is installed."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

from napari_deeper.spectra.errors import TrainingError
from napari_deeper.training.loop import Keeping
from napari_deeper.training.state import State

_COLUMNS = ("step", "loss", "rate", "seconds", "validation")


class Logs:
    """Writes the mean loss every few steps; a run that goes on drops what lies after its step."""

    def __init__(self, keeping: Keeping, state: State | None) -> None:
        first = state.step if state else 0
        self.keeping, self.first = keeping, first
        self.notes: tuple[str, ...] = ()
        self.losses = list(state.losses) if state else []
        self.start = time.monotonic() - (state.seconds if state else 0.0)
        self.last: tuple[int, float] = (first, 0.0)
        self.rows: list[tuple[Any, ...]] = []
        self.began = False
        self.writer: Any = None

    def add(self, step: int, loss: float, rate: float, is_last: bool) -> None:
        """Note the loss of a step."""
        if not self.began:
            self._begin()
        self.losses.append(loss)
        self.last = (step + 1, rate)
        if is_last or (step + 1) % self.keeping.log_every == 0:
            self._sum_up()

    def validated(self, loss: float) -> None:
        """Note the loss on held-out data after the step that was added last."""
        if self.losses:
            self._sum_up()
        if self.rows:
            self.rows[-1] = (*self.rows[-1][:-1], f"{loss:.9g}")
        if self.writer is not None:
            self.writer.add_scalar("validation", loss, self.last[0])

    def _sum_up(self) -> None:
        step, rate = self.last
        mean = sum(self.losses) / len(self.losses)
        self.losses.clear()
        seconds = time.monotonic() - self.start
        self.rows.append((step, f"{mean:.9g}", f"{rate:.6g}", f"{seconds:.1f}", ""))
        if self.writer is not None:
            self.writer.add_scalar("loss", mean, step)
            self.writer.add_scalar("rate", rate, step)

    def flush(self) -> None:
        """Write what is noted."""
        rows, self.rows = self.rows, []
        if self.keeping.table is None or not rows:
            return
        try:
            with self.keeping.table.open("a", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerows(rows)
        except OSError as error:
            raise TrainingError(
                f"The losses cannot be written to {self.keeping.table}: {error.strerror or error}. "
                "Make room, and run the same command to go on."
            ) from error

    def close(self) -> None:
        """Write what is noted, and let go of the files."""
        self.flush()
        if self.writer is not None:
            self.writer.close()

    def _begin(self) -> None:
        self.began = True
        if self.keeping.table is not None:
            _cut(self.keeping.table, self.first)
        if self.keeping.tensorboard is not None:
            self.writer = self._tensorboard(self.keeping.tensorboard)

    def _tensorboard(self, folder: Path) -> Any:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self.notes = ("No TensorBoard logs: pip install tensorboard",)
            return None
        return SummaryWriter(str(folder), purge_step=self.first + 1 if self.first else None)


def _cut(table: Path, first: int) -> None:
    """Begin a table, or drop the rows of steps that will be taken again."""
    rows: list[list[str]] = []
    if table.is_file() and first:
        with table.open(newline="", encoding="utf-8") as stream:
            rows = [r for r in list(csv.reader(stream))[1:] if r and _step(r[0]) <= first]
    table.parent.mkdir(parents=True, exist_ok=True)
    partial = table.with_name(table.name + ".part")
    with partial.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([_COLUMNS, *rows])
    partial.replace(table)


def _step(text: str) -> float:
    return float(text) if text.isdigit() else float("inf")
