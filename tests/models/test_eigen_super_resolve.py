"""The network that super-resolves eigenimages: what holds whatever it has learned."""

import pytest
import torch

from napari_deeper.models import checkpoint
from napari_deeper.models.compact import interpolate
from napari_deeper.models.eigen_super_resolve import (
    EigenimageSuperResolver,
    EigenimageSuperResolverConfig,
    Surface,
)


def network(scale, seed=0, n_blocks=2):
    torch.manual_seed(seed)
    net = EigenimageSuperResolver(EigenimageSuperResolverConfig(scale, 8, n_blocks))
    for tensor in net.parameters():
        torch.nn.init.normal_(tensor, std=0.1)
    return net.eval().requires_grad_(False)


def images(n=2, n_y=9, n_x=11, seed=1):
    return 20 * torch.randn(n, 1, n_y, n_x, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_untrained_one_interpolates(scale):
    x = images()
    mean, variance = EigenimageSuperResolver(EigenimageSuperResolverConfig(scale))(x, (1, 0))
    torch.testing.assert_close(mean, interpolate(x, scale, (1, 0)))
    assert variance.shape == mean.shape
    assert (variance > 0).all()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_phase_is_the_same_image_cut_out_elsewhere(scale):
    x, net = images(n_y=12, n_x=12), network(scale)
    change = {}
    for phase in [(0, 0), (1, 0), (0, 1), (scale - 1, scale - 1)]:
        mean, _ = net(x, phase)
        change[phase] = mean - interpolate(x, scale, phase)
    for (dy, dx), other in change.items():
        inner = change[0, 0][:, :, : -dy or None, : -dx or None]
        torch.testing.assert_close(other[:, :, dy:, dx:], inner, atol=1e-4, rtol=1e-4)


def test_noise_of_one_sets_the_scale_and_only_large_images_scale_along():
    net, x = network(2), images() * 1e4
    mean, variance = net(x)
    ten, hundred = net(10 * x)
    torch.testing.assert_close(ten, 10 * mean, rtol=1e-2, atol=1e-2 * float(ten.std()))
    torch.testing.assert_close(hundred, 100 * variance, rtol=5e-2, atol=0)
    shifted, _ = net(x + 1e5)
    torch.testing.assert_close(shifted - 1e5, mean, rtol=1e-2, atol=1e-3 * float(mean.std()))


def test_a_part_is_as_the_whole_given_its_surface():
    net, x = network(2, n_blocks=1), images(1, 30, 8)
    whole = net(x)[0]
    surface, reach = Surface.of(x), net.reach
    part = net(x[:, :, 10 - reach : 20 + reach], (1, 1), surface)[0]
    torch.testing.assert_close(part[:, :, 2 * reach : 2 * (reach + 10)], whole[:, :, 20:40])


def test_the_surface_tells_smooth_from_rough_and_even_from_spotted():
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(20.0), indexing="ij")
    smooth = 100 * torch.sin(y / 5 + x / 7)[None, None]
    rough, spotted = images(1, 20, 20), torch.zeros(1, 1, 20, 20)
    spotted[0, 0, 5, 5] = spotted[0, 0, 12, 14] = 500
    look = Surface.of(torch.cat([smooth, rough, spotted]))
    stride, evenness = look.stride.flatten().tolist(), look.evenness.flatten().tolist()
    assert stride[0] > 1.8
    assert stride[1] < 1.2
    assert evenness[2] < 0.3 < 0.6 < evenness[1]


def test_it_is_saved_and_loaded_by_its_scale(tmp_path):
    net = network(3)
    got = checkpoint.load(
        checkpoint.save(net, tmp_path / "a.safetensors", {"normalization": "noise"}), scale=3
    )
    assert (got.kind, got.scale, got.phase, got.any_phase) == ("eigenimage", 3, 1, True)
    x = images()
    torch.testing.assert_close(got.model(x)[0], net(x)[0], rtol=1e-2, atol=0.1)
