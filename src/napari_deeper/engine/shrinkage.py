"""Keep what the pixels of a map share: components, their images denoised, and faint signal besides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.eigenimages import EigenimageCleaner
from napari_deeper.processing import diffuse, uncertainty
from napari_deeper.processing.diffuse import Diffuse
from napari_deeper.processing.low_rank import SmoothFit
from napari_deeper.processing.shot_noise import NoiseScale
from napari_deeper.processing.uncertainty import NoiseCheck
from napari_deeper.spectra.progress import Progress

Spectra = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Shrunk:
    """A map that was shrunk, and what is needed to say how far it may be off.

    Parameters
    ----------
    intensity
        (pixel, channel).
    fit
        Its components, in units of the noise scale's ``unit``.
    score_variance
        (component, pixel): expected squared error of the denoised images, or None without images.
    faint
        Signal beside the components, in units of the noise.
    """

    intensity: Spectra
    fit: SmoothFit
    score_variance: Spectra | None
    faint: Diffuse


@dataclass(frozen=True)
class Shrinkage:
    """How to shrink a map.

    Parameters
    ----------
    noise
        Of the map.
    alive
        (y, x): the pixels that the spectra are of.
    cleaner
        Denoises the images of the components; None shrinks them by their reliability.
    notes
        Gets sentences for the user.
    """

    noise: NoiseScale
    alive: Mask
    cleaner: EigenimageCleaner | None
    notes: list[str]

    def run(self, spectra: Spectra, progress: Progress) -> Shrunk:
        """Shrink (pixel, channel) spectra of this noise."""
        variances: list[Spectra] = []

        def clean(scores: Spectra) -> Spectra:
            assert self.cleaner is not None
            out, variance = self.cleaner.clean(scores, progress, self.notes)
            variances.append(variance)
            return out

        fit = self.noise.fit(spectra, clean if self.cleaner else None)
        shared = fit.intensity * self.noise.unit
        faint = self.find_faint(spectra - shared)
        variance = variances[0] if variances else None
        return Shrunk(shared + faint.intensity * self.scale, fit, variance, faint)

    @property
    def scale(self) -> Spectra:
        """Noise of each intensity, (pixel, channel)."""
        return self.noise.row * self.noise.column

    def find_faint(self, residual: Spectra) -> Diffuse:
        """Find the signal beside the components, in units of the noise."""
        if not (self.scale > 0).all():
            return Diffuse(np.zeros_like(residual), 0.0)
        return diffuse.recover(residual / self.scale, self.alive)

    def variance(self, shrunk: Shrunk, residual: Spectra) -> Spectra:
        """Return the expected squared error (pixel, channel) of a shrunk map.

        Parameters
        ----------
        residual
            (pixel, channel), of the final result, in the unit of the map.
        """
        scale = self.scale
        rest = residual / scale
        check = NoiseCheck.of(rest)
        total = uncertainty.of_fit(shrunk.fit, check, shrunk.score_variance)
        total *= np.square(self.noise.unit)
        # A fit takes as much of the noise along as its error is; what is left is weaker by that.
        taken = float(np.mean(total / np.square(scale), dtype=np.float64))
        left = shrunk.faint.left + shrunk.faint.missed * taken
        # Of few photons the power of the noise itself varies more.
        scatter = shrunk.faint.scatter * float(np.sqrt(1 + 0.5 / self.noise.photons))
        left = uncertainty.at_least_none(left, scatter)
        dropped = uncertainty.spread_out(left, rest, check, self.alive)
        total += dropped * np.square(scale)
        return total
