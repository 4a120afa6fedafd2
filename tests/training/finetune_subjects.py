"""Small subjects to tune on."""

from __future__ import annotations

import numpy as np
import torch

from napari_deeper.models.compact import CompactHyRISR, CompactHyRISRConfig
from napari_deeper.training.finetune_config import FinetuneParams
from napari_deeper.training.finetune_data import PatchSubject

N_CHANNELS = 12
TINY = CompactHyRISRConfig(
    n_channels=N_CHANNELS, n_features=8, n_groups=1, n_blocks=1, reduction=2, window=3, n_taps=3
)
QUICK = FinetuneParams(
    network="hyrisr", epochs=6, rate=1e-2, side=8, precision="32", device="cpu", save_seconds=0,
    patience=0, preview_seconds=0,
)  # fmt: skip


def network(seed: int = 0) -> CompactHyRISR:
    """Return a network that spoils what interpolation finds, so that it has something to learn."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = CompactHyRISR(TINY)
        for last in (net.spectrum, net.weights):
            torch.nn.init.normal_(last.weight, 0, 0.3)
    return net


def patch(seed: int, side: int = 12) -> np.ndarray:
    """Return stripes of a few spectra, maximum 1: more than interpolation can find."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    images = [np.sin(rng.uniform(0.8, 1.6) * (x + rng.uniform(-1, 1) * y)) + 1 for _ in range(3)]
    spectra = rng.random((3, N_CHANNELS))
    cube = np.einsum("iyx,ic->yxc", np.stack(images), spectra)
    return (cube / cube.max()).astype(np.float32)


def subject(**changes) -> PatchSubject:
    settings = {
        "train": tuple(patch(i) for i in range(5)), "validation": (patch(7), patch(8)), "scale": 2,
        "normalization": "centered", "phases": (0, 1), "any_phase": True,
        "seen": np.ones(N_CHANNELS, bool), "side": 8,
    }  # fmt: skip
    return PatchSubject(**(settings | changes))
