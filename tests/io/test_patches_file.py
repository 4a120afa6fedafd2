"""The file of patches: whole or not at all, and never with another cube than the one drawn on."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from napari_deeper import (
    Patch,
    PatchCube,
    PatchSet,
    RamanCube,
    read,
    read_cubes,
    read_patches,
    write,
    write_patches,
)
from napari_deeper.spectra.errors import FileError, PatchError


@pytest.fixture
def made(tmp_path, small_cube):
    (tmp_path / "maps").mkdir()
    path = write(small_cube, tmp_path / "maps" / "one.npz")
    cube = PatchCube.of(small_cube, "one", path)
    return PatchSet((cube,), (Patch("one", 0, 2, 4), Patch("one", 4, 2, 4, "test")), 4, 2)


def test_what_is_written_is_read_back_with_its_cubes(tmp_path, made, small_cube):
    path = tmp_path / "set.json"
    written = write_patches(made, path)
    assert json.loads(path.read_text())["cubes"][0]["path"] == "maps/one.npz"
    found = read_patches(path)
    assert found == written == made
    cubes = read_cubes(found)
    np.testing.assert_array_equal(cubes["one"].intensity, small_cube.intensity)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_the_folder_can_be_moved_as_a_whole(tmp_path, made):
    write_patches(made, tmp_path / "maps" / "set.json")
    shutil.move(tmp_path / "maps", tmp_path / "moved")
    assert read_cubes(read_patches(tmp_path / "moved" / "set.json")).keys() == {"one"}


def test_a_cube_put_beside_the_file_is_found(tmp_path, made):
    write_patches(made, tmp_path / "set.json")
    shutil.move(tmp_path / "maps" / "one.npz", tmp_path / "one.npz")
    assert read_cubes(read_patches(tmp_path / "set.json")).keys() == {"one"}


def test_missing_and_changed_cubes_are_named_and_never_used(tmp_path, made, small_cube):
    other = RamanCube(small_cube.intensity * 2, small_cube.wavenumber)
    two = PatchCube.of(other, "two", write(other, tmp_path / "maps" / "two.zarr"))
    both = made.replace(cubes=(*made.cubes, two), patches=(*made.patches, Patch("two", 0, 0, 4)))
    write_patches(both, tmp_path / "set.json")
    (tmp_path / "maps" / "one.npz").unlink()
    write(small_cube, tmp_path / "maps" / "two.zarr", overwrite=True)
    with pytest.raises(FileError) as caught:
        read_cubes(read_patches(tmp_path / "set.json"))
    assert "'one' of the patches is missing" in str(caught.value)
    assert "'two' of the patches has changed" in str(caught.value)


def test_a_cube_converted_to_another_format_is_still_the_same(tmp_path, made, small_cube):
    converted = write(small_cube, tmp_path / "one.zarr")
    moved = made.replace(cubes=(made.cubes[0].replace(path=converted),))
    assert read_cubes(write_patches(moved, tmp_path / "set.json")).keys() == {"one"}


def test_a_cube_in_memory_is_written_beside_and_used_again(tmp_path, small_cube):
    unsaved = PatchSet(
        (PatchCube.of(small_cube, "a/b: c"), PatchCube.of(small_cube, "unused")),
        (Patch("a/b: c", 0, 0, 4),),
    )
    path = tmp_path / "set.json"
    with pytest.raises(FileError, match="'a/b: c': no file holds"):
        write_patches(unsaved, path)
    assert list(tmp_path.iterdir()) == []
    written = write_patches(unsaved, path, cubes={"a/b: c": small_cube})
    assert [c.name for c in written.cubes] == ["a/b: c"]  # the one without patches is left out
    assert written.cubes[0].path == tmp_path / "set cubes" / "a_b_ c.zarr"
    assert read_cubes(read_patches(path))["a/b: c"].shape == small_cube.shape
    write_patches(unsaved, path, cubes={"a/b: c": small_cube}, overwrite=True)
    assert len(list((tmp_path / "set cubes").iterdir())) == 1


def test_a_layer_changed_since_it_was_opened_is_written_anew(tmp_path, made, small_cube):
    changed = RamanCube(small_cube.intensity + 1, small_cube.wavenumber)
    path = made.cubes[0].path
    drawn = made.replace(cubes=(PatchCube.of(changed, "one", path),))
    written = write_patches(drawn, tmp_path / "set.json", cubes={"one": changed})
    assert written.cubes[0].path != path
    np.testing.assert_array_equal(read(path).intensity, small_cube.intensity)
    np.testing.assert_array_equal(read_cubes(written)["one"].intensity, changed.intensity)
    with pytest.raises(FileError, match="'one' was changed since"):
        write_patches(
            made.replace(cubes=(made.cubes[0].replace(path=None),)),
            tmp_path / "other.json",
            cubes={"one": changed},
        )


def test_what_cannot_be_written_leaves_the_old_file(tmp_path, made):
    path = tmp_path / "set.json"
    write_patches(made, path)
    before = path.read_bytes()
    with pytest.raises(FileError, match="already exists"):
        write_patches(made, path)
    with pytest.raises(PatchError, match="no patch to save"):
        write_patches(made.replace(patches=()), path, overwrite=True)
    for wrong, told in [
        (tmp_path / "set.txt", "written as .json"),
        (tmp_path / "absent" / "set.json", "does not exist"),
    ]:
        with pytest.raises(FileError, match=told):
            write_patches(made, wrong)
    assert path.read_bytes() == before


def test_a_full_disk_leaves_the_old_file(tmp_path, made, monkeypatch):
    path = tmp_path / "set.json"
    write_patches(made, path)
    before = path.read_bytes()

    def no_space(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_deeper.io.patches.Path.write_text", no_space)
    with pytest.raises(FileError, match="disk is full"):
        write_patches(made, path, overwrite=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON file"),
        ("[]", "holds no patches"),
        ('{"format": "other"}', "holds no patches"),
        ('{"format": "napari-deeper patches", "version": 9}', "version 9"),
        ('{"format": "napari-deeper patches", "version": 1}', "set.json: .* lacks 'cubes'"),
    ],
)
def test_a_file_of_another_kind_is_told(tmp_path, text, told):
    path = tmp_path / "set.json"
    path.write_text(text)
    with pytest.raises((FileError, PatchError), match=told):
        read_patches(path)
    with pytest.raises(FileError, match="does not exist"):
        read_patches(tmp_path / "absent.json")
