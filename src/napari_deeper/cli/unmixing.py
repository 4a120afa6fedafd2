"""``napari-deeper unmix``: find endmembers, or take those of a file, and write the maps of one cube or more."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_deeper.cli.console import kept_parts, progress_bar
from napari_deeper.cli.flags import Source, reading_from, settings_from
from napari_deeper.engine.references import Match, match_references
from napari_deeper.engine.unmix_files import unmixed_files
from napari_deeper.engine.unmix_report import check_unmixed, write_unmixed
from napari_deeper.engine.unmix_settings import UnmixParams
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.io.endmembers import read_endmembers
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import AxisError

_Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write the results.")]
_Use = Annotated[
    Path | None,
    typer.Option(
        "--use",
        metavar="FILE",
        help="Endmembers to use in place of a search: a CSV with a column of cm-1, or an .npz.",
    ),
]
_ApplyTo = Annotated[
    list[Path] | None,
    typer.Option(
        "--apply-to",
        metavar="FILE",
        help="Another cube to unmix with the same endmembers; may be given more than once.",
    ),
]
_References = Annotated[
    Path | None,
    typer.Option(
        "--references",
        metavar="FILE",
        help="Named spectra (CSV or .npz) to compare the endmembers with; without it, band tables.",
    ),
]

UNMIX_FILES: dict[str, tuple[Any, Any]] = {
    "source": (Source, inspect.Parameter.empty),
    "out": (_Out, inspect.Parameter.empty),
    "use": (_Use, None),
    "apply_to": (_ApplyTo, None),
    "references": (_References, None),
}

UNMIX_HELP = """Take a cube apart into a few spectra (endmembers) and maps of how much each pixel holds.

    [bold]napari-deeper unmix cell.mat --n-endmembers 5 --out components[/bold]

    As published: the endmembers of the best measurement, applied to all others:

    [bold]napari-deeper unmix long.npz --apply-to short.npz --apply-to denoised.npz --out components[/bold]

    Edit endmembers.csv (names, colors, columns), or bring your own, and use it:

    [bold]napari-deeper unmix cell.mat --use endmembers.csv --out again[/bold]

    A Zarr store of 512 MB or more streams tile by tile; if it is stopped, the same command goes on.

    The folder gets endmembers.csv, summary.csv, and for each cube abundances.npz and composite.png.
    What an endmember is most like is said with a score: 1 is the same shape of spectrum, below 0.6 is
    called no match.
    """


def run_unmix(values: dict[str, Any]) -> None:
    """Do what the flags say."""
    params = settings_from(UnmixParams, values)
    # Before the long work: an output that was never possible must not be found out after it.
    folder = check_unmixed(values["out"], overwrite=values["force"])
    use = read_endmembers(values["use"]) if values["use"] else None
    references = read_endmembers(values["references"]) if values["references"] else None
    sources = [values["source"], *(values["apply_to"] or ())]
    with (
        kept_parts(folder),
        progress_bar(values["quiet"]) as progress,
        unmixed_files(sources, folder, params, use, reading_from(values), progress) as results,
    ):
        matches, told = _matches(results[0], references)
        write_unmixed(results, folder, matches, overwrite=values["force"])
    if not values["quiet"]:
        _tell(results, matches, told)
        typer.echo(f"Wrote {folder}: endmembers.csv, summary.csv, and the maps of each cube")


def _matches(first: Unmixed, references: Endmembers | None) -> tuple[tuple[Match, ...], list[str]]:
    """Return what the endmembers are most like, or why that cannot be told."""
    try:
        return match_references(first.endmembers, references), []
    except AxisError as error:
        return (), [str(error)]


def _tell(results: list[Unmixed], matches: tuple[Match, ...], more: list[str]) -> None:
    for result in results:
        typer.echo(
            f"{result.name}: {len(result.endmembers)} components, "
            f"{100 * result.relative_residual:.1f} % left over"
        )
        width = max(len(name) for name in result.endmembers.names)
        for i, name in enumerate(result.endmembers.names):
            like = f"  {matches[i]}" if matches and result is results[0] else ""
            typer.echo(f"  {name:<{width}}  {100 * result.shares[i]:5.1f} % of the pixels{like}")
        if result is results[0] and result.backdrop is not None:
            name = result.endmembers.names[result.backdrop]
            typer.echo(
                f"- {name} is by far the dimmest and has the most pixels: black in the composite."
            )
        for note in result.notes:
            typer.echo(f"- {note}")
    for line in more:
        typer.echo(f"- {line}")
