"""The main job on the measured THP-1 cell, in the dock."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_deeper import DenoiseParams, SuperResolveParams
from napari_deeper.plugin.layers import cube_from_layer, cube_layers
from napari_deeper.plugin.widgets.enhance_form import Request
from napari_deeper.plugin.widgets.workspace import open_docks
from napari_deeper.processing.bands import band_mean
from napari_deeper.spectra.cube import RamanCube

DROPLETS = ((13.1, 11.3), (16.9, 14.4))  # (y, x) in um: two lipid droplets, bright at 1450 cm-1


def brightest_near(cube: RamanCube, place: tuple[float, float]) -> np.ndarray:
    """Return where (y, x) in um the 1450 cm-1 heatmap is brightest within 1.3 um of a place."""
    heatmap = band_mean(cube.intensity, cube.wavenumber, 1440, 1460)
    y, x = (
        o + s * np.arange(n)
        for o, s, n in zip(cube.origin, cube.spacing, cube.shape[:2], strict=True)
    )
    far = np.hypot(y[:, None] - place[0], x[None, :] - place[1]) > 1.3
    weight = np.where(far, 0, np.clip(heatmap, 0, None)) ** 3
    return np.array([(weight.sum(1) * y).sum(), (weight.sum(0) * x).sum()]) / weight.sum()


@pytest.mark.parametrize("scale", [2, 4])
def test_the_droplets_stand_at_the_same_place_in_every_layer(
    thp1_path, make_napari_viewer, qtbot, scale
):
    viewer = make_napari_viewer()
    viewer.open(thp1_path, plugin="napari-deeper")
    enhance, spectra = open_docks(viewer)
    enhance.form.set_value(
        Request(DenoiseParams(), SuperResolveParams(scale=scale), ("hyrisr", "bicubic"))
    )
    enhance.refresh()
    qtbot.mouseClick(enhance.foot.run_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not enhance.running, timeout=120_000)
    assert enhance.failure == ""
    cubes = [cube_from_layer(layer) for layer in cube_layers(viewer.layers)]
    assert len(cubes) == 5
    for place in DROPLETS:
        measured = brightest_near(cubes[0], place)
        for cube in cubes[1:]:
            shift = np.abs(brightest_near(cube, place) - measured).max()
            assert shift < 0.625 / 2, f"{cube.name}: shifted by {shift:.2f} um"
    spectra.pin(tuple(brightest_near(cubes[0], DROPLETS[0])))
    at_droplet = [np.interp(1450, c.wavenumber, c.intensity) for c in spectra.curves()]
    assert len(at_droplet) == 5
    # the scale of the intensities survives in every layer
    np.testing.assert_allclose(at_droplet, at_droplet[0], rtol=0.35)
