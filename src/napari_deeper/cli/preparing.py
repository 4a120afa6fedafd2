"""``napari-deeper prepare``: run a recipe on a cube, or on every cube of a folder."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_deeper.cli.batching import sum_up, tell
from napari_deeper.cli.console import kept_so_far, progress_bar
from napari_deeper.cli.flags import reading_from
from napari_deeper.engine.prepare import as_recipe
from napari_deeper.engine.prepare_files import prepare_file
from napari_deeper.engine.prepare_folder import prepare_folder
from napari_deeper.engine.prepare_settings import (
    BASELINES,
    NORMALIZATIONS,
    REFERENCES,
    BadPixels,
    Baseline,
    Crop,
    Despike,
    Normalize,
    Recalibrate,
    Resample,
    Settings,
    Smooth,
)
from napari_deeper.engine.rays import RayTable, cosmic_rays
from napari_deeper.engine.recipe import PRESETS, STEPS, Recipe, kind_of, read_recipe
from napari_deeper.io.read import read
from napari_deeper.io.write import writable_suffixes
from napari_deeper.io.zarr_store import is_store
from napari_deeper.spectra.errors import FileError

_STEPS = "Steps, in this order"
_MOST_ROWS = 40


@dataclass(frozen=True)
class NoSettings:
    """The command has no settings of its own: they are those of its steps."""


def _option(kind: Any, name: str, text: str, metavar: str | None = None, panel: str = "") -> Any:
    panel_name = panel or None
    return Annotated[
        kind, typer.Option(name, metavar=metavar, help=text, rich_help_panel=panel_name)
    ]


def _step(name: str, metavar: str, text: str) -> tuple[Any, Any]:
    return _option(str, name, text, metavar, _STEPS), ""


def _tick(name: str, text: str) -> tuple[Any, Any]:
    return _option(bool, name, text, panel=_STEPS), False


_OUT_HELP = "Where to write the result: .zarr, .npz, .h5, .mat, .tif or .csv; a folder where IN holds several cubes."

PREPARE_FILES: dict[str, tuple[Any, Any]] = {
    "source": (
        Annotated[Path, typer.Argument(metavar="IN", help="A cube, or a folder of cubes.")],
        inspect.Parameter.empty,
    ),
    "target": (Annotated[Path | None, typer.Argument(metavar="OUT", help=_OUT_HELP)], None),
    "recipe": (_option(Path | None, "--recipe", "A recipe: a JSON file.", "FILE"), None),
    "preset": (_option(str, "--preset", "A recipe that comes with it.", "|".join(PRESETS)), ""),
    "show": (
        _option(bool, "--show", "List the cosmic rays that would be found; write nothing."),
        False,
    ),
    "suffix": (
        _option(str, "--format", "Of the results in a folder.", ".npz|.zarr|.h5|..."),
        ".npz",
    ),
    "despike": _tick("--despike", "Remove cosmic rays."),
    "bad_pixels": _tick(
        "--bad-pixels", "Bridge dead and hot channels; saturated pixels become missing (NaN)."
    ),
    "crop": _step("--crop", "LOW-HIGH", "Keep a range in cm-1, for example 600-1800."),
    "recalibrate": _step(
        "--recalibrate",
        "silicon|phenylalanine|CM-1",
        "Shift the axis so that this band of the mean spectrum lies where it should.",
    ),
    "baseline": _step("--baseline", "|".join(BASELINES), "Subtract a baseline."),
    "resample": _step(
        "--resample",
        "network|N|Ncm",
        "To the axis of the network, a number of channels (500), or a spacing (2.5cm).",
    ),
    "smooth": _step("--smooth", "WINDOW", "Savitzky-Golay; 0: the window is chosen."),
    "normalize": _step("--normalize", "|".join(NORMALIZATIONS), "Bring to a common scale."),
}

PREPARE_HELP = """Prepare a raw cube: cosmic rays, range, axis, baseline, scale.

    [bold]napari-deeper prepare raw.mat ready.zarr --preset raw-for-enhance[/bold]

    [bold]napari-deeper prepare raw.mat ready.npz --despike --crop 600-1800 --baseline arpls[/bold]

    [bold]napari-deeper prepare raw.mat --despike --show[/bold]

    [bold]napari-deeper prepare measured prepared --recipe recipe.json[/bold]

    Of a folder, every cube is prepared and written to the folder OUT; one that fails does not stop the others.
    Run again, it makes what is missing and skips what the same recipe made from the same input. The exit code
    is 1 if a file failed.
    """


def run_prepare(values: dict[str, Any]) -> None:
    """Do what the flags say."""
    recipe = _recipe(values)
    source, target = values["source"], values["target"]
    reading = reading_from(values)
    if values["show"]:
        _show(source, recipe, reading)
        return
    if target is None:
        raise typer.BadParameter("Say where to write the result (OUT), or pass --show.")
    is_one = is_store(source) or target.suffix.lower() in writable_suffixes()  # a folder of spectra
    if source.is_dir() and not is_one:
        _folder(source, target, recipe, reading, values)
        return
    with progress_bar(values["quiet"]) as progress:
        notes = prepare_file(
            source, target, recipe, overwrite=values["force"], reading=reading, progress=progress
        )
    if not values["quiet"]:
        typer.echo(f"Wrote {target}: {recipe}")
        for note in notes:
            typer.echo(f"- {note}")


def _recipe(values: dict[str, Any]) -> Recipe:
    by_flags = _steps(values)
    given = [bool(by_flags), values["recipe"] is not None, bool(values["preset"])]
    if sum(given) > 1:
        raise typer.BadParameter("Give --recipe, --preset or single steps: one of the three.")
    if values["recipe"] is not None:
        return read_recipe(values["recipe"])
    if values["preset"]:
        return as_recipe(values["preset"])
    if not by_flags:
        if values["show"]:
            return Recipe((Despike(),))
        raise typer.BadParameter(
            f"Say what to do: --recipe, --preset ({', '.join(PRESETS)}) or steps."
        )
    return Recipe(by_flags, "command line")


def _steps(values: dict[str, Any]) -> tuple[Settings, ...]:
    """Return the steps that have flags, in their usual order."""
    found: list[Settings] = []
    if values["despike"]:
        found.append(Despike())
    if values["bad_pixels"]:
        found.append(BadPixels())
    for name, make in (
        ("crop", _crop),
        ("recalibrate", _recalibrate),
        ("baseline", lambda text: Baseline(text)),
        ("resample", _resample),
        ("smooth", lambda text: Smooth(int(text))),
        ("normalize", lambda text: Normalize(text)),
    ):
        if values[name] != "":
            try:
                found.append(make(values[name]))
            except ValueError as error:
                raise typer.BadParameter(
                    f"--{name}: '{values[name]}' is not understood."
                ) from error
    order = list(STEPS)
    return tuple(sorted(found, key=lambda settings: order.index(kind_of(settings).name)))


def _crop(text: str) -> Crop:
    low, _, high = re.sub(r"(?<=\d)\s*[-:]\s*", " to ", text, count=1).partition(" to ")
    return Crop(float(low), float(high))


def _recalibrate(text: str) -> Recalibrate:
    return Recalibrate(text) if text in REFERENCES[:2] else Recalibrate("own", float(text))


def _resample(text: str) -> Resample:
    if text == "network":
        return Resample("network")
    if text.endswith("cm"):
        return Resample("spacing", spacing=float(text[:-2]))
    return Resample("channels", n_channels=int(text))


def _show(source: Path, recipe: Recipe, reading: dict[str, Any]) -> None:
    if source.is_dir() and not is_store(source):
        raise FileError("--show looks at one cube; name a file.")
    table: RayTable = cosmic_rays(read(source, **reading), recipe)
    typer.echo(table.text(_MOST_ROWS))


def _folder(
    source: Path, target: Path, recipe: Recipe, reading: dict[str, Any], values: dict[str, Any]
) -> None:
    with kept_so_far(), progress_bar(values["quiet"]) as progress:
        outcomes = prepare_folder(
            source,
            target,
            recipe,
            suffix=values["suffix"],
            overwrite=values["force"],
            reading=reading,
            progress=progress,
        )
    for outcome in outcomes:
        if outcome.outcome != "failed" and not values["quiet"]:
            tell(outcome)
    sum_up(outcomes, values["quiet"])
