"""``napari-deeper plan``: how long a measurement takes, and how much sooner a fast one is there."""

from __future__ import annotations

import json
import re
from typing import Annotated

import typer

from napari_deeper.cli.console import one_line_errors
from napari_deeper.cli.flags import Debug
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.imaging_plan import (
    ImagingPlan,
    PlanParams,
    describe_plan,
    plan_imaging,
)
from napari_deeper.spectra.imaging_time import ImagingTime

Pixels = Annotated[
    str,
    typer.Option(
        metavar="NYxNX", help="Pixels of the finished image along y and x, for example 64x64."
    ),
]
Field = Annotated[
    str,
    typer.Option(
        metavar="UMxUM",
        help="In place of --pixels: the field along y and x in um; needs --pixel-size.",
    ),
]
Pixel = Annotated[float, typer.Option(help="Pixel size of the finished image, um.", min=0.0)]
Dwell = Annotated[float, typer.Option(help="Time per spectrum of a good measurement, s.")]
FastDwell = Annotated[float, typer.Option(help="Time per spectrum of the noisy measurement, s.")]
Scale = Annotated[
    int,
    typer.Option(metavar="1|2|3|4", help="Super-resolution: 4 measures one of 16 pixels; 1 all."),
]
PixelOverhead = Annotated[float, typer.Option(help="Readout and settling for each pixel, s.")]
LineOverhead = Annotated[float, typer.Option(help="Way back of the stage after each line, s.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def run_plan(
    pixels: Pixels = "",
    field: Field = "",
    pixel_size: Pixel = 0.0,
    dwell: Dwell = 1.0,
    fast_dwell: FastDwell = 0.1,
    scale: Scale = 4,
    pixel_overhead: PixelOverhead = 0.0,
    line_overhead: LineOverhead = 0.0,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Plan the imaging time: a measurement in full against a fast one that is denoised and super-resolved.

    [bold]napari-deeper plan --pixels 64x64 --dwell 1 --fast-dwell 0.1 --scale 4[/bold]

    [bold]napari-deeper plan --field 40x40 --pixel-size 0.5 --scale 2 --line-overhead 0.2[/bold]

    A speed-up is bought with estimates: what is not measured is inferred. Compare both ways on one
    sample before relying on it.
    """
    with one_line_errors(debug):
        n_y, n_x = count_pixels(pixels, field, pixel_size)
        overheads = (pixel_overhead, line_overhead)
        params = PlanParams(n_y, n_x, pixel_size, dwell, fast_dwell, scale, *overheads)
        plan = plan_imaging(params)
    if as_json:
        typer.echo(json.dumps(_facts(plan), indent=2))
        return
    typer.echo(describe_plan(plan, pixel_size))
    for note in plan.notes:
        typer.echo(f"- {note}")


def count_pixels(pixels: str, field: str, pixel_size: float) -> tuple[int, int]:
    """Return the pixels along y and x, as given or as fit the field.

    Raises
    ------
    ParameterError
        If neither or both are given, or cannot be read.
    """
    if bool(pixels) == bool(field):
        raise ParameterError("Give --pixels (such as 64x64), or --field and --pixel-size.")
    if pixels:
        sizes = _pair(pixels, "--pixels")
        if any(size != int(size) for size in sizes):
            raise ParameterError(f"--pixels is '{pixels}'; pixels are whole, for example 64x64.")
        return int(sizes[0]), int(sizes[1])
    if not pixel_size > 0:
        raise ParameterError("--field needs --pixel-size, in um.")
    y, x = _pair(field, "--field")
    return max(1, round(y / pixel_size)), max(1, round(x / pixel_size))


def _pair(text: str, flag: str) -> tuple[float, float]:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:[xX×,]\s*(\d+(?:\.\d+)?))?\s*", text)
    if not found:
        raise ParameterError(f"{flag} is '{text}'; it must be like 64x64, or one number for both.")
    return float(found[1]), float(found[2] or found[1])


def _facts(plan: ImagingPlan) -> dict[str, object]:
    def facts(time: ImagingTime) -> dict[str, object]:
        return {**vars(time), "seconds": time.seconds, "time": str(time)}

    return {
        "full": facts(plan.full),
        "fast": facts(plan.fast),
        "speed_up": plan.speed_up,
        "notes": list(plan.notes),
    }
