"""Drive the real window through the main job: open, denoise, super-resolve, read a spectrum."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_deeper import (
    DeeperError,
    DenoiseParams,
    RamanCube,
    SuperResolveParams,
    denoise,
    make_figure,
    super_resolve,
    write,
    write_figure,
)
from napari_deeper.plugin.layers import cube_from_layer, cube_layers
from napari_deeper.plugin.widgets.enhance import EnhanceWidget
from napari_deeper.plugin.widgets.enhance_form import Request
from napari_deeper.plugin.widgets.workspace import open_docks
from napari_deeper.processing.bands import band_mean
from napari_deeper.processing.interpolation import skip_sample
from napari_deeper.processing.metrics import mse, psnr, spectral_angle

PLUGIN = "napari-deeper"
BAND = (1440.0, 1460.0)


def main() -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "cube", nargs="?", type=Path, help="your own cube; default: the sample cell"
    )
    parser.add_argument("--output", type=Path, help="write the results here and close the window")
    parser.add_argument("--size", default="1600x1000", help="window size (default 1600x1000)")
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    arguments = parser.parse_args()
    viewer = napari.Viewer(title="napari-deeper demo", show_welcome_screen=False)
    viewer.theme = arguments.theme
    width, height = (int(n) for n in arguments.size.split("x"))
    viewer.window._qt_window.resize(width, height)
    try:
        enhance = show(viewer, arguments.cube)
    except DeeperError as error:
        print(error, file=sys.stderr)
        viewer.close()
        return 1
    if enhance.failure:
        print(enhance.failure, file=sys.stderr)
        viewer.close()
        return 1
    if arguments.output is None:
        napari.run()
        return 0
    settle(1.0)
    leave(viewer, arguments.output, with_target=arguments.cube is None)
    viewer.close()
    return 0


def show(viewer: napari.Viewer, path: Path | None) -> EnhanceWidget:
    """Open the cube and the docks, enhance, and read the spectrum of the strongest 1450 cm-1 pixel."""
    if path is None:
        viewer.open_sample(PLUGIN, "simulated_high_snr")
        viewer.open_sample(PLUGIN, "simulated_low_snr")
    else:
        viewer.open(str(path), plugin=PLUGIN)
    source = cube_layers(viewer.layers)[-1]
    viewer.layers.selection.active = source
    enhance, spectra = open_docks(viewer)
    settle(0.5)
    # the defaults, whatever this user's docks remember
    enhance.form.set_value(Request(DenoiseParams(), SuperResolveParams(), ("savgol", "bicubic")))
    settle(0.2)
    enhance.run()
    while enhance.running:
        settle(0.05)
    if enhance.failure:
        return enhance
    spectra.panel.scaling.setCurrentText("per second")
    spectra.pin(brightest_place(cube_from_layer(source)))
    spectra.band.every.setChecked(True)
    spectra.band.heatmap.setChecked(True)
    viewer.canvas.grid.enabled = False
    viewer.reset_view()
    return enhance


def brightest_place(cube: RamanCube) -> tuple[float, float]:
    """Return the place (y, x), in the cube's length unit, of the strongest 1450 cm-1 pixel."""
    axis = cube.wavenumber
    band = BAND if axis[0] <= BAND[0] and axis[-1] >= BAND[1] else (axis[0], axis[-1])
    heatmap = band_mean(cube.intensity, axis, *band)
    pixel = np.unravel_index(int(heatmap.argmax()), heatmap.shape)
    y, x = (o + float(i) * s for o, i, s in zip(cube.origin, pixel, cube.spacing, strict=True))
    return y, x


def settle(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.005)


