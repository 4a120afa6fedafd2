"""What a fine-tuning job tells the world, and how it is told what to do, through files in its folder.

Files alone, because they work alike on every system, reach every process of a job, and are still
there when the window that started the job is gone.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVENTS, STATUS, CONTROL = "events.jsonl", "status.json", "control"
WORDS = ("pause", "continue", "stop", "cancel")
# A job whose heart has not beaten for so long is taken for dead.
BEAT_SECONDS, DEAD_SECONDS = 2.0, 30.0
# Between two reports of steps.
_PAUSE = 0.2

Listener = Callable[[Mapping[str, Any]], None]


class Reporter:
    """Tells of a job: each event to a listener and to a file, and the latest as a heartbeat.

    What cannot be written is left out: a full disk must not end a run that could still be saved.

    Parameters
    ----------
    folder
        Of the job; None to write nothing.
    listener
        Called with each event, a dict of JSON types.
    """

    def __init__(self, folder: Path | None, listener: Listener | None = None) -> None:
        self.folder, self.listener = folder, listener
        self.last: dict[str, Any] = {}
        self.state, self.last_step = "starting", 0.0
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._heart: threading.Thread | None = None

    def __enter__(self) -> Reporter:
        if self.folder is not None:
            self._beat()
            self._heart = threading.Thread(target=self._beat_on, daemon=True)
            self._heart.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._heart is not None:
            self._heart.join()
            self._beat()

    def tell(self, event: str, *, state: str = "", **fields: Any) -> None:
        """Report an event, and perhaps that the job is now in another state."""
        self.state = state or self.state
        record = {"event": event, "time": round(time.time(), 3), **fields}
        self.last |= {k: v for k, v in fields.items() if v is not None}
        if self.folder is not None:
            _quietly(lambda: self._append(record))
            if state:
                self._beat()
        if self.listener is not None:
            self.listener(record)

    def tell_step(self, is_last: bool, **fields: Any) -> None:
        """Report a step, unless the last report was but a moment ago."""
        now = time.monotonic()
        if is_last or now - self.last_step >= _PAUSE:
            self.last_step = now
            self.tell("step", **fields)

    def _append(self, record: Mapping[str, Any]) -> None:
        assert self.folder is not None
        with (self.folder / EVENTS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")

    def _beat_on(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self._beat()

    def _beat(self) -> None:
        assert self.folder is not None
        record = {
            **self.last,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "state": self.state,
            "beat": round(time.time(), 3),
        }
        with self._lock:
            _quietly(lambda: write_whole(self.folder / STATUS, json.dumps(record)))  # type: ignore[operator]


@dataclass(frozen=True)
class Control:
    """The wish of whoever watches a job: a word in a small file, read after every step."""

    folder: Path | None

    def word(self) -> str:
        """Return ``"pause"``, ``"continue"``, ``"stop"``, ``"cancel"``, or nothing."""
        if self.folder is None:
            return ""
        try:
            word = (self.folder / CONTROL).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return ""
        return word if word in WORDS else ""

    def clear(self) -> None:
        """Forget the wish, once it is fulfilled."""
        if self.folder is not None:
            _quietly(lambda: (self.folder / CONTROL).unlink(missing_ok=True))  # type: ignore[operator]


def ask(folder: str | os.PathLike[str], word: str) -> None:
    """Ask a job to ``pause``, ``continue``, ``stop`` (and keep the best) or ``cancel``."""
    if word not in WORDS:
        raise ValueError(f"A job can be asked to {', '.join(WORDS)}, not '{word}'.")
    write_whole(Path(folder) / CONTROL, word)


def job_status(folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the latest that a job told of itself; None where there is no job.

    Its ``alive`` says whether the job still runs: its heart beat within the last half minute.
    """
    try:
        record = json.loads((Path(folder) / STATUS).read_text(encoding="utf-8"))
        fresh = time.time() - float(record["beat"]) < DEAD_SECONDS
    except (OSError, ValueError, KeyError, TypeError):
        return None
    ended = record.get("state") in ("finished", "stopped", "failed")
    return {**record, "alive": bool(fresh and not ended and _is_there(record))}


def _is_there(record: Mapping[str, Any]) -> bool:
    """Tell whether the process of a status may still be there."""
    # On Windows os.kill would end it; there the heartbeat decides alone.
    if os.name != "posix" or record.get("host") != socket.gethostname():
        return True
    try:
        os.kill(int(record["pid"]), 0)
    except (ProcessLookupError, ValueError, KeyError):
        return False
    except PermissionError:
        return True
    return True


def write_whole(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        for attempt in range(5):
            try:
                partial.replace(path)
                return
            except PermissionError:  # on Windows, while somebody reads it
                if attempt == 4:
                    raise
                time.sleep(0.02)
    finally:
        partial.unlink(missing_ok=True)


def _quietly(write: Callable[[], object]) -> None:
    try:
        write()
    except OSError:
        return
