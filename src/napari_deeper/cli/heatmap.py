"""``napari-deeper heatmap``: read a cube, measure a band in every pixel, write the map."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from napari_deeper.cli.console import progress_bar
from napari_deeper.cli.flags import Source, reading_from, settings_from
from napari_deeper.engine.heatmap import Heatmap, HeatmapParams, spec_of
from napari_deeper.engine.heatmap_files import check_heatmap_output, write_heatmap
from napari_deeper.engine.heatmap_stored import heatmap_file
from napari_deeper.spectra.errors import ParameterError

_Out = Annotated[
    Path,
    typer.Option(
        "--out", metavar="FILE", help="Where to write the map: .csv, .npz, or .png for a picture."
    ),
]

HEATMAP_FILES: dict[str, tuple[Any, Any]] = {
    "source": (Source, inspect.Parameter.empty),
    "out": (_Out, inspect.Parameter.empty),
}

HEATMAP_HELP = """Measure a band in every pixel of a cube, or the ratio of two bands.

    [bold]napari-deeper heatmap cell.mat --band 1450 --out lipid.png[/bold]

    [bold]napari-deeper heatmap cell.mat --band 1440-1460 --measure area --baseline --out lipid.csv[/bold]

    [bold]napari-deeper heatmap cell.mat --band 1450 --over 1004 --measure height --out ratio.npz[/bold]

    [bold]napari-deeper heatmap cell.mat --band 990-1018 --measure position --out shift.png[/bold]

    Every map has its unit. Pixels without a value, where there is no peak above the noise or no clear
    denominator, are empty in the table, NaN in .npz and gray in the picture; how many there are is told.
    """


def run_heatmap(values: dict[str, Any]) -> None:
    """Do what the flags say."""
    params = settings_from(HeatmapParams, values)
    try:
        spec_of(params)
    except ParameterError as error:
        raise typer.BadParameter(str(error)) from error
    path = check_heatmap_output(values["out"], overwrite=values["force"])
    with progress_bar(values["quiet"]) as progress:
        made = heatmap_file(
            values["source"], params, reading=reading_from(values), progress=progress
        )
    write_heatmap(made, path, overwrite=values["force"])
    if not values["quiet"]:
        typer.echo(f"Wrote {path}: {made}")
        typer.echo(f"- {_range(made)}")
        for note in made.notes:
            typer.echo(f"- {note}")


def _range(made: Heatmap) -> str:
    values = made.image[np.isfinite(made.image)]
    if values.size == 0:
        return "No pixel has a value."
    low, middle, high = np.percentile(values, (0, 50, 100))
    unit = f" {made.unit}" if made.unit else ""
    return f"From {low:.5g} to {high:.5g}{unit}, median {middle:.5g}."
