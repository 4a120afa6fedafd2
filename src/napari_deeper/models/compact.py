"""CompactHyRISR: a HyRISR small enough to come with the program.

Made from the blocks of the published network, but it works at the measured resolution and adds its
output to aligned bilinear interpolation: it starts at the strongest simple comparator and is about
a hundred times cheaper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle, pixel_unshuffle

from napari_deeper.models.hyrisr import ResidualGroup, check_scale, upsampler


@dataclass(frozen=True)
class CompactHyRISRConfig:
    """Size of a `CompactHyRISR`; the defaults are those of the shipped weights.

    Parameters
    ----------
    n_channels, scale, n_features, n_groups, n_blocks, reduction
        As in `HyRISRConfig`.
    window
        Side in pixels of the neighbourhood that the channel attention pools over. A window in place
        of the whole image makes the result depend little on how a map is cut into tiles.
    n_taps
        Side in measured pixels of the neighbourhood whose spectra each fine pixel may weigh; odd.
    phase
        The sample phase in whose frame the network was trained; it can be run at any other.
    """

    n_channels: int = 500
    scale: int = 2
    n_features: int = 80
    n_groups: int = 2
    n_blocks: int = 4
    reduction: int = 16
    window: int = 9
    n_taps: int = 5
    phase: int = 1

    def __post_init__(self) -> None:
        check_scale(self.scale)


class CompactHyRISR(nn.Module):
    """A small network that corrects aligned bilinear interpolation.

    The correction has two parts: what the measured neighbours should count for more or less at each
    fine pixel (weights that all channels share, so no band is invented), and a spectrum of its own.
    Both start at zero.

    The sample phase is an input. Convolutions do not care where the grid starts, so one network
    serves every phase: the cube is extended by one pixel on each side (edges repeated), run in the
    frame of the phase of training, and cut out shifted by the difference of the phases.

    Parameters
    ----------
    config
        Size of the network; None for that of the shipped weights at 2x.

    References
    ----------
    Weights per pixel: Jia et al., Dynamic filter networks, 2016, doi 10.48550/arXiv.1605.09673.
    """

    def __init__(self, config: CompactHyRISRConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or CompactHyRISRConfig()
        n_channels, width = config.n_channels, config.n_features
        groups = [
            ResidualGroup(width, config.n_blocks, config.reduction, config.window)
            for _ in range(config.n_groups)
        ]
        self.head = nn.Conv2d(n_channels, width, 1)
        self.body = nn.Sequential(*groups, nn.Conv2d(width, width, 3, padding=1))
        self.upsampler = upsampler(width, config.scale)
        # Not a ReLU: both parts of the correction hang on these features alone, and must not die.
        self.tail = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.PReLU())
        self.spectrum = _zero_convolution(width, n_channels)
        self.weights = _zero_convolution(width, config.n_taps**2)

    def forward(self, x: Tensor, phase: int = 1) -> Tensor:
        """Map (batch, n_channels, y, x) to (batch, n_channels, scale y, scale x)."""
        scale, height, width = self.config.scale, x.shape[2], x.shape[3]
        wide = pad(x, (1, 1, 1, 1), mode="replicate")  # (batch, n_channels, y + 2, x + 2)
        shallow = self.head(wide).to(x.dtype)  # (batch, n_features, y + 2, x + 2)
        deep = self.body(shallow) + shallow  # (batch, n_features, y + 2, x + 2)
        fine = self.tail(self.upsampler(deep))  # (batch, n_features, scale (y + 2), ..)
        correction = self.spectrum(fine).to(x.dtype)  # (batch, n_channels, scale (y + 2), ..)
        correction = correction + weigh_neighbors(wide, self.weights(fine).to(x.dtype), scale)
        start = scale + self.config.phase - phase
        rows, columns = slice(start, start + scale * height), slice(start, start + scale * width)
        out: Tensor = interpolate(x, scale, phase) + correction[:, :, rows, columns]
        return out


def _zero_convolution(n_in: int, n_out: int) -> nn.Conv2d:
    convolution = nn.Conv2d(n_in, n_out, 1, bias=False)
    nn.init.zeros_(convolution.weight)
    return convolution


def weigh_neighbors(x: Tensor, weights: Tensor, scale: int) -> Tensor:
    """Sum the measured neighbours of each fine pixel with weights that all channels share.

    Parameters
    ----------
    x
        (batch, channel, y, x), measured.
    weights
        (batch, n_taps ** 2, scale y, scale x), of the n_taps x n_taps pixels around the measured
        pixel in whose cell the fine pixel lies.

    Returns
    -------
    fine
        (batch, channel, scale y, scale x).
    """
    batch, n_channels, height, width = x.shape
    n_taps = math.isqrt(weights.shape[1])
    reach = n_taps // 2
    wide = pad(x, (reach, reach, reach, reach), mode="replicate")
    near = wide.unfold(2, n_taps, 1).unfold(3, n_taps, 1)  # (batch, channel, y, x, taps, taps)
    near = near.permute(0, 2, 3, 1, 4, 5).reshape(batch * height * width, n_channels, -1)
    cells = pixel_unshuffle(weights, scale)  # (batch, taps^2 scale^2, y, x)
    cells = cells.reshape(batch, n_taps**2, scale**2, height, width)
    cells = cells.permute(0, 3, 4, 1, 2).reshape(batch * height * width, n_taps**2, scale**2)
    fine = near @ cells  # (batch y x, channel, scale^2)
    fine = fine.reshape(batch, height, width, n_channels * scale**2).permute(0, 3, 1, 2)
    return pixel_shuffle(fine, scale)  # (batch, channel, scale y, scale x)


def interpolate(x: Tensor, scale: int, phase: int | tuple[int, int]) -> Tensor:
    """Interpolate bilinearly, aligned to the sample phase (of y and x), edges repeated.

    Measured pixel k lies at fine pixel ``k * scale + phase``, so fine pixel i lies at ``(i - phase)
    / scale``.

    Parameters
    ----------
    x
        (batch, channel, y, x).
    """
    along_y, along_x = (phase, phase) if isinstance(phase, int) else phase
    return _interpolate_axis(_interpolate_axis(x, scale, along_y, 2), scale, along_x, 3)


def _interpolate_axis(x: Tensor, scale: int, phase: int, dim: int) -> Tensor:
    n = x.shape[dim]
    place = (torch.arange(n * scale, device=x.device) - phase).clamp(0, (n - 1) * scale)
    low = place // scale
    high = (low + 1).clamp(max=n - 1)
    weight = ((place % scale) / scale).to(x.dtype)
    shape = [1] * x.ndim
    shape[dim] = n * scale
    weight = weight.reshape(shape)
    return x.index_select(dim, low) * (1 - weight) + x.index_select(dim, high) * weight
