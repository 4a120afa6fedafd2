"""The job file of fine-tuning: what to learn from, how, and where to leave the outcome."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_deeper.models.user_models import models_folder
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.errors import FileError, ParameterError
from napari_deeper.training.finetune_config import FinetuneParams
from napari_deeper.training.finetune_events import job_status, write_whole

FORMAT, VERSION = "napari-deeper finetune job", 1
JOB_FILE = "job.json"
_ROLES = ("", "train", "validation", "test")


@dataclass(frozen=True)
class PairFiles:
    """Files of two cubes of one field; the role is as in `napari_deeper.engine.finetune_material.Pair`."""

    low: Path
    high: Path
    role: str = ""


@dataclass(frozen=True)
class FinetuneJob:
    """A job as its file says it.

    Parameters
    ----------
    folder
        Gets everything that the job leaves.
    params
        The settings.
    patches
        File of patches, to super-resolve.
    pairs
        Pairs of files, to denoise.
    maps
        Noisy maps to denoise, where there are no pairs.
    name
        Of the model; empty: one is made up.
    """

    folder: Path
    params: FinetuneParams
    patches: Path | None = None
    pairs: tuple[PairFiles, ...] = ()
    name: str = ""
    maps: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.params.what == "super-resolve" and self.patches is None:
            raise ParameterError("To tune super-resolution name a file of patches.")
        if self.params.what != "denoise":
            return
        if bool(self.pairs) == bool(self.maps):
            raise ParameterError(
                "To tune a denoiser name pairs of files, low and high; or noisy maps alone, without pairs."
            )
        if self.maps and not self.params.of_images:
            raise ParameterError("From noisy maps alone the network 'eigenimages' is tuned.")
        if self.maps and (self.params.scratch or self.params.from_scratch):
            raise ParameterError(
                "Noisy maps alone cannot tell how good a network from scratch is: start from trained weights."
            )
        if self.maps:
            object.__setattr__(self, "params", self.params.for_alone())


def write_job(job: FinetuneJob, path: str | os.PathLike[str] | None = None) -> Path:
    """Write a job file, by default ``job.json`` in the job's folder, and return its path."""
    target = Path(path) if path else job.folder / JOB_FILE
    base = target.parent.resolve()
    record = {
        "format": FORMAT,
        "version": VERSION,
        "name": job.name,
        "folder": _relative(job.folder, base),
        "patches": None if job.patches is None else _relative(job.patches, base),
        "pairs": [
            {"low": _relative(p.low, base), "high": _relative(p.high, base), "role": p.role}
            for p in job.pairs
        ],
        "maps": [_relative(path, base) for path in job.maps],
        "params": settings_of.to_json(job.params),
    }
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, json.dumps(record, indent=1) + "\n")
    except OSError as error:
        raise FileError(f"{target} cannot be written: {error.strerror or error}.") from error
    return target


def read_job(path: str | os.PathLike[str]) -> FinetuneJob:
    """Read a job file; its paths are relative to its own folder.

    Raises
    ------
    FileError, ParameterError
        Naming what is wrong with it.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise FileError(f"{path} is no JSON file: {error}.") from error
    if not isinstance(record, Mapping) or record.get("format") != FORMAT:
        raise FileError(f"{path} is no job of fine-tuning: its format should be '{FORMAT}'.")
    if record.get("version") != VERSION:
        raise FileError(
            f"{path} is a job of version {record.get('version')!r}; this program knows {VERSION}."
        )
    try:
        return _job_of(record, path.parent.resolve())
    except (KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{path} is incomplete or wrong: {error!r}.") from error


def remember_job(folder: Path) -> None:
    """Note where a job is, so that it can be found again; what cannot be noted is left out."""
    whole = str(folder.resolve())
    name = hashlib.sha256(whole.encode()).hexdigest()[:16]
    try:
        _register().mkdir(parents=True, exist_ok=True)
        write_whole(_register() / f"{name}.json", json.dumps({"folder": whole}))
    except OSError:
        return


def list_jobs() -> dict[Path, dict[str, Any]]:
    """Return what each known job last told of itself, by its folder, the newest first.

    ``status["alive"]`` says whether it still runs; see docs/fine-tuning.md. Jobs whose folder is gone are
    forgotten.
    """
    found = {}
    for note in _register().glob("*.json"):
        try:
            folder = Path(json.loads(note.read_text(encoding="utf-8"))["folder"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        status = job_status(folder)
        if status is None:
            if not folder.is_dir():
                note.unlink(missing_ok=True)
            continue
        found[folder] = status
    return dict(sorted(found.items(), key=lambda item: -float(item[1]["beat"])))


def _register() -> Path:
    return models_folder().parent / "jobs"


def _job_of(record: Mapping[str, Any], base: Path) -> FinetuneJob:
    pairs = tuple(
        PairFiles(base / pair["low"], base / pair["high"], _role(pair.get("role", "")))
        for pair in record.get("pairs") or ()
    )
    patches = record.get("patches")
    return FinetuneJob(
        folder=base / (record.get("folder") or "."),
        params=settings_of.make(FinetuneParams, None, _typed(dict(record.get("params") or {}))),
        patches=base / patches if patches else None,
        pairs=pairs,
        name=str(record.get("name") or ""),
        maps=tuple(base / each for each in record.get("maps") or ()),
    )


def _typed(settings: dict[str, Any]) -> dict[str, Any]:
    """Turn whole numbers into floats where a setting is one: JSON does not tell them apart."""
    for field in dataclasses.fields(FinetuneParams):
        value = settings.get(field.name)
        if isinstance(field.default, float) and isinstance(value, int):
            settings[field.name] = float(value)
    return settings


def _role(role: str) -> str:
    if role not in _ROLES:
        raise ParameterError(f"The role of a pair is {role!r}; it must be one of: {_ROLES[1:]}.")
    return role


def _relative(path: Path, base: Path) -> str:
    whole = Path(path).expanduser().resolve()
    try:
        return Path(os.path.relpath(whole, base)).as_posix()
    except ValueError:  # another drive
        return str(whole)
