"""The networks: sizes and names of the published ones, and what the compact one promises."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_deeper.models.compact import (
    CompactHyRISR,
    CompactHyRISRConfig,
    interpolate,
    weigh_neighbors,
)
from napari_deeper.models.eigenimage import (
    EigenimageDenoiser,
    EigenimageDenoiserConfig,
    rms,
)
from napari_deeper.models.hyrisr import HyRISR, HyRISRConfig
from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.spectra.errors import CheckpointError

# What a published ResUNet.pt holds: a few names from every part of it.
RESUNET_SHAPES = {
    "conv1.0.body.0.weight": (64, 1, 3),
    "conv1.0.body.1.weight": (1,),
    "conv1.1.body.0.weight": (64, 64, 3),
    "conv1.1.body.5.weight": (1,),
    "conv2.0.body.0.bias": (128,),
    "conv3.1.body.4.weight": (256, 256, 3),
    "conv3.2.body.0.weight": (128, 256, 3),
    "conv4.0.body.0.weight": (128, 256, 3),
    "conv4.2.body.0.weight": (64, 128, 3),
    "conv5.0.body.0.weight": (64, 128, 3),
    "conv6.0.body.0.weight": (1, 64, 3),
    "linear7.body.0.weight": (500, 500),
    "linear7.body.5.weight": (1,),
}
HYRISR_SHAPES = {
    "head1.0.0.weight": (2000, 500, 3, 3),
    "head1.1.weight": (500, 500, 3, 3),
    "head2.0.weight": (250, 500, 3, 3),
    "body.0.body.0.body.0.weight": (250, 250, 3, 3),
    "body.0.body.0.body.2.weight": (250, 250, 3, 3),
    "body.0.body.0.body.3.chan_attn.0.weight": (15, 250, 1, 1),
    "body.17.body.5.body.3.chan_attn.2.weight": (250, 15, 1, 1),
    "body.17.body.6.weight": (250, 250, 3, 3),
    "body.18.weight": (250, 250, 3, 3),
    "tail.0.weight": (250, 250, 3, 3),
    "tail.1.weight": (500, 250, 3, 3),
}


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def on_meta(network, config=None):
    with torch.device("meta"):
        return network(config)


def shapes(model):
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def test_resunet_is_the_published_one():
    model = on_meta(ResUNet)
    assert count(model) == 2_081_767
    assert shapes(model).items() >= RESUNET_SHAPES.items()
    assert not any("running" in name for name in shapes(model))


@pytest.mark.parametrize(("scale", "n"), [(2, 147_150_870), (4, 156_152_870)])
def test_hyrisr_has_the_published_size(scale, n):
    assert count(on_meta(HyRISR, HyRISRConfig(scale=scale))) == n


def test_hyrisr_has_the_published_names():
    assert shapes(on_meta(HyRISR)).items() >= HYRISR_SHAPES.items()
    four = shapes(on_meta(HyRISR, HyRISRConfig(scale=4)))
    assert four["head1.0.2.weight"] == (2000, 500, 3, 3)
    three = shapes(on_meta(HyRISR, HyRISRConfig(scale=3)))
    assert three["head1.0.0.weight"] == (4500, 500, 3, 3)


def test_resunet_maps_spectra_to_spectra():
    config = ResUNetConfig(n_channels=20, widths=(4, 6, 8), batch_norm=True)
    out = ResUNet(config).eval()(torch.rand(3, 1, 20))
    assert out.shape == (3, 1, 20)


def test_a_residual_resunet_that_says_nothing_returns_its_input():
    net = ResUNet(ResUNetConfig(n_channels=16, widths=(2, 2, 2), linear_head=False, residual=True))
    torch.nn.init.zeros_(net.get_parameter("conv6.0.body.0.weight"))
    torch.nn.init.zeros_(net.get_parameter("conv6.0.body.0.bias"))
    x = torch.rand(2, 1, 16)
    assert torch.equal(net(x), x)


@pytest.mark.parametrize("n_channels", [0, 2, 499])
def test_resunet_refuses_a_length_that_it_cannot_halve_twice(n_channels):
    with pytest.raises(CheckpointError, match=f"multiple of 4.*{n_channels}"):
        ResUNetConfig(n_channels=n_channels)


@pytest.mark.parametrize("config", [HyRISRConfig, CompactHyRISRConfig])
def test_scale_5_is_refused(config):
    with pytest.raises(CheckpointError, match="2, 3 or 4, not 5"):
        config(scale=5)


def small(scale, **changes):
    sizes = {"n_channels": 6, "n_features": 8, "n_groups": 1, "n_blocks": 1, "reduction": 4}
    return CompactHyRISR(CompactHyRISRConfig(scale=scale, **{**sizes, **changes})).eval()


def wake(net, seed=0):
    """Give the corrections, which start at zero, something to say."""
    generator = torch.Generator().manual_seed(seed)
    for layer in (net.spectrum, net.weights):
        layer.weight.data = torch.randn(layer.weight.shape, generator=generator) * 0.3
    return net


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_published_hyrisr_enlarges(scale):
    config = HyRISRConfig(4, scale, n_features=4, n_groups=1, n_blocks=1, reduction=2)
    assert HyRISR(config)(torch.rand(1, 4, 3, 5)).shape == (1, 4, 3 * scale, 5 * scale)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_compact_hyrisr_is_small(scale):
    assert count(on_meta(CompactHyRISR, CompactHyRISRConfig(scale=scale))) <= 3_000_000


@settings(deadline=None, max_examples=25)
@given(
    scale=st.sampled_from([2, 3, 4]),
    phase=st.integers(0, 3),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
)
def test_untrained_compact_hyrisr_is_aligned_bilinear(scale, phase, height, width):
    phase %= scale
    x = torch.rand(1, 6, height, width)
    out = small(scale)(x, phase).detach().numpy()
    assert out.shape == (1, 6, scale * height, scale * width)
    # Slow and obvious: every fine pixel on its own.
    for i in range(scale * height):
        for j in range(scale * width):
            want = lerp(x.numpy()[0], (i - phase) / scale, (j - phase) / scale)
            np.testing.assert_allclose(out[0, :, i, j], want, rtol=1e-5, atol=1e-6)


def lerp(cube, y, x):
    y, x = np.clip(y, 0, cube.shape[1] - 1), np.clip(x, 0, cube.shape[2] - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, cube.shape[1] - 1), min(x0 + 1, cube.shape[2] - 1)
    top = cube[:, y0, x0] * (1 - (x - x0)) + cube[:, y0, x1] * (x - x0)
    bottom = cube[:, y1, x0] * (1 - (x - x0)) + cube[:, y1, x1] * (x - x0)
    return top * (1 - (y - y0)) + bottom * (y - y0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_another_phase_moves_the_result_and_changes_nothing_else(scale):
    net, x = wake(small(scale)), torch.rand(1, 6, 8, 9)
    first, last = net(x, 0).detach(), net(x, scale - 1).detach()
    step = scale - 1
    # Beyond the measured pixels the edges are repeated, so only what both phases cover is compared.
    moved = last[:, :, 2 * scale : -scale, 2 * scale : -scale]
    still = first[:, :, 2 * scale - step : -scale - step, 2 * scale - step : -scale - step]
    torch.testing.assert_close(moved, still)
    assert (last - interpolate(x, scale, step)).abs().max() > 1e-3


def test_a_tile_with_its_surroundings_gives_the_same_as_the_whole():
    # One group of one block: three convolutions and two pooling windows reach far less than 24 pixels.
    net, x = wake(small(2, window=5)), torch.rand(1, 6, 70, 12)
    whole = net(x).detach()
    tile = net(x[:, :, 10:60]).detach()
    torch.testing.assert_close(tile[:, :, 48:52], whole[:, :, 68:72])


def test_weights_of_neighbours_against_a_slow_reference():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 3, 4, 5, generator=generator)
    weights = torch.randn(2, 9, 12, 15, generator=generator)
    fine = weigh_neighbors(x, weights, 3)
    for b, i, j in [(0, 0, 0), (1, 5, 7), (0, 11, 14)]:
        want = torch.zeros(3)
        for tap in range(9):
            y = min(max(i // 3 + tap // 3 - 1, 0), 3)
            col = min(max(j // 3 + tap % 3 - 1, 0), 4)
            want += weights[b, tap, i, j] * x[b, :, y, col]
        torch.testing.assert_close(fine[b, :, i, j], want)


def test_an_untrained_eigenimage_denoiser_returns_its_input():
    x = torch.randn(2, 1, 9, 14)
    torch.testing.assert_close(EigenimageDenoiser()(x), x)
    assert count(EigenimageDenoiser()) < 600_000


def test_an_eigenimage_denoiser_looks_no_further_than_its_reach():
    net = EigenimageDenoiser(EigenimageDenoiserConfig(n_features=4, n_blocks=1)).eval()
    generator = torch.Generator().manual_seed(0)
    for tensor in net.parameters():
        torch.nn.init.normal_(tensor, std=0.3, generator=generator)
    x = 5 * torch.randn(1, 1, 20, 8, generator=generator)
    whole, level = net(x), rms(x)
    with torch.inference_mode():
        part = net(x[:, :, 10 - net.reach :], level)
    torch.testing.assert_close(part[:, :, net.reach :], whole[:, :, 10:])
    short = net(x[:, :, 10:], level)
    assert (short - whole[:, :, 10:]).abs().max() > 1e-3
