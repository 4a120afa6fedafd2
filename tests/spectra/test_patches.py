"""Patches and sets of them: what fits, what overlaps, and what is one and the same cube."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper import Patch, PatchCube, PatchSet, RamanCube
from napari_deeper.spectra.errors import PatchError
from napari_deeper.spectra.patches import ROLES, cube_sha256

A = PatchCube("a", (20, 30, 5), (600.0, 1800.0), sha256="1")
B = PatchCube("b", (20, 30, 5), (600.0, 1800.0), sha256="2")
COPY = PatchCube("copy of a", (20, 30, 5), (600.0, 1800.0), sha256="1")


def test_a_patch_is_a_window_of_its_cube(small_cube):
    patch = Patch("small", 2, 1, 4)
    cut = small_cube.intensity[patch.window]
    assert cut.shape == (4, 4, 120)
    np.testing.assert_array_equal(cut[0, 0], small_cube.intensity[2, 1])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"role": "learn"}, "must be one of: train, validation, test"),
        ({"y": -1}, "y of a patch on 'a' is -1"),
        ({"x": 1.5}, "x of a patch"),
        ({"size": 0}, "size of a patch"),
        ({"size": True}, "size of a patch"),
        ({"y": "1"}, "y of a patch"),
    ],
)
def test_a_patch_that_cannot_be_is_refused(wrong, told):
    with pytest.raises(PatchError, match=told):
        Patch(**{"cube": "a", "y": 0, "x": 0, "size": 4} | wrong)


def test_a_set_checks_that_patches_fit_their_cubes():
    fits = PatchSet((A,), (Patch("a", 12, 22, 8),), size=8, scale=2)
    assert fits.counts() == {"train": 1, "validation": 0, "test": 0}
    for patch, told in [
        (Patch("a", 14, 22, 8), "beyond the map of 20 x 30"),
        (Patch("a", 12, 24, 8), "beyond the map"),
        (Patch("a", 11, 22, 8), "multiples of 2"),
        (Patch("a", 12, 22, 7), "multiples of 2"),
        (Patch("c", 0, 0, 8), "names the cube 'c', which the set has not. It has: 'a'"),
    ]:
        with pytest.raises(PatchError, match=told):
            PatchSet((A,), (patch,), size=8, scale=2)
    with pytest.raises(PatchError, match="Two cubes of the set are called 'a'"):
        PatchSet((A, A))
    with pytest.raises(PatchError, match="multiple of the scale"):
        PatchSet((A,), size=64, scale=3)
    with pytest.raises(PatchError, match="multiples of 3"):
        fits.replace(size=9, scale=3)


def slow_shared(a: Patch, b: Patch) -> int:
    masks = []
    for patch in (a, b):
        mask = np.zeros((60, 60), bool)
        mask[patch.window] = True
        masks.append(mask)
    return int((masks[0] & masks[1]).sum())


corners = st.integers(0, 40)
patches = st.builds(
    Patch, st.sampled_from(["a", "b", "copy of a"]), corners, corners, st.integers(1, 20),
    st.sampled_from(ROLES),
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(patches, max_size=6))
def test_overlaps_are_what_painting_the_pixels_shows(drawn):
    cubes = tuple(dataclasses.replace(c, shape=(60, 60, 5)) for c in (A, B, COPY))
    found = {(o.first, o.second): o.n_pixels for o in PatchSet(cubes, tuple(drawn)).overlaps()}
    same_map = {"a": 0, "copy of a": 0, "b": 1}
    expected = {
        (i, j): slow_shared(a, b)
        for i, a in enumerate(drawn)
        for j, b in enumerate(drawn)
        if i < j and a.role != b.role and same_map[a.cube] == same_map[b.cube]
    }
    assert found == {pair: n for pair, n in expected.items() if n}


def test_a_warning_says_which_patches_share_how_many_pixels():
    drawn = (Patch("a", 0, 0, 8), Patch("a", 4, 4, 8), Patch("copy of a", 7, 7, 8, "test"))
    told = PatchSet((A, COPY), drawn).warnings()
    assert len(told) == 2  # two patches to train on may overlap
    assert "Patch 1 (train) and patch 3 (test) share 1 pixel of" in told[0]
    assert "Patch 2 (train) and patch 3 (test) share 25 pixels of 'a' and 'copy of a'" in told[1]
    assert "the same map" in told[1]


def test_cubes_whose_sha256_is_unknown_are_told_apart_by_name():
    unknown = tuple(c.replace(sha256="") for c in (A, B))
    drawn = (Patch("a", 0, 0, 8), Patch("b", 0, 0, 8, "test"))
    assert PatchSet(unknown, drawn).warnings() == ()


def test_json_gives_the_same_set_back():
    drawn = (Patch("a", 0, 2, 8, "test", " bone "), Patch("b", 12, 22, 8))
    made = PatchSet((A, B), drawn, size=8, scale=2)
    assert made.patches[0].tissue == "bone"
    assert PatchSet.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: r.pop("size"), "lacks 'size'"),
        (lambda r: r["patches"][0].pop("y"), "damaged"),
        (lambda r: r["patches"][0].update(role="x"), "must be one of"),
        (lambda r: r["cubes"][0].update(shape=[1, 2]), "damaged"),
        (lambda r: r.update(cubes=3), "damaged"),
    ],
)
def test_damaged_json_is_told(change, told):
    record = PatchSet((A,), (Patch("a", 0, 0, 8),)).to_json()
    change(record)
    with pytest.raises(PatchError, match=told):
        PatchSet.from_json(record)


def test_the_sha256_is_of_what_a_cube_holds(small_cube):
    sha256 = cube_sha256(small_cube)
    assert sha256 == cube_sha256(
        RamanCube(small_cube.intensity.copy(), small_cube.wavenumber, metadata={"name": "other"})
    )
    changed = small_cube.intensity.copy()
    changed[3, 2, 1] += 1
    assert sha256 != cube_sha256(dataclasses.replace(small_cube, intensity=changed))
    moved = small_cube.wavenumber + 0.5
    assert sha256 != cube_sha256(dataclasses.replace(small_cube, wavenumber=moved))
    turned = small_cube.intensity.reshape(7, 9, 120)
    assert sha256 != cube_sha256(dataclasses.replace(small_cube, intensity=turned))
    # a view in another order in memory holds the same
    seen = RamanCube(np.asfortranarray(small_cube.intensity), small_cube.wavenumber)
    assert sha256 == cube_sha256(seen)
