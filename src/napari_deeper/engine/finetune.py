"""``finetune``: the verb. Trains shipped weights on, on the user's own patches or pairs of maps."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from napari_deeper.io.patches import read_cubes, read_patches
from napari_deeper.io.read import read
from napari_deeper.models import user_models
from napari_deeper.models.user_models import UserModel
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.errors import DeeperError, FileError
from napari_deeper.spectra.progress import Progress
from napari_deeper.training.finetune_config import FinetuneParams, check_finetune, matters
from napari_deeper.training.finetune_events import Control, Listener, Reporter, write_whole

if TYPE_CHECKING:
    from napari_deeper.engine.finetune_estimate import Estimate
    from napari_deeper.engine.finetune_judge import PatchScore, Verdict
    from napari_deeper.engine.finetune_material import Material
    from napari_deeper.training.finetune import Tuned

RESULT = "result.json"
_UNFINISHED = ("cancel", "interrupt")
_WHY = {
    "patience": "It stopped early: no validation was better for as long as patience says.",
    "stop": "It was stopped before its last step; the best weights were kept.",
}
_OURS = (
    "state.pt", "state.pt.previous", "best.safetensors", "losses.csv", "validation.csv", "preview.npz",
    "events.jsonl", "status.json", RESULT, "control",
)  # fmt: skip


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


def finetune(
    data: str | os.PathLike[str] | Sequence[tuple[str | os.PathLike[str], str | os.PathLike[str]]],
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
        A file of patches (see docs/fine-tuning.md) to tune super-resolution; pairs of files (low, high) of
        one field each to tune a denoiser.
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
    if isinstance(data, str | os.PathLike):
        job = FinetuneJob(Path(folder), made, patches=Path(data), name=name)
    else:
        pairs = tuple(PairFiles(Path(low), Path(high)) for low, high in data)
        job = FinetuneJob(Path(folder), made, pairs=pairs, name=name)
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
    follow = _Follower(progress if first else Progress(cancel=progress.cancel), on_event, first)
    with Reporter(job.folder if first else None, follow) as reporter:
        try:
            return _Run(job, reporter, follow).do(again=overwrite)
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


def open_material(job: FinetuneJob) -> Material:
    """Read the data of a job and the weights that it starts from."""
    from napari_deeper.engine import finetune_material as material

    start = material.open_start(job.params)
    if job.params.what == "denoise":
        pairs = [material.Pair(read(p.low), read(p.high), p.role, p.low.stem) for p in job.pairs]
        return material.from_pairs(pairs, job.params, start)
    assert job.patches is not None
    patches = read_patches(job.patches)
    return material.from_patches(patches, read_cubes(patches), job.params, start)


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


class _Follower:
    """Turns events into progress, and hands them on."""

    def __init__(self, progress: Progress, on_event: Listener | None, speaks: bool) -> None:
        self.cancel, self.on_report = progress.cancel, progress.on_report
        self.on_event, self.n_runs = on_event if speaks else None, 1

    def __call__(self, record: Mapping[str, Any]) -> None:
        if self.on_event is not None:
            self.on_event(record)
        if record["event"] != "step":
            return
        before = 1 if record["run"] == "scratch" else 0
        fraction = (before + record["step"] / record["n_steps"]) / self.n_runs
        left = record["seconds_left"]
        words = "" if left is None else f", {left:.0f} s left"
        self.on_report(
            0.95 * fraction,
            f"{record['run']}: epoch {record['epoch']} of {record['n_epochs']}, loss "
            f"{record['loss']:.4g}{words}",
        )


class _Run:
    """One job, from its material to its model."""

    def __init__(self, job: FinetuneJob, reporter: Reporter, follow: _Follower) -> None:
        self.job, self.reporter, self.follow = job, reporter, follow
        self.notes: list[str] = []

    def do(self, again: bool) -> FinetuneResult:
        """Train, judge, and write; again, even where all is made."""
        from napari_deeper.engine.finetune_estimate import estimate_training
        from napari_deeper.training.run import limited_threads

        job, params = self.job, self.job.params
        done = None if again else _finished(job)
        if done is not None:
            self.reporter.tell("finished", state="finished", **_facts(done))
            return done
        self.follow.n_runs = 2 if params.scratch else 1
        material = open_material(job)
        self._say(*material.notes)
        with limited_threads(params.threads):
            expected = estimate_training(material.start.model, material.subject, params)
            self.reporter.tell(
                "planned", **dataclasses.asdict(expected), n_items=material.subject.n_items,
                n_test=len(material.test),
            )  # fmt: skip
            return self._train(material)

    def _train(self, material: Material) -> FinetuneResult:
        from napari_deeper.training.finetune import Course

        job = self.job
        tuned = self._tune(material, Course(job.folder, "tune", _identity(job, material)))
        self._say(*tuned.notes)
        if tuned.reason in _UNFINISHED:
            return self._left(tuned)
        self._say(*([_WHY[tuned.reason]] if tuned.reason in _WHY else []))
        scratch = self._from_scratch(material) if job.params.scratch else None
        if scratch is not None and scratch.reason in _UNFINISHED:
            return self._left(scratch)
        if not tuned.fitted.is_first:
            return FinetuneResult(job.folder, is_first=False)
        return self._finish(material, tuned, scratch)

    def _tune(self, material: Material, course: Any) -> Tuned:
        from napari_deeper.training.finetune import tune

        return tune(
            material.start.model, material.subject, self.job.params, course, self.reporter,
            self.follow.cancel.is_set, Control(self.job.folder),
        )  # fmt: skip

    def _from_scratch(self, material: Material) -> Tuned:
        from napari_deeper.engine.finetune_material import untrained
        from napari_deeper.training.finetune import Course, tune

        params = dataclasses.replace(
            self.job.params, start="scratch", rate=0.0, freeze="nothing", scratch=False
        )
        net = untrained(material.start.model, params.seed)
        course = Course(self.job.folder / "scratch", "scratch", _identity(self.job, material))
        return tune(
            net, material.subject, params, course, self.reporter, self.follow.cancel.is_set,
            Control(self.job.folder),
        )  # fmt: skip

    def _finish(self, material: Material, tuned: Tuned, scratch: Tuned | None) -> FinetuneResult:
        from napari_deeper.engine import finetune_model as model
        from napari_deeper.engine.finetune_report import write_finetune_report

        job = self.job
        recommended = tuned.best.psnr > tuned.before.psnr
        if not recommended:
            self._say(
                f"The tuned weights were not better on the validation part ({tuned.best.psnr:.2f} dB) than "
                f"those they started from ({tuned.before.psnr:.2f} dB): keep to those. More, or other, "
                "patches may help."
            )
        record = model.Record(job, material, tuned, recommended, tuple(self.notes))
        path = model.save_weights(record, tuned.net, job.folder / "model.safetensors")
        verdict = self._judge(material, path, scratch, record)
        self._say(*model.verdict_notes(verdict))
        record = dataclasses.replace(record, notes=tuple(self.notes), verdict=verdict)
        path = model.save_weights(record, tuned.net, path)
        kept = user_models.add_model(path, user_models.free_name(job.name or record.made_up_name))
        files = write_finetune_report(
            job.folder, f"{kept.name}: fine-tuning", verdict, record.lines(), self.notes
        )
        result = FinetuneResult(
            job.folder, kept, recommended, tuned.before.psnr, tuned.best.psnr, verdict.scores,
            tuned.reason, (path, *files), tuple(self.notes),
        )  # fmt: skip
        self._close(result, _identity(job, material))
        return result

    def _judge(self, material: Material, path: Path, scratch: Tuned | None, record: Any) -> Verdict:
        from napari_deeper.engine import finetune_model as model
        from napari_deeper.engine.finetune_judge import (
            PRETRAINED,
            SCRATCH,
            TUNED,
            judge,
            methods_for,
        )

        weights: dict[str, Path | str] = {TUNED: path}
        if not self.job.params.from_scratch:
            weights[PRETRAINED] = self.job.params.start
        if scratch is not None:
            weights[SCRATCH] = model.save_weights(
                record, scratch.net, self.job.folder / "scratch" / "model.safetensors"
            )
        runs = methods_for(self.job.params, weights, material.phase)

        def on_method(number: int, name: str) -> None:
            self.reporter.tell("judging", state="judging", method=name, done=number, n=len(runs))

        matched = self.job.params.what == "denoise"
        return judge(material.test, runs, on_method, matched=matched)

    def _left(self, run: Tuned) -> FinetuneResult:
        self._say(f"Stopped after step {run.fitted.n_done}; the same job goes on from there.")
        self.reporter.tell("stopped", state="stopped", reason=run.reason)
        return FinetuneResult(
            self.job.folder,
            stopped=run.reason,
            notes=tuple(self.notes),
            is_first=run.fitted.is_first,
        )

    def _say(self, *notes: str) -> None:
        for note in notes:
            if note not in self.notes:
                self.notes.append(note)
                self.reporter.tell("note", text=note)

    def _close(self, result: FinetuneResult, identity: str) -> None:
        """Write the result, then remove the states, which nothing needs any more."""
        facts = {**_facts(result), "job": identity, "settings": _settings_digest(self.job)}
        write_whole(self.job.folder / RESULT, json.dumps(facts, indent=1) + "\n")
        from napari_deeper.training.state import remove_state

        for each in (self.job.folder, self.job.folder / "scratch"):
            remove_state(each / "state.pt")
            (each / "best.safetensors").unlink(missing_ok=True)
        self.follow.on_report(1.0, "Fine-tuned")
        self.reporter.tell("finished", state="finished", **_facts(result))


def _facts(result: FinetuneResult) -> dict[str, Any]:
    """Return what a result is, as JSON types."""
    return {
        "model": result.model.name if result.model else None,
        "path": str(result.model.path) if result.model else None,
        "recommended": result.recommended,
        "psnr_before": result.psnr_before,
        "psnr_after": result.psnr_after,
        "reason": result.stopped,
        "files": [str(path) for path in result.files],
        "notes": list(result.notes),
        "scores": [dataclasses.asdict(score) for score in result.scores],
    }


def _finished(job: FinetuneJob) -> FinetuneResult | None:
    """Return the result that the folder holds, if it is of the same job and its model is there."""
    from napari_deeper.engine.finetune_judge import PatchScore

    try:
        facts = json.loads((job.folder / RESULT).read_text(encoding="utf-8"))
        if facts["settings"] != _settings_digest(job):
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


def _settings_digest(job: FinetuneJob) -> str:
    """Return what tells a job from others before its data are read."""
    data = {} if job.patches is None else json.loads(job.patches.read_text(encoding="utf-8"))
    pairs = [[p.low.name, p.high.name, p.role] for p in job.pairs]
    return _digest([matters(job.params), data.get("patches"), data.get("cubes"), pairs])


def _identity(job: FinetuneJob, material: Material) -> str:
    """Return what tells a run from others: settings, data and the weights it starts from."""
    from napari_deeper.engine.finetune_material import sha256_of

    start = "" if job.params.from_scratch else sha256_of(material.start)
    return _digest([matters(job.params), material.about, start])


def _digest(record: Any) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
