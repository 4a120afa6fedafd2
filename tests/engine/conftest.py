"""Small networks with random weights: what the engine does around a network does not depend on what it learned."""

import pytest
import torch
from engine_cubes import MODEL_AXIS, randomize

from napari_deeper.models.checkpoint import save
from napari_deeper.models.compact import CompactHyRISR, CompactHyRISRConfig
from napari_deeper.models.hyrisr import HyRISR, HyRISRConfig
from napari_deeper.models.resunet import ResUNet, ResUNetConfig


def _card(normalization):
    return {"wavenumber": MODEL_AXIS.tolist(), "normalization": normalization}


@pytest.fixture
def tiny_resunet(tmp_path):
    config = ResUNetConfig(n_channels=100, widths=(4, 6, 8), linear_head=False)
    torch.manual_seed(0)  # of the weights that it begins with
    return str(save(randomize(ResUNet(config)), tmp_path / "tiny.safetensors", _card("standard")))


@pytest.fixture
def tiny_hyrisr(tmp_path):
    """Path of a compact network, by scale."""

    def make(scale):
        config = CompactHyRISRConfig(
            n_channels=100, scale=scale, n_features=16, n_groups=1, n_blocks=1, window=3
        )
        torch.manual_seed(0)
        model = randomize(CompactHyRISR(config))
        return str(save(model, tmp_path / f"tiny_{scale}x.safetensors", _card("centered")))

    return make


@pytest.fixture
def tiny_published_hyrisr(tmp_path):
    config = HyRISRConfig(n_channels=100, scale=2, n_features=16, n_groups=1, n_blocks=1)
    card = {**_card("max"), "phase": 1}
    return str(save(randomize(HyRISR(config)), tmp_path / "published.safetensors", card))