def leave(viewer: napari.Viewer, folder: Path, *, with_target: bool) -> None:
    """Write the screenshot, the cubes, the figure and the table, and say where."""
    folder.mkdir(parents=True, exist_ok=True)
    viewer.screenshot(str(folder / "window.png"), canvas_only=False, flash=False)
    cubes = [cube_from_layer(layer) for layer in cube_layers(viewer.layers)]
    for cube in cubes:
        if cube.provenance and cube.provenance[-1].verb in ("denoise", "super-resolve"):
            stem = re.sub(r"[^\w.-]+", "_", cube.name).strip("_")
            write(cube, folder / f"{stem}.npz", overwrite=True)
    leave_figure(cubes, folder / "figure.png", with_target=with_target)
    table = metrics_table(cubes, with_target=with_target)
    (folder / "metrics.md").write_text(table, encoding="utf-8")
    print(table)
    print(f"Screenshot, cubes and metrics are in {folder.resolve()}:")
    for path in sorted(folder.iterdir()):
        print(f"  {path.name}  ({path.stat().st_size / 1e6:.1f} MB)")


def leave_figure(cubes: list[RamanCube], path: Path, *, with_target: bool) -> None:
    """Write a figure of the input and its denoised cube: a band, five components, a spectrum."""
    source = cubes[1] if with_target else cubes[0]
    place = np.array(brightest_place(source)) - source.origin
    row, column = (int(i) for i in np.rint(place / source.spacing))
    auto = [cube for cube in cubes if "auto" in cube.name and cube.shape == source.shape]
    low, high = source.wavenumber[0], source.wavenumber[-1]
    figure = make_figure(
        {"measured": source, "denoised": auto[-1]},
        target=cubes[0] if with_target else None,
        pins=[(row, column)],
        band="1440-1460" if low <= BAND[0] and high >= BAND[1] else f"{low:g}-{high:g}",
        components=5,
    )
    write_figure(figure, path, overwrite=True)


def metrics_table(cubes: list[RamanCube], *, with_target: bool) -> str:
    """Return markdown: how far each result is from what a longer, or a finer, measurement shows."""
    target = cubes[0] if with_target else None
    source = cubes[1] if with_target else cubes[0]
    longer = 1.0  # how much longer the target was exposed: both are compared in the target's counts
    if target is not None:
        longer = target.metadata["dwell_time_s"] / source.metadata["dwell_time_s"]
    lines = ["# Metrics", ""]
    if target is not None:
        lines += ["## Denoised: the simulated cell at 0.1 s against the same cell at 1 s", ""]
        same_grid = [cube for cube in cubes[1:] if cube.shape == target.shape]
        lines += _table(
            [(cube.name, longer * cube.intensity) for cube in same_grid], target.intensity
        )
        lines += ["", "## 0.1 s and every second pixel, against all pixels at 1 s (40x faster)", ""]
    else:
        lines += ["## 2x of every second pixel of this cube, against the pixels left out", ""]
    reference = target or source
    sparse = RamanCube(skip_sample(source.intensity, 2, 1), source.wavenumber)
    low = sparse if target is None else denoise(sparse)
    rows = []
    for method in ("auto", "hyrisr", "nearest", "bilinear", "bicubic"):
        fine = super_resolve(low, scale=2, method=method).intensity
        y, x = np.minimum(fine.shape[:2], reference.shape[:2])
        rows.append((f"2x ({method})", longer * fine[:y, :x]))
    y, x = np.minimum(np.array(low.shape[:2]) * 2, reference.shape[:2])
    lines += _table(rows, reference.intensity[:y, :x])
    lines += [
        "",
        "MSE, lower is better; PSNR on the span of the target, higher; mean spectral angle, lower.",
        "",
    ]
    return "\n".join(lines)


def _table(rows: list[tuple[str, np.ndarray]], target: np.ndarray) -> list[str]:
    span = float(np.ptp(target))
    lines = ["| result | MSE | PSNR (dB) | spectral angle (rad) |", "|---|---|---|---|"]
    for name, result in rows:
        angle = float(spectral_angle(result, target).mean())
        error = mse(result, target)
        lines.append(f"| {name} | {error:.4g} | {psnr(result, target, span):.2f} | {angle:.4f} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
