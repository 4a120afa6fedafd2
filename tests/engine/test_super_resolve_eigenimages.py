"""auto super-resolution: better than interpolation, honest about its errors, and it loses nothing."""

import threading

import numpy as np
import pytest
from engine_cubes import band_cube, randomize

import napari_deeper as nd
from napari_deeper.engine import eigen_super_resolve, fine_images
from napari_deeper.engine.enhance import enhance
from napari_deeper.models import checkpoint
from napari_deeper.models.checkpoint import save
from napari_deeper.models.eigen_super_resolve import (
    EigenimageSuperResolver,
    EigenimageSuperResolverConfig,
)
from napari_deeper.processing.interpolation import skip_sample
from napari_deeper.simulate import cells
from napari_deeper.spectra.errors import Cancelled, CheckpointError

AXIS = np.linspace(600, 1800, 160)


def cell(seed=5, noise=0.05, size=36):
    """Return the truth and a noisy cube of it."""
    rng = np.random.default_rng(seed)
    truth = cells.cell((size, size), rng=rng, wavenumber=AXIS).cube.intensity
    noisy = truth + noise * rng.standard_normal(truth.shape)
    return truth, noisy.astype(np.float32)


def error(cube, truth):
    return float(np.mean((cube.intensity - truth) ** 2))


@pytest.mark.parametrize(("scale", "most"), [(2, 0.8), (3, 0.93), (4, 0.97)])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_it_beats_every_interpolation_of_cells(scale, most, noise):
    ratios = []
    for seed in (5, 6, 7):
        truth, noisy = cell(seed, noise)
        low = nd.RamanCube(skip_sample(noisy, scale, 1), AXIS)
        found = error(nd.super_resolve(low, scale=scale), truth)
        shrunk = nd.denoise(low, method="low-rank") if noise else low
        plain = [
            error(nd.super_resolve(shrunk, scale=scale, method=method), truth)
            for method in ("bilinear", "bicubic")
        ]
        ratios.append((found / plain[0], found / min(plain)))

    to_bilinear, to_best = np.mean(ratios, axis=0)
    assert to_bilinear < most
    assert to_best < 0.98


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_every_phase_is_as_good(phase):
    truth, noisy = cell()
    low = nd.RamanCube(skip_sample(noisy, 3, phase), AXIS)

    fine = nd.super_resolve(low, scale=3, phase=phase)

    plain = nd.super_resolve(low, scale=3, phase=phase, method="bilinear")
    assert error(fine, truth) < 0.9 * error(plain, truth)


@pytest.mark.parametrize("noise", [0.1, 0.4])
@pytest.mark.parametrize("scale", [2, 3])
def test_two_thirds_of_the_errors_are_within_one_sigma(scale, noise):
    within = []
    for seed in (1, 2):
        truth, noisy = cell(seed, noise)
        fine = nd.super_resolve(nd.RamanCube(skip_sample(noisy, scale, 1), AXIS), scale=scale)
        assert fine.uncertainty.shape == fine.shape
        assert fine.uncertainty.dtype == np.float32
        within.append(np.abs(fine.intensity - truth) < fine.uncertainty)
    assert 0.55 < np.mean(within) < 0.82


def test_pure_noise_stays_flat():
    rng = np.random.default_rng(0)
    cube = nd.RamanCube(5 + rng.normal(0, 1, (20, 20, 160)), AXIS)

    fine = nd.super_resolve(cube)

    rough = fine.intensity - np.median(fine.intensity)
    assert (np.abs(rough).max(axis=2) < 1).mean() > 0.99


def test_a_band_of_one_pixel_that_no_component_has_is_kept():
    noisy = cell(noise=0.05)[1]
    low = skip_sample(noisy, 2, 1).copy()
    band = 0.5 * np.exp(-((AXIS - 1500) ** 2) / 2 / 8**2)
    before = nd.super_resolve(nd.RamanCube(low, AXIS)).intensity[9, 15]
    low[4, 7] += band

    fine = nd.super_resolve(nd.RamanCube(low, AXIS))

    channel = np.argmax(band)
    assert (fine.intensity[9, 15] - before)[channel] > 0.8 * band[channel]


def test_flat_pixels_stay_as_they_are_and_do_no_harm():
    truth, noisy = cell()
    low = skip_sample(noisy, 2, 1).copy()
    whole = nd.super_resolve(nd.RamanCube(low, AXIS)).intensity
    low[3, 5], low[10, 0] = 0, 7

    fine = nd.super_resolve(nd.RamanCube(low, AXIS)).intensity

    np.testing.assert_array_equal(fine[7, 11], 0)
    np.testing.assert_array_equal(fine[21, 1], 7)
    away = np.ones(fine.shape[:2], bool)
    away[3:12, 7:16] = away[17:26, :6] = False
    assert np.abs(fine - whole)[away].mean() < 0.1 * np.abs(whole - truth).mean()


