"""Look for endmembers on a map, and keep cosmic rays from passing for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.unmix_settings import UnmixParams
from napari_deeper.processing.endmember_count import estimate_n_endmembers
from napari_deeper.processing.endmember_search import search
from napari_deeper.processing.map_spectra import Array, MapSpectra
from napari_deeper.processing.vca import PureSpectra
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.endmembers import Endmembers

# A spectrum with this part of its power within this many channels is one line.
_LINE_POWER, _LINE_CHANNELS = 0.8, 9
# A line that no more pixels than these have at half its height is no substance that a map could show.
_MOST_PIXELS = 2
_MOST_ROUNDS = 20


def find(
    spectra: MapSpectra, place: RamanCube, params: UnmixParams
) -> tuple[Endmembers, tuple[str, ...]]:
    """Find endmembers among the measured spectra of a cube.

    Parameters
    ----------
    spectra
        Those that were measured.
    place
        The cube, or one of fewer pixels with its wavenumbers and name.
    params
        0 endmembers: the number is estimated.

    Returns
    -------
    endmembers
        In no particular order.
    notes
        What the user should know about the search, one sentence each.
    """
    notes: list[str] = []
    n, method, seed = params.n_endmembers, params.method, params.seed
    if n == 0:
        estimate = estimate_n_endmembers(spectra)
        n = estimate.n
        notes.append(f"Estimated: {n} component{'s' if n > 1 else ''}. {estimate.explanation}")
    removed: list[int] = []
    lines: list[float] = []
    found = search(spectra, n, method, seed)
    for _ in range(_MOST_ROUNDS if params.leave_out_spikes else 0):
        spiked = _spiked_pixels(spectra, removed, found)
        if not spiked:
            break
        removed += [pixel for pixel, _ in spiked]
        lines += [float(place.wavenumber[channel]) for _, channel in spiked]
        if spectra.shape[0] - len(removed) < n:
            break
        found = search(spectra.without(removed), n, method, seed)
    if lines:
        notes.append(_describe_spikes(lines))
    source = f"{method} of {place.name}"
    return Endmembers(found.spectra, place.wavenumber, source=source), tuple(notes)


def _spiked_pixels(
    spectra: MapSpectra, removed: list[int], found: PureSpectra
) -> list[tuple[int, int]]:
    """Return (pixel, channel) of each endmember that is one line which hardly another pixel has."""
    if spectra.shape[1] <= 2 * _LINE_CHANNELS:
        return []
    kept = np.delete(np.arange(spectra.shape[0]), removed)
    pixels = kept[found.pixels[found.pixels >= 0]].tolist()
    spiked = []
    for pixel, spectrum in zip(pixels, spectra.rows(pixels), strict=True):
        channel = _line_of(spectrum)
        if channel is not None and _n_with_line(spectra, spectrum, channel) <= _MOST_PIXELS:
            spiked.append((pixel, channel))
    return spiked


def _line_of(spectrum: Array) -> int | None:
    flat = spectrum - np.median(spectrum)
    channel = int(flat.argmax())
    near = slice(max(0, channel - _LINE_CHANNELS // 2), channel + _LINE_CHANNELS // 2 + 1)
    power = float(flat @ flat)
    return channel if power > 0 and float(flat[near] @ flat[near]) > _LINE_POWER * power else None


def _n_with_line(spectra: MapSpectra, spectrum: Array, channel: int) -> int:
    """Return how many pixels stand out by half as much in that channel, the one with this spectrum too."""
    last = spectra.shape[1] - 1
    channels = [max(0, channel - _LINE_CHANNELS), channel, min(last, channel + _LINE_CHANNELS)]

    def heights(columns: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray(columns[:, 1] - (columns[:, 0] + columns[:, 2]) / 2)

    least = heights(spectrum[None, channels])[0] / 2
    return int((heights(spectra.columns(channels)) > least).sum())


def _describe_spikes(lines: list[float]) -> str:
    places = ", ".join(f"{line:.0f}" for line in sorted(lines)[:6])
    more = ", ..." if len(lines) > 6 else ""
    what = "1 pixel is" if len(lines) == 1 else f"{len(lines)} pixels are"
    return (
        f"{what} one narrow line (at {places}{more} cm-1) that hardly another pixel has: taken for cosmic "
        "rays, and not for endmembers."
    )
