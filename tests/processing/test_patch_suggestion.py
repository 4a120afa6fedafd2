"""Suggested patches: informative, apart, with roles that no figure can be fooled by."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper import Patch, RamanCube, SuggestParams, suggest_patches
from napari_deeper.spectra.errors import ParameterError, PatchError

AXIS = np.linspace(600, 1800, 40)


def spotted(shape, where, seed=0, axis=AXIS):
    """A map that is even but for noise, and for three substances in parts of it."""
    rng = np.random.default_rng(seed)
    bands = np.exp(-(((axis - np.array([[750.0], [1004.0], [1450.0]])) / 60) ** 2))
    cube = np.ones((*shape, axis.size)) + 0.3 * bands[0]
    for i, (y, x) in enumerate(where):
        cube[y : y + 6, x : x + 6] += 3 * rng.random((6, 6, 1)) * bands[i % 3]
    return RamanCube(cube + rng.normal(0, 0.02, cube.shape), axis)


@settings(deadline=None, max_examples=25)
@given(
    st.integers(8, 50), st.integers(8, 50), st.sampled_from([1, 2, 3, 4]), st.integers(1, 12),
    st.integers(0, 9),
)  # fmt: skip
def test_suggestions_fit_and_never_overlap(y, x, scale, n, seed):
    cube = spotted((y, x), [(1, 1)], seed)
    size = 2 * scale
    found = suggest_patches({"a": cube}, suggest=n, size=size, scale=scale, seed=seed)
    patches = found.patches.patches  # the set itself checks inside and grid
    assert len(patches) == min(n, len(patches))
    assert not any(a.shared_pixels(b) for a, b in itertools.combinations(patches, 2))
    room = (y // size) * (x // size)
    assert len(patches) == n if n <= room else len(patches) >= room
    assert bool(found.notes) == (len(patches) < n)
    assert found.patches.warnings() == ()
    again = suggest_patches({"a": cube}, suggest=n, size=size, scale=scale, seed=seed)
    assert again == found


def test_informative_places_are_chosen_before_empty_ones():
    where = [(4, 6), (20, 40), (36, 10)]
    found = suggest_patches({"a": spotted((48, 56), where)}, suggest=3, size=8, scale=2)
    spots = [Patch("a", y, x, 6) for y, x in where]
    for patch in found.patches.patches:
        assert any(patch.shared_pixels(spot) >= 9 for spot in spots), patch
    seen = {max(spots, key=patch.shared_pixels) for patch in found.patches.patches}
    assert len(seen) == 3  # each another one


def test_every_tissue_has_its_share_of_every_role():
    cubes = {f"map {i}": spotted((32, 32), [(4, 4), (20, 20)], i) for i in range(4)}
    tissues = {"map 0": "bone", "map 1": "bone", "map 2": "cartilage", "map 3": "cartilage"}
    found = suggest_patches(cubes, suggest=32, size=8, scale=2, tissues=tissues).patches
    assert found.counts() == {"train": 20, "validation": 4, "test": 8}
    for name in cubes:
        own = [p for p in found.patches if p.cube == name]
        assert len(own) == 8
        assert [sum(p.role == r for p in own) for r in ("validation", "test")] == [1, 2]
        assert {p.tissue for p in own} == {tissues[name]}
    other = suggest_patches(cubes, suggest=32, size=8, scale=2, tissues=tissues, seed=1).patches
    assert [p.role for p in other.patches] != [p.role for p in found.patches]
    assert [(p.cube, p.y, p.x) for p in other.patches] == [
        (p.cube, p.y, p.x) for p in found.patches
    ]


@pytest.mark.parametrize(
    ("n", "expected"), [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (8, (5, 1, 2))]
)
def test_few_patches_still_have_one_to_train_on(n, expected):
    found = suggest_patches({"a": spotted((48, 48), [(4, 4)])}, suggest=n, size=8, scale=2)
    assert tuple(found.patches.counts().values()) == expected


def test_roles_can_be_left_out():
    found = suggest_patches(
        {"a": spotted((48, 48), [(4, 4)])}, suggest=6, size=8, validation=0.0, test=0.0
    )
    assert found.patches.counts() == {"train": 6, "validation": 0, "test": 0}


def test_what_is_there_stays_and_is_not_covered():
    cube = spotted((24, 24), [(4, 4)])
    drawn = (Patch("a", 4, 4, 8, "test", "mine"),)
    found = suggest_patches({"a": cube}, suggest=20, size=8, scale=2, keep=drawn)
    assert found.patches.patches[0] == drawn[0]
    assert len(found.patches.patches) > 2
    assert found.patches.warnings() == ()
    full = tuple(Patch("a", y, x, 12) for y in (0, 12) for x in (0, 12))
    with pytest.raises(PatchError, match="No more patches fit"):
        suggest_patches({"a": cube}, suggest=2, size=8, scale=2, keep=full)


def test_spectra_with_holes_are_in_no_patch():
    cube = spotted((32, 32), [(4, 4), (20, 20)])
    holed = cube.intensity.copy()
    holed[5, 5, 3], holed[25, 21, 0] = np.nan, np.inf
    found = suggest_patches(
        {"a": dataclasses.replace(cube, intensity=holed)}, suggest=8, size=8, scale=2
    )
    assert found.patches.patches
    for patch in found.patches.patches:
        assert np.isfinite(holed[patch.window]).all()
    with pytest.raises(PatchError, match="Every spectrum holds NaN"):
        suggest_patches(
            {"a": dataclasses.replace(cube, intensity=np.full_like(holed, np.nan))}, size=8
        )


def test_a_map_of_noise_alone_still_gets_patches():
    rng = np.random.default_rng(0)
    cube = RamanCube(1 + rng.normal(0, 0.1, (32, 32, 40)), AXIS)
    assert len(suggest_patches({"a": cube}, suggest=5, size=8).patches.patches) == 5
    even = RamanCube(np.ones((16, 16, 40)), AXIS)
    assert len(suggest_patches({"a": even}, suggest=2, size=8).patches.patches) == 2


def test_small_maps_are_told_with_a_size_that_would_do():
    small, large = spotted((18, 20), [(4, 4)]), spotted((64, 64), [(4, 4)])
    with pytest.raises(PatchError, match=r"'s' has 18 x 20 pixels: no patch of 64 x 64 fits.* 8"):
        suggest_patches({"s": small})
    found = suggest_patches({"s": small, "l": large}, size=32, suggest=4)
    assert {p.cube for p in found.patches.patches} == {"l"}
    assert any("'s' has 18 x 20" in note for note in found.notes)
    found = suggest_patches({"s": small}, size=8, suggest=16)
    assert len(found.patches.patches) == 4
    assert "4 of 16 patches fit" in found.notes[0]
    assert "for example 4." in found.notes[0]


def test_cubes_of_other_axes_are_compared_where_they_overlap():
    a = spotted((24, 24), [(4, 4)])
    b = spotted((24, 24), [(4, 4)], axis=np.linspace(800, 2200, 55))
    found = suggest_patches({"a": a, "b": b}, suggest=6, size=8)
    assert {p.cube for p in found.patches.patches} == {"a", "b"}
    far = spotted((24, 24), [(4, 4)], axis=np.linspace(2000, 3000, 40))
    with pytest.raises(PatchError, match="share no range"):
        suggest_patches({"a": a, "far": far}, size=8)


def test_settings_are_checked():
    with pytest.raises(ParameterError, match="scale is 5"):
        suggest_patches({"a": spotted((24, 24), [])}, SuggestParams(scale=5))
    with pytest.raises(PatchError, match="multiple of 3"):
        suggest_patches({"a": spotted((24, 24), [])}, size=8, scale=3)
    with pytest.raises(PatchError, match="no cube"):
        suggest_patches({})
