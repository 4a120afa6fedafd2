"""Super-resolve a map by the images of what its pixels share, with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, maximum_filter1d, uniform_filter1d

from napari_deeper.engine.fine_images import MIN_SIDE, ImageSuperResolver, open_image_super_resolver
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.engine.trial import Mixture, choose_mixture
from napari_deeper.processing import low_rank, shot_noise
from napari_deeper.processing.interpolation import upsample, upsample_some
from napari_deeper.processing.kriging import krige_images
from napari_deeper.processing.uncertainty import follow_signal
from napari_deeper.spectra.progress import Progress

Intensity = NDArray[np.float32]
Mask = NDArray[np.bool_]

MIN_PIXELS, MIN_CHANNELS = 16, 4
# Kriging takes its time for each image; the weaker ones are left to the network.
_MOST_KRIGED = 12
# Of what the components do not hold, a smaller share than this is not worth adding.
_MIN_REST = 0.05
# What stands so many sigma out of the noise is kept as it was measured, however local it is.
_KEPT_SIGMA = 5.0
_MATCHED = (1, 3, 7)  # channels
_MOST_UNCERTAINTY = 512 * 2**20  # bytes
# Errors of strong images have long tails, so that most of them are smaller than the variance says:
# this part of its root holds 68 % of them where there is no noise, and all of it at the noise.
_TAILED = 0.72
# The power of the signal by which errors rise over what the images alone would say.
_FOLLOWS = 0.25
# Wavelets leave about this part of the noise of the components' spectra.
_SMOOTHED = 0.3
_LEAST_NOISE = 1e-6  # of the map's maximum
_REST_WIDTH = 41  # channels
_STRIP = 2**16  # fine pixels composed at a time


@dataclass(frozen=True)
class FineMap:
    """A super-resolved map (y, x, channel), its standard deviation where asked for, its record."""

    intensity: Intensity
    uncertainty: Intensity | None
    record: dict[str, Any]


@dataclass(frozen=True)
class _Whitened:
    """A map scaled to noise of variance 1: ``intensity = spectra * row * column`` where alive."""

    spectra: Intensity  # (pixel, channel) of the pixels that are alive
    row: Intensity  # (y, x, 1), flat pixels filled from the nearest that is not
    column: Intensity  # (channel,)
    alive: Mask  # (y, x)
    nearest: tuple[NDArray[np.intp], NDArray[np.intp]]

    def image(self, scores: Intensity) -> Intensity:
        """Lay (pixel, n) scores out as images (n, y, x), flat pixels filled from the nearest."""
        images = np.zeros((scores.shape[1], *self.alive.shape), np.float32)
        images[:, self.alive] = scores.T
        return np.ascontiguousarray(images[:, self.nearest[0], self.nearest[1]])


@dataclass(frozen=True)
class Eigenmap:
    """What the pixels of a map share: images (image, y, x) of noise 1, and how to put them together.

    Parameters
    ----------
    images
        (image, y, x).
    basis
        (image, channel).
    mean
        (channel,).
    white
        How the map was scaled.
    """

    images: Intensity
    basis: Intensity
    mean: Intensity
    white: _Whitened

    def compose(self, fine: Intensity, scale: int, phase: int) -> Intensity:
        """Return intensities (y, x, channel) of fine images (image, y, x); at scale 1 of the own ones."""
        row = self.white.row if scale == 1 else upsample(self.white.row, scale, "bilinear", phase)
        out: Intensity = np.moveaxis(fine, 0, 2) @ self.basis + self.mean
        out *= row * self.white.column
        return out


def decompose(intensity: Intensity) -> Eigenmap:
    """Find the eigenimages of a map (y, x, channel), maximum 1, that stand out of its noise."""
    white = _whiten(intensity)
    parts = low_rank.components(white.spectra, 1.0)
    unit = np.maximum(parts.score_noise, 1e-30).astype(np.float32)
    images = white.image(parts.scores / unit)
    basis = (parts.basis * parts.score_noise[:, None]).astype(np.float32)
    return Eigenmap(images, basis, np.asarray(parts.mean, np.float32), white)


def too_small(intensity: Intensity) -> bool:
    """Tell whether a map (y, x, channel) has too little for images to be made of it."""
    n_y, n_x, n_channels = intensity.shape
    if min(n_y, n_x) < MIN_SIDE or n_channels < MIN_CHANNELS:
        return True
    return int((np.ptp(intensity, axis=2) > 0).sum()) < MIN_PIXELS


def super_resolve_map(
    intensity: Intensity, p: SuperResolveParams, progress: Progress, notes: list[str]
) -> FineMap:
    """Super-resolve each significant eigenimage by network and kriging, and compose the map.

    Parameters
    ----------
    intensity
        (y, x, channel), maximum 1, not `too_small`.
    notes
        Gets sentences for the user.

    Raises
    ------
    CheckpointError
        If the weights are missing or damaged.

    References
    ----------
    Eigenimages: Zhuang & Bioucas-Dias 2018, doi 10.1109/JSTARS.2018.2796570. Mixing by what is left
    out: Wolpert 1992, doi 10.1016/S0893-6080(05)80023-1.
    """
    net = open_image_super_resolver(p.scale, p.device, p.model, p.precision)
    # Those of shipped weights concern nobody who uses them.
    notes.extend(net.notes if p.model else ())
    progress.update(0.0, "Finding eigenimages")
    white = _whiten(intensity)
    parts = low_rank.components(white.spectra, 1.0)
    rest, rest_variance = _rest(white, parts)
    unit = np.maximum(parts.score_noise, 1e-30).astype(np.float32)
    images = white.image(parts.scores / unit)
    mixture = _mixture(images, net, p, progress.part(0.05, 0.25))
    notes.append(_describe(mixture, len(images)))
    mean, variance = _fine_images(images, net, mixture, p, progress.part(0.25, 0.8), notes)
    kept, noise_kept = _kept(rest, white, notes)
    size = 4 * intensity.size * p.scale**2
    if size > _MOST_UNCERTAINTY:
        notes.append("The uncertainty was left out: it would be as large as this large result.")
    basis = parts.basis * parts.score_noise[:, None]
    rest_variance += np.float32(_SMOOTHED / len(white.spectra))
    composer = _Composer(white, basis, parts.mean, _spectral_noise(parts), rest_variance, p)
    fine = composer.compose(mean, kept, progress.part(0.8, 0.9))
    spread = None
    if size <= _MOST_UNCERTAINTY:
        spread = composer.variance(mean, variance, noise_kept, progress.part(0.9, 1.0))
        follow_signal(spread, fine, _FOLLOWS, root=True)
    _restore_flat(fine, intensity, white.alive, p)
    chosen = "eigenimages" if mixture.network else "kriged eigenimages"
    record = {
        "chosen": chosen,
        "n_eigenimages": len(images),
        "bilinear_share": mixture.bilinear,
        "kriging_share": mixture.kriging,
        "network_share": mixture.network,
    }
    return FineMap(fine, spread, record | net.record())


def _whiten(intensity: Intensity) -> _Whitened:
    alive = np.ptp(intensity, axis=2) > 0
    spectra = intensity[alive]
    noise = shot_noise.estimate(spectra)
    row, column = noise.row, noise.column[0]
    if not ((row > 0).all() and (column > 0).all()):
        row, column = np.full_like(row, _LEAST_NOISE), np.ones_like(column)
    nearest = distance_transform_edt(~alive, return_distances=False, return_indices=True)
    places = (nearest[0], nearest[1])
    whole = np.zeros((*alive.shape, 1), np.float32)
    whole[alive] = row
    return _Whitened(spectra / (row * column), whole[places], column, alive, places)


def _rest(white: _Whitened, parts: low_rank.Components) -> tuple[Intensity, Intensity]:
    """Return what the components leave (pixel, channel), and its variance (channel,) without noise.

    Noise of one channel has nothing to do with that of the next; bands reach over several.
    """
    rest = white.spectra - parts.scores @ parts.basis - parts.mean
    alike = (rest[:, :-1] * rest[:, 1:]).mean(axis=0, dtype=np.float64)
    alike = uniform_filter1d(np.pad(alike, (0, 1), mode="edge"), _REST_WIDTH, mode="nearest")
    chance = 0.5 / np.sqrt(len(rest) * _REST_WIDTH)
    return rest, np.maximum(alike - chance, 0).astype(np.float32)


def _spectral_noise(parts: low_rank.Components) -> Intensity:
    """Return the variance of the noise in the components' spectra for a score of one noise."""
    power = np.square(parts.scores, dtype=np.float64).sum(axis=0)
    share = np.square(parts.score_noise) / np.maximum(power, 1e-30)
    return np.asarray(share, np.float32)


