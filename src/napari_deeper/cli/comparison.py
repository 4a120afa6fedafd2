"""``napari-deeper compare``: read the cubes, compare, write the report."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_deeper.cli.console import progress_bar
from napari_deeper.cli.flags import read_input, settings_from
from napari_deeper.engine.compare import compare
from napari_deeper.engine.compare_report import check_comparison, write_comparison
from napari_deeper.engine.compare_scores import CubeComparison
from napari_deeper.engine.compare_settings import CompareParams
from napari_deeper.io.endmembers import read_endmembers
from napari_deeper.io.regions import read_regions
from napari_deeper.spectra.cube import RamanCube

_Cubes = Annotated[
    list[Path],
    typer.Argument(
        metavar="TARGET CANDIDATE...",
        help="The target, then the cubes to compare with it; with --no-target cubes alone.",
    ),
]
_Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write the report.")]
_NoTarget = Annotated[
    bool,
    typer.Option("--no-target", help="There is no target: every file is a cube to be described."),
]
_Rois = Annotated[
    Path | None,
    typer.Option(
        "--rois",
        metavar="FILE",
        help="Regions: .npz with 'labels' (y, x), or .csv of outlines (name, y, x; or shapes saved by "
        "napari), in um.",
    ),
]
_Use = Annotated[
    Path | None,
    typer.Option(
        "--use",
        metavar="FILE",
        help="Endmembers to use in place of a search on the target: a CSV with a column of cm-1, or an .npz.",
    ),
]

COMPARE_FILES: dict[str, tuple[Any, Any]] = {
    "cubes": (_Cubes, inspect.Parameter.empty),
    "out": (_Out, inspect.Parameter.empty),
    "no_target": (_NoTarget, False),
    "rois": (_Rois, None),
    "use": (_Use, None),
}

COMPARE_HELP = """Compare cubes with a target by their place on the sample.

    [bold]napari-deeper compare 1s.npz 0.1s.npz denoised.npz --match-scale --out report[/bold]

    [bold]napari-deeper compare cell.mat bilinear.zarr fine.zarr --rois rois.csv --out report[/bold]

    Nothing to compare with? Noise, bands and regions can be told, but no error:

    [bold]napari-deeper compare --no-target a.npz b.npz --out report[/bold]

    Cubes of other pixels or wavenumbers are read at the target's; all candidates are judged on the same
    pixels. The folder gets report.md, tables in CSV and the difference maps (differences.npz).
    """


def run_compare(values: dict[str, Any]) -> None:
    """Do what the flags say."""
    params = settings_from(CompareParams, values)
    paths: list[Path] = values["cubes"]
    if not values["no_target"] and len(paths) < 2:
        raise typer.BadParameter("Give a TARGET and at least one CANDIDATE, or --no-target.")
    folder = check_comparison(values["out"], overwrite=values["force"])
    cubes = [_read(path, values) for path in paths]
    target = None if values["no_target"] else cubes.pop(0)
    stems = [path.stem for path in paths[-len(cubes) :]]
    candidates = dict(zip(_different(stems, [target.name] if target else []), cubes, strict=True))
    regions = read_regions(values["rois"], target or cubes[0]) if values["rois"] else ()
    use = read_endmembers(values["use"]) if values["use"] else None
    with progress_bar(values["quiet"]) as progress:
        found = compare(
            candidates, target, params, endmembers=use, regions=regions, progress=progress
        )
    write_comparison(found, folder, overwrite=values["force"])
    if not values["quiet"]:
        typer.echo(_summary(found))
        for note in found.notes:
            typer.echo(f"- {note}")
        typer.echo(f"Wrote {folder}: {', '.join(sorted(p.name for p in folder.iterdir()))}")


def _read(path: Path, values: dict[str, Any]) -> RamanCube:
    return read_input(path, values)


def _different(names: Iterable[str], taken: list[str]) -> list[str]:
    """Return the names, those met before with a number behind."""
    found: list[str] = []
    for name in names:
        number, unique = 2, name
        while unique in (*found, *taken):
            unique, number = f"{name} ({number})", number + 1
        found.append(unique)
    return found


def _summary(found: CubeComparison) -> str:
    width = max(len(s.candidate) for s in found.scores)
    if not found.target:
        lines = [f"{'':{width}}  {'mean':>10}  {'noise':>10}  {'SNR':>8}"]
        for s in found.scores:
            lines.append(f"{s.candidate:<{width}}  {s.level:10.4g}  {s.noise:10.4g}  {s.snr:8.3g}")
        return "\n".join(lines)
    head = (
        f"{'':{width}}  {'MSE':>10}  {'PSNR (dB)':>9}  {'SSIM':>6}  {'angle':>7}  {'accuracy':>8}"
    )
    lines = [f"Compared with {found.target}, {found.scores[0].n_pixels} pixels", head]
    for s in sorted(found.scores, key=lambda s: s.mse):
        hits = "-" if math.isnan(s.accuracy) else f"{100 * s.accuracy:.1f} %"
        lines.append(
            f"{s.candidate:<{width}}  {s.mse:10.4g}  {s.psnr:9.2f}  {s.ssim:6.3f}  "
            f"{s.spectral_angle:7.4f}  {hits:>8}"
        )
    return "\n".join(lines)
