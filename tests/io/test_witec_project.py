"""WITec projects, as far as they can be tested on projects made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from vendor_files import AXIS, numbered, wip_bytes

import napari_deeper as nd
from napari_deeper.spectra.errors import FileError

pytest.importorskip("witio")


def project(folder: Path, *graphs: Any, suffix: str = ".wip", **options: Any) -> Path:
    path = folder / f"a{suffix}"
    path.write_bytes(wip_bytes(*graphs, **options))
    return path


@pytest.mark.parametrize("suffix", [".wip", ".wid"])
def test_a_map(tmp_path: Path, suffix: str) -> None:
    cube = nd.read(project(tmp_path, suffix=suffix))
    np.testing.assert_array_equal(cube.intensity, numbered(4, 3))
    np.testing.assert_allclose(cube.wavenumber, AXIS)
    assert cube.excitation_nm == 532
    assert (cube.pixel_size, cube.origin) == ((2, 0.5), (200, 100))


def test_rows_and_columns_that_fall(tmp_path: Path) -> None:
    cube = nd.read(project(tmp_path, steps=(-0.5, -2.0)))
    np.testing.assert_array_equal(cube.intensity, numbered(4, 3)[::-1, ::-1])
    assert (cube.pixel_size, cube.origin) == ((2, 0.5), (194, 99))


def test_a_rotated_map_is_shown_along_its_own_axes(tmp_path: Path) -> None:
    cube = nd.read(project(tmp_path, angle=30, steps=(1.0, 1.0)))
    np.testing.assert_array_equal(cube.intensity, numbered(4, 3))
    assert cube.pixel_size == pytest.approx((1, 1))
    assert "rotated by 30.0 degrees" in cube.provenance[0].notes[0]


def test_lines_that_were_not_measured(tmp_path: Path) -> None:
    cube = nd.read(project(tmp_path, lines_valid=[True, True, False, False]))
    assert np.isnan(cube.intensity[2:]).all()
    np.testing.assert_array_equal(cube.intensity[:2], numbered(2, 3))
    assert any("2 of 4 lines were not measured" in note for note in cube.provenance[0].notes)


@pytest.mark.parametrize(("shape", "step"), [((1, 5), 0.5), ((5, 1), 2.0)])
def test_a_line(tmp_path: Path, shape: tuple[int, int], step: float) -> None:
    cube = nd.read(project(tmp_path, {"line": numbered(*shape)}))
    assert cube.shape == (1, 5, 12)
    assert cube.pixel_size == (step, step)
    assert cube.metadata["series"]["values"] == pytest.approx(step * np.arange(5))


def test_one_of_several(tmp_path: Path) -> None:
    path = project(
        tmp_path, {"first": numbered(4, 3), "second": numbered(2, 2), "spot": numbered(1, 1)}
    )
    with pytest.raises(FileError, match=r"2 sets of spectra: 'first' \(4, 3, 12\)"):
        nd.read(path)
    assert nd.read(path, variable="second").shape == (2, 2, 12)
    assert nd.read(path, variable="spot").shape == (1, 1, 12)
    with pytest.raises(FileError, match=r"no spectra 'third'.*'second'"):
        nd.read(path, variable="third")
    only = project(tmp_path, {"map": numbered(4, 3), "spot": numbered(1, 1)})
    assert nd.read(only).shape == (4, 3, 12)


def test_tags_that_go_back_are_refused(tmp_path: Path) -> None:
    """A start before its tag would send the library round in circles."""
    path = project(tmp_path)
    content = bytearray(path.read_bytes())
    at = content.index(b"NumberOfData") + len(b"NumberOfData") + 4
    content[at : at + 16] = (8).to_bytes(8, "little") + (12).to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(FileError, match="outside of the one that holds it"):
        nd.read(path)
