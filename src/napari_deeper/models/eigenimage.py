"""EigenimageDenoiser: denoises one image at a time, whose noise is white and has variance 1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad


@dataclass(frozen=True)
class EigenimageDenoiserConfig:
    """Size of an `EigenimageDenoiser`; the defaults are those of the shipped weights.

    Parameters
    ----------
    n_features
        Of every layer.
    n_blocks
        Residual blocks of two convolutions.
    """

    n_features: int = 48
    n_blocks: int = 6


class EigenimageDenoiser(nn.Module):
    """A residual network for images of any size whose noise has variance 1.

    It estimates the noise and takes it off. An untrained one returns what it is given.

    Parameters
    ----------
    config
        Size of the network; None for that of the shipped weights.

    References
    ----------
    Zhang et al. 2017, doi 10.1109/TIP.2017.2662206 (estimating the noise); Zhuang & Bioucas-Dias
    2018, doi 10.1109/JSTARS.2018.2796570 (eigenimages one by one).
    """

    def __init__(self, config: EigenimageDenoiserConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EigenimageDenoiserConfig()
        width = config.n_features
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Sequential(*[Block(width) for _ in range(config.n_blocks)])
        self.tail = nn.Conv2d(width, 1, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    @property
    def reach(self) -> int:
        """How many pixels away an intensity still counts."""
        return 2 * self.config.n_blocks + 3

    def forward(self, x: Tensor, level: Tensor | None = None) -> Tensor:
        """Denoise (batch, 1, y, x).

        Parameters
        ----------
        level
            (batch, 1, 1, 1), root mean square of the whole image where ``x`` is a part of one.
        """
        if level is None:
            level = rms(x)
        # The detail has the noise at its own size, however strong the image is.
        detail = torch.asinh(x - avg_pool2d(pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1))
        seen = torch.cat([x / level, (1 / level).expand_as(x), detail], dim=1)
        noise: Tensor = self.tail(self.body(self.head(seen)))
        return x - noise.to(x.dtype)


class Block(nn.Module):
    """Two convolutions with a ReLU between them, plus identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, y, x) to the same shape."""
        out: Tensor = x + self.second(torch.relu(self.first(x)))
        return out


def rms(x: Tensor) -> Tensor:
    """Return the root mean square of each image, at least that of its noise: (batch, 1, 1, 1)."""
    return x.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=1.0)
