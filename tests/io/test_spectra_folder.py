"""A folder of text files, one spectrum each, is a map where their places are told, else a row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper.spectra.errors import FileError

AXIS = np.linspace(600, 700, 11)
CUBE = np.round(np.random.default_rng(4).random((3, 4, 11)), 4).astype(np.float32)


def save(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    for name, spectrum in zip(names, CUBE.reshape(-1, 11), strict=True):
        np.savetxt(folder / name, np.stack([AXIS, spectrum], axis=1), fmt="%.6g")
    return folder


def pixels() -> list[tuple[int, int]]:
    return [(y, x) for y in range(3) for x in range(4)]


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("liver_x{x_um}_y{y_um}.txt", (0.5, 0.25)),
        ("map ({x}, {y}).txt", None),
        ("a_r{y:02}_c{x:02}.txt", None),
    ],
)
def test_names_tell_the_places(
    tmp_path: Path, pattern: str, size: tuple[float, float] | None
) -> None:
    names = [pattern.format(x=x, y=y, x_um=1 + 0.25 * x, y_um=0.5 * y - 3) for y, x in pixels()]
    cube = nd.read(save(tmp_path / "run 3", names))
    np.testing.assert_array_equal(cube.intensity, CUBE)
    assert cube.pixel_size == (None if size is None else pytest.approx(size))
    assert cube.name == "run 3"
    assert "names of the files" in cube.provenance[0].notes[0]


def test_an_index_table_tells_the_places(tmp_path: Path) -> None:
    names = [f"s{i}.txt" for i in range(12)]
    folder = save(tmp_path / "a", names)
    rows = [f"{n};{2 * x + 0.5};{3 * y + 0.5}" for n, (y, x) in zip(names, pixels(), strict=True)]
    (folder / "positions.csv").write_text("\n".join(["file;x (um);y (um)", *rows[::-1]]))
    cube = nd.read(folder)
    np.testing.assert_array_equal(cube.intensity, CUBE)
    assert cube.pixel_size == pytest.approx((3, 2))
    assert "positions.csv" in cube.provenance[0].notes[0]
    (folder / "positions.csv").write_text("\n".join(["file;x;y", *rows[1:]]))
    with pytest.raises(FileError, match=r"no place of 's0\.txt'"):
        nd.read(folder)


def test_otherwise_they_are_a_row_in_natural_order(tmp_path: Path) -> None:
    folder = save(tmp_path / "a", [f"spectrum {i + 1}.txt" for i in range(12)])
    cube = nd.read(folder)
    np.testing.assert_array_equal(cube.intensity, CUBE.reshape(1, 12, 11))
    assert "natural order" in cube.provenance[0].notes[0]
    np.testing.assert_array_equal(nd.read(folder, image_size=(3, 4)).intensity, CUBE)


def test_what_is_no_folder_of_spectra(tmp_path: Path) -> None:
    folder = save(tmp_path / "a", [f"{i}.txt" for i in range(12)])
    np.savetxt(folder / "5.txt", np.stack([AXIS + 1, AXIS], axis=1))
    with pytest.raises(FileError, match=r"'5\.txt' has another axis"):
        nd.read(folder)
    (folder / "5.txt").write_text("prose")
    with pytest.raises(FileError, match=r"'5\.txt' of the folder"):
        nd.read(folder)
    (folder / "5.txt").unlink()
    (folder / "5.txt").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(FileError, match="leads out of the folder"):
        nd.read(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="is a folder with 0 files"):
        nd.read(tmp_path / "empty")
