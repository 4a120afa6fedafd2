"""EigenimageDenoiser: denoises one image at a time, whose noise is white and has variance 1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

# Of the variance: from next to none to several times that of the noise.
_LOG_VARIANCE = (-8.0, 3.0)


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

    It estimates the noise and takes it off, and tells how large the square of what is left of the
    error should be. An untrained one returns what it is given, at a variance of 1.

    Parameters
    ----------
    config
        Size of the network; None for that of the shipped weights.

    References
    ----------
    Zhang et al. 2017, doi 10.1109/TIP.2017.2662206 (estimating the noise); Zhuang & Bioucas-Dias
    2018, doi 10.1109/JSTARS.2018.2796570 (eigenimages one by one); Nix & Weigend 1994, doi
    10.1109/ICNN.1994.374138 (a variance beside the estimate).
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
        half = max(1, width // 2)
        last = nn.Conv2d(half, 1, 1)
        self.doubt = nn.Sequential(nn.Conv2d(width, half, 3, padding=1), nn.ReLU(), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

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
        features = self._features(x, level)
        noise: Tensor = self.tail(features)
        return x - noise.to(x.dtype)

    def with_variance(self, x: Tensor, level: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Denoise as `forward` does, and return the expected squared error of each pixel too.

        The variance learns from the features of the denoiser but does not change them.
        """
        features = self._features(x, level)
        clean = x - self.tail(features).to(x.dtype)
        log_variance = self.doubt(features.detach()).float()
        return clean, log_variance.clamp(*_LOG_VARIANCE).exp()

    def _features(self, x: Tensor, level: Tensor | None) -> Tensor:
        if level is None:
            level = rms(x)
        # The detail has the noise at its own size, however strong the image is.
        detail = torch.asinh(x - avg_pool2d(pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1))
        seen = torch.cat([x / level, (1 / level).expand_as(x), detail], dim=1)
        features: Tensor = self.body(self.head(seen))
        return features


class Block(nn.Module):
    """Two convolutions with a ReLU between them, plus identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, y, x) to the same shape."""
        # In place: what a convolution returns is nobody else's.
        out: Tensor = self.second(torch.relu_(self.first(x)))
        return out.add_(x)


def rms(x: Tensor) -> Tensor:
    """Return the root mean square of each image, at least that of its noise: (batch, 1, 1, 1)."""
    return x.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=1.0)
