"""Run a checkpoint on a cube: to the network's axis and scale, through it in parts, and back.

All of torch that the engine needs is here; it is imported when a network is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor
from torch.nn.functional import pad

from napari_deeper.engine.coverage import Coverage, cover
from napari_deeper.engine.device import DeviceChoice, run_within_memory
from napari_deeper.engine.precision import ready
from napari_deeper.engine.tiles import Tile, cut
from napari_deeper.models.checkpoint import Checkpoint, load, shipped
from napari_deeper.models.scaling import normalize, restore
from napari_deeper.processing import resample
from napari_deeper.processing.interpolation import upsample
from napari_deeper.processing.smoothing import wavelet
from napari_deeper.spectra.axis import Axis
from napari_deeper.spectra.errors import CheckpointError
from napari_deeper.spectra.progress import Progress

Intensity = NDArray[np.float32]

# Channels that are averaged to continue a cube which ends inside the network's range.
_N_EDGE = 8
_SMALLEST_TILE = 4
# More at once leave the processor's caches: a batch of 256 is a fifth slower or more.
MOST_ON_CPU = 64


@dataclass(frozen=True)
class Network:
    """A checkpoint on its device, compared with the axis of a cube."""

    checkpoint: Checkpoint
    choice: DeviceChoice
    wavenumber: Axis
    coverage: Coverage

    def record(self) -> dict[str, Any]:
        """Return what the provenance should say about it, as JSON types."""
        card = self.checkpoint.card
        digest = card.get("sha256") or hashlib.sha256(self.checkpoint.path.read_bytes()).hexdigest()
        return {
            "checkpoint": self.checkpoint.name,
            "checkpoint_sha256": digest,
            "device_used": self.choice.description,
        }

    def to_model_axis(self) -> Callable[[Intensity], Intensity]:
        """Return the function that takes (pixel, channel) to the network's channels."""
        model_axis = self.checkpoint.wavenumber
        known = resample.covered(self.wavenumber, model_axis)
        first, last = np.flatnonzero(known)[[0, -1]]
        move = _mover(self.wavenumber, model_axis)

        def to_model(spectra: Intensity) -> Intensity:
            moved = move(spectra)
            # One repeated channel would continue its noise as a level; the mean of several does
            # not.
            moved[:, :first] = moved[:, first : first + _N_EDGE].mean(axis=1, keepdims=True)
            stop = last + 1
            moved[:, stop:] = moved[:, max(0, stop - _N_EDGE) : stop].mean(axis=1, keepdims=True)
            return moved

        return to_model

    def to_cube_axis(self) -> Callable[[Intensity], Intensity]:
        """Return the function that takes (pixel, network channel) back to the cube's channels."""
        return _mover(self.checkpoint.wavenumber, self.wavenumber)


def _mover(source: Axis, target: Axis) -> Callable[[Intensity], Intensity]:
    if resample.same_axis(source, target):
        return lambda spectra: np.array(spectra, np.float32)
    matrix: sparse.csr_array = resample.weights(source, target)
    return lambda spectra: np.ascontiguousarray((matrix @ spectra.T).T)


def open_network(
    kind: str,
    wavenumber: Axis,
    model: str = "",
    device: str = "auto",
    precision: str = "auto",
    scale: int | None = None,
) -> Network:
    """Load shipped or own weights, and compare them with the axis of a cube.

    Parameters
    ----------
    kind
        ``"resunet"`` or ``"hyrisr"``.
    wavenumber
        (channel,) of the cube, cm-1.
    model
        Path of the user's own weights; empty for the shipped ones.
    device, precision
        As `ready` takes them.
    scale
        Of a ``"hyrisr"``.

    Raises
    ------
    CheckpointError
        If the weights are missing, damaged or of another kind.
    AxisError
        If the cube hardly overlaps the network's axis.
    """
    checkpoint = load(model or shipped(kind, scale), scale)
    if checkpoint.kind != kind:
        raise CheckpointError(
            f"{checkpoint.path.name} holds a {checkpoint.kind} network; a {kind} is needed here."
        )
    coverage = cover(wavenumber, checkpoint.wavenumber, checkpoint.name)
    form, choice = ready(checkpoint, device, precision)
    return Network(replace(checkpoint, model=form), choice, wavenumber, coverage)


def denoise_spectra(
    network: Network, spectra: Intensity, batch_size: int, progress: Progress, notes: list[str]
) -> Intensity:
    """Denoise spectra one by one.

    Within the network's range the result is the network's output, brought back to the cube's axis:
    detail finer than the network's channels is not kept, because at that width noise and bands
    cannot be told apart. Channels outside its range are denoised by wavelet shrinkage, and the two
    are blended over eight channels.

    Parameters
    ----------
    spectra
        (pixel, channel).
    notes
        Gets a sentence about what the user should know.
    """
    to_model, to_cube = network.to_model_axis(), network.to_cube_axis()
    weight = network.coverage.weight
    out = np.empty_like(spectra)
    if network.choice.device == "cpu":
        batch_size = min(batch_size, MOST_ON_CPU)
    start, size = 0, max(1, min(batch_size, len(spectra)))
    while start < len(spectra):
        progress.update(start / len(spectra), f"Denoising spectrum {start + 1} of {len(spectra)}")
        at = start

        def step(n: int, at: int = at) -> Intensity:
            part = spectra[at : at + n]
            clean = to_cube(_forward_spectra(network, to_model(part)))
            if network.coverage.complete:
                return clean
            return np.asarray(weight * clean + (1 - weight) * wavelet(part), np.float32)

        done, size = run_within_memory(step, size, 1, "batch", notes)
        out[start : start + len(done)] = done
        start += len(done)
    progress.update(1.0, "Denoised")
    _note_gaps(network, notes, "denoised by wavelet shrinkage")
    return out


