"""A fine-tuning job as a process of its own: started, watched through its folder, and found again.

The process is the command line's ``finetune --job``. It outlives the window, and gives back all memory of
the GPU when it ends. All that the window knows of it comes from the files in its folder, so that it makes
no difference whether this window started it. A thread reads them; nothing of Qt is touched there.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_deeper.engine.finetune_job import JOB_FILE, list_jobs, read_job, remember_job
from napari_deeper.models.user_models import models_folder
from napari_deeper.plugin.finetune_view import (
    DEAD,
    ENDED,
    FAILED,
    STARTING,
    STOPPED,
    JobView,
    title_of,
)
from napari_deeper.spectra.errors import DeeperError, FileError
from napari_deeper.training.finetune_events import EVENTS, ask, job_status

LOG = "log.txt"
LOOK_SECONDS = 0.25
_LAST_LINES = 30
# Lines that the command line draws about an error.
_FRAME = str.maketrans("", "", "│╭╮╰╯─")


def jobs_folder() -> Path:
    """Return the folder of the user's jobs, beside that of their models."""
    return models_folder().resolve().parent / "fine-tuning"


def new_folder() -> Path:
    """Return a folder that no job has yet, named after the time."""
    first = jobs_folder() / datetime.now().strftime("%Y-%m-%d %H.%M")
    folder, number = first, 2
    while folder.exists():
        folder, number = first.with_name(f"{first.name} {number}"), number + 1
    return folder


def known_jobs() -> list[tuple[Path, str]]:
    """Return (folder, title) of each job that there is, the newest first, whoever started it."""
    folders = [path.parent for path in sorted(jobs_folder().glob(f"*/{JOB_FILE}"), reverse=True)]
    known = {folder.resolve(): None for folder in (*list_jobs(), *folders)}
    found = []
    for folder in known:
        try:
            found.append((folder, title_of(read_job(folder / JOB_FILE))))
        except DeeperError:
            continue
    return found


def running_job() -> Path | None:
    """Return the folder of the newest job that still runs, if any."""
    alive = [folder for folder, status in list_jobs().items() if status["alive"]]
    return alive[0].resolve() if alive else None


def command(folder: Path, *flags: str) -> list[str]:
    """Return the command that does the job of a folder."""
    program = [sys.executable, "-m", "napari_deeper.cli", "finetune"]
    return [*program, "--job", str(folder / JOB_FILE), *flags]


def launch(folder: Path) -> subprocess.Popen[bytes]:
    """Start the job of a folder, or let it go on from its last state; it outlives this process.

    Raises
    ------
    FileError
        If the folder cannot be written to, or no process can be started.
    """
    try:
        with (folder / LOG).open("wb") as log:
            process = subprocess.Popen(
                command(folder), stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_apart()
            )
    except OSError as error:
        raise FileError(f"The training cannot be started: {error.strerror or error}.") from error
    remember_job(folder)
    # Whoever follows it may let go of it; without this an ended one would still seem to be there.
    threading.Thread(target=process.wait, name="fine-tuning", daemon=True).start()
    return process