def test_memory_is_bounded_and_parts_leave_no_seam(monkeypatch):
    low = nd.RamanCube(cell(size=44)[1], AXIS)
    whole = nd.super_resolve(low)

    monkeypatch.setattr(fine_images, "_STRIP_PIXELS", 44 * 8)
    monkeypatch.setattr(eigen_super_resolve, "_STRIP", 300)
    monkeypatch.setattr(eigen_super_resolve, "_MOST_UNCERTAINTY", 1000)
    parts = nd.super_resolve(low)

    np.testing.assert_allclose(parts.intensity, whole.intensity, rtol=1e-4, atol=1e-4)
    assert whole.uncertainty is not None
    assert parts.uncertainty is None
    assert any("uncertainty was left out" in note for note in parts.provenance[-1].notes)


@pytest.mark.parametrize("shape", [(1, 30), (3, 20)])
def test_lines_and_tiny_maps_are_interpolated_and_it_says_so(shape):
    cube = band_cube(shape=shape)

    fine = nd.super_resolve(cube, scale=2)

    plain = nd.super_resolve(cube, scale=2, method="bilinear")
    np.testing.assert_allclose(fine.intensity, plain.intensity, atol=1e-6)
    assert fine.uncertainty is None
    assert any("too small" in note for note in fine.provenance[-1].notes)


def test_without_weights_it_interpolates_and_says_why(monkeypatch):
    def missing(kind, scale=None):
        raise CheckpointError("There are none here.")

    monkeypatch.setattr(fine_images, "shipped", missing)
    step = nd.super_resolve(band_cube()).provenance[-1]

    assert step.params["chosen"] == "bilinear"
    assert any("There are none here" in note for note in step.notes)


def test_it_says_what_it_did_and_takes_own_weights(tmp_path):
    config = EigenimageSuperResolverConfig(scale=3, n_features=8, n_blocks=1)
    net = randomize(EigenimageSuperResolver(config))
    path = save(net, tmp_path / "mine.safetensors", {"normalization": "noise"})

    step = nd.super_resolve(band_cube(), scale=3, model=str(path)).provenance[-1]

    assert step.params["checkpoint"] == "mine"
    shares = [step.params[f"{name}_share"] for name in ("bilinear", "kriging", "network")]
    assert sum(shares) == pytest.approx(1)
    assert any("a network" in note for note in step.notes)
    with pytest.raises(CheckpointError, match="2x network is needed"):
        nd.super_resolve(band_cube(), scale=2, model=str(path))
    with pytest.raises(CheckpointError):
        nd.super_resolve(band_cube(), model=str(checkpoint.shipped("eigenimage")))


def test_a_useless_network_loses_its_share(tmp_path, monkeypatch):
    config = EigenimageSuperResolverConfig(scale=2, n_features=8, n_blocks=1)
    net = EigenimageSuperResolver(config)
    net.tail.bias.data[:4] = 3.0  # a wrong level everywhere
    path = save(net, tmp_path / "bad.safetensors", {"normalization": "noise"})
    truth, noisy = cell()
    low = nd.RamanCube(skip_sample(noisy, 2, 1), AXIS)

    fine = nd.super_resolve(low, model=str(path))

    assert fine.provenance[-1].params["network_share"] < 0.5
    plain = nd.super_resolve(low, method="bilinear")
    assert error(fine, truth) < 1.5 * error(plain, truth)


def test_both_by_auto_super_resolve_what_was_measured():
    cube = band_cube(shape=(12, 12), noise=0.2, metadata={"name": "cell"})

    denoised, fine = enhance(cube, nd.DenoiseParams(), nd.SuperResolveParams())

    assert [step.verb for step in denoised.provenance] == ["denoise"]
    assert [step.verb for step in fine.provenance] == ["super-resolve"]
    np.testing.assert_array_equal(fine.intensity, nd.super_resolve(cube).intensity)
    assert fine.name == "cell · 2x (auto: eigenimages)"


def test_it_can_be_cancelled_at_every_stage():
    cube = band_cube(shape=(18, 18))
    stages = []
    nd.super_resolve(cube, scale=3, progress=nd.Progress(lambda f, t: stages.append((f, t))))
    fractions = [f for f, _ in stages]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    for wanted in ("left", "Leaving", "Super-resolving eigenimage", "Kriging", "Composing"):
        cancel = threading.Event()

        def report(fraction, text, wanted=wanted, cancel=cancel):
            if wanted in text:
                cancel.set()

        if any(wanted in text for _, text in stages):
            with pytest.raises(Cancelled):
                nd.super_resolve(cube, scale=3, progress=nd.Progress(report, cancel))
    assert {"Kriging", "Composing"} <= {text.split()[0] for _, text in stages}