def _forward_spectra(network: Network, spectra: Intensity) -> Intensity:
    """Run (pixel, network channel) through the network at its own scale."""
    with torch.inference_mode():
        # Scaling stays on the CPU: it needs float64, which Apple GPUs lack.
        scaled, scaling = normalize(
            torch.from_numpy(spectra)[:, None], network.checkpoint.normalization
        )
        clean = network.checkpoint.model(scaled.to(network.choice.device)).cpu()
        result: Intensity = restore(clean, scaling)[:, 0].numpy()
        return result


def super_resolve_image(
    network: Network,
    intensity: Intensity,
    phase: int,
    tile: int,
    progress: Progress,
    notes: list[str],
    share: float = 1.0,
) -> Intensity:
    """Super-resolve an image in tiles.

    The result is aligned bilinear interpolation on the cube's own axis plus the network's
    correction to it, brought back from the network's axis: bands keep the cube's spectral
    resolution, and channels that the network does not cover are interpolated.

    Parameters
    ----------
    intensity
        (y, x, channel).
    phase
        Which fine pixel of each cell was measured.
    tile
        Longest side of a tile, in measured pixels.
    notes
        Gets a sentence about what the user should know.
    share
        Of the network's correction that is applied.
    """
    scale = network.checkpoint.scale or 1
    n_y, n_x, n_channels = intensity.shape
    low = network.to_model_axis()(intensity.reshape(-1, n_channels)).reshape(n_y, n_x, -1)
    to_cube, weight = network.to_cube_axis(), np.float32(share) * network.coverage.weight
    samples = torch.from_numpy(low).permute(2, 0, 1)[None]
    scaled, scaling = normalize(samples, network.checkpoint.normalization)

    def add(fine: Intensity, part: Tile, output: Intensity) -> None:
        change = output - upsample(low[part.y, part.x], scale, "bilinear", phase)
        moved = weight * to_cube(change.reshape(-1, change.shape[2]))
        fine[part.fine(scale)] += part.weight * moved.reshape(*change.shape[:2], n_channels)

    largest = min(tile, max(n_y, n_x))

    def step(size: int) -> Intensity:
        fine = upsample(intensity, scale, "bilinear", phase)
        parts = cut(n_y, n_x, size, scale)
        # Where memory ran out, tiles go one by one.
        together = _tiles_at_once(network.choice.device) if size == largest else 1
        for start in range(0, len(parts), together):
            progress.update(start / len(parts), f"Super-resolving tile {start + 1} of {len(parts)}")
            group = parts[start : start + together]
            tiles = torch.cat([scaled[:, :, part.y, part.x] for part in group])
            outputs = restore(_forward_tiles(network, tiles, phase), scaling).permute(0, 2, 3, 1)
            for part, output in zip(group, outputs.numpy(), strict=True):
                add(fine, part, output)
        return fine

    fine, _ = run_within_memory(step, largest, _SMALLEST_TILE, "tile", notes)
    progress.update(1.0, "Super-resolved")
    _note_gaps(network, notes, "interpolated (aligned bilinear)")
    return fine


def _tiles_at_once(device: str) -> int:
    """Return how many tiles go through together: one alone leaves a GPU waiting for its next small kernel."""
    return 16 if device == "cuda" else 1


def _forward_tiles(network: Network, low: Tensor, phase: int) -> Tensor:
    """Run (tile, channel, y, x) at a sample phase; returns (tile, channel, scale y, scale x) on the CPU."""
    checkpoint = network.checkpoint
    with torch.inference_mode():
        low = low.to(network.choice.device)
        if checkpoint.any_phase:
            return checkpoint.model(low, phase).cpu()  # type: ignore[no-any-return]
        trained = checkpoint.phase if checkpoint.phase is not None else phase
        if trained == phase:
            return checkpoint.model(low).cpu()  # type: ignore[no-any-return]
        # A network does not care where its grid starts: one more pixel around, and the same values
        # are cut out at places shifted by the difference of the phases.
        scale = checkpoint.scale or 1
        fine = checkpoint.model(pad(low, (1, 1, 1, 1), mode="replicate"))
        start = scale + trained - phase
        rows = slice(start, start + scale * low.shape[2])
        columns = slice(start, start + scale * low.shape[3])
        return fine[:, :, rows, columns].cpu()  # type: ignore[no-any-return]


def _note_gaps(network: Network, notes: list[str], how: str) -> None:
    notes.extend(str(note) for note in network.checkpoint.card.get("notes", ()))
    if not network.coverage.complete:
        gaps = ", ".join(network.coverage.gaps)
        notes.append(f"The network does not cover {gaps}: those channels were {how}.")
