"""``finetune``: the verb. Trains shipped weights on, on the user's own patches or pairs of maps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deeper.engine.finetune_job import (
    JOB_FILE,
    FinetuneJob,
    PairFiles,
    read_job,
    remember_job,
    write_job,
)
from napari_deeper.engine.finetune_result import RESULT, FinetuneResult
from napari_deeper.engine.finetune_run import Follower, Run, open_material
from napari_deeper.models import user_models
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.errors import DeeperError, FileError
from napari_deeper.spectra.progress import Progress
from napari_deeper.training.finetune_config import FinetuneParams, check_finetune
from napari_deeper.training.finetune_events import Control, Listener, Reporter

if TYPE_CHECKING:
    from napari_deeper.engine.finetune_estimate import Estimate

AnyPath = str | os.PathLike[str]

_OURS = (
    "state.pt", "state.pt.previous", "best.safetensors", "losses.csv", "validation.csv", "preview.npz",
    "events.jsonl", "status.json", RESULT, "control",
)  # fmt: skip


def finetune(
    data: AnyPath | Sequence[tuple[AnyPath, AnyPath] | AnyPath],
    folder: str | os.PathLike[str],
    params: FinetuneParams | None = None,
    *,
    name: str = "",
    progress: Progress | None = None,
    on_event: Listener | None = None,
    overwrite: bool = False,
    **settings: Any,
) -> FinetuneResult:
    """Train a network on, on patches of your own maps, and keep it as a model of yours.

    Parameters
    ----------
    data
        A file of patches (see docs/fine-tuning.md) to tune super-resolution. To tune a denoiser pairs of
        files (low, high) of one field each; or a list of noisy maps alone.
    folder
        Gets states, losses, tables and figures. The same call goes on where it was interrupted.
    params, **settings
        See `FinetuneParams`; settings go before params.
    name
        Of the model; empty: one is made up.
    progress
        Told how far it is; may cancel, which saves the state first.
    on_event
        Called with each event, see docs/fine-tuning.md.
    overwrite
        Begin again.

    Raises
    ------
    ParameterError, PatchError
        If settings or patches do not go together.
    FileError, CubeError, AxisError, CheckpointError
        If data, weights or the folder are not usable.
    TrainingError
        If the run cannot start or go on.
    """
    made = settings_of.make(FinetuneParams, params, settings)
    patches, pairs, maps = None, [], []
    if isinstance(data, str | os.PathLike):
        patches = Path(data)
    else:
        for each in data:
            if isinstance(each, str | os.PathLike):
                maps.append(Path(each))
            else:
                low, high = each
                pairs.append(PairFiles(Path(low), Path(high)))
    job = FinetuneJob(Path(folder), made, patches, tuple(pairs), name, tuple(maps))
    return run_job(job, progress=progress, on_event=on_event, overwrite=overwrite)


def run_job(
    job: FinetuneJob | str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    on_event: Listener | None = None,
    overwrite: bool = False,
) -> FinetuneResult:
    """Do what a job, or its file, says; see `finetune`."""
    from napari_deeper.training.loop import require_lightning

    job = job if isinstance(job, FinetuneJob) else read_job(job)
    settings_of.check(job.params)
    check_finetune(job.params)
    if job.name:
        user_models.check_name(job.name)
    require_lightning()
    _prepare(job, overwrite)
    first = _is_first()
    progress = progress or Progress()
    # Of several processes one speaks; all may be cancelled.
    follow = Follower(progress if first else Progress(cancel=progress.cancel), on_event, first)
    with Reporter(job.folder if first else None, follow) as reporter:
        try:
            return Run(job, reporter, follow).do(again=overwrite)
        except BaseException as error:
            text = (
                str(error) if isinstance(error, DeeperError) else f"{type(error).__name__}: {error}"
            )
            reporter.tell("failed", state="failed", message=text)
            raise


def estimate_job(job: FinetuneJob | str | os.PathLike[str]) -> Estimate:
    """Return how long a job will take, and how much memory, found out by a few steps."""
    from napari_deeper.engine.finetune_estimate import estimate_training
    from napari_deeper.training.run import limited_threads

    job = job if isinstance(job, FinetuneJob) else read_job(job)
    material = open_material(job)
    with limited_threads(job.params.threads):
        return estimate_training(material.start.model, material.subject, job.params)


def _prepare(job: FinetuneJob, overwrite: bool) -> None:
    """Make the folder, and empty it of an old run where that is asked for."""
    if not _is_first():
        return
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        if overwrite:
            for each in (job.folder, job.folder / "scratch"):
                for name in _OURS:
                    (each / name).unlink(missing_ok=True)
    except OSError as error:
        raise FileError(f"{job.folder} cannot be used: {error.strerror or error}.") from error
    if not os.access(job.folder, os.W_OK):
        raise FileError(f"{job.folder} may not be written to: permission denied.")
    Control(job.folder).clear()
    write_job(job, job.folder / JOB_FILE)
    remember_job(job.folder)


def _is_first() -> bool:
    """Tell whether this is the first of the processes that train together."""
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return not any(os.environ.get(name, "0") not in ("", "0") for name in names)
