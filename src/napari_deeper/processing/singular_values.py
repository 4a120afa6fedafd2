"""What noise does to the singular values of a map, and what is to be made of those measured.

References
----------
Gavish & Donoho 2014, doi 10.1109/TIT.2014.2323359; Gavish & Donoho 2017, doi 10.1109/TIT.2017.2653801.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class SingularValues:
    """The singular values of a map about its mean.

    Parameters
    ----------
    values
        Falling.
    n_rows, n_columns
        Pixels and channels of the map.
    """

    values: Vector
    n_rows: int
    n_columns: int

    @property
    def degrees(self) -> tuple[int, int]:
        """Free rows and columns: the mean takes one row."""
        return max(1, self.n_rows - 1), self.n_columns

    @property
    def ratio(self) -> float:
        """Shorter side over longer side."""
        return min(self.degrees) / max(self.degrees)

    def relative(self, sigma: float) -> Vector:
        """Return the singular values in units of the noise."""
        return np.asarray(self.values / (sigma * np.sqrt(max(self.degrees))))

    def gains(self, sigma: float) -> Vector:
        """Return what to multiply each singular value with."""
        if sigma <= 0:
            return np.asarray(self.values > 0, np.float64)
        squared, ratio = np.square(self.relative(sigma)), self.ratio
        root = np.sqrt(np.maximum((squared - ratio - 1) ** 2 - 4 * ratio, 0))
        return np.where(
            squared > (1 + np.sqrt(ratio)) ** 2, root / np.maximum(squared, 1e-300), 0.0
        )

    def reliability(self, sigma: float) -> Vector:
        """Return the squared cosine between measured and true scores of each component."""
        if sigma <= 0:
            return np.ones_like(self.values)
        ratio, true = self.ratio, self._true_squares(sigma)
        n_rows, n_columns = self.degrees
        other = true if n_rows >= n_columns else ratio * true
        with np.errstate(divide="ignore", invalid="ignore"):
            cosine = (true**2 - ratio) / (true**2 + other)
        return np.clip(np.nan_to_num(cosine), 0, 1)

    def score_noise(self, sigma: float) -> Vector:
        """Return the noise of each component's scores.

        The measured component leans toward the noise that it was found in, so its scores hold more than
        sigma of it. This follows from the cosines that Gavish & Donoho 2017 give.
        """
        true = np.maximum(self._true_squares(sigma), 1e-12)
        n_rows, n_columns = self.degrees
        lean = (self.ratio if n_rows >= n_columns else 1.0) / true
        return np.asarray(sigma * (1 + lean))

    def count(self, sigma: float) -> int:
        """Count those above the optimal hard threshold, at least one."""
        ratio = self.ratio
        root = np.sqrt(ratio**2 + 14 * ratio + 1)
        factor = np.sqrt(2 * (ratio + 1) + 8 * ratio / (ratio + 1 + root))
        threshold = factor * sigma * np.sqrt(max(self.degrees))
        return max(1, int(((self.values > threshold) & (self.values > 0)).sum()))

    def _true_squares(self, sigma: float) -> Vector:
        """Return the squared singular values without noise, in units of the noise."""
        inner = np.square(self.relative(sigma)) - self.ratio - 1
        return np.asarray((inner + np.sqrt(np.maximum(inner**2 - 4 * self.ratio, 0))) / 2)
