import numpy as np
import pytest

from napari_deeper.spectra.endmembers import PALETTE, Endmembers, as_endmembers
from napari_deeper.spectra.errors import AxisError, CubeError

AXIS = np.array([600.0, 700.0, 800.0])


def test_it_stands_for_its_spectra_and_names_and_colors_them():
    values = np.arange(6).reshape(2, 3)
    found = Endmembers(values, AXIS)
    np.testing.assert_array_equal(np.asarray(found, dtype=float), values)
    assert found.shape == (2, 3) and len(found) == 2
    assert found.names == ("Component 1", "Component 2")
    assert found.colors == PALETTE[:2]
    assert len(set(PALETTE)) == len(PALETTE)


def test_an_array_is_taken_on_the_axis_given_and_endmembers_as_they_are():
    found = as_endmembers([[1, 2, 3]], AXIS)
    np.testing.assert_array_equal(found.wavenumber, AXIS)
    assert as_endmembers(found, AXIS + 5) is found


def test_replace_checks_again():
    found = Endmembers(np.ones((2, 3)), AXIS)
    assert found.replace(names=("lipid", "protein")).names == ("lipid", "protein")
    with pytest.raises(CubeError, match="2 different names, not lipid, lipid"):
        found.replace(names=("lipid", "lipid"))


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"spectra": np.ones(3)}, CubeError, r"\(endmember, channel\), not \(3,\)"),
        ({"spectra": np.full((2, 3), np.nan)}, CubeError, "Endmember 1 holds NaN"),
        ({"wavenumber": AXIS[:2]}, AxisError, "3 channels"),
        ({"names": ("a",)}, CubeError, "2 different names"),
        ({"names": ("a", " ")}, CubeError, "2 different names"),
        ({"colors": ("#000000", "red")}, CubeError, "not red"),
        ({"colors": ("#000000",)}, CubeError, "2 colors"),
    ],
)
def test_what_does_not_fit_is_named(fields, error, text):
    with pytest.raises(error, match=text):
        Endmembers(**{"spectra": np.ones((2, 3)), "wavenumber": AXIS} | fields)
