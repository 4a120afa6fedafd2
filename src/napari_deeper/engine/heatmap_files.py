"""Write a heatmap: numbers as CSV or .npz, a picture with its colors explained as PNG."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.heatmap import Heatmap
from napari_deeper.io.write import check_file_output, replacing
from napari_deeper.processing.band_maps import PLACES
from napari_deeper.spectra.errors import FileError

MISSING_COLOR = "#8c8c8c"


def write_heatmap(heatmap: Heatmap, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a heatmap whole or not at all.

    Parameters
    ----------
    heatmap
        The heatmap.
    path
        .csv (a first row of x and a first column of y, in the unit named in the corner; missing pixels
        are empty), .npz (``image`` (y, x), ``y``, ``x`` and ``header``, JSON) or .png (a picture).
    overwrite
        Replace an existing file.

    Raises
    ------
    FileError
        If the format is unknown, the folder missing, read-only or full, or the file exists.
    """
    path = check_heatmap_output(path, overwrite=overwrite)
    with replacing(path, overwrite=overwrite) as temporary:
        _WRITERS[path.suffix.lower()](heatmap, temporary)
    return path


def check_heatmap_output(path: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Return the path if a heatmap could be written there now; raise `FileError` if not."""
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise FileError(
            f"{path} is no file that a heatmap can be written to. Known: {', '.join(_WRITERS)}."
        )
    return check_file_output(path, overwrite=overwrite)


def positions(heatmap: Heatmap) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return y (y,) and x (x,) of the pixel centers, in the heatmap's length unit."""
    (y0, x0), (dy, dx) = heatmap.origin, heatmap.spacing
    n_y, n_x = heatmap.image.shape
    return y0 + dy * np.arange(n_y, dtype=np.float64), x0 + dx * np.arange(n_x, dtype=np.float64)


def _write_csv(heatmap: Heatmap, path: Path) -> None:
    y, x = positions(heatmap)
    unit = f" ({heatmap.unit})" if heatmap.unit else ""
    corner = f"{heatmap.label}{unit}; y down, x right in {heatmap.length_unit}"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([corner, *(f"{at:.6g}" for at in x)])
        for at, row in zip(y, heatmap.image, strict=True):
            values = ("" if np.isnan(value) else f"{value:.7g}" for value in row)
            writer.writerow([f"{at:.6g}", *values])


def _write_npz(heatmap: Heatmap, path: Path) -> None:
    y, x = positions(heatmap)
    header = {
        "label": heatmap.label,
        "unit": heatmap.unit,
        "name": heatmap.name,
        "length_unit": heatmap.length_unit,
        **dataclasses.asdict(heatmap.spec),
        "notes": list(heatmap.notes),
    }
    with path.open("wb") as stream:
        np.savez_compressed(
            stream, image=heatmap.image, y=y, x=x, header=np.array(json.dumps(header))
        )


def _write_png(heatmap: Heatmap, path: Path) -> None:
    # imported here: it takes a second, and is needed only for a picture
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    FigureCanvasAgg(figure)  # without it a figure would look for a display
    axes = figure.add_subplot()
    y, x = positions(heatmap)
    dy, dx = heatmap.spacing
    low, high = display_limits(heatmap.image)
    colors = colormaps["viridis" if heatmap.spec.measure in PLACES else "inferno"]
    drawn = axes.imshow(
        np.ma.masked_invalid(heatmap.image),
        cmap=colors.with_extremes(bad=MISSING_COLOR),
        vmin=low,
        vmax=high,
        interpolation="nearest",
        extent=(x[0] - dx / 2, x[-1] + dx / 2, y[-1] + dy / 2, y[0] - dy / 2),
    )
    figure.colorbar(drawn, ax=axes, label=_bar_label(heatmap), extend=_extend(heatmap, low, high))
    missing = f"\ngray: {heatmap.n_missing} pixels missing" if heatmap.n_missing else ""
    axes.set_title(f"{heatmap.name}\n{heatmap.label}{missing}", fontsize=9)
    unit = "µm" if heatmap.pixel_size else "measured pixels"
    axes.set_xlabel(f"x ({unit})")
    axes.set_ylabel(f"y ({unit})")
    figure.savefig(path, format="png", dpi=150)


def display_limits(image: NDArray[Any]) -> tuple[float, float]:
    """Return display limits that a few bright or dead pixels do not decide."""
    values = image[np.isfinite(image)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(values, (0.5, 99.5)))
    return (low, high) if high > low else (low, low + 1.0)


def _bar_label(heatmap: Heatmap) -> str:
    what = "ratio" if heatmap.spec.over else heatmap.spec.measure
    return f"{what} ({heatmap.unit})" if heatmap.unit else what


def _extend(heatmap: Heatmap, low: float, high: float) -> str:
    """Tell at which ends values go beyond the colors, for the bar to show it."""
    values = heatmap.image[np.isfinite(heatmap.image)]
    below, beyond = bool((values < low).any()), bool((values > high).any())
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get(
        (below, beyond), "neither"
    )


_WRITERS: dict[str, Callable[[Heatmap, Path], None]] = {
    ".csv": _write_csv,
    ".npz": _write_npz,
    ".png": _write_png,
}
