"""What a fine-tuning run keeps on disk: where, what it was, and what became of it."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_bytes
from torch import Tensor, nn

from napari_deeper.spectra.errors import TrainingError
from napari_deeper.training.finetune_data import Score
from napari_deeper.training.loop import Fitted
from napari_deeper.training.state import last_good

_COLUMNS = ("step", "psnr", "ssim")
Row = tuple[int, Score]


@dataclass(frozen=True)
class Course:
    """Where a run leaves its traces, and what makes it that run.

    Parameters
    ----------
    folder
        Gets ``state.pt``, ``best.safetensors``, ``losses.csv``, ``validation.csv``, ``preview.npz``.
    name
        Of the run in reports: ``"tune"`` or ``"scratch"``.
    identity
        Tells it from other runs, whose state is refused.
    """

    folder: Path
    name: str
    identity: str

    @property
    def state(self) -> Path:
        """The state to go on from."""
        return self.folder / "state.pt"

    @property
    def best(self) -> Path:
        """The best weights so far."""
        return self.folder / "best.safetensors"


@dataclass(frozen=True)
class Tuned:
    """What became of a run.

    Parameters
    ----------
    net
        With its best weights, in evaluation mode on the CPU.
    before, best
        Scores of the network that was started from, and of the best.
    best_step
        After how many steps.
    fitted
        How the run went.
    reason
        Why it ended before its last step: ``"patience"``, ``"stop"``, ``"cancel"``, ``"interrupt"``, or
        nothing.
    n_in_batch, rate
        As they were at the end.
    notes
        What the user should know.
    """

    net: nn.Module
    before: Score
    best: Score
    best_step: int
    fitted: Fitted
    reason: str
    n_in_batch: int
    rate: float
    notes: tuple[str, ...]


class Validations:
    """The scores of a run by step, in a table, and the weights of the best in a file of their own.

    Raises
    ------
    TrainingError
        Where they cannot be written; what was there is kept.
    """

    def __init__(self, course: Course) -> None:
        self.course = course
        self.rows: list[Row] = []

    def take_up(self, step: int) -> None:
        """Read the scores up to a step: those after it will be found again."""
        self.rows = [row for row in _read_rows(self._table) if row[0] <= step]

    def drop_after(self, step: int) -> None:
        """Forget the scores after a step."""
        self.rows = [row for row in self.rows if row[0] <= step]

    def add(self, step: int, score: Score, net: nn.Module, margin: float = 0.0) -> bool:
        """Note a score, and keep the weights if it is the best so far; tell whether it is.

        With a margin (dB) they are kept too if none before was better by more.
        """
        best = max((row[1].psnr for row in self.rows), default=-math.inf)
        self.rows.append((step, score))
        is_best = math.isfinite(score.psnr) and (
            score.psnr > best or (margin > 0 and score.psnr >= best - margin)
        )
        if is_best:
            tensors = {k: v.detach().cpu().contiguous() for k, v in net.state_dict().items()}
            about = {"step": str(step), "psnr": repr(score.psnr), "ssim": repr(score.ssim)}
            self._write(self.course.best, save_bytes(tensors, about))
        lines = [",".join(_COLUMNS), *(f"{at},{one.psnr!r},{one.ssim!r}" for at, one in self.rows)]
        self._write(self._table, ("\n".join(lines) + "\n").encode())
        return is_best

    @property
    def n_since_best(self) -> int:
        """How many scores came after the best."""
        return len(self.rows) - self._best() if self.rows else 0

    @property
    def last_step(self) -> int:
        """The step of the last score; 0 without any."""
        return self.rows[-1][0] if self.rows else 0

    @property
    def _table(self) -> Path:
        return self.course.folder / "validation.csv"

    def _best(self) -> int:
        """Return which score was the best, from 1."""
        return 1 + max(range(len(self.rows)), key=lambda i: self.rows[i][1].psnr)

    def _write(self, path: Path, content: bytes) -> None:
        partial = path.with_name(path.name + ".part")
        try:
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as error:
            raise TrainingError(
                f"{path} cannot be written: {error.strerror or error}. {last_good(self.course.state)} "
                "Make room, and run the same job to go on."
            ) from error
        finally:
            partial.unlink(missing_ok=True)


def read_best(path: Path) -> tuple[dict[str, Tensor], int, Score] | None:
    """Return the best weights of a run, after which step they were, and their score; None without."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, "pt") as opened:
            about: Mapping[str, str] = opened.metadata()
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        return tensors, int(about["step"]), Score(float(about["psnr"]), float(about["ssim"]))
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None


def _read_rows(path: Path) -> list[tuple[int, Score]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return [
                (int(row["step"]), Score(float(row["psnr"]), float(row["ssim"])))
                for row in csv.DictReader(stream)
            ]
    except (OSError, ValueError, KeyError, TypeError):
        return []
