"""EigenimageSuperResolver: super-resolves one image at a time, whose noise is white, of variance 1.

It works at the measured resolution, adds its output to aligned bilinear interpolation, and tells
how far it may be wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad, pixel_shuffle

from napari_deeper.models.compact import interpolate
from napari_deeper.models.eigenimage import Block
from napari_deeper.models.hyrisr import check_scale

_N_SEEN = 7
_LEAST, _MOST = -14.0, 6.0  # of the logarithm of the variance, in units of the roughness


@dataclass(frozen=True)
class EigenimageSuperResolverConfig:
    """Size of an `EigenimageSuperResolver`; the defaults are those of the shipped weights.

    Parameters
    ----------
    scale
        2, 3 or 4.
    n_features
        Of every layer.
    n_blocks
        Residual blocks of two convolutions.
    phase
        The sample phase in whose frame the network works; it can be run at any other.
    """

    scale: int = 2
    n_features: int = 48
    n_blocks: int = 6
    phase: int = 1

    def __post_init__(self) -> None:
        check_scale(self.scale)


@dataclass(frozen=True)
class Surface:
    """What an image looks like as a whole: each (batch, 1, 1, 1).

    Parameters
    ----------
    mean, spread
        Mean and standard deviation.
    step
        Root mean square difference of neighbors over the root of 2, at least that of the noise.
    stride
        The same two pixels apart, over `step`: near 1 where neighbors have nothing in common, near
        2 where the image is smooth.
    evenness
        Mean over root mean square difference of neighbors: small where a few spots stand out.
    """

    mean: Tensor
    spread: Tensor
    step: Tensor
    stride: Tensor
    evenness: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Surface:
        """Look at images (batch, 1, y, x)."""
        near, far = _differences(x, 1), _differences(x, 2)
        square = near.square().mean(dim=1)
        # Noise of variance 1 gives differences of variance 2; an estimate from a few pixels may fall
        # below.
        step = (square / 2).clamp(min=1.0).sqrt()
        stride = ((far.square().mean(dim=1) / 2).clamp(min=1.0)).sqrt() / step
        evenness = near.abs().mean(dim=1) / square.clamp(min=1e-12).sqrt()
        mean = x.mean(dim=(1, 2, 3))
        spread = (x - mean[:, None, None, None]).square().mean(dim=(1, 2, 3)).sqrt().clamp(min=1.0)
        return cls(*(t[:, None, None, None] for t in (mean, spread, step, stride, evenness)))

    def to(self, device: str) -> Surface:
        """Return it on another device."""
        parts = (self.mean, self.spread, self.step, self.stride, self.evenness)
        return Surface(*(part.to(device) for part in parts))


class EigenimageSuperResolver(nn.Module):
    """A residual network that corrects aligned bilinear interpolation of images of any size.

    An untrained one interpolates.

    Parameters
    ----------
    config
        Size of the network; None for that of the shipped weights at 2x.

    References
    ----------
    Sub-pixel convolution: Shi et al. 2016, doi 10.1109/CVPR.2016.207. A mean and a variance from one
    network: Nix & Weigend 1994, doi 10.1109/ICNN.1994.374138.
    """

    def __init__(self, config: EigenimageSuperResolverConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EigenimageSuperResolverConfig()
        width = config.n_features
        self.head = nn.Conv2d(_N_SEEN, width, 3, padding=1)
        self.body = nn.Sequential(*[Block(width) for _ in range(config.n_blocks)])
        self.tail = nn.Conv2d(width, 2 * config.scale**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    @property
    def reach(self) -> int:
        """How many measured pixels away an intensity still counts."""
        return 2 * self.config.n_blocks + 4

    def forward(
        self, x: Tensor, phase: tuple[int, int] = (1, 1), surface: Surface | None = None
    ) -> tuple[Tensor, Tensor]:
        """Super-resolve (batch, 1, y, x).

        Parameters
        ----------
        phase
            Which fine pixel of each cell was measured, along y and x.
        surface
            Of the whole image where ``x`` is a part of one.

        Returns
        -------
        mean, variance
            Each (batch, 1, scale y, scale x).
        """
        scale, (height, width) = self.config.scale, x.shape[2:]
        surface = surface or Surface.of(x)
        # One pixel more on each side holds every fine pixel of any phase.
        wide = pad(x, (1, 1, 1, 1), mode="replicate")
        out = self.tail(self.body(self.head(_see(wide, surface))))
        fine = pixel_shuffle(out, scale).to(x.dtype)  # (batch, 2, scale (y + 2), scale (x + 2))
        rows, columns = (
            slice(scale + self.config.phase - p, scale + self.config.phase - p + scale * n)
            for p, n in zip(phase, (height, width), strict=True)
        )
        correction, log_variance = torch.split(fine[:, :, rows, columns], 1, dim=1)
        mean = interpolate(x, scale, phase) + correction * surface.step
        variance = log_variance.clamp(_LEAST, _MOST).exp() * surface.step.square()
        return mean, variance


def _see(x: Tensor, surface: Surface) -> Tensor:
    """Return what the network is shown: the image at three scales of contrast, and its surface."""
    detail = (x - avg_pool2d(pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)) / surface.step
    plain = (x - surface.mean) / surface.spread
    whole = (surface.step.reciprocal(), (surface.spread / surface.step).log() / 2)
    shape = ((surface.stride - 1.4) * 4, (surface.evenness - 0.7) * 8)
    constants = [value.expand_as(x) for value in (*whole, *shape)]
    return torch.cat([plain, detail, torch.asinh(detail), *constants], dim=1)


def _differences(x: Tensor, lag: int) -> Tensor:
    """Return all differences of pixels that many apart along y and x: (batch, n)."""
    along_y = (x[:, :, lag:] - x[:, :, :-lag]).flatten(1)
    along_x = (x[:, :, :, lag:] - x[:, :, :, :-lag]).flatten(1)
    return torch.cat([along_y, along_x], dim=1)
