"""Round numbers for axes, color bars and scale bars."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def scale_bar_length(most: float, *, whole: bool = False) -> float:
    """Return the longest of 1, 2, 5, 10, 20, ... that is at most this long (whole numbers: at least 1)."""
    if whole and most < 1:
        return 1.0
    power = 10 ** math.floor(math.log10(most) + 1e-9)
    return float(next(f * power for f in (5, 2, 1) if f * power <= most * (1 + 1e-9)))


def ticks_of(low: float, high: float, most: int) -> tuple[NDArray[np.float64], list[str], str]:
    """Return at most ``most`` round values within limits, their texts, and the power that these are of.

    Large and small numbers are told in units of a power of 1000, such as ``10⁻³``, which belongs in
    the label; the power is empty where the numbers are told as they are.
    """
    from matplotlib.ticker import MaxNLocator

    most = max(1, most)
    locator = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10], min_n_ticks=1)
    values: NDArray[np.float64] = np.asarray(locator.tick_values(low, high))
    tolerance = 1e-9 * (high - low)
    values = values[(values >= low - tolerance) & (values <= high + tolerance)]
    if not values.size:
        values = np.array([(low + high) / 2])
    values = values[:: -(-values.size // most)]
    size = max(abs(low), abs(high))
    power = 3 * math.floor(math.log10(size) / 3 + 1e-9) if size > 0 else 0
    if -2 <= math.log10(size or 1) < 4:
        power = 0
    return values, format_evenly(values / 10.0**power), format_power(power)


def format_evenly(values: NDArray[np.float64]) -> list[str]:
    """Return numbers with as many decimals as tell them apart and say them to a hundredth of their step."""
    step = float(np.diff(values).min()) if values.size > 1 else abs(float(values[0])) or 1.0
    texts: list[str] = []
    for n_decimals in range(12):
        texts = [f"{value + 0.0:.{n_decimals}f}" for value in values]
        if all(abs(float(t) - v) <= 0.01 * step for t, v in zip(texts, values, strict=True)):
            break
    return [text.replace("-", "−") if float(text) else text.lstrip("-") for text in texts]


def format_power(power: int) -> str:
    """Return ``10⁻³`` for -3, and nothing for 0."""
    return "10" + str(power).translate(_SUPERSCRIPTS) if power else ""


def format_number(value: float) -> str:
    """Return a number with no more than 4 digits and a true minus sign."""
    text = f"{0.0 if abs(value) < 1e-12 else value:.4g}"
    return text.replace("-", "−")
