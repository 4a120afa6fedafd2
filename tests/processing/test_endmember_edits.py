"""Editing endmembers: others come back, those given stay."""

from __future__ import annotations

import numpy as np
import pytest

from napari_deeper import Endmembers
from napari_deeper.processing import endmember_edits as edits
from napari_deeper.processing.resample import resample
from napari_deeper.spectra.errors import AxisError, CubeError, ParameterError

AXIS = np.linspace(600, 1800, 60)
THREE = Endmembers(
    np.random.default_rng(1).random((3, 60)), AXIS, ("water", "lipid", "protein"), source="a map"
)


@pytest.fixture(autouse=True)
def _unchanged():
    before = THREE.spectra.copy(), THREE.names, THREE.colors
    yield
    np.testing.assert_array_equal(THREE.spectra, before[0])
    assert (THREE.names, THREE.colors) == before[1:]


def test_names_and_colors_are_changed_one_at_a_time():
    named = edits.rename(THREE, 1, "  neutral   lipid ")
    assert named.names == ("water", "neutral lipid", "protein")
    assert named.source == "a map"
    assert edits.recolor(THREE, 0, "#000000").colors == ("#000000", *THREE.colors[1:])
    with pytest.raises(CubeError, match="different names"):
        edits.rename(THREE, 1, "water")
    with pytest.raises(CubeError, match="different names"):
        edits.rename(THREE, 1, " ")
    with pytest.raises(CubeError, match="colors such as"):
        edits.recolor(THREE, 1, "red")
    with pytest.raises(ParameterError, match="no endmember 4; there are 3"):
        edits.rename(THREE, 3, "fat")


def test_merged_endmembers_are_weighted_by_what_the_map_holds():
    merged = edits.merge(THREE, [2, 0], [1.0, 50.0, 3.0])
    assert merged.names == ("lipid", "protein")
    assert merged.colors == THREE.colors[1:]
    expected = 0.25 * THREE.spectra[0] + 0.75 * THREE.spectra[2]
    np.testing.assert_allclose(merged.spectra[1], expected, rtol=1e-6)
    np.testing.assert_array_equal(merged.spectra[0], THREE.spectra[1])
    plain = edits.merge(THREE, [0, 1], [0, 0, 0])
    np.testing.assert_allclose(plain.spectra[0], THREE.spectra[:2].mean(axis=0), rtol=1e-6)
    with pytest.raises(ParameterError, match="two endmembers or more"):
        edits.merge(THREE, [1, 1], [1, 1, 1])


def test_endmembers_are_removed_and_put_in_order():
    assert edits.remove(THREE, [0, 2]).names == ("lipid",)
    with pytest.raises(ParameterError, match="must stay"):
        edits.remove(THREE, [0, 1, 2])
    turned = edits.pick(THREE, [2, 0, 1])
    assert turned.names == ("protein", "water", "lipid")
    assert turned.colors == (THREE.colors[2], *THREE.colors[:2])
    np.testing.assert_array_equal(turned.spectra, THREE.spectra[[2, 0, 1]])


def test_a_picked_spectrum_is_added_on_the_axis_of_the_others():
    wide = np.linspace(500, 1900, 300)
    spectrum = np.exp(-(((wide - 1004) / 30) ** 2)).astype(np.float32)
    four = edits.add(THREE, spectrum, wide, "lipid")
    assert four.names == (*THREE.names, "lipid 2")
    assert four.colors[3] not in THREE.colors
    np.testing.assert_array_equal(four.spectra[3], resample(spectrum[None], wide, AXIS)[0])
    first = edits.add(None, spectrum, wide, "spot", "#112233")
    assert (first.names, first.colors) == (("spot",), ("#112233",))
    with pytest.raises(AxisError, match=r"covers 900-1000 cm-1.*600-1800"):
        edits.add(THREE, np.ones(20), np.linspace(900, 1000, 20), "short")
    with pytest.raises(CubeError, match="holds NaN"):
        edits.add(THREE, np.full(60, np.nan), AXIS, "dead")
