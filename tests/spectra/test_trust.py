"""What a cube says of its own trust."""

from __future__ import annotations

import numpy as np

from napari_deeper import RamanCube
from napari_deeper.spectra.provenance import Step
from napari_deeper.spectra.trust import trust_of, trust_sentences

AXIS = np.arange(100.0, 110.0)


def band(height: float) -> np.ndarray:
    spectrum = np.full(10, 20.0)
    spectrum[4] += height
    return spectrum


def test_the_median_is_over_pixels_and_relative_to_each_ones_band() -> None:
    intensity = np.array([[band(100), band(50), band(200)]])
    sigma = np.array([[[2.0] * 10, [4.0] * 10, [1.0] * 10]])
    trust = trust_of(RamanCube(intensity, AXIS, uncertainty=sigma))
    assert trust.sigma == 2.0
    assert trust.relative == np.float32(0.02)  # of 2, 8 and 0.5 %
    assert trust.n_flagged is None


def test_what_is_not_finite_is_left_out() -> None:
    intensity = np.array([[band(100), band(50), band(200)]])
    sigma = np.full((1, 3, 10), 2.0)
    sigma[0, 0, 3] = np.nan
    assert trust_of(RamanCube(intensity, AXIS, uncertainty=sigma)).sigma == 2.0
    nothing = trust_of(RamanCube(intensity, AXIS, uncertainty=sigma * np.nan))
    assert (nothing.sigma, nothing.relative) == (None, None)
    flat = trust_of(RamanCube(np.ones((1, 3, 10)), AXIS, uncertainty=np.ones((1, 3, 10))))
    assert (flat.sigma, flat.relative) == (1.0, None)


def test_sentences_count_the_flags() -> None:
    def told(n: int) -> str:
        flagged = np.zeros((2, 5), bool)
        flagged.flat[:n] = True
        cube = RamanCube(np.ones((2, 5, 10)), AXIS, flagged=flagged)
        return " ".join(trust_sentences(cube))

    assert "None of 10 pixels is flagged" in told(0)
    assert "1 of 10 pixels is flagged" in told(1)
    assert "3 of 10 pixels are flagged" in told(3)
    assert trust_sentences(RamanCube(np.ones((2, 5, 10)), AXIS)) == []


def test_what_the_last_step_has_told_is_not_repeated() -> None:
    ones = np.ones((2, 5, 10))
    step = Step("denoise", notes=("No pixel is flagged: all is well.",))
    cube = RamanCube(
        ones, AXIS, provenance=(step,), uncertainty=ones, flagged=np.zeros((2, 5), bool)
    )
    (sentence,) = trust_sentences(cube)
    assert sentence.startswith("Median uncertainty")
