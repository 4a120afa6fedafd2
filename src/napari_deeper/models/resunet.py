"""ResUNet: a one-dimensional residual U-Net that maps a noisy spectrum to a clean one.

The published denoising network of Horgan et al. 2021 (doi 10.1021/acs.analchem.1c02178). The names
of the modules are those of its checkpoints, so that a published ``ResUNet.pt`` loads as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_deeper.spectra.errors import CheckpointError


@dataclass(frozen=True)
class ResUNetConfig:
    """Size of a `ResUNet`; the defaults are the published ones (2,081,767 parameters).

    Parameters
    ----------
    n_channels
        Wavenumber channels of a spectrum; a multiple of 4, because the network halves them twice.
    widths
        Feature channels at full, half and quarter resolution.
    num_convs
        Convolutions of a residual block.
    batch_norm
        Whether a batch normalization follows each convolution.
    linear_head
        Whether three dense layers, each channel to each, end the network. They tie it to its axis.
    residual
        Whether the output is a correction that is added to the input, so that a spectrum with next
        to no noise passes unharmed.
    """

    n_channels: int = 500
    widths: tuple[int, int, int] = (64, 128, 256)
    num_convs: int = 3
    batch_norm: bool = False
    linear_head: bool = True
    residual: bool = False

    def __post_init__(self) -> None:
        # A JSON card holds a list.
        object.__setattr__(self, "widths", tuple(int(width) for width in self.widths))
        if self.n_channels < 4 or self.n_channels % 4:
            raise CheckpointError(
                f"A ResUNet halves its channels twice, so n_channels must be a multiple of 4; "
                f"it is {self.n_channels}. Resample the spectra to such a number."
            )


class Unit(nn.Module):
    """Convolution and its non-linearity, from one width to another."""

    def __init__(self, n_in: int, n_out: int, batch_norm: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(*_convolution(n_in, n_out, batch_norm))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n_in, channel) to (batch, n_out, channel)."""
        out: Tensor = self.body(x)
        return out


class ResidualBlock(nn.Module):
    """Several convolutions at constant width, added to their input."""

    def __init__(self, width: int, num_convs: int, batch_norm: bool) -> None:
        super().__init__()
        layers = [
            layer for _ in range(num_convs) for layer in _convolution(width, width, batch_norm)
        ]
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, width, channel) to the same shape."""
        out: Tensor = self.body(x) + x
        return out


class LinearHead(nn.Module):
    """Three dense layers over the channels."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        layers = [
            layer for _ in range(3) for layer in (nn.Linear(n_channels, n_channels), nn.PReLU())
        ]
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 1, n_channels) to the same shape."""
        out: Tensor = self.body(x)
        return out


def _convolution(n_in: int, n_out: int, batch_norm: bool) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv1d(n_in, n_out, kernel_size=3, padding=1), nn.PReLU()]
    return [*layers, nn.BatchNorm1d(n_out)] if batch_norm else layers


class ResUNet(nn.Module):
    """The network; input and output are scaled spectra (see `napari_deeper.models.scaling`).

    Parameters
    ----------
    config
        Size of the network; None for the published one.

    References
    ----------
    Horgan et al., Anal. Chem. 2021, 93, 48, 15850-15860, doi 10.1021/acs.analchem.1c02178.
    """

    def __init__(self, config: ResUNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ResUNetConfig()
        full, half, quarter = config.widths
        norm = config.batch_norm

        def block(width: int) -> ResidualBlock:
            return ResidualBlock(width, config.num_convs, norm)

        self.conv1 = nn.Sequential(Unit(1, full, norm), block(full))
        self.pool1 = nn.MaxPool1d(2)
        self.conv2 = nn.Sequential(Unit(full, half, norm), block(half))
        self.pool2 = nn.MaxPool1d(2)
        self.conv3 = nn.Sequential(
            Unit(half, quarter, norm), block(quarter), Unit(quarter, half, norm)
        )
        self.up3 = nn.Upsample(scale_factor=2)
        self.conv4 = nn.Sequential(Unit(2 * half, half, norm), block(half), Unit(half, full, norm))
        self.up4 = nn.Upsample(scale_factor=2)
        self.conv5 = nn.Sequential(Unit(2 * full, full, norm), block(full))
        self.conv6 = nn.Sequential(Unit(full, 1, norm))
        self.linear7 = LinearHead(config.n_channels) if config.linear_head else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Denoise scaled spectra (batch, 1, n_channels) to the same shape."""
        # Shapes for the published size.
        skip1 = self.conv1(x)  # (batch, 64, 500)
        skip2 = self.conv2(self.pool1(skip1))  # (batch, 128, 250)
        deep = self.conv3(self.pool2(skip2))  # (batch, 128, 125)
        joined = torch.cat((skip2, self.up3(deep)), dim=1)  # (batch, 256, 250)
        half = self.conv4(joined)  # (batch, 64, 250)
        joined = torch.cat((skip1, self.up4(half)), dim=1)  # (batch, 128, 500)
        out: Tensor = self.linear7(self.conv6(self.conv5(joined)))  # (batch, 1, 500)
        return x + out if self.config.residual else out
