"""Whether one method is better than another, and how surely.

The samples of all methods are paired: sample ``i`` of each belongs to the same pixel (or map). The
pixels of one map are not independent of each other, so p-values and intervals over pixels speak of
this map alone and are narrower than those over maps of new samples would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from napari_deeper.spectra.errors import ParameterError

Samples = NDArray[np.float64]

MIN_SAMPLES = 3
_VALUES_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Comparison:
    """The outcome of one test.

    Parameters
    ----------
    test
        ``"ANOVA"``, ``"Dunnett"``, ``"paired ANOVA"``, ``"Tukey"`` or ``"Wilcoxon"``.
    measure
        What was compared, for example ``"mse"``.
    method, control
        Whose samples; for the ANOVA ``"all"`` and an empty control.
    difference
        Method less control, which says who is ahead: of the means for Dunnett and Tukey, the median
        of the pairs for Wilcoxon; NaN for the ANOVAs.
    statistic, p_value
        Of the two-sided test. NaN where every difference is zero.
    n_samples
        Per group.
    low, high
        95 % interval of the difference: simultaneous for Dunnett and Tukey. NaN where there is none.
    """

    test: str
    measure: str
    method: str
    control: str
    difference: float
    statistic: float
    p_value: float
    n_samples: int
    low: float = float("nan")
    high: float = float("nan")


def anova_dunnett(
    samples: Mapping[str, Samples], control: str, measure: str, seed: int = 0
) -> list[Comparison]:
    """Run a one-way ANOVA over all groups, then Dunnett's test of each against a control.

    Parameters
    ----------
    samples
        (n,) values of each method by its name, the control among them.
    control
        Name of the group that the others are compared with.
    measure
        Name of what the values are.
    seed
        Of the random numbers in the integral behind Dunnett's p-values.

    Returns
    -------
    list[Comparison]
        The ANOVA, then one Dunnett test for each method but the control.

    Raises
    ------
    ParameterError
        If the control is missing, or a group has fewer than three samples.

    References
    ----------
    Dunnett 1955, doi 10.1080/01621459.1955.10501294.
    """
    check_paired(samples, control)
    n = len(samples[control])
    others = [name for name in samples if name != control]
    if not others:
        return []
    if all(np.ptp(values) == 0 for values in samples.values()):
        # without any spread within the groups neither test is defined
        return [_anova(measure, np.nan, np.nan, n)]
    whole = scipy.stats.f_oneway(*(samples[name] for name in samples))
    found = [_anova(measure, float(whole.statistic), float(whole.pvalue), n)]
    each = scipy.stats.dunnett(
        *(samples[name] for name in others),
        control=samples[control],
        random_state=np.random.default_rng(seed),
    )
    between = each.confidence_interval(0.95)
    statistics, p_values = np.atleast_1d(each.statistic), np.atleast_1d(each.pvalue)
    low, high = np.atleast_1d(between.low), np.atleast_1d(between.high)
    for i, name in enumerate(others):
        # the integral is by random sampling, which can leave a hair below 0
        p_value = float(np.clip(p_values[i], 0, 1))
        ahead = float(samples[name].mean() - samples[control].mean())
        found.append(
            Comparison(
                "Dunnett", measure, name, control, ahead, float(statistics[i]), p_value, n,
                float(low[i]), float(high[i]),
            )
        )  # fmt: skip
    return found


def _anova(measure: str, statistic: float, p_value: float, n: int) -> Comparison:
    return Comparison("ANOVA", measure, "all", "", float("nan"), statistic, p_value, n)


def wilcoxon_paired(samples: Mapping[str, Samples], control: str, measure: str) -> list[Comparison]:
    """Run Wilcoxon's signed-rank test of each method against a control, sample by sample.

    Parameters
    ----------
    samples, control, measure
        As in `anova_dunnett`.

    Raises
    ------
    ParameterError
        As in `anova_dunnett`.

    References
    ----------
    Wilcoxon 1945, doi 10.2307/3001968.
    """
    check_paired(samples, control)
    found = []
    for name, values in samples.items():
        if name == control:
            continue
        difference = values - samples[control]
        statistic = p_value = float("nan")
        if difference.any():
            outcome = scipy.stats.wilcoxon(difference)
            statistic, p_value = float(outcome.statistic), float(outcome.pvalue)
        ahead, n = float(np.median(difference)), len(values)
        found.append(
            Comparison(
                "Wilcoxon", measure, name, control, ahead, statistic, p_value, n,
                *median_interval(difference),
            )
        )  # fmt: skip
    return found


def median_interval(values: Samples) -> tuple[float, float]:
    """Return the interval between two of the values that holds the median with at least 95 %.

    Parameters
    ----------
    values
        (n,) samples. Under six the interval cannot be that sure, and NaN is returned.

    References
    ----------
    Thompson 1936, doi 10.1214/aoms/1177732502.
    """
    n = len(values)
    rank = int(scipy.stats.binom.ppf(0.025, n, 0.5))
    if rank < 1:
        return float("nan"), float("nan")
    ordered = np.sort(values)
    return float(ordered[rank - 1]), float(ordered[n - rank])


def bootstrap_mean(values: Samples, seed: int, n_resamples: int = 2000) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean.

    Parameters
    ----------
    values
        (n,) samples.
    seed
        Of the resampling.

    References
    ----------
    Efron 1979, doi 10.1214/aos/1176344552.
    """
    means = _resampled_means(values[:, None], seed, n_resamples)[:, 0]
    return _interval(means)


def bootstrap_ratio(
    values: Samples, control: Samples, seed: int, n_resamples: int = 2000
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the ratio of two means of paired samples.

    Parameters
    ----------
    values, control
        (n,) samples; sample ``i`` of both is drawn together.
    seed
        Of the resampling.

    Returns
    -------
    tuple[float, float]
        NaN where a resampled mean of the control is not positive, so that a ratio says nothing.
    """
    means = _resampled_means(np.stack([values, control], axis=1), seed, n_resamples)
    if (means[:, 1] <= 0).any():
        return float("nan"), float("nan")
    return _interval(means[:, 0] / means[:, 1])


def _resampled_means(columns: Samples, seed: int, n_resamples: int) -> Samples:
    rng, n = np.random.default_rng(seed), len(columns)
    at_once = max(1, _VALUES_AT_ONCE // n)
    parts = []
    for start in range(0, n_resamples, at_once):
        drawn = rng.integers(n, size=(min(at_once, n_resamples - start), n))
        parts.append(columns[drawn].mean(axis=1))
    return np.concatenate(parts)


def _interval(values: Samples) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def check_paired(samples: Mapping[str, Samples], control: str) -> None:
    """Raise `ParameterError` unless all groups have as many samples as the control, and enough."""
    if control not in samples:
        raise ParameterError(
            f"The control '{control}' is not among the samples: {', '.join(samples)}."
        )
    sizes = {name: len(values) for name, values in samples.items()}
    for name, n in sizes.items():
        if n != sizes[control]:
            raise ParameterError(
                f"'{name}' has {n} samples and '{control}' {sizes[control]}; they must be paired."
            )
        if n < MIN_SAMPLES:
            raise ParameterError(f"'{name}' has {n} samples; a test needs {MIN_SAMPLES}.")
