"""The augmentations: each against a slow reference, and the same for all parts of a sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.training import augment

SEEDS = st.integers(0, 2**32)
FEW = settings(deadline=None, max_examples=25)


def parts_of(shape, seed, n=2):
    rng = np.random.default_rng(seed)
    first = rng.random(shape).astype(np.float32)
    return (first, *(first + 10 * (i + 1) for i in range(n - 1)))


def reflected(spectrum, shift):
    """Return one spectrum moved by `shift` channels, a channel at a time."""
    n = len(spectrum)
    out = []
    for i in range(n):
        at = i - shift
        while not 0 <= at < n:
            at = -at if at < 0 else 2 * (n - 1) - at
        out.append(spectrum[at])
    return np.array(out)


@FEW
@given(SEEDS, st.integers(2, 60), st.integers(1, 5))
def test_a_shift_moves_by_a_tenth_at_most_and_reflects(seed, n_channels, n):
    parts = parts_of((n, n_channels), seed)
    moved = augment.shift_spectra(parts, np.random.default_rng(seed))
    most = int(0.1 * n_channels)
    for i in range(n):
        choices = [reflected(parts[0][i], s) for s in range(-most, most + 1)]
        assert any(np.array_equal(moved[0][i], choice) for choice in choices)
    np.testing.assert_array_equal(moved[1], moved[0] + 10)


def test_shifts_reach_both_ends_evenly():
    ramp = np.tile(np.arange(100, dtype=np.float32), (4000, 1))
    (moved,) = augment.shift_spectra((ramp,), np.random.default_rng(0))
    shifts = 50 - moved[:, 50]
    values, counts = np.unique(shifts, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(-10, 11))
    assert counts.min() > 0.6 * counts.mean()


def test_cubes_shift_as_a_whole():
    parts = parts_of((3, 4, 5, 40), 1)
    moved, _ = augment.shift_spectra(parts, np.random.default_rng(2))
    for before, after in zip(parts[0], moved, strict=True):
        shift = next(
            s for s in range(-4, 5) if np.array_equal(after[0, 0], reflected(before[0, 0], s))
        )
        for y in range(4):
            for x in range(5):
                np.testing.assert_array_equal(after[y, x], reflected(before[y, x], shift))


@FEW
@given(SEEDS)
def test_a_mixture_is_of_two_samples_with_one_weight(seed):
    parts = parts_of((6, 8), seed)
    mixed = augment.mix(parts, np.random.default_rng(seed))
    for i in range(6):
        fits = []
        for j in range(6):
            span = parts[0][j] - parts[0][i]
            weight = (mixed[0][i] - parts[0][i]) @ span / max(span @ span, 1e-12)
            made = parts[0][i] + weight * span
            fits.append(np.allclose(made, mixed[0][i], atol=1e-5) and -1e-5 <= weight <= 1 + 1e-5)
        assert any(fits)
    np.testing.assert_allclose(mixed[1], mixed[0] + 10, rtol=1e-5)


def test_half_are_mixed_by_weights_of_a_beta():
    n = 20000
    numbers = np.arange(n, dtype=np.float32)
    first, second = augment.mix(
        (numbers[:, None], np.ones((n, 1), np.float32)), np.random.default_rng(3)
    )
    changed = first[:, 0] != numbers
    assert changed.mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(second, 1, rtol=1e-6)
    # Of Beta(0.2, 0.2) the mean is 1/2 and the variance 1/5.6; two numbers tell the weight.
    pair = np.array([[0.0], [1.0]], np.float32)
    seeds = range(4000)
    drawn = [augment.mix((pair,), np.random.default_rng(s), share=1.0)[0][0, 0] for s in seeds]
    met = np.array([value for value in drawn if value > 0])
    assert met.mean() == pytest.approx(0.5, abs=0.04)
    assert met.var() == pytest.approx(1 / 5.6, abs=0.03)


@FEW
@given(SEEDS)
def test_flips_are_of_the_spectrum_alone(seed):
    parts = parts_of((5, 3, 4, 7), seed)
    flipped = augment.flip_spectra(parts, np.random.default_rng(seed))
    for before, after in zip(parts[0], flipped[0], strict=True):
        assert np.array_equal(after, before) or np.array_equal(after, before[..., ::-1])
    np.testing.assert_array_equal(flipped[1], flipped[0] + 10)


def test_half_are_flipped():
    spectra = np.tile(np.arange(5, dtype=np.float32), (4000, 1))
    (flipped,) = augment.flip_spectra((spectra,), np.random.default_rng(0))
    assert (flipped[:, 0] == 4).mean() == pytest.approx(0.5, abs=0.04)


@FEW
@given(SEEDS)
def test_turns_are_one_of_eight_and_all_of_them(seed):
    parts = parts_of((40, 4, 4, 2), seed)
    turned = augment.turn(parts, np.random.default_rng(seed))
    met = set()
    for before, after in zip(parts[0], turned[0], strict=True):
        choices = [np.rot90(m, q) for m in (before, before[:, ::-1]) for q in range(4)]
        met.add(next(k for k, choice in enumerate(choices) if np.array_equal(after, choice)))
    assert len(met) >= 6
    np.testing.assert_array_equal(turned[1], turned[0] + 10)


@FEW
@given(SEEDS, st.integers(1, 12), st.integers(1, 12), st.integers(1, 20))
def test_a_crop_is_a_window_of_the_reflected_cube(seed, height, width, side):
    parts = parts_of((height, width, 3), seed)
    cut = augment.crop(parts, side, np.random.default_rng(seed))
    assert cut[0].shape == (side, side, 3)
    np.testing.assert_array_equal(cut[1], cut[0] + 10)
    known = {tuple(pixel) for row in parts[0] for pixel in row}
    assert {tuple(pixel) for row in cut[0] for pixel in row} <= known
    if side <= min(height, width):
        places = [
            np.array_equal(cut[0], parts[0][y : y + side, x : x + side])
            for y in range(height - side + 1)
            for x in range(width - side + 1)
        ]
        assert any(places)


def test_a_short_side_is_reflected():
    cube = np.arange(4, dtype=np.float32).reshape(1, 4, 1) * np.ones((8, 1, 1), np.float32)
    (cut,) = augment.crop((cube,), 8, np.random.default_rng(0))
    np.testing.assert_array_equal(cut[0, :, 0], [2, 1, 0, 1, 2, 3, 2, 1])


def test_the_same_generator_gives_the_same():
    parts = parts_of((4, 6, 6, 9), 0)
    for change in (augment.turn, augment.shift_spectra, augment.flip_spectra, augment.mix):
        one = change(parts, np.random.default_rng(5))
        two = change(parts, np.random.default_rng(5))
        np.testing.assert_array_equal(one[0], two[0])
