"""Compare all methods with each other where every sample was measured by each of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations

import numpy as np
import scipy

from napari_deeper.processing.statistics import Comparison, Samples, check_paired
from napari_deeper.spectra.errors import ParameterError


def paired_anova_tukey(
    samples: Mapping[str, Samples], measure: str, among: Collection[str] | None = None
) -> list[Comparison]:
    """Run a repeated-measures ANOVA over all methods, then Tukey's test of each pair of them.

    What a sample has in common with itself under another method (some pixels are harder than others)
    is taken out before methods are compared. The first ANOVA assumes that all differences of two
    methods vary alike; the second reduces its degrees of freedom by how far they do not (Greenhouse
    and Geisser). Tukey's test uses the variance pooled over all methods.

    Parameters
    ----------
    samples
        (n,) values of each method by its name; sample ``i`` of all belongs together.
    measure
        Name of what the values are.
    among
        Report only pairs with at least one of these methods; p-values and intervals stay those for
        all pairs. None is all.

    Returns
    -------
    list[Comparison]
        Two ANOVAs, then the pairs; ``low`` and ``high`` are Tukey's simultaneous 95 % intervals.

    Raises
    ------
    ParameterError
        If groups differ in size or have fewer than three samples.

    References
    ----------
    Tukey 1949, doi 10.2307/3001913; Greenhouse & Geisser 1959, doi 10.1007/BF02289823.
    """
    names = list(samples)
    if len(names) < 2:
        return []
    check_paired(samples, names[0])
    unknown = set(among or ()) - set(names)
    if unknown:
        raise ParameterError(f"Not among the samples: {', '.join(sorted(unknown))}.")
    values = np.stack([samples[name] for name in names], axis=1).astype(np.float64)
    n, k = values.shape
    means = values.mean(axis=0)
    rest = values - means - values.mean(axis=1, keepdims=True) + values.mean()
    freedom = (k - 1) * (n - 1)
    within = float(np.sum(rest**2)) / freedom
    between = n * float(np.sum((means - means.mean()) ** 2)) / (k - 1)
    if not within > np.finfo(float).eps ** 2 * float(np.square(values).mean()):
        # no sample departs from the pattern of the others: there is nothing to test against
        return _anovas(measure, float("nan"), float("nan"), float("nan"), n)
    ratio = between / within
    epsilon = greenhouse_geisser(values)
    plain, corrected = (
        float(scipy.stats.f.sf(ratio, e * (k - 1), e * freedom)) for e in (1.0, epsilon)
    )
    error = float(np.sqrt(within / n))
    reach = float(scipy.stats.studentized_range.ppf(0.95, k, freedom)) * error
    found = _anovas(measure, ratio, plain, corrected, n)
    for i, j in _pairs(names, among):
        ahead = float(means[i] - means[j])
        statistic = abs(ahead) / error
        p = float(np.clip(scipy.stats.studentized_range.sf(statistic, k, freedom), 0, 1))
        found.append(
            Comparison(
                "Tukey", measure, names[i], names[j], ahead, statistic, p, n,
                ahead - reach, ahead + reach,
            )
        )  # fmt: skip
    return found


def _pairs(names: list[str], among: Collection[str] | None) -> Iterator[tuple[int, int]]:
    """Yield index pairs, one of those asked for first in each."""
    for i, j in combinations(range(len(names)), 2):
        if among is None or names[i] in among:
            yield i, j
        elif names[j] in among:
            yield j, i


def greenhouse_geisser(values: Samples) -> float:
    """Return how alike the differences of all pairs of methods vary: 1 alike, 1 / (k - 1) least.

    Parameters
    ----------
    values
        (n, k): k values of each sample.

    References
    ----------
    Greenhouse & Geisser 1959, doi 10.1007/BF02289823.
    """
    k = values.shape[1]
    covariance = np.cov(values, rowvar=False)
    centered = covariance - covariance.mean(axis=0) - covariance.mean(axis=1)[:, None]
    centered += covariance.mean()
    size = (k - 1) * float(np.sum(centered**2))
    return float(np.trace(centered)) ** 2 / size if size > 0 else 1.0


def _anovas(measure: str, ratio: float, p: float, corrected: float, n: int) -> list[Comparison]:
    nothing = float("nan")
    return [
        Comparison(name, measure, "all", "", nothing, ratio, each, n)
        for name, each in (
            ("paired ANOVA", p),
            ("paired ANOVA, Greenhouse-Geisser", corrected),
        )
    ]
