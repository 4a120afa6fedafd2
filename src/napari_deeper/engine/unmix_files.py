"""Unmix cubes from files; a large Zarr store streams, so that memory holds a few tiles and the maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from napari_deeper.engine.large_files import input_of
from napari_deeper.engine.tile_passes import Parts
from napari_deeper.engine.unmix import as_params, unmix, unmix_with
from napari_deeper.engine.unmix_report import check_unmixed, write_unmixed
from napari_deeper.engine.unmix_settings import UnmixParams
from napari_deeper.engine.unmix_stream import unmix_stored
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.engine.work_folder import task_of_file, working
from napari_deeper.io.read import read
from napari_deeper.io.zarr_rows import StoredCube
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers
from napari_deeper.spectra.errors import AxisError, CubeError, ParameterError
from napari_deeper.spectra.progress import Progress

Source = str | PathLike[str]


def unmix_file(
    source: Source,
    target: Source | None = None,
    params: UnmixParams | int | None = None,
    *,
    endmembers: Endmembers | ArrayLike | None = None,
    overwrite: bool = False,
    reading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Unmixed:
    """Read a cube and unmix it as `unmix` does, or `unmix_with` where endmembers are given.

    A Zarr store of half a gigabyte or more is not read at once: it streams, tile by tile, to the same result.

    Parameters
    ----------
    source
        A file as `napari_deeper.read` takes it.
    target
        Folder that the results are written to. A run with the same source and settings that was stopped, or
        killed, goes on where it was. None writes nothing, and nothing is kept of a run that is stopped.
    params, settings
        As in `unmix`.
    endmembers
        Use these in place of a search.
    overwrite
        Replace a folder of such results.
    reading
        Keywords of `napari_deeper.read`.
    progress
        Gets reports, and may cancel.

    Raises
    ------
    DeeperError
        As `read`, `unmix` and `unmix_with`; the message names the file.
    """
    if target is not None:
        check_unmixed(target, overwrite=overwrite)
    p = as_params(params, settings)
    with unmixed_files([source], target, p, endmembers, reading, progress) as (result,):
        if target is not None:
            write_unmixed([result], target, overwrite=overwrite)
    return result


@contextmanager
def unmixed_files(
    sources: Sequence[Source],
    target: Source | None,
    params: UnmixParams,
    endmembers: Endmembers | ArrayLike | None = None,
    reading: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Iterator[list[Unmixed]]:
    """Give the results of several cubes, all with the endmembers of the first.

    What was finished of large ones is kept until the block, in which the results are written, is done.

    Parameters
    ----------
    sources
        Files; the first is searched unless endmembers are given.
    target
        The output, beside which that is kept; None keeps nothing.
    params, endmembers, reading, progress
        As in `unmix_file`.
    """
    progress = progress or Progress()
    paths = [Path(source) for source in sources]
    # All that is read in one go, before the long work: what cannot be read must not be found out after it.
    cubes = [_open(path, reading) for path in paths]
    streams = any(isinstance(cube, StoredCube) for cube in cubes)
    # The parts that are kept tell by their names what else they depend on.
    task = {"task": "unmix", "inputs": [task_of_file(path) for path in paths]}
    kept = working(Path(target), task) if target is not None and streams else nullcontext()
    with kept as work:
        results: list[Unmixed] = []
        for i, (path, cube) in enumerate(zip(paths, cubes, strict=True)):
            part = progress.part(i / len(paths), (i + 1) / len(paths))
            use = results[0].endmembers if results else endmembers
            with _naming(path):
                if isinstance(cube, StoredCube):
                    found = unmix_stored(cube, params, use, Parts(work, f"{i}-"), part)
                elif use is None:
                    found = unmix(cube, params, progress=part)
                else:
                    found = unmix_with(cube, use, params, progress=part)
            results.append(found)
        yield results


def _open(path: Path, reading: Mapping[str, Any] | None) -> StoredCube | RamanCube:
    stored, given = input_of(path, path, reading)
    return read(path, **given) if stored is None else stored


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say of which file an error is."""
    try:
        yield
    except (AxisError, CubeError, ParameterError) as error:
        raise type(error)(f"{path.name}: {error}") from error
