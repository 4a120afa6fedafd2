"""One fine-tuning job, from its data to its model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_deeper.engine.finetune_job import FinetuneJob
from napari_deeper.engine.finetune_result import (
    RESULT,
    FinetuneResult,
    facts_of,
    find_finished,
    identity_of,
    settings_digest,
)
from napari_deeper.io.patches import read_cubes, read_patches
from napari_deeper.io.read import read
from napari_deeper.models import user_models
from napari_deeper.spectra.progress import Progress
from napari_deeper.training.finetune_events import Control, Listener, Reporter, write_whole

if TYPE_CHECKING:
    from napari_deeper.engine.finetune_judge import Verdict
    from napari_deeper.engine.finetune_material import Material
    from napari_deeper.training.finetune_course import Tuned

_UNFINISHED = ("cancel", "interrupt")
_WHY = {
    "patience": "It stopped early: no validation was better for as long as patience says.",
    "stop": "It was stopped before its last step; the best weights were kept.",
}


def open_material(job: FinetuneJob) -> Material:
    """Read the data of a job and the weights that it starts from."""
    from napari_deeper.engine import finetune_maps, finetune_material, finetune_pairs
    from napari_deeper.engine.finetune_start import open_start

    start = open_start(job.params)
    if job.maps:
        return finetune_maps.from_maps([read(path) for path in job.maps], job.params, start)
    if job.params.what == "denoise":
        pairs = [
            finetune_pairs.Pair(read(p.low), read(p.high), p.role, p.low.stem) for p in job.pairs
        ]
        learn = finetune_maps.from_pairs if job.params.of_images else finetune_pairs.from_pairs
        return learn(pairs, job.params, start)
    assert job.patches is not None
    patches = read_patches(job.patches)
    return finetune_material.from_patches(patches, read_cubes(patches), job.params, start)


class Follower:
    """Turns events into progress, and hands them on."""

    def __init__(self, progress: Progress, on_event: Listener | None, speaks: bool) -> None:
        self.cancel, self.on_report = progress.cancel, progress.on_report
        self.on_event, self.n_runs = on_event if speaks else None, 1

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Take an event."""
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


class Run:
    """One job, from its material to its model."""

    def __init__(self, job: FinetuneJob, reporter: Reporter, follow: Follower) -> None:
        self.job, self.reporter, self.follow = job, reporter, follow
        self.notes: list[str] = []

    def do(self, again: bool) -> FinetuneResult:
        """Train, judge, and write; again, even where all is made."""
        from napari_deeper.engine.finetune_estimate import estimate_training
        from napari_deeper.training.run import limited_threads

        job, params = self.job, self.job.params
        done = None if again else find_finished(job)
        if done is not None:
            self.reporter.tell("finished", state="finished", **facts_of(done))
            return done
        self.follow.n_runs = 2 if params.scratch else 1
        material = open_material(job)
        self._say(*material.notes)
        with limited_threads(params.threads):
            expected = estimate_training(material.start.model, material.subject, params)
            self.reporter.tell(
                "planned", **dataclasses.asdict(expected), n_items=material.subject.n_items,
                n_test=len(material.test), alone=material.check is not None,
            )  # fmt: skip
            return self._train(material)

    def _train(self, material: Material) -> FinetuneResult:
        from napari_deeper.training.finetune_course import Course

        job = self.job
        tuned = self._tune(material, Course(job.folder, "tune", identity_of(job, material)))
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
        from napari_deeper.engine.finetune_eigen import EigenSubject
        from napari_deeper.engine.finetune_start import untrained
        from napari_deeper.training.finetune import tune
        from napari_deeper.training.finetune_course import Course

        params = dataclasses.replace(
            self.job.params, start="scratch", rate=0.0, freeze="nothing", scratch=False
        )
        net, subject = untrained(material.start.model, params.seed), material.subject
        if isinstance(subject, EigenSubject):
            subject = subject.alone()
        course = Course(self.job.folder / "scratch", "scratch", identity_of(self.job, material))
        return tune(
            net, subject, params, course, self.reporter, self.follow.cancel.is_set,
            Control(self.job.folder),
        )  # fmt: skip

    def _finish(self, material: Material, tuned: Tuned, scratch: Tuned | None) -> FinetuneResult:
        from napari_deeper.engine import finetune_model as model
        from napari_deeper.engine.finetune_report import write_finetune_report

        job = self.job
        check = material.check(tuned.net) if material.check else None
        recommended = check.better if check else tuned.best.psnr > tuned.before.psnr
        if check:
            self._say(check.words())
        elif not recommended:
            self._say(
                f"The tuned weights were not better on the validation part ({tuned.best.psnr:.2f} dB) than "
                f"those they started from ({tuned.before.psnr:.2f} dB): keep to those. More, or other, "
                "patches may help."
            )
        record = model.Record(job, material, tuned, recommended, tuple(self.notes), check=check)
        path = model.save_weights(record, tuned.net, job.folder / "model.safetensors")
        verdict = self._judge(material, path, scratch, record)
        self._say(*([] if check else model.verdict_notes(verdict)))
        if recommended and job.params.of_images and model.lost_to_start(verdict):
            recommended = False
            self._say(
                "Better on the validation part, but not on the test part, than the weights it started from: keep to "
                "those. The field may be too small, or differ from place to place."
            )
        record = dataclasses.replace(
            record, notes=tuple(self.notes), verdict=verdict, recommended=recommended
        )
        path = model.save_weights(record, tuned.net, path)
        kept = user_models.add_model(path, user_models.free_name(job.name or record.made_up_name))
        files = write_finetune_report(
            job.folder,
            f"{kept.name}: fine-tuning",
            verdict,
            record.lines(),
            self.notes,
            alone=check is not None,
        )
        result = FinetuneResult(
            job.folder, kept, recommended, tuned.before.psnr, tuned.best.psnr, verdict.scores,
            tuned.reason, (path, *files), tuple(self.notes),
        )  # fmt: skip
        self._close(result, identity_of(job, material))
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
        facts = {**facts_of(result), "job": identity, "settings": settings_digest(self.job)}
        write_whole(self.job.folder / RESULT, json.dumps(facts, indent=1) + "\n")
        from napari_deeper.training.state import remove_state

        for each in (self.job.folder, self.job.folder / "scratch"):
            remove_state(each / "state.pt")
            (each / "best.safetensors").unlink(missing_ok=True)
        self.follow.on_report(1.0, "Fine-tuned")
        self.reporter.tell("finished", state="finished", **facts_of(result))
