"""``napari-deeper figure``: the figure of a set of cubes, without a window."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_deeper.cli.console import progress_bar
from napari_deeper.cli.flags import read_input, settings_from
from napari_deeper.engine.figure import FigureParams, make_figure
from napari_deeper.engine.figure_draw import notes_for
from napari_deeper.engine.figure_files import FORMATS, check_figure_output, write_figure
from napari_deeper.spectra.cube import RamanCube

_Cubes = Annotated[
    list[Path],
    typer.Argument(metavar="CUBE...", help="The cubes, in the order of their rows, from the top."),
]
_Out = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Where to: .svg, .pdf or .png (300 dpi).")
]
_Also = Annotated[
    str,
    typer.Option("--also", metavar="pdf,png", help="Write these formats too, under the same name."),
]
_Target = Annotated[
    Path | None,
    typer.Option(
        "--target", metavar="FILE",
        help="What the cubes should be: the last row, and what the measures compare with.",
    ),
]  # fmt: skip
_Pins = Annotated[
    list[str] | None,
    typer.Option(
        "--pins", metavar="Y,X",
        help="Pixel of the first cube, from 0, whose spectra to show; repeat it, or separate by spaces.",
    ),
]  # fmt: skip
_Names = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        metavar="TEXT",
        help="Name of a row, once per cube (else: the name of its file).",
    ),
]
_Data = Annotated[
    bool,
    typer.Option(
        "--data/--no-data", help="Write the numbers too, as CSV, into the folder NAME_data."
    ),
]

FIGURE_FILES: dict[str, tuple[Any, Any]] = {
    "sources": (_Cubes, inspect.Parameter.empty),
    "out": (_Out, inspect.Parameter.empty),
    "also": (_Also, ""),
    "target": (_Target, None),
    "pins": (_Pins, None),
    "names": (_Names, None),
    "data": (_Data, True),
}

FIGURE_HELP = """Make a figure for a paper: heatmaps, composites, spectra at pixels, measures against a target.

    [bold]napari-deeper figure cell.npz clean.npz --band 1450 --out figure.svg[/bold]

    [bold]napari-deeper figure 0.1s.npz clean.npz --target 1s.npz --components 5 --pins 12,20 --pins 30,8
    --out figure.svg --also pdf,png[/bold]

    Maps of one dwell time share one contrast and one color bar, and all are drawn to one scale. Components
    are found on the target (else the first cube) and applied to every cube. Text stays text, to be edited in
    any drawing program; the numbers go beside the figure as CSV.
    """


def run_figure(values: dict[str, Any]) -> None:
    """Do what the flags say."""
    params = settings_from(FigureParams, values)
    formats = _formats(values["also"])
    pins = _pins(values["pins"] or [])
    where = {"formats": formats, "data": values["data"], "overwrite": values["force"]}
    # Before the long work: an output that was never possible must not be found out after it.
    check_figure_output(values["out"], **where)
    cubes = _read_all(values)
    target = _read(values["target"], values) if values["target"] else None
    if target is not None:
        name = {**target.metadata, "name": values["target"].stem}
        target = dataclasses.replace(target, metadata=name)
    with progress_bar(values["quiet"]) as progress:
        figure = make_figure(cubes, params, target=target, pins=pins, progress=progress)
    written = write_figure(figure, values["out"], params, **where)
    if not values["quiet"]:
        typer.echo(f"Wrote {', '.join(str(path) for path in written)}")
        for note in notes_for(figure, params):
            typer.echo(f"- {note}")


def _read_all(values: dict[str, Any]) -> dict[str, RamanCube]:
    """Return the cubes by the names given, or by those of their files: results keep the name of their source."""
    sources, names = values["sources"], values["names"] or []
    if names and (len(names) != len(sources) or len(set(names)) != len(names)):
        raise typer.BadParameter(
            f"--name was given {len(names)} times for {len(sources)} cubes: give each a name of its own."
        )
    stems = [path.stem for path in sources]
    different = len(set(stems)) == len(stems)
    wanted = names or (stems if different else [str(path) for path in sources])
    if len(set(wanted)) < len(wanted):
        raise typer.BadParameter("A cube is given twice: give each a --name of its own.")
    return {name: _read(path, values) for name, path in zip(wanted, sources, strict=True)}


def _read(path: Path, values: dict[str, Any]) -> RamanCube:
    return read_input(path, values)


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(part.strip().lower().lstrip(".") for part in text.split(",") if part.strip())
    wrong = [name for name in formats if name not in FORMATS]
    if wrong:
        raise typer.BadParameter(f"--also: '{wrong[0]}' is none of {', '.join(FORMATS)}.")
    return formats


def _pins(texts: list[str]) -> list[tuple[float, float]]:
    pins = []
    for text in " ".join(texts).split():
        try:
            y, x = (float(part) for part in text.split(","))
        except ValueError as error:
            raise typer.BadParameter(f"--pins: '{text}' is not y,x such as 12,20.") from error
        pins.append((y, x))
    return pins
