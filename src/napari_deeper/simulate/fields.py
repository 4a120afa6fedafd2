"""The fine grid on which cells and tissues are drawn, in um, and the shapes that are drawn on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_deeper.simulate.bands import Array
from napari_deeper.simulate.random_maps import blur

OVERSAMPLING = 4


class Field:
    """A grid four times finer than the pixels, or a window of one.

    Parameters
    ----------
    size
        (y, x) in pixels.
    pixel_size
        um.
    rng
        Of every random choice.
    """

    def __init__(self, size: tuple[int, int], pixel_size: float, rng: np.random.Generator) -> None:
        self.rng = rng
        self.step = pixel_size / OVERSAMPLING
        n_y, n_x = (n * OVERSAMPLING for n in size)
        self.y, self.x = np.mgrid[:n_y, :n_x] * self.step
        self.extent = np.array([n_y, n_x]) * self.step

    def window(self, center: Array, radius: float) -> tuple[Field, tuple[slice, slice]] | None:
        """Return the part of the grid within a square about a point, and its place, or None."""
        first = np.floor((center - radius) / self.step).astype(int)
        last = np.ceil((center + radius) / self.step).astype(int) + 1
        lows, highs = np.maximum(first, 0), np.minimum(last, self.y.shape)
        if (lows >= highs).any():
            return None
        place = (slice(int(lows[0]), int(highs[0])), slice(int(lows[1]), int(highs[1])))
        part = Field.__new__(Field)
        part.rng, part.step, part.extent = self.rng, self.step, self.extent
        part.y, part.x = self.y[place], self.x[place]
        return part, place

    def outline(self, center: Array, radius: float, wobble: float) -> Array:
        """Return how far inside a rounded region each point lies, um; negative outside."""
        dy, dx = self.y - center[0], self.x - center[1]
        angle = np.arctan2(dy, dx)
        edge = np.full_like(angle, radius)
        for order in range(2, 6):
            phase = self.rng.uniform(0, 2 * np.pi)
            edge += radius * wobble * self.rng.normal() / order * np.cos(order * angle + phase)
        return np.asarray(edge - np.hypot(dy, dx))

    def disc(self, out: Array, center: Array, radius: float) -> None:
        """Draw one disc, 0 to 1, onto a map; smaller than the grid, it keeps its area."""
        soft = max(0.04, 0.4 * self.step)
        found = self.window(center - self.corner(), radius + 6 * soft)
        if found is None:
            return
        part, place = found
        inside = radius - np.hypot(part.y - center[0], part.x - center[1])
        shape = step_up(inside, soft)
        area = np.pi * radius**2 / self.step**2
        if radius < 2 * self.step:
            shape *= min(1.0, area / max(float(shape.sum()), 1e-9))
        out[place] = np.maximum(out[place], shape)

    def corner(self) -> Array:
        """Return the place (y, x) of the first point, um."""
        return np.array([self.y[0, 0], self.x[0, 0]])

    def texture(self, length: float, depth: float) -> Array:
        """Return a rough field about 1, not negative, with a correlation length in um."""
        return np.asarray(np.maximum(1 + depth * self.noise(length), 0))

    def noise(self, length: float) -> Array:
        """Return a random field of variance 1 with a correlation length in um."""
        return blur(self.rng.standard_normal(self.y.shape), length / self.step, unit_variance=True)

    def network(self, length: float, thickness: float) -> Array:
        """Return thin threads, 0 to 1, that part meshes of about the given length, um."""
        return np.asarray(np.exp(-((self.noise(length) * length / thickness) ** 2) / 2))

    def strands(self, length: float, thickness: float, angle: float) -> Array:
        """Return a random field of variance 1 drawn out along a direction, lengths in um."""
        shape = self.y.shape
        fy, fx = (np.fft.fftfreq(n, self.step) for n in shape)
        along = np.sin(angle) * fy[:, None] + np.cos(angle) * fx
        across = np.cos(angle) * fy[:, None] - np.sin(angle) * fx
        transfer = np.exp(-2 * np.pi**2 * ((along * length) ** 2 + (across * thickness) ** 2))
        noise = np.fft.ifft2(np.fft.fft2(self.rng.standard_normal(shape)) * transfer).real
        return np.asarray(noise / max(float(np.sqrt((transfer**2).mean())), 1e-12))

    def scatter(self, n: int, spacing: float, margin: float) -> Iterator[Array]:
        """Yield up to n places (y, x) in um, in the field or just outside, apart from each other."""
        found: list[Array] = []
        for _ in range(12 * n):
            place = self.rng.uniform(-margin, self.extent + margin)
            if all(np.hypot(*(place - other)) >= spacing for other in found):
                found.append(place)
                yield place
            if len(found) == n:
                return


def step_up(inside: Array, soft: float) -> Array:
    """Return a soft step (...): 0 far below zero, 1 far above; soft is its width."""
    return np.asarray(1 / (1 + np.exp(np.clip(-inside / (0.5 * soft), -50, 50))))
