"""``napari-deeper unmix``: find endmembers, or take those of a file, and write the maps of one cube or more."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_deeper.cli.console import progress_bar
from napari_deeper.cli.flags import Source, read_input, settings_from
from napari_deeper.engine.references import Match, match_references
from napari_deeper.engine.unmix import unmix, unmix_with
from napari_deeper.engine.unmix_report import check_unmixed, write_unmixed
from napari_deeper.engine.unmix_settings import UnmixParams
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.io.endmembers import read_endmembers
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import AxisError
from napari_deeper.spectra.progress import Progress

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
    cube = _read(values["source"], values)
    others = [_read(path, values) for path in values["apply_to"] or ()]
    with progress_bar(values["quiet"]) as progress:
        first = progress.part(0.0, 1 / (1 + len(others)))
        if use is None:
            results = [unmix(cube, params, progress=first)]
        else:
            results = [unmix_with(cube, use, params, progress=first)]
        results += _apply(results[0], others, params, progress)
    try:
        matches = match_references(results[0].endmembers, references)
        told = ""
    except AxisError as error:
        matches, told = (), str(error)
    write_unmixed(results, folder, matches, overwrite=values["force"])
    if not values["quiet"]:
        _tell(results, matches, [told] if told else [])
        typer.echo(f"Wrote {folder}: endmembers.csv, summary.csv, and the maps of each cube")


def _read(path: Path, values: dict[str, Any]) -> RamanCube:
    return read_input(path, values)


def _apply(
    first: Unmixed, others: list[RamanCube], params: UnmixParams, progress: Progress
) -> list[Unmixed]:
    n = 1 + len(others)
    return [
        unmix_with(other, first.endmembers, params, progress=progress.part(i / n, (i + 1) / n))
        for i, other in enumerate(others, start=1)
    ]


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
