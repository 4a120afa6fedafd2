"""How intensities are brought to the scale a network was trained on, and back.

The one place for it: training and inference both come here, so absolute intensity survives a
network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_deeper.spectra.errors import CheckpointError

NORMALIZATIONS = ("max", "standard", "centered")


@dataclass(frozen=True)
class Scaling:
    """What `normalize` took out and `restore` puts back.

    Parameters
    ----------
    offset, factor
        Tensors that broadcast against the samples: ``scaled = (samples - offset) / factor``.
    """

    offset: Tensor
    factor: Tensor


def normalize(samples: Tensor, how: str) -> tuple[Tensor, Scaling]:
    """Scale each sample by numbers of its own.

    Parameters
    ----------
    samples
        (n, ...): spectra as (n, channel) or (n, 1, channel), cubes as (n, channel, y, x). A cube
        that is processed in tiles is normalized whole, before it is cut.
    how
        ``"max"``: divided by the maximum of the sample (as published).

        ``"standard"``: less the mean of the sample, divided by its standard deviation.

        ``"centered"`` (cubes): less the mean spectrum of the cube, divided by the root mean square
        of what remains.

    Returns
    -------
    scaled, scaling
        Scaled samples and what `restore` needs. A sample without variation (or whose maximum is
        zero) is divided by 1; a sample whose maximum is negative is divided by its largest
        magnitude.

    Raises
    ------
    CheckpointError
        For an unknown ``how``.
    """
    if how not in NORMALIZATIONS:
        raise CheckpointError(
            f"Unknown normalization '{how}'; the known ones are {', '.join(NORMALIZATIONS)}."
        )
    # In float64, because the squares of counts overflow float32 sooner than the counts.
    exact = samples.double()
    offset, factor = _statistics(exact, how)
    # What is left of a constant sample is rounding: it must not be blown up to a signal.
    tiny = exact.abs().amax(dim=_all_but_first(exact), keepdim=True) * 1e-7
    factor = torch.where(factor > tiny, factor, torch.ones_like(factor))
    scaled = ((exact - offset) / factor).to(samples.dtype)
    return scaled, Scaling(offset, factor)


def restore(samples: Tensor, scaling: Scaling) -> Tensor:
    """Bring scaled samples (n, ...) back to the intensities that `normalize` was given."""
    return (samples.double() * scaling.factor + scaling.offset).to(samples.dtype)


def _statistics(samples: Tensor, how: str) -> tuple[Tensor, Tensor]:
    axes = _all_but_first(samples)
    if how == "max":
        peak = samples.amax(dim=axes, keepdim=True)
        magnitude = samples.abs().amax(dim=axes, keepdim=True)
        return torch.zeros_like(peak), torch.where(peak > 0, peak, magnitude)
    mean_axes = axes[1:] if how == "centered" and samples.ndim == 4 else axes
    offset = samples.mean(dim=mean_axes, keepdim=True)
    factor = (samples - offset).square().mean(dim=axes, keepdim=True).sqrt()
    return offset, factor


def _all_but_first(samples: Tensor) -> tuple[int, ...]:
    return tuple(range(1, samples.ndim))