def _mixture(
    images: Intensity, net: ImageSuperResolver, p: SuperResolveParams, progress: Progress
) -> Mixture:
    judge = net if net.scale == 2 else open_image_super_resolver(2, p.device, precision=p.precision)
    return choose_mixture(judge, images, p.scale, progress)


def _describe(mixture: Mixture, n_images: int) -> str:
    shares = {
        "a network": mixture.network,
        "kriging": mixture.kriging,
        "aligned bilinear interpolation": mixture.bilinear,
    }
    words = ", ".join(f"{share:.0%} {name}" for name, share in shares.items() if share > 0)
    if mixture.tested:
        how = "the shares that best found measured pixels of this map that were left out"
    else:
        how = "the usual shares, untested: the map is too small to leave pixels out"
    surer = ""
    if mixture.network and mixture.kriging:
        surer = " Of each image the surer of network and kriging got more."
    return (
        f"auto super-resolved the {n_images} images of what the pixels share that stand out of the "
        f"noise: {words}; {how}.{surer} Noise was taken off on the way."
    )


def _fine_images(
    images: Intensity,
    net: ImageSuperResolver,
    mixture: Mixture,
    p: SuperResolveParams,
    progress: Progress,
    notes: list[str],
) -> tuple[Intensity, Intensity]:
    """Return means and variances (image, scale * y, scale * x) of the mixture."""
    phase = p.phase
    found, variance = net.run(images, (phase, phase), progress.part(0.0, 0.5), notes)
    mean = found.copy()
    if mixture.bilinear and len(images):
        plain = np.moveaxis(upsample(np.moveaxis(images, 0, 2), p.scale, "bilinear", phase), 2, 0)
        mean += np.float32(mixture.bilinear) * (plain - found)
    n = min(len(images), _MOST_KRIGED) if mixture.kriging else 0
    if n:
        own = progress.part(0.5, 1.0)

        def report(number: int) -> None:
            own.update(number / n, f"Kriging eigenimage {number + 1} of {n}")

        kriged, spread = krige_images(images[:n], p.scale, phase, np.ones(n), report)
        share = _kriging_shares(mixture, spread, variance[:n])
        mean[:n] += share * (kriged - found[:n])
        variance[:n] += share * (spread - variance[:n])
    return mean, variance * np.square(_tails(images))[:, None, None]


