import numpy as np
import pytest

from napari_deeper.processing import diffuse, lost_bands, residual, spikes
from napari_deeper.processing.lost_bands import NoiseTail

NORMAL = NoiseTail(np.zeros((1, 1), np.float32))
CHANNEL = np.arange(300)


def noise(n_pixels, n_channels=300, seed=0):
    return np.random.default_rng(seed).standard_normal((n_pixels, n_channels), np.float32)


def apart(n):
    """Return places of n pixels that are no neighbors."""
    alive = np.zeros((2 * n, 2), bool)
    alive[::2, 0] = True
    return alive


@pytest.mark.parametrize("width", [3.3, 4.2, 8.0])
@pytest.mark.parametrize("height", [6, 10, -8])
def test_narrow_bands_in_single_pixels_come_back_at_their_height(width, height):
    rng = np.random.default_rng(1)
    center = rng.uniform(10, 290, (40, 1))
    bands = height * np.exp(-((CHANNEL - center) ** 2) / 2 / (width / 2.355) ** 2)

    found = lost_bands.recover(noise(40) + bands.astype(np.float32), NORMAL, apart(40))

    at = np.arange(40), np.rint(center[:, 0]).astype(int)
    kept = found.intensity[at] / bands[at]
    assert np.median(kept) > 0.9
    assert (kept > 0.6).mean() > 0.9
    assert not found.spiked.any()
    # the error that is expected of them is about the one they have
    support = found.variance > 0.05
    error = np.square(found.intensity - bands)[support].mean()
    assert error == pytest.approx(found.variance[support].mean(), rel=0.6)


@pytest.mark.parametrize("photons", [np.inf, 0.1, 1.0, 10.0])
def test_noise_holds_no_bands(photons):
    residual_, tail = noise(600), NORMAL
    if np.isfinite(photons):
        counts = np.random.default_rng(2).poisson(photons, (600, 300))
        residual_ = ((counts - photons) / np.sqrt(photons)).astype(np.float32)
        tail = NoiseTail(np.full((1, 300), photons**-0.5, np.float32))

    found = lost_bands.recover(residual_, tail, np.ones((20, 30), bool))

    assert found.n_bands == 0
    assert not found.intensity.any()


def test_few_photons_need_the_tail_to_be_known():
    counts = np.random.default_rng(2).poisson(0.1, (600, 300))
    residual_ = ((counts - 0.1) / np.sqrt(0.1)).astype(np.float32)

    found = lost_bands.recover(residual_, NORMAL, np.ones((20, 30), bool))

    assert found.n_bands + found.spiked.sum() > 10


def test_a_spike_of_one_channel_is_told_and_not_given_back():
    struck = noise(40)
    struck[np.arange(40), np.arange(40) * 7 + 5] += 15

    found = lost_bands.recover(struck, NORMAL, apart(40))

    assert found.spiked.all()
    assert found.n_bands == 0


def test_a_weaker_band_is_found_beside_a_clear_one():
    band = np.exp(-((CHANNEL - 150) ** 2) / 2 / 2.1**2).astype(np.float32)
    alive = np.ones((20, 20), bool)
    rest = noise(400, seed=3).reshape(20, 20, 300)
    rest[9:12, 9:12] += 2.0 * band
    alone = lost_bands.recover(rest.reshape(400, 300), NORMAL, alive)
    rest[10, 10] += 8 * band

    beside = lost_bands.recover(rest.reshape(400, 300), NORMAL, alive)

    assert alone.n_bands == 0
    assert beside.n_bands >= 3
    # noise next to it is left alone
    elsewhere = beside.intensity.reshape(20, 20, 300).copy()
    elsewhere[9:12, 9:12] = 0
    assert not elsewhere.any()


def test_strong_spikes_are_found_and_bridged():
    wave = 10 * np.sin(CHANNEL / 20)
    spectra = (noise(200) + wave).astype(np.float32)
    spectra[3, 100] += 1000
    spectra[:, 200] += 50  # in all pixels: not a cosmic ray
    sigma = np.ones((1, 1), np.float32)

    found = spikes.find(spectra, sigma, NORMAL.skewness)

    assert np.argwhere(found).tolist() == [[3, 100]]
    bridged = spikes.bridge(spectra, found)
    assert abs(bridged[3, 100] - wave[100]) < 5
    changed = bridged != spectra
    assert changed.sum() <= 3 and changed[3, 99:102].any()


def test_narrow_bands_are_no_spikes():
    band = np.exp(-((CHANNEL - 150) ** 2) / 2 / 0.9**2)
    spectra = noise(50)
    spectra[7] += 100 * band.astype(np.float32)

    assert not spikes.find(spectra, np.ones((1, 1), np.float32), NORMAL.skewness).any()


def test_one_of_a_thousand_pixels_of_noise_is_flagged():
    flagged = residual.flag(noise(6000), NORMAL)

    assert 0 < flagged.sum() < 18


@pytest.mark.parametrize(
    "misfit",
    [
        5.6 * np.exp(-((CHANNEL - 150) ** 2) / 2 / 1.5**2),
        0.9 * np.sin(CHANNEL / 8),
        9.0 * (CHANNEL == 77),
    ],
    ids=["band", "wave", "spike"],
)
def test_what_is_not_noise_is_flagged(misfit):
    rest = noise(400)
    rest[:10] += misfit.astype(np.float32)

    flagged = residual.flag(rest, NORMAL)

    assert flagged[:10].all()
    assert flagged[10:].sum() <= 4


def test_faint_signal_is_recovered_and_counted():
    rng = np.random.default_rng(4)
    smooth = np.exp(-(np.arange(-12, 13) ** 2) / 2 / 3.0**2)
    signal = np.stack([np.convolve(rng.normal(size=300), smooth, "same") for _ in range(400)])
    signal = (0.5 * signal / signal.std()).astype(np.float32)

    faint = diffuse.recover(noise(400) + signal, np.ones((20, 20), bool))

    left = np.mean((faint.intensity - signal) ** 2)
    assert left < 0.6 * np.mean(signal**2)
    assert faint.left == pytest.approx(left, rel=0.25)


def test_noise_gives_no_faint_signal():
    faint = diffuse.recover(noise(400), np.ones((20, 20), bool))

    assert np.std(faint.intensity) < 0.01
    assert abs(faint.left) < 4 * faint.scatter


def test_faint_signal_of_a_large_map_is_sought_in_parts():
    signal = np.sin(CHANNEL / 5).astype(np.float32)
    alive = np.ones((130, 4), bool)
    alive[5] = False

    faint = diffuse.recover(noise(int(alive.sum())) + signal, alive)

    assert np.mean((faint.intensity - signal) ** 2) < 0.1


def test_small_maps_are_left_alone():
    faint = diffuse.recover(noise(9), np.ones((3, 3), bool))

    assert not faint.intensity.any() and faint.left == 0
