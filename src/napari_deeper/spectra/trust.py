"""What a cube says of its own trust, in numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_deeper.spectra.cube import RamanCube

FLAG_WARNING = "What was removed here does not look like noise: check this pixel against the input."
_MOST_SPECTRA = 4096  # enough for a median, and quick on a large map


@dataclass(frozen=True)
class Trust:
    """How far the intensities of a cube can be trusted.

    Parameters
    ----------
    n_pixels
        Of the cube.
    n_flagged
        Pixels where what was left out does not look like noise; None where that was not checked.
    sigma
        Median uncertainty over pixels and channels, in the unit of the intensities; None without one.
    relative
        Median over pixels of a spectrum's median uncertainty over the height of its highest band
        (above its median); None without uncertainty, or where no spectrum has a band.
    """

    n_pixels: int
    n_flagged: int | None = None
    sigma: float | None = None
    relative: float | None = None

    def sentences(self) -> list[str]:
        """Return what there is to tell, one sentence each; nothing where nothing is known."""
        told = []
        if self.sigma is not None:
            share = ""
            if self.relative is not None:
                share = f", {100 * self.relative:.2g} % of the height of a pixel's highest band"
            told.append(f"Median uncertainty (one sigma): {self.sigma:.3g}{share}.")
        if self.n_flagged == 0:
            told.append(
                f"None of {self.n_pixels} pixels is flagged: what was removed looks like noise."
            )
        elif self.n_flagged is not None:
            verb = "is" if self.n_flagged == 1 else "are"
            told.append(
                f"{self.n_flagged} of {self.n_pixels} pixels {verb} flagged: what was removed there does not "
                "look like noise. Compare with the input there."
            )
        return told


def trust_of(cube: RamanCube) -> Trust:
    """Return how far a cube can be trusted; of a large map every so many spectra are looked at."""
    n_y, n_x, n_channels = cube.shape
    n_flagged = None if cube.flagged is None else int(cube.flagged.sum())
    if cube.uncertainty is None:
        return Trust(n_y * n_x, n_flagged)
    every = -(-n_y * n_x // _MOST_SPECTRA)
    sigmas = cube.uncertainty.reshape(-1, n_channels)[::every]
    spectra = cube.spectra[::every]
    usable = np.isfinite(sigmas).all(axis=1) & np.isfinite(spectra).all(axis=1)
    if not usable.any():
        return Trust(n_y * n_x, n_flagged)
    sigmas, spectra = sigmas[usable], spectra[usable]
    heights = spectra.max(axis=1) - np.median(spectra, axis=1)
    banded = heights > 0
    relative = None
    if banded.any():
        relative = float(np.median(np.median(sigmas[banded], axis=1) / heights[banded]))
    return Trust(n_y * n_x, n_flagged, float(np.median(sigmas)), relative)


def trust_sentences(cube: RamanCube) -> list[str]:
    """Return what to tell of a result's trust beside the notes of its last step, which are not repeated."""
    notes = " ".join(cube.provenance[-1].notes) if cube.provenance else ""
    sentences = trust_of(cube).sentences()
    return [s for s in sentences if "flagged" not in s or "flagged" not in notes]
