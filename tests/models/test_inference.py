"""The form that networks run in gives what the network gives."""

import pytest
import torch

from napari_deeper.models.checkpoint import load, shipped
from napari_deeper.models.compact import CompactHyRISR, CompactHyRISRConfig
from napari_deeper.models.eigen_super_resolve import (
    EigenimageSuperResolver,
    EigenimageSuperResolverConfig,
)
from napari_deeper.models.eigenimage import EigenimageDenoiser, EigenimageDenoiserConfig
from napari_deeper.models.hyrisr import HyRISR, HyRISRConfig
from napari_deeper.models.inference import deviation, inference_form
from napari_deeper.models.resunet import ResUNet, ResUNetConfig


def image(n_channels, side=12):
    return torch.rand(2, n_channels, side, side, generator=torch.Generator().manual_seed(1))


def spectra(n_channels):
    return torch.rand(5, 1, n_channels, generator=torch.Generator().manual_seed(1))


def networks():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [
            (ResUNet(ResUNetConfig(n_channels=100)), spectra(100)),
            (ResUNet(ResUNetConfig(n_channels=64, batch_norm=True, residual=True)), spectra(64)),
            (
                ResUNet(ResUNetConfig(64, linear_head=False, num_convs=1, residual=True)),
                spectra(64),
            ),
            (HyRISR(HyRISRConfig(20, 2, 16, 2, 2, 4)), image(20)),
            (HyRISR(HyRISRConfig(20, 3, 16, 1, 1, 4)), image(20)),
            (CompactHyRISR(CompactHyRISRConfig(20, 4, 16, 1, 2, 4)), image(20)),
            (EigenimageDenoiser(EigenimageDenoiserConfig(8, 2)), 10 * image(1)),
            (EigenimageSuperResolver(EigenimageSuperResolverConfig(4, 8, 2)), 10 * image(1)),
        ]


def run(net, x):
    with torch.inference_mode():
        found = net(x)
    return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize(("net", "x"), networks(), ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 1e-2)])
def test_a_network_and_its_form_agree(net, x, precision, tolerance):
    net = net.eval()
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        for parameter in net.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    before = {name: each.clone() for name, each in net.state_dict().items()}

    form = inference_form(net, precision)
    found = run(form, x)

    assert found.dtype == x.dtype
    assert deviation(found, run(net, x)) < tolerance
    # the network itself can be trained and saved as before
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_bf16_multiplies_in_bf16():
    net, x = networks()[0]
    net = net.eval()

    form = inference_form(net, "bf16")

    found = deviation(run(form, x), run(net, x))
    assert found > 1e-6  # it would be smaller in float32
    n_bytes = sum(p.numel() * p.element_size() for p in form.parameters())
    assert n_bytes < 0.6 * sum(p.numel() * p.element_size() for p in net.parameters())


def test_the_variance_of_an_eigenimage_survives():
    net = load(shipped("eigenimage")).model

    (clean, variance), x = net.with_variance(10 * image(1)), 10 * image(1)
    for precision, tolerance in (("fp32", 1e-5), ("bf16", 2e-2)):
        found = inference_form(net, precision).with_variance(x)
        assert deviation(found[0], clean) < tolerance
        assert deviation(found[1], variance) < tolerance
