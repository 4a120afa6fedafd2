"""Regions from files."""

from __future__ import annotations

import numpy as np
import pytest

from napari_deeper import read_regions
from napari_deeper.spectra.errors import FileError


def test_labels_take_the_place_of_the_cube_or_their_own(tmp_path, small_cube):
    labels = np.zeros(small_cube.shape[:2], np.uint8)
    labels[2, 3] = 4
    np.savez(tmp_path / "a.npz", labels=labels)
    (found,) = read_regions(tmp_path / "a.npz", small_cube)
    assert found.name == "label 4"
    assert found.contains(3 + 2 * 0.5, -2 + 3 * 0.5)
    np.savez(tmp_path / "b.npz", labels=labels[:3], spacing=(2, 2), origin=(1, 1))
    (found,) = read_regions(tmp_path / "b.npz", small_cube)
    assert found.bounds() == ((4, 6), (6, 8))


def test_outlines_by_name_and_as_napari_saves_them(tmp_path, small_cube):
    (tmp_path / "a.csv").write_text("name,y,x\nn,0,0\nn,0,2\nn,2,2\nm,5,5\nm,5,6\nm,6,6\n")
    n, m = read_regions(tmp_path / "a.csv", small_cube)
    assert (n.name, m.name, n.unit) == ("n", "m", "um")
    assert n.contains(0.5, 1.5)
    head = "index,shape-type,vertex-index,axis-0,axis-1,axis-2\n"
    box = [(0, 0), (0, 4), (4, 4), (4, 0)]
    rows = [f"{i},{kind},{j},7,{y},{x}" for i, kind in ((0.0, "ellipse"), (1.0, "line"))
            for j, (y, x) in enumerate(box)]  # fmt: skip
    (tmp_path / "b.csv").write_text(head + "\n".join(rows))
    (found,) = read_regions(tmp_path / "b.csv", small_cube)
    assert found.name == "ROI 1"
    assert found.contains(2, 3.9)
    assert not found.contains(0.2, 0.2)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.txt", b"", "read from .npz"),
        ("a.npz", b"no archive", "does not hold regions"),
        ("a.csv", b"p,q\n1,2\n", "columns must be name, y, x"),
        ("b.csv", b"name,y,x\n", "holds no region"),
        ("c.csv", b"name,y,x\na,1,one\n", "does not hold regions"),
        ("d.csv", b"name,y,x\na,1,1\na,2,2\n", "three corners"),
    ],
)
def test_a_file_that_holds_none_is_refused(tmp_path, small_cube, name, content, text):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=text):
        read_regions(tmp_path / name, small_cube)


def test_labels_of_another_size_need_their_place(tmp_path, small_cube):
    np.savez(tmp_path / "a.npz", labels=np.ones((2, 2), int))
    with pytest.raises(FileError, match="spacing"):
        read_regions(tmp_path / "a.npz", small_cube)
    with pytest.raises(FileError, match="does not exist"):
        read_regions(tmp_path / "none.npz", small_cube)
