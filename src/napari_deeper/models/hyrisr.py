"""HyRISR: a hyperspectral residual channel attention network that super-resolves a cube.

The published network of Horgan et al. 2021 (doi 10.1021/acs.analchem.1c02178), after the RCAN of
Zhang et al. 2018 (doi 10.1007/978-3-030-01234-2_18). The names of its modules are those of the
checkpoints, so that a published ``RCAN_2x.pt`` loads as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from napari_deeper.spectra.errors import CheckpointError

SCALES = (2, 3, 4)


def check_scale(scale: int) -> None:
    """Raise `CheckpointError` for a scale that no network has."""
    if scale not in SCALES:
        raise CheckpointError(f"A super-resolution network has a scale of 2, 3 or 4, not {scale}.")


@dataclass(frozen=True)
class HyRISRConfig:
    """Size of a `HyRISR`; the defaults are the published ones (147,150,870 parameters at 2x).

    Parameters
    ----------
    n_channels
        Wavenumber channels of the cube.
    scale
        2, 3 or 4.
    n_features
        Feature channels of the body.
    n_groups, n_blocks
        Residual groups, and attention blocks in each. The paper states 16 blocks; its published
        weights have 6.
    reduction
        Factor by which the channel attention narrows.
    """

    n_channels: int = 500
    scale: int = 2
    n_features: int = 250
    n_groups: int = 18
    n_blocks: int = 6
    reduction: int = 16

    def __post_init__(self) -> None:
        check_scale(self.scale)


class ChannelAttention(nn.Module):
    """Weigh each feature channel by what the image, or a neighbourhood, holds on average."""

    def __init__(self, width: int, reduction: int, window: int | None = None) -> None:
        super().__init__()
        self.avg_pool: nn.Module = nn.AdaptiveAvgPool2d(1)
        if window is not None:
            # Pixels beyond the edge do not count, so that an edge is no darker than the middle.
            self.avg_pool = nn.AvgPool2d(window, 1, window // 2, count_include_pad=False)
        self.chan_attn = nn.Sequential(
            nn.Conv2d(width, width // reduction, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width // reduction, width, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, y, x) to the same shape."""
        weight: Tensor = self.chan_attn(self.avg_pool(x))  # (batch, width, 1, 1) or (.., y, x)
        return x * weight


class AttentionBlock(nn.Module):
    """Two convolutions and channel attention, added to their input."""

    def __init__(self, width: int, reduction: int, window: int | None = None) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            ChannelAttention(width, reduction, window),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, y, x) to the same shape."""
        out: Tensor = self.body(x) + x
        return out


class ResidualGroup(nn.Module):
    """Several attention blocks and a convolution, added to their input."""

    def __init__(
        self, width: int, n_blocks: int, reduction: int, window: int | None = None
    ) -> None:
        super().__init__()
        blocks = [AttentionBlock(width, reduction, window) for _ in range(n_blocks)]
        self.body = nn.Sequential(*blocks, nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, y, x) to the same shape."""
        out: Tensor = self.body(x) + x
        return out


def upsampler(width: int, scale: int) -> nn.Sequential:
    """Return layers from (batch, width, y, x) to (batch, width, scale y, scale x)."""
    layers: list[nn.Module] = []
    for factor in {2: (2,), 3: (3,), 4: (2, 2)}[scale]:
        layers += [nn.Conv2d(width, factor**2 * width, 3, padding=1), nn.PixelShuffle(factor)]
    return nn.Sequential(*layers)


class HyRISR(nn.Module):
    """The published network, from and to scaled cubes (see `napari_deeper.models.scaling`).

    It upsamples first, so that all its cost is at the high resolution, and its attention pools over
    the whole input, so that the result for a tile differs from the same place of the result for a
    whole image.

    Parameters
    ----------
    config
        Size of the network; None for the published one at 2x.

    References
    ----------
    Horgan et al., Anal. Chem. 2021, 93, 48, 15850-15860, doi 10.1021/acs.analchem.1c02178.
    """

    def __init__(self, config: HyRISRConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HyRISRConfig()
        n_channels, width = config.n_channels, config.n_features
        groups = [
            ResidualGroup(width, config.n_blocks, config.reduction) for _ in range(config.n_groups)
        ]
        self.head1 = nn.Sequential(
            upsampler(n_channels, config.scale), nn.Conv2d(n_channels, n_channels, 3, padding=1)
        )
        self.head2 = nn.Sequential(nn.Conv2d(n_channels, width, 3, padding=1))
        self.body = nn.Sequential(*groups, nn.Conv2d(width, width, 3, padding=1))
        self.tail = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, n_channels, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_channels, y, x) to (batch, n_channels, scale y, scale x)."""
        # Sums stay as exact as the input where convolutions are less so.
        coarse = self.head1(x).to(x.dtype)  # (batch, n_channels, scale y, scale x)
        shallow = self.head2(coarse).to(x.dtype)  # (batch, n_features, scale y, scale x)
        deep = self.body(shallow) + shallow  # (batch, n_features, scale y, scale x)
        out: Tensor = self.tail(deep) + coarse  # (batch, n_channels, scale y, scale x)
        return out
