"""Look for endmembers on a map, and keep cosmic rays from passing for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.endmember_count import estimate_n_endmembers
from napari_deeper.processing.endmember_search import search
from napari_deeper.processing.vca import PureSpectra
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers

Spectra = NDArray[np.float32]

# A spectrum with this part of its power within this many channels is one line.
_LINE_POWER, _LINE_CHANNELS = 0.8, 9
# A line that no more pixels than these have at half its height is no substance that a map could show.
_MOST_PIXELS = 2
_MOST_ROUNDS = 20


def find(
    spectra: Spectra, cube: RamanCube, n: int, method: str, seed: int, *, leave_out_spikes: bool
) -> tuple[Endmembers, tuple[str, ...]]:
    """Find endmembers among the measured spectra (pixel, channel) of a cube; 0 estimates how many.

    Returns
    -------
    endmembers
        In no particular order.
    notes
        What the user should know about the search, one sentence each.
    """
    notes: list[str] = []
    if n == 0:
        estimate = estimate_n_endmembers(spectra)
        n = estimate.n
        notes.append(f"Estimated: {n} component{'s' if n > 1 else ''}. {estimate.explanation}")
    kept = np.ones(len(spectra), dtype=bool)
    lines: list[float] = []
    found = search(spectra, n, method, seed)
    for _ in range(_MOST_ROUNDS if leave_out_spikes else 0):
        spiked = _spiked_pixels(spectra, kept, found)
        if not spiked:
            break
        lines += [float(cube.wavenumber[channel]) for _, channel in spiked]
        kept[[pixel for pixel, _ in spiked]] = False
        if kept.sum() < n:
            break
        found = search(spectra[kept], n, method, seed)
    if lines:
        notes.append(_describe_spikes(lines))
    source = f"{method} of {cube.name}"
    return Endmembers(found.spectra, cube.wavenumber, source=source), tuple(notes)


def _spiked_pixels(
    spectra: Spectra, kept: NDArray[np.bool_], found: PureSpectra
) -> list[tuple[int, int]]:
    """Return (pixel, channel) of each endmember that is one line which hardly another pixel has."""
    if spectra.shape[1] <= 2 * _LINE_CHANNELS:
        return []
    among = np.flatnonzero(kept)
    spiked = []
    for index in found.pixels[found.pixels >= 0]:
        pixel = int(among[index])
        channel = _line_of(spectra[pixel])
        if channel is not None and _n_with_line(spectra, pixel, channel) <= _MOST_PIXELS:
            spiked.append((pixel, channel))
    return spiked


def _line_of(spectrum: Spectra) -> int | None:
    flat = spectrum.astype(np.float64) - np.median(spectrum)
    channel = int(flat.argmax())
    near = slice(max(0, channel - _LINE_CHANNELS // 2), channel + _LINE_CHANNELS // 2 + 1)
    power = float(flat @ flat)
    return channel if power > 0 and float(flat[near] @ flat[near]) > _LINE_POWER * power else None


def _n_with_line(spectra: Spectra, pixel: int, channel: int) -> int:
    """Return how many pixels stand out by half as much in that channel, the pixel itself among them."""
    left, right = (
        max(0, channel - _LINE_CHANNELS),
        min(spectra.shape[1] - 1, channel + _LINE_CHANNELS),
    )
    height = spectra[:, channel] - (spectra[:, left] + spectra[:, right]) / 2
    return int((height > height[pixel] / 2).sum())


def _describe_spikes(lines: list[float]) -> str:
    places = ", ".join(f"{line:.0f}" for line in sorted(lines)[:6])
    more = ", ..." if len(lines) > 6 else ""
    what = "1 pixel is" if len(lines) == 1 else f"{len(lines)} pixels are"
    return (
        f"{what} one narrow line (at {places}{more} cm-1) that hardly another pixel has: taken for cosmic "
        "rays, and not for endmembers."
    )
