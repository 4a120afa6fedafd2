"""What became of a fine-tuning job, in its folder and as an object; and what tells jobs apart."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deeper.engine.finetune_job import FinetuneJob
from napari_deeper.models import user_models
from napari_deeper.models.user_models import UserModel
from napari_deeper.spectra.errors import FileError
from napari_deeper.training.finetune_config import matters

if TYPE_CHECKING:
    from napari_deeper.engine.finetune_judge import PatchScore
    from napari_deeper.engine.finetune_material import Material

RESULT = "result.json"


@dataclass(frozen=True)
class FinetuneResult:
    """What became of a job.

    Parameters
    ----------
    folder
        Of the job.
    model
        The model that was made, or None where the job was cancelled.
    recommended
        Whether it is better than what it started from, on the validation patches.
    psnr_before, psnr_after
        dB on the validation patches.
    scores
        Of each test patch by each method.
    stopped
        Why it ended before its last step: ``"patience"``, ``"stop"``, ``"cancel"``, ``"interrupt"``, or
        nothing. After the last two the same call goes on.
    files
        What was written.
    notes
        What the user should know.
    is_first
        Whether this process is the one that writes, where several train together.
    """

    folder: Path
    model: UserModel | None = None
    recommended: bool = False
    psnr_before: float = math.nan
    psnr_after: float = math.nan
    scores: tuple[PatchScore, ...] = ()
    stopped: str = ""
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    is_first: bool = True


def facts_of(result: FinetuneResult) -> dict[str, Any]:
    """Return what a result is, as JSON types."""
    return {
        "model": result.model.name if result.model else None,
        "path": str(result.model.path) if result.model else None,
        "recommended": result.recommended,
        "psnr_before": result.psnr_before,
        "psnr_after": result.psnr_after,
        "reason": result.stopped,
        "estimated": _estimated(result.model),
        "files": [str(path) for path in result.files],
        "notes": list(result.notes),
        "scores": [dataclasses.asdict(score) for score in result.scores],
    }


def _estimated(model: UserModel | None) -> dict[str, float] | None:
    """Return the ratio of the squared errors and its standard error, where noisy maps alone were learned from."""
    found = {} if model is None else model.card.get("figures", {})
    estimated: dict[str, float] | None = found.get("estimated")
    return estimated


def find_finished(job: FinetuneJob) -> FinetuneResult | None:
    """Return the result that the folder holds, if it is of the same job and its model is there."""
    from napari_deeper.engine.finetune_judge import PatchScore

    try:
        facts = json.loads((job.folder / RESULT).read_text(encoding="utf-8"))
        if facts["settings"] != settings_digest(job):
            raise FileError(
                f"{job.folder} holds the result of another job. Choose another folder, or begin again "
                "with overwrite=True (--force on the command line)."
            )
        path = Path(facts["path"])
        return FinetuneResult(
            job.folder,
            UserModel(facts["model"], path, user_models.read_card(path)),
            facts["recommended"],
            facts["psnr_before"],
            facts["psnr_after"],
            tuple(PatchScore(**score) for score in facts["scores"]),
            facts["reason"],
            tuple(Path(file) for file in facts["files"]),
            (*facts["notes"], "Everything was made before."),
        )
    except FileError:
        raise
    except (OSError, ValueError, KeyError, TypeError):
        return None


def settings_digest(job: FinetuneJob) -> str:
    """Return what tells a job from others before its data are read."""
    data = {} if job.patches is None else json.loads(job.patches.read_text(encoding="utf-8"))
    pairs = [[p.low.name, p.high.name, p.role] for p in job.pairs]
    maps = [[path.name for path in job.maps]] if job.maps else []
    return _digest([matters(job.params), data.get("patches"), data.get("cubes"), pairs, *maps])


def identity_of(job: FinetuneJob, material: Material) -> str:
    """Return what tells a run from others: settings, data and the weights it starts from."""
    from napari_deeper.engine.finetune_start import sha256_of

    start = "" if job.params.from_scratch else sha256_of(material.start)
    return _digest([matters(job.params), material.about, start])


def _digest(record: Any) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
