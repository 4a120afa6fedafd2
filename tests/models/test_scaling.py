"""Scaling: what goes in comes out, whatever its size and sign."""

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.models.scaling import NORMALIZATIONS, normalize, restore
from napari_deeper.spectra.errors import CheckpointError

finite = st.floats(-1e6, 1e6, width=32)
spectra = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=finite)
cubes = arrays(np.float32, st.tuples(*[st.integers(1, 4)] * 4), elements=finite)
hows = st.sampled_from(NORMALIZATIONS)


@settings(deadline=None, max_examples=60)
@given(samples=spectra | cubes, how=hows)
def test_round_trip(samples, how):
    x = torch.from_numpy(samples)
    scaled, scaling = normalize(x, how)
    assert torch.isfinite(scaled).all()
    back = restore(scaled, scaling)
    largest = np.abs(samples).max(initial=0)
    np.testing.assert_allclose(back.numpy(), samples, rtol=1e-5, atol=1e-6 * largest)


@settings(deadline=None, max_examples=60)
@given(samples=spectra | cubes, how=hows, factor=st.sampled_from([37.5, 1e-3, 4096.0]))
@example(samples=np.array([[-1.56252e5, 1.5625e-2]], np.float32), how="max", factor=37.5)
def test_a_factor_changes_the_scale_alone(samples, how, factor):
    samples = np.where(np.abs(samples) < 1e-3, 0, samples).astype(np.float32)
    # what varies by next to nothing counts as constant, and is divided by 1 at any scale
    flat = samples.reshape(len(samples), -1).astype(np.float64)
    least = np.minimum(flat.std(axis=1), np.abs(flat.max(axis=1)))
    assume(not ((least > 0) & (least < 1e-6 * np.abs(flat).max(axis=1))).any())
    one, _ = normalize(torch.from_numpy(samples), how)
    many, _ = normalize(torch.from_numpy(samples).double() * factor, how)
    largest = max(1.0, float(one.abs().max()))
    torch.testing.assert_close(one.double(), many, rtol=1e-3, atol=1e-3 * largest)


@pytest.mark.parametrize("how", NORMALIZATIONS)
@pytest.mark.parametrize("value", [0.0, 5.0, -5.0, 1e30])
def test_constant_samples_divide_by_no_zero(how, value):
    scaled, scaling = normalize(torch.full((2, 3, 4, 4), value), how)
    assert torch.isfinite(scaled).all()
    torch.testing.assert_close(restore(scaled, scaling), torch.full((2, 3, 4, 4), value))


def test_what_each_normalization_is():
    x = torch.tensor([[1.0, 2.0, 9.0], [-4.0, -2.0, -3.0]])
    torch.testing.assert_close(normalize(x, "max")[0][0], x[0] / 9)
    torch.testing.assert_close(normalize(x, "max")[0][1], x[1] / 4)
    scaled, _ = normalize(x, "standard")
    torch.testing.assert_close(scaled.mean(1), torch.zeros(2))
    torch.testing.assert_close(scaled.square().mean(1), torch.ones(2))
    cube = torch.rand(2, 3, 5, 6)
    scaled, _ = normalize(cube, "centered")
    torch.testing.assert_close(scaled.mean((2, 3)), torch.zeros(2, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(scaled.square().mean((1, 2, 3)), torch.ones(2))


def test_intensity_survives_a_network():
    net = ResUNet(ResUNetConfig(n_channels=32, widths=(4, 4, 4), linear_head=False)).eval()
    x = torch.rand(4, 1, 32) * torch.tensor([1.0, 10.0, 0.1, 100.0])[:, None, None]

    def run(spectra):
        scaled, scaling = normalize(spectra, "standard")
        with torch.inference_mode():
            return restore(net(scaled), scaling)

    torch.testing.assert_close(run(37.5 * x), 37.5 * run(x), rtol=1e-4, atol=1e-3)


def test_an_unknown_name_is_refused():
    with pytest.raises(CheckpointError, match=r"'minmax'.*max, standard, centered"):
        normalize(torch.rand(1, 4), "minmax")