def _kriging_shares(mixture: Mixture, kriged: Intensity, network: Intensity) -> Intensity:
    """Return the share of kriging in each image (image, 1, 1): less where it is the less sure.

    A network that was found wanting is not asked how sure it is.
    """
    share = mixture.kriging
    if share > mixture.network:
        return np.full((len(kriged), 1, 1), share, np.float32)
    sureness = np.square(network.mean(axis=(1, 2)) / np.maximum(kriged.mean(axis=(1, 2)), 1e-30))
    shares = share * sureness / (share * sureness + 1 - share + 1e-12)
    return np.asarray(shares, np.float32)[:, None, None]


def _tails(images: Intensity) -> Intensity:
    """Return what to multiply the standard deviation of each image with: (image,)."""
    squares = [np.square(np.diff(images, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)]
    step = np.sqrt(np.maximum(np.mean(squares, axis=0) / 2, 1))
    return np.asarray(_TAILED + (1 - _TAILED) / step, np.float32)


def _kept(
    rest: Intensity, white: _Whitened, notes: list[str]
) -> tuple[Intensity | None, Intensity | None]:
    """Return what to add (y, x, channel) of what the components left out, and its noise, or None.

    That is a share of all of it, as large as neighbors predict each other, and whole what stands
    far out of the noise: a band that few pixels have makes no component.
    """
    image = np.zeros((*white.alive.shape, rest.shape[1]), np.float32)
    image[white.alive] = rest
    share = _likeness(image)
    strong = np.zeros(rest.shape, bool)
    for width in _MATCHED:
        mean = uniform_filter1d(rest, width, axis=1, mode="constant")
        strong |= maximum_filter1d(np.abs(mean) > _KEPT_SIGMA / np.sqrt(width), width, axis=1)
    if share < _MIN_REST and not strong.any():
        return None, None
    if share >= _MIN_REST:
        notes.append(f"{share:.0%} of what those images left out was interpolated (bilinear).")
    weight = np.zeros_like(image)
    weight[white.alive] = np.where(strong, 1, share if share >= _MIN_REST else 0)
    n = int(strong.any(axis=1).sum())
    if n:
        notes.append(
            f"{n} pixel{'s have' if n > 1 else ' has'} bands that stand out of the noise and that no "
            "image holds: they were interpolated (bilinear), so that they are not lost."
        )
    return image * weight, weight


def _likeness(image: Intensity) -> float:
    """Return the share of a pixel's neighbors' mean that best predicts the pixel: 0 to 1."""
    n_pairs = predicted = power = 0.0
    for axis in (0, 1):
        middle = image.take(range(1, image.shape[axis] - 1), axis)
        before = image.take(range(image.shape[axis] - 2), axis)
        after = image.take(range(2, image.shape[axis]), axis)
        mean = (before + after) / 2
        predicted += float(np.sum(middle * mean, dtype=np.float64))
        power += float(np.sum(mean * mean, dtype=np.float64))
        n_pairs += middle.size
    return float(np.clip(predicted / max(power, 1e-30), 0, 1)) if n_pairs else 0.0


@dataclass(frozen=True)
class _Composer:
    """Puts spectra together from fine images: (image, channel) basis and what goes with it."""

    white: _Whitened
    basis: Intensity
    mean: Intensity
    spectral_noise: Intensity  # (image,)
    rest_variance: Intensity  # (channel,)
    p: SuperResolveParams

    def compose(self, images: Intensity, kept: Intensity | None, progress: Progress) -> Intensity:
        """Return intensities (y, x, channel)."""
        row, column = self._row(), self.white.column
        # The scales go into the factors, so that nothing is left to do where the values are many.
        images = np.concatenate([images * row, row])
        fine = self._product(images, np.vstack([self.basis, self.mean]) * column, progress)
        if kept is not None:
            place, values = upsample_some(kept, self.p.scale, self.p.phase)
            self._add(fine, place, values, row, column)
        return fine

    def variance(
        self,
        images: Intensity,
        variance: Intensity,
        noise_kept: Intensity | None,
        progress: Progress,
    ) -> Intensity:
        """Return variances (y, x, channel)."""
        row, column = np.square(self._row()), np.square(self.white.column)
        of_spectra = np.tensordot(_SMOOTHED * self.spectral_noise, np.square(images), axes=1)
        factors = np.concatenate([variance * row, of_spectra * row, row])
        basis = np.vstack([np.square(self.basis), np.ones_like(column), self.rest_variance])
        total = self._product(factors, basis * column, progress)
        if noise_kept is not None:
            place, values = upsample_some(noise_kept, self.p.scale, self.p.phase)
            self._add(total, place, np.square(values), row, column)
        return total

    def _row(self) -> Intensity:
        return self._upsample(self.white.row)[None, ..., 0]

    def _product(self, factors: Intensity, basis: Intensity, progress: Progress) -> Intensity:
        """Return sums (y, x, channel) of factors (n, y, x) times a basis (n, channel)."""
        n, n_y, n_x = factors.shape
        out = np.empty((n_y, n_x, basis.shape[1]), np.float32)
        n_rows = max(1, _STRIP // n_x)
        for start in range(0, n_y, n_rows):
            progress.update(start / n_y, "Composing spectra")
            part = slice(start, start + n_rows)
            flat = np.ascontiguousarray(factors[:, part], np.float32).reshape(n, -1)
            np.matmul(flat.T, basis.astype(np.float32), out=out[part].reshape(flat.shape[1], -1))
        return out

    def _add(
        self,
        total: Intensity,
        place: NDArray[np.intp] | slice,
        values: Intensity,
        row: Intensity,
        column: Intensity,
    ) -> None:
        """Add what was kept of some fine pixels, brought to the scale of the map, in place."""
        values *= row.reshape(-1, 1)[place] * column
        total.reshape(-1, values.shape[1])[place] += values

    def _upsample(self, image: Intensity) -> Intensity:
        return upsample(image, self.p.scale, "bilinear", self.p.phase)


def _restore_flat(
    fine: Intensity, intensity: Intensity, alive: Mask, p: SuperResolveParams
) -> None:
    """Leave flat spectra as they were measured, in place."""
    if alive.all():
        return
    flat = (
        upsample((~alive)[..., None].astype(np.float32), p.scale, "nearest", p.phase)[..., 0] > 0.5
    )
    level = upsample(intensity[..., :1], p.scale, "nearest", p.phase)
    fine[flat] = level[flat]