def estimate(folder: Path, cancel: threading.Event) -> str:
    """Return how long the job of a folder takes and how much memory, found out in a process of its own.

    Raises
    ------
    FileError
        With the words of that process, where it failed.
    """
    process = subprocess.Popen(
        command(folder, "--estimate"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **_apart(),
    )
    out, err = b"", b""
    while True:
        try:
            out, err = process.communicate(timeout=LOOK_SECONDS)
            break
        except subprocess.TimeoutExpired:
            if cancel.is_set():
                process.kill()
    lines = (err if process.returncode else out).decode(errors="replace").strip().splitlines()
    told = lines[-1] if lines else "the estimate ended without a word."
    if process.returncode and not cancel.is_set():
        raise FileError(told.removeprefix("Error: "))
    return told[:1].upper() + told[1:] + "."


def _apart() -> dict[str, Any]:
    """Return what makes a process live on without this one, on every system."""
    if os.name == "nt":
        flags = "CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW"
        return {"creationflags": sum(getattr(subprocess, flag) for flag in flags)}
    return {"start_new_session": True}


class Watcher:
    """Follows one job through its folder, in a thread; `view` and `images` are its latest.

    Parameters
    ----------
    folder
        Of the job.
    process
        Where this window started it.
    """

    def __init__(self, folder: Path, process: subprocess.Popen[bytes] | None = None) -> None:
        self.folder, self.process = folder, process
        self.view = JobView()
        self.images: dict[str, np.ndarray[Any, Any]] = {}
        self.lock = threading.Lock()
        self.n_changes = 0
        self.last_log, self.from_scratch = "", False
        self._read, self._images_of = 0, (-1, Path())
        # What an earlier process left is no news of this one.
        self._since = time.time() if process is not None else 0.0
        self._last_time, self._ended_by_us = 0.0, False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="napari-deeper", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def forget(self, *_: object) -> None:
        """Stop following soon, without waiting for it."""
        self._ended.set()

    def stop(self) -> None:
        """Stop following; the job itself goes on."""
        self.forget()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def wish(self, word: str) -> None:
        """Ask the job to ``pause``, ``continue``, ``stop`` (and keep the best) or ``cancel``."""
        with contextlib.suppress(OSError):  # a full disk: the job will say so itself
            ask(self.folder, word)

    def end(self) -> None:
        """End the process at once; what it saved stays, and it can go on from there."""
        status = job_status(self.folder)
        self._ended_by_us = True
        with contextlib.suppress(OSError):
            if self.process is not None:
                self.process.terminate()
            elif status is not None and status["alive"] and status["host"] == socket.gethostname():
                os.kill(int(status["pid"]), signal.SIGTERM)

    def _log(self) -> str:
        """Return the last lines that the process printed."""
        try:
            text = (self.folder / LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-_LAST_LINES:])

    def _follow(self) -> None:
        with contextlib.suppress(DeeperError):
            self.from_scratch = read_job(self.folder / JOB_FILE).params.from_scratch
        while True:
            last = self._ended.is_set()
            alive = self._alive()
            events = self._new_events()
            self.last_log = self._log()
            with self.lock:
                for event in events:
                    self.view.take(event)
                self.n_changes += len(events)
                self._judge(alive, events)
                over = self.view.ended and not alive
            self._read_images()
            if last or over:
                return
            self._ended.wait(LOOK_SECONDS)

    def _judge(self, alive: bool, events: list[dict[str, Any]]) -> None:
        """Tell a process that has yet to speak from one that ended without a word."""
        view, is_news = self.view, self._last_time >= self._since
        if alive:
            if view.state in ENDED and not is_news:  # the end of an earlier process
                view.state = STARTING
            return
        if events or (view.state in ENDED and is_news):
            return
        view.state = STOPPED if self._ended_by_us else DEAD
        if self.process is not None and (self.process.returncode or 0) > 0:
            self._take_last_words()
        self.n_changes += 1

    def _take_last_words(self) -> None:
        """Show the error that the process printed before it could write any event."""
        _, found, text = self._log().translate(_FRAME).rpartition("Error")
        if found and not self._ended_by_us:
            self.view.state = FAILED
            self.view.failure = " ".join(text.split()).lstrip(": ")

    def _alive(self) -> bool:
        if self.process is not None:
            return self.process.poll() is None
        status = job_status(self.folder)
        return status is not None and bool(status["alive"])

    def _new_events(self) -> list[dict[str, Any]]:
        """Return the events that were written since the last look, whole lines alone."""
        try:
            with (self.folder / EVENTS).open("rb") as stream:
                stream.seek(self._read)
                text = stream.read()
        except OSError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        events = []
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                events.append(json.loads(line))
        if events:
            self._last_time = float(events[-1].get("time", 0.0))
        return events

    def _read_images(self) -> None:
        path, step = self.view.preview, self.view.preview_step
        if path is None or self._images_of == (step, path):
            return
        # The folder may have been moved since.
        path = path if path.is_file() else self.folder / path.name
        try:
            with np.load(path, allow_pickle=False) as stored:
                images = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return  # not there yet, or not whole
        self._images_of = (step, self.view.preview or path)
        with self.lock:
            self.images = images
            self.n_changes += 1
