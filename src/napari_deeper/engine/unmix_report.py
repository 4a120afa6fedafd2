"""Write unmixed cubes as a folder: endmembers and a summary as CSV, maps as .npz and pictures."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from napari_deeper.engine.component_colors import BLACK, composite, shared_limits
from napari_deeper.engine.references import Match
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.io.endmembers import write_endmembers
from napari_deeper.io.write import check_folder, replacing
from napari_deeper.spectra.errors import ParameterError

ENDMEMBERS, SUMMARY = "endmembers.csv", "summary.csv"
_OURS = re.compile(r"endmembers\.csv|summary\.csv|(abundances|composite)( .+)?\.(npz|png)")
_HEAD = (
    "map", "component", "class_share", "mean_abundance", "n_pixels", "n_missing", "residual",
    "match", "score", "reference", "reference_score", "beside", "beside_score", "runner_up",
    "runner_up_score",
)  # fmt: skip


def check_unmixed(folder: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Return the path if the results could be written there now; raise `FileError` if not."""
    return check_folder(folder, overwrite=overwrite, ours=_is_ours)


def write_unmixed(
    results: Sequence[Unmixed],
    folder: str | PathLike[str],
    matches: Sequence[Match] = (),
    *,
    overwrite: bool = False,
) -> Path:
    """Write the results of one set of endmembers; the folder appears when all files are complete.

    ``endmembers.csv``; ``summary.csv``, a row for each component of each map; for each map
    ``abundances.npz`` (``abundances`` (y, x, endmember), ``classes`` and ``residual`` (y, x), ``names``,
    ``colors``, ``pixel_size`` and ``origin`` in um) and ``composite.png``. Maps after the first have
    their name in those of their files.

    Parameters
    ----------
    results
        Of one cube, or of several with the same endmembers; contrast is shared by all.
    folder
        Where to.
    matches
        What each endmember is most like.
    overwrite
        Replace a folder of such results.

    Raises
    ------
    FileError
        If the folder exists or cannot be made.
    """
    if not results:
        raise ParameterError("There is no result to write.")
    path = check_unmixed(folder, overwrite=overwrite)
    empty = path.is_dir() and not any(path.iterdir())
    with replacing(path, overwrite=overwrite or empty) as temporary:
        temporary.mkdir()
        write_endmembers(results[0].endmembers, temporary / ENDMEMBERS)
        _write_summary(results, matches, temporary / SUMMARY)
        colors = _colors(results[0])
        limits = shared_limits([result.abundances for result in results])
        for result, end in zip(results, _endings(results), strict=True):
            _write_maps(result, temporary / f"abundances{end}.npz")
            _write_picture(result, colors, limits, temporary / f"composite{end}.png")
    return path


def _is_ours(path: Path) -> bool:
    return all(_OURS.fullmatch(entry.name) for entry in path.iterdir())


def _endings(results: Sequence[Unmixed]) -> list[str]:
    endings = [""]
    for result in results[1:]:
        name = re.sub(r"[^\w.-]+", "_", result.name).strip("_.") or "cube"
        end, n = f" {name}", 2
        while end in endings:
            end, n = f" {name} {n}", n + 1
        endings.append(end)
    return endings


def _write_summary(results: Sequence[Unmixed], matches: Sequence[Match], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_HEAD)
        for result in results:
            n_missing = int(result.missing.sum())
            n_measured = max(1, result.missing.size - n_missing)
            means = result.totals / n_measured
            counts = np.bincount(result.classes.ravel(), minlength=len(means) + 1)[1:]
            for i, name in enumerate(result.endmembers.names):
                row = [
                    result.name, name, f"{result.shares[i]:.6g}", f"{means[i]:.6g}", int(counts[i]),
                    n_missing, f"{result.relative_residual:.6g}",
                ]  # fmt: skip
                if matches:
                    m = matches[i]
                    row += [m.label if m.good else "", f"{m.fit:.4f}"]
                    row += [m.reference, f"{m.score:.4f}", m.beside, f"{m.beside_score:.4f}"]
                    row += [m.runner_up, f"{m.runner_up_score:.4f}"]
                writer.writerow(row + [""] * (len(_HEAD) - len(row)))


def _write_maps(result: Unmixed, path: Path) -> None:
    size = result.header.get("pixel_size") or (np.nan, np.nan)
    with path.open("wb") as stream:
        np.savez_compressed(
            stream,
            abundances=result.abundances,
            classes=result.classes.astype(np.uint16),
            residual=result.residual,
            names=np.array(result.endmembers.names),
            colors=np.array(result.endmembers.colors),
            pixel_size=np.array(size, dtype=np.float64),
            origin=np.array(result.header.get("origin", (0.0, 0.0)), dtype=np.float64),
        )


def _colors(result: Unmixed) -> list[str]:
    """Return the colors of the picture: what surrounds the sample is black."""
    return [
        BLACK if i == result.backdrop else color for i, color in enumerate(result.endmembers.colors)
    ]


def _write_picture(result: Unmixed, colors: list[str], limits: np.ndarray, path: Path) -> None:
    # imported here: it takes a second, and no other part of this needs it
    from matplotlib.image import imsave

    picture = composite(result.abundances, colors, limits)
    times = max(1, 400 // max(picture.shape[:2]))
    imsave(path, np.repeat(np.repeat(picture, times, axis=0), times, axis=1))
