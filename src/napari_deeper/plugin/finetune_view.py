"""What is known of a fine-tuning job from the events that it told, for a window to show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_deeper.engine.finetune_job import FinetuneJob

TUNE = "tune"
STARTING, RUNNING, PAUSED, JUDGING = "starting", "running", "paused", "judging"
FINISHED, STOPPED, FAILED, DEAD = "finished", "stopped", "failed", "dead"
ENDED = (FINISHED, STOPPED, FAILED, DEAD)
# More points than a plot has pixels only cost time.
_MOST_POINTS = 4000
# How the note begins that says what `verdict` says too.
ESTIMATED = "Estimated on the pixels"


@dataclass
class Course:
    """What one run of a job has told: losses and validations by step."""

    losses: list[tuple[int, float]] = field(default_factory=list)
    psnr: list[tuple[int, float]] = field(default_factory=list)

    def cut(self, step: int) -> None:
        """Forget what came after a step: the run goes on from there."""
        self.losses = [row for row in self.losses if row[0] <= step]
        self.psnr = [row for row in self.psnr if row[0] <= step]

    def add_loss(self, step: int, loss: float) -> None:
        """Take note of a loss."""
        if len(self.losses) >= _MOST_POINTS:
            del self.losses[1::2]
        self.losses.append((step, loss))

    def best(self) -> tuple[int, float] | None:
        """Return the best validation, (step, dB)."""
        return max(self.psnr, key=lambda row: row[1], default=None)


@dataclass
class JobView:
    """A job as its events tell it; `take` one after the other."""

    state: str = STARTING
    courses: dict[str, Course] = field(default_factory=dict)
    run: str = TUNE
    psnr_before: float = math.nan
    alone: bool = False
    step: int = 0
    n_steps: int = 0
    epoch: int = 0
    n_epochs: int = 0
    seconds_left: float | None = None
    doing: str = ""
    plan: str = ""
    failure: str = ""
    preview: Path | None = None
    preview_step: int = 0
    notes: list[str] = field(default_factory=list)
    result: Mapping[str, Any] | None = None

    @property
    def course(self) -> Course:
        """Of the run that is under way."""
        return self.courses.setdefault(self.run, Course())

    @property
    def ended(self) -> bool:
        """Whether nothing more will come unless it is started again."""
        return self.state in ENDED

    @property
    def fraction(self) -> float:
        """How far the present run is."""
        if self.state == FINISHED:
            return 1.0
        return self.step / self.n_steps if self.n_steps else 0.0

    def take(self, event: Mapping[str, Any]) -> None:
        """Take note of an event; those of a later version are passed over."""
        what = getattr(self, f"_on_{event.get('event')}", None)
        if what is not None:
            what(event)

    def _on_planned(self, event: Mapping[str, Any]) -> None:
        self.state, self.failure, self.result = STARTING, "", None
        self.alone = bool(event.get("alone"))
        minutes = float(event["seconds"]) / 60
        time = f"{minutes * 60:.0f} s" if minutes < 2 else f"{minutes:.0f} min"
        megabytes = max(1, round(float(event["memory_bytes"]) / 1e6))
        self.plan = (
            f"About {time} for {event['n_steps']} steps ({event['n_epochs']} epochs) on "
            f"{event['device']}, {megabytes} MB of memory for a step."
        )

    def _on_started(self, event: Mapping[str, Any]) -> None:
        self.state, self.run, self.doing = RUNNING, str(event["run"]), ""
        self.failure, self.result, self.seconds_left = "", None, None
        self.epoch = self.n_epochs = 0
        self.step, self.n_steps = int(event["step"]), int(event["n_steps"])
        self.course.cut(self.step if event.get("resumed") else -1)
        if self.run == TUNE:
            self.psnr_before = _number(event["psnr_before"])

    def _on_step(self, event: Mapping[str, Any]) -> None:
        self.run, self.state = str(event["run"]), RUNNING
        if int(event["step"]) < self.step:  # it went back to its last good state
            self.course.cut(int(event["step"]))
        self.step, self.n_steps = int(event["step"]), int(event["n_steps"])
        self.epoch, self.n_epochs = int(event["epoch"]), int(event["n_epochs"])
        self.seconds_left = event.get("seconds_left")
        if math.isfinite(_number(event["loss"])):
            self.course.add_loss(self.step, float(event["loss"]))

    def _on_validated(self, event: Mapping[str, Any]) -> None:
        if event.get("psnr") is not None:
            course = self.courses.setdefault(str(event["run"]), Course())
            course.psnr.append((int(event["step"]), float(event["psnr"])))

    def _on_preview(self, event: Mapping[str, Any]) -> None:
        self.preview, self.preview_step = Path(event["path"]), int(event["step"])

    def _on_note(self, event: Mapping[str, Any]) -> None:
        if event["text"] not in self.notes:
            self.notes.append(str(event["text"]))

    def _on_paused(self, event: Mapping[str, Any]) -> None:
        self.state, self.seconds_left = PAUSED, None

    def _on_resumed(self, event: Mapping[str, Any]) -> None:
        self.state = RUNNING

    def _on_judging(self, event: Mapping[str, Any]) -> None:
        self.state, self.seconds_left = JUDGING, None
        self.doing = f"Judging {event['method']}, {int(event['done']) + 1} of {event['n']}"

    def _on_finished(self, event: Mapping[str, Any]) -> None:
        self.state, self.result, self.seconds_left = FINISHED, dict(event), None

    def _on_stopped(self, event: Mapping[str, Any]) -> None:
        self.state, self.seconds_left = STOPPED, None

    def _on_failed(self, event: Mapping[str, Any]) -> None:
        self.state, self.failure, self.seconds_left = FAILED, str(event["message"]), None

    def sentence(self) -> str:
        """Return what is going on, in words."""
        told = {
            STARTING: "Starting: reading the data and the weights. This takes some seconds.",
            RUNNING: self._progress(),
            PAUSED: f"Paused after step {self.step}; what was learned is saved.",
            JUDGING: self.doing,
            FINISHED: "Finished.",
            STOPPED: f"Stopped after step {self.step}. Resume goes on from there.",
            FAILED: self.failure,
            DEAD: (
                "The training process ended without a word: it was killed, or the computer was switched "
                f"off{self._at()}. Resume goes on from the last saved state."
            ),
        }
        return told[self.state]

    def _at(self) -> str:
        return f", after step {self.step}" if self.step else ""

    def _progress(self) -> str:
        name = "From scratch, to compare: epoch" if self.run != TUNE else "Epoch"
        if not self.epoch:
            return f"{name.rpartition(':')[0] or 'Training'}: the first steps."
        told = f"{name} {self.epoch} of {self.n_epochs}, step {self.step} of {self.n_steps}."
        best = self.course.best()
        if best is None or self.run != TUNE or math.isnan(self.psnr_before):
            return told
        if self.alone:
            return f"{told} Estimated gain on the pixels held out so far {best[1] - self.psnr_before:+.2f} dB."
        return f"{told} Best on validation so far {best[1]:.2f} dB; it started from {self.psnr_before:.2f} dB."


def title_of(job: FinetuneJob) -> str:
    """Return what a job is called in a list: its folder, which has its date, and its task."""
    params = job.params
    task = f"{params.network} {params.scale}x"
    if params.what == "denoise":
        task = "denoise alone" if job.maps else "denoise"
    return " - ".join(part for part in (job.folder.name, job.name, task) if part)


def verdict(facts: Mapping[str, Any], from_scratch: bool = False) -> str:
    """Return whether a finished job made something better, in words."""
    before, after = _number(facts["psnr_before"]), _number(facts["psnr_after"])
    start = "the untrained network" if from_scratch else "the weights it started from"
    estimated = facts.get("estimated")
    if estimated:
        left = f"{estimated['ratio']:.2f} +/- {estimated['error']:.2f} of the squared error before"
        if facts.get("recommended"):
            return (
                f"Better than {start} on the pixels held out, as far as can be estimated without a good map: {left}. "
                f"The model '{facts['model']}' can be chosen in Enhance, for this map and others like it."
            )
        return f"Not clearly better than {start} (estimated: {left}). Keep to those; they stay the default."
    if facts.get("recommended"):
        return (
            f"Better than {start} on the validation patches: {after:.2f} dB after, {before:.2f} dB before "
            f"({after - before:+.2f} dB). The model '{facts['model']}' can be chosen in Enhance; the shipped "
            "weights stay the default there."
        )
    if after > before:
        return (
            f"Not better than {start} on the test part, although on the validation part ({after:.2f} dB after, "
            f"{before:.2f} dB before). Keep to those; they stay the default."
        )
    return (
        f"Not better than {start} on the validation patches: {after:.2f} dB after, {before:.2f} dB before. "
        "Keep to those; they stay the default. More, or other, patches may help."
    )


def _number(value: Any) -> float:
    """Return a figure; what is not known is null in the events."""
    return math.nan if value is None else float(value)
