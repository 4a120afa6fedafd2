"""``napari-deeper patches``: suggest where to fine-tune, and write it down."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_deeper.cli.console import progress_bar
from napari_deeper.cli.flags import settings_from
from napari_deeper.io.patches import SUFFIX, check_patches_output, write_patches
from napari_deeper.io.read import read
from napari_deeper.processing.patch_suggestion import SuggestParams, suggest_patches
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import AxisError
from napari_deeper.spectra.patches import ROLES, PatchSet

_Cubes = Annotated[
    list[Path],
    typer.Argument(
        metavar="CUBE...", help="One or several cubes: .npz, .mat (WITec too) or .zarr."
    ),
]
_Out = Annotated[Path, typer.Option("--out", metavar="FILE", help=f"Where to write: {SUFFIX}.")]
_Tissue = Annotated[
    list[str] | None,
    typer.Option(
        "--tissue",
        metavar="NAME",
        help="What the cubes show: once for all, or once for each in their order.",
    ),
]

PATCHES_FILES: dict[str, tuple[Any, Any]] = {
    "sources": (_Cubes, inspect.Parameter.empty),
    "out": (_Out, inspect.Parameter.empty),
    "tissue": (_Tissue, None),
}

PATCHES_HELP = """Suggest patches of tissue to fine-tune on, and write them to a file.

    [bold]napari-deeper patches tissue.zarr --size 64 --suggest 16 --out patches.json[/bold]

    [bold]napari-deeper patches a.zarr b.zarr --tissue cartilage --tissue bone --out patches.json[/bold]

    Patches are full of signal, unlike each other, and none lies above another; some are for training,
    some for validation, some for the test. Look at them and change them in napari: Plugins > DeepeR >
    Annotate. The file names the cubes by their paths and by the sha256 of what they hold.
    """


def run_patches(values: dict[str, Any]) -> None:
    """Do what the flags say."""
    params = settings_from(SuggestParams, values)
    # Before the long work: an output that was never possible must not be found out after it.
    out = check_patches_output(values["out"], overwrite=values["force"])
    paths: list[Path] = values["sources"]
    names = _names(paths)
    tissues = _tissues(values["tissue"] or [], names)
    cubes = {name: _read(path) for name, path in zip(names, paths, strict=True)}
    with progress_bar(values["quiet"]) as progress:
        found = suggest_patches(cubes, params, tissues=tissues, progress=progress)
    files = dict(zip(names, paths, strict=True))
    known = tuple(cube.replace(path=files[cube.name]) for cube in found.patches.cubes)
    written = write_patches(found.patches.replace(cubes=known), out, overwrite=values["force"])
    if not values["quiet"]:
        typer.echo(_table(written))
        for note in (*found.notes, *written.warnings()):
            typer.echo(f"- {note}")
        typer.echo(f"Wrote {out}: {_counts(written)}")


def _names(paths: list[Path]) -> list[str]:
    """Return the stems, told apart by numbers where two are the same."""
    names: list[str] = []
    for path in paths:
        name, n = path.stem, 2
        while name in names:
            name, n = f"{path.stem} {n}", n + 1
        names.append(name)
    return names


def _tissues(given: list[str], names: list[str]) -> dict[str, str]:
    if len(given) not in (0, 1, len(names)):
        raise typer.BadParameter(
            f"--tissue is given {len(given)} times for {len(names)} cubes: once for all, or once for each."
        )
    each = given * len(names) if len(given) == 1 else given
    return dict(zip(names, each, strict=False))


def _read(path: Path) -> RamanCube:
    try:
        return read(path)
    except AxisError as error:
        raise AxisError(
            f"{error} The file of patches needs a cube that states its axis: make one first with "
            f"napari-deeper convert {path.name} OUT.zarr."
        ) from error


def _table(patches: PatchSet) -> str:
    width = max(len(cube.name) for cube in patches.cubes)
    lines = [f"  n  {'cube':<{width}}      y      x   size  role        tissue"]
    for i, p in enumerate(patches.patches, 1):
        place = f"{p.cube:<{width}}  {p.y:5}  {p.x:5}  {p.size:5}"
        lines.append(f"{i:3}  {place}  {p.role:<10}  {p.tissue}".rstrip())
    return "\n".join(lines)


def _counts(patches: PatchSet) -> str:
    counts = patches.counts()
    n = len(patches.patches)
    return f"{n} patch{'es' if n != 1 else ''} ({', '.join(f'{counts[r]} {r}' for r in ROLES)})"
