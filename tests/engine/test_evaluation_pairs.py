"""Pairs of a measurement and its target: what fits, what does not, and what is doubtful."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_deeper as nd
from napari_deeper.cli import app
from napari_deeper.engine.evaluation_pairs import pair_notes, simulate_pair
from napari_deeper.engine.evaluation_runs import add_noise, sample
from napari_deeper.simulate.instrument import skip_sample
from napari_deeper.spectra.errors import CubeError, ParameterError


@pytest.fixture(scope="module")
def field() -> nd.RamanCube:
    """A larger field than is evaluated, so that a window of it can be moved."""
    rng = np.random.default_rng(8)
    axis = np.linspace(600, 1800, 40)
    bands = np.exp(-(((axis - np.array([[1004], [1450]])) / 60) ** 2))
    rough = rng.uniform(0, 1, (30, 30, 2))
    smooth = sum(np.roll(rough, (i, j), (0, 1)) for i in range(3) for j in range(3))
    return nd.RamanCube(100 * smooth @ bands + 20, axis, (0.5, 0.5))


def window(field: nd.RamanCube, y: int = 4, x: int = 4, n: int = 18) -> nd.RamanCube:
    return dataclasses.replace(field, intensity=field.intensity[y : y + n, x : x + n])


def test_a_pair_that_fits_has_no_notes(field):
    target = window(field)
    assert pair_notes(add_noise(target, "white", 0.3, 0), target, 1, 1) == ()
    assert pair_notes(sample(target, 3, 1), target, 3, 1) == ()


@pytest.mark.parametrize("move", [(1, 0), (-2, 1), (0, 3)])
def test_a_shifted_pair_is_told_and_by_how_much(field, move):
    moved = add_noise(window(field, 4 + move[0], 4 + move[1]), "white", 0.1, 0)
    (note,) = pair_notes(moved, window(field), 1, 1)
    assert f"moved by {move}" in note
    found = nd.evaluate(window(field), measured=moved, methods="savgol")
    assert note in found.notes


def test_another_exposure_is_told(field):
    target = window(field)
    short = dataclasses.replace(target, intensity=target.intensity / 10)
    (note,) = pair_notes(short, target, 1, 1)
    assert "--match-scale" in note
    matched = nd.evaluate(target, measured=short, methods="savgol", match_scale=True)
    assert not any("--match-scale" in n for n in matched.notes)


def test_a_coarser_cube_hints_at_the_scale(field):
    target = window(field)
    coarse = nd.RamanCube(target.intensity[::3, ::3], target.wavenumber)
    with pytest.raises(CubeError, match="right for a scale of 3"):
        nd.evaluate(target, measured=coarse)
    with pytest.raises(CubeError, match=r"must be \(18, 18, 40\) \(y, x, channel\)\.$"):
        nd.evaluate(target, measured=window(field, n=17))


def test_places_on_the_sample_must_fit(field):
    target = window(field)
    low = skip_sample(target, 2, 1)
    assert low.origin == (0.5, 0.5)
    nd.evaluate(target, measured=low, scale=2, methods="bilinear")
    with pytest.raises(CubeError, match="away from where it should be"):
        nd.evaluate(target, measured=low, scale=2, phase=0, methods="bilinear")
    fine = dataclasses.replace(low, pixel_size=(0.5, 0.5))
    with pytest.raises(CubeError, match="2 times as large"):
        nd.evaluate(target, measured=fine, scale=2, methods="bilinear")
    here = dataclasses.replace(target, origin=(10.0, 10.0))
    there = dataclasses.replace(target, origin=(10.0, 12.0))
    with pytest.raises(CubeError, match="Crop both"):
        nd.evaluate(here, measured=there, methods="savgol")


def test_matching_the_scale_scales_the_uncertainty_too(field):
    target = window(field)
    noise = np.random.default_rng(0).normal(0, 3, target.shape)
    half = dataclasses.replace(
        target,
        intensity=(target.intensity + noise) / 2,
        uncertainty=np.full(target.shape, 1.5, np.float32),
    )
    found = nd.evaluate(target, results={"mine": half}, match_scale=True, noiseless=True)
    assert found.records[0].within_sigma == pytest.approx(0.683, abs=0.02)


@pytest.mark.parametrize("chemistry", ["held-out", "default"])
def test_a_simulated_pair_is_seeded_and_in_counts(chemistry):
    clean, noisy = simulate_pair(3, 12, chemistry=chemistry)
    again = simulate_pair(3, 12, chemistry=chemistry)
    np.testing.assert_array_equal(noisy.intensity, again[1].intensity)
    assert clean.shape == noisy.shape == (12, 12, 500)
    assert noisy.intensity.mean() == pytest.approx(clean.intensity.mean(), rel=0.02)
    left = (noisy.intensity - clean.intensity).var()
    assert left == pytest.approx(clean.intensity.mean() + 9, rel=0.05)
    clean2, coarse = simulate_pair(3, 13, chemistry=chemistry, scale=2)
    assert (clean2.shape[:2], coarse.shape[:2]) == ((12, 12), (6, 6))


def test_an_unknown_chemistry_says_so():
    with pytest.raises(ParameterError, match="chemistry"):
        simulate_pair(3, 12, chemistry="magic")


def run(*arguments: object):
    return CliRunner().invoke(app, ["evaluate", *(str(a) for a in arguments)])


def test_the_command_takes_a_measurement_and_its_target(tmp_path: Path, field) -> None:
    target = window(field)
    low = dataclasses.replace(target, intensity=add_noise(target, "white", 0.1, 0).intensity / 10)
    nd.write(target, tmp_path / "high.npz")
    nd.write(low, tmp_path / "low.npz")
    flags = (tmp_path / "low.npz", "--target", tmp_path / "high.npz", "--methods", "savgol")
    done = run(*flags, "--out", tmp_path / "a")
    assert done.exit_code == 0, done.output
    assert "--match-scale" in done.output
    matched = run(*flags, "--match-scale", "--out", tmp_path / "b")
    assert matched.exit_code == 0, matched.output
    assert "high, measured" in matched.output or "measured" in matched.output
    expected = nd.evaluate(
        nd.read(tmp_path / "high.npz"),
        measured=nd.read(tmp_path / "low.npz"),
        methods="savgol",
        match_scale=True,
    )
    text = (tmp_path / "b" / "report.md").read_text(encoding="utf-8")
    assert f"{expected.summary('input').excess_mse:.4g} [" in text
    wrong = run(tmp_path / "low.npz", "--target", tmp_path / "high.npz", "--scale", "2",
                "--out", tmp_path / "c")  # fmt: skip
    assert wrong.exit_code == 1
    assert "must be" in wrong.output


def test_the_command_simulates(tmp_path: Path) -> None:
    done = run("--simulated", "--seed", "3", "--scale", "4", "--methods", "bilinear",
               "--out", tmp_path / "a")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "cell 3, 4x, measured" in done.output
    assert "accuracy" in (tmp_path / "a" / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        ((), "REFERENCE"),
        (("cell.npz", "--simulated"), "no file"),
        (("cell.npz", "--target", "b.npz", "--input", "c.npz"), "one"),
    ],
)
def test_files_that_contradict_are_wrong_usage(tmp_path: Path, flags, text) -> None:
    done = run(*flags, "--out", tmp_path / "a")
    assert done.exit_code == 2
    assert text in done.output
    assert not (tmp_path / "a").exists()
