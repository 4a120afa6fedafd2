"""Denoise the scores of a map's components as images: neighboring pixels are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from napari_deeper.engine.denoise_params import MIN_SIDE
from napari_deeper.engine.device import DeviceChoice, run_within_memory
from napari_deeper.engine.precision import ready
from napari_deeper.models.checkpoint import load, shipped
from napari_deeper.models.eigenimage import EigenimageDenoiser, rms
from napari_deeper.spectra.errors import CheckpointError
from napari_deeper.spectra.progress import Progress

Intensity = NDArray[np.float32]
Mask = NDArray[np.bool_]

_MIN_PIXELS = MIN_SIDE**2
_STRIP_PIXELS = 2**17


def has_space(alive: Mask) -> bool:
    """Tell whether a map (y, x) has enough pixels that vary for images to be made of them."""
    return min(alive.shape) >= MIN_SIDE and int(alive.sum()) >= _MIN_PIXELS


@dataclass(frozen=True)
class EigenimageCleaner:
    """The network for eigenimages on its device, and where the pixels of a map lie.

    Parameters
    ----------
    alive
        (y, x): the pixels, in this order, whose scores are given; the others are flat.
    notes
        Of the weights' card: what their user should know.
    """

    model: EigenimageDenoiser
    choice: DeviceChoice
    alive: Mask
    name: str
    sha256: str
    notes: tuple[str, ...] = ()

    def record(self) -> dict[str, str]:
        """Return what the provenance should say about it."""
        return {
            "eigenimage_checkpoint": self.name,
            "eigenimage_checkpoint_sha256": self.sha256,
            "device_used": self.choice.description,
        }

    def clean(
        self, scores: Intensity, progress: Progress, notes: list[str]
    ) -> tuple[Intensity, Intensity]:
        """Denoise (component, pixel) scores whose noise has variance 1.

        Returns
        -------
        clean, variance
            Like the scores: denoised, and the expected squared error of that.
        """
        out, variance = np.empty_like(scores), np.empty_like(scores)
        strip = _STRIP_PIXELS
        for number, image in enumerate(as_images(scores, self.alive)):
            progress.update(
                number / len(scores), f"Denoising eigenimage {number + 1} of {len(scores)}"
            )

            def step(n: int, image: Intensity = image) -> Intensity:
                return _in_strips(self.model, image, n, self.choice)

            smallest = self.alive.shape[1]
            result, strip = run_within_memory(step, max(strip, smallest), smallest, "strip", notes)
            out[number], variance[number] = result[:, self.alive]
        progress.update(1.0, "Denoised eigenimages")
        return out, variance


def as_images(scores: Intensity, alive: Mask) -> Intensity:
    """Return (component, pixel) scores of the pixels that are alive as images (component, y, x)."""
    images = np.zeros((len(scores), *alive.shape), np.float32)
    images[:, alive] = scores
    # A flat pixel would look like an edge; its nearest neighbor's score does not.
    nearest = distance_transform_edt(~alive, return_distances=False, return_indices=True)
    return np.ascontiguousarray(images[:, *nearest])


def open_cleaner(
    alive: Mask, device: str, model: str = "", precision: str = "auto"
) -> EigenimageCleaner:
    """Load the network for eigenimages: the shipped weights, or the user's own.

    Raises
    ------
    CheckpointError
        If the weights are missing, damaged or of another kind.
    """
    checkpoint = load(model or shipped("eigenimage"))
    if not isinstance(checkpoint.model, EigenimageDenoiser):
        raise CheckpointError(
            f"{checkpoint.path.name} holds a network that does not denoise eigenimages."
        )
    net, choice = ready(checkpoint, device, precision)
    assert isinstance(net, EigenimageDenoiser)
    card = checkpoint.card
    said = tuple(str(note) for note in card.get("notes", ()))
    # The notes of the shipped card are for who reads it, not for every result.
    return EigenimageCleaner(
        net, choice, alive, checkpoint.name, card["sha256"], said if model else ()
    )


def _in_strips(
    model: EigenimageDenoiser, image: Intensity, n_pixels: int, choice: DeviceChoice
) -> Intensity:
    """Run an image (y, x) through the network a few rows at a time; the result is the same.

    Returns (2, y, x): the denoised image and its variance.
    """
    n_y, n_x = image.shape
    n_rows, reach = max(1, n_pixels // n_x), model.reach
    whole = torch.from_numpy(image)[None, None]
    level = rms(whole).to(choice.device)
    out = np.empty((2, *image.shape), np.float32)
    for start in range(0, n_y, n_rows):
        first, stop = max(0, start - reach), min(n_y, start + n_rows + reach)
        with torch.inference_mode():
            both = model.with_variance(whole[:, :, first:stop].to(choice.device), level)
            part = torch.cat(both)[:, 0].cpu().numpy()
        n = min(n_rows, n_y - start)
        out[:, start : start + n] = part[:, start - first : start - first + n]
    return out
