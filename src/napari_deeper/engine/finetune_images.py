"""Tuning the network that denoises the eigenimages of a map: from a better map of the field, or from its noise alone.

Both see a map as `auto` does: its eigenimages over their noise, whose variance is then 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.auto import MIN_PHOTONS_FOR_IMAGES, without_spikes
from napari_deeper.engine.denoise_params import MIN_SIDE
from napari_deeper.engine.eigenimages import as_images, has_space
from napari_deeper.processing.low_rank import SmoothFit
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import CubeError

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class MapImages:
    """The eigenimages of a noisy map, and what puts a map together from them.

    Parameters
    ----------
    images
        (component, y, x), over their noise.
    alive
        (y, x): the pixels that vary.
    fit
        The map in parts, with the scores as they were measured.
    unit
        (pixel, channel) or broadcast to it: what the map was divided by.
    rest
        (pixel, channel): what the components leave over, divided by ``unit``: noise.
    wavenumber
        (channel,), cm-1.
    """

    images: Array
    alive: Mask
    fit: SmoothFit
    unit: Array
    rest: Array
    wavenumber: Axis

    @classmethod
    def of(cls, cube: RamanCube) -> MapImages:
        """Take a map apart as `auto` does.

        Raises
        ------
        CubeError
            If `auto` would not denoise its images either, or none stands out of the noise.
        """
        spectra = cube.spectra
        varies = np.ptp(spectra, axis=1) > 0
        alive = varies.reshape(cube.shape[:2])
        if not has_space(alive):
            raise CubeError(
                f"'{cube.name}' has {cube.shape[0]} x {cube.shape[1]} pixels: its neighbors are compared from "
                f"{MIN_SIDE} x {MIN_SIDE} spectra that vary."
            )
        bridged, noise, _ = without_spikes(spectra[varies] / np.float32(np.abs(spectra).max()))
        seen: list[Array] = []

        def look(scores: Array) -> Array:
            seen.append(scores)
            return scores

        fit = noise.fit(bridged, look)
        if not seen or noise.photons < MIN_PHOTONS_FOR_IMAGES:
            raise CubeError(
                f"Nothing stands out of the noise of '{cube.name}', or its noise is too weak to be told: "
                "there is nothing to learn from it."
            )
        rest = np.asarray(bridged / noise.unit - fit.intensity, np.float32)
        return cls(as_images(seen[0], alive), alive, fit, noise.unit, rest, cube.wavenumber)

    def draw_noise(self, rng: np.random.Generator) -> Array:
        """Return other noise of the same kind as that of the images, (component, y, x).

        It is the noise that was measured beside the components, each channel with a sign drawn at random: so it
        has the strength that the noise has in every pixel, which no model of it need know, and by the
        signs it is not correlated with the noise in the images.
        """
        n_pixels, n_channels = self.rest.shape
        n = len(self.images)
        signs = rng.choice(np.array([-1, 1], np.float32), n_channels)
        # Scores are taken by components of length 1, and their noise leans to be as `spreads` says.
        length = np.linalg.norm(self.fit.components, axis=1)
        drawn = self.rest @ (self.fit.components * signs).T / (length * self.fit.sigma)
        # The components took a part of the noise along.
        free = max(0.5, 1 - n / n_channels) * max(0.5, 1 - n / n_pixels)
        return as_images((drawn / np.float32(np.sqrt(free))).T, self.alive)

    @property
    def measured(self) -> Array:
        """(y, x, channel), over the maximum; flat pixels hold nothing."""
        return self._whole((self.fit.intensity + self.rest) * self.unit)

    def compose(self, images: Array) -> Array:
        """Return the map (y, x, channel), over its maximum, that denoised images make up."""
        scores = images[:, self.alive].T * self.fit.spreads
        return self._whole((scores @ self.fit.components + self.fit.mean) * self.unit)

    def project(self, cube: RamanCube) -> tuple[Array, Array, float]:
        """Bring a better map of the field to the scale of this one, and take it apart alike.

        One factor, and one spectrum that all pixels share, may lie between the two: the exposure and the background.

        Returns
        -------
        images
            (component, y, x): what the noisy ones should be.
        matched
            (y, x, channel), at the scale of `measured`.
        factor
            By which it was multiplied.
        """
        low, high = (c[self.alive].astype(np.float64) for c in (self.measured, cube.intensity))
        mean = low.mean(axis=0)
        varied = high - high.mean(axis=0)
        factor = float(np.sum(varied * (low - mean)) / np.sum(np.square(varied)))
        if factor <= 0:
            raise CubeError(f"'{cube.name}' does not vary as the noisy map of its field does.")
        matched = factor * varied + mean
        rest = matched / self.unit - self.fit.mean
        # The components are smoothed, and what they make up is to come near to the better map.
        scores = rest @ np.linalg.pinv(self.fit.components.astype(np.float64))
        images = as_images((scores / self.fit.spreads).T.astype(np.float32), self.alive)
        return images, self._whole(matched), factor

    def _whole(self, spectra: NDArray[np.floating]) -> Array:
        out = np.zeros((*self.alive.shape, spectra.shape[1]), np.float32)
        out[self.alive] = spectra
        return out
