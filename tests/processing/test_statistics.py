"""Tests and intervals against scipy called by hand, and against what is obvious."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from napari_deeper.processing.statistics import (
    anova_dunnett,
    bootstrap_mean,
    bootstrap_ratio,
    median_interval,
    wilcoxon_paired,
)
from napari_deeper.spectra.errors import ParameterError


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    control = rng.normal(10, 1, 40)
    return {"better": control - 3 + rng.normal(0, 0.3, 40), "raw": control, "same": control + 0}


def test_anova_and_dunnett_are_scipys(samples):
    whole, better, same = anova_dunnett(samples, "raw", "mse", seed=1)
    by_hand = stats.f_oneway(*samples.values())
    assert (whole.test, whole.method, whole.n_samples) == ("ANOVA", "all", 40)
    assert (whole.statistic, whole.p_value) == (by_hand.statistic, by_hand.pvalue)
    assert (better.test, better.method, better.control) == ("Dunnett", "better", "raw")
    assert better.statistic < 0
    assert better.difference == pytest.approx(-3, abs=0.2)
    assert better.low < better.difference < better.high < 0
    assert same.low < 0 < same.high
    assert np.isnan(whole.difference)
    assert better.p_value < 1e-4
    assert same.statistic == 0
    assert same.p_value == pytest.approx(1, abs=1e-3)


def test_dunnett_with_one_group_is_the_t_test(samples):
    pair = {"a": samples["raw"] + np.linspace(-0.5, 1.3, 40), "raw": samples["raw"]}
    found = anova_dunnett(pair, "raw", "mse")[1]
    assert found.p_value == pytest.approx(stats.ttest_ind(pair["a"], pair["raw"]).pvalue, abs=2e-3)
    assert anova_dunnett(pair, "raw", "mse")[1] == found


def test_wilcoxon_pairs_the_samples(samples):
    better, same = wilcoxon_paired(samples, "raw", "psnr")
    by_hand = stats.wilcoxon(samples["better"], samples["raw"])
    assert (better.statistic, better.p_value) == (by_hand.statistic, by_hand.pvalue)
    assert better.measure == "psnr"
    assert better.difference == np.median(samples["better"] - samples["raw"])
    assert better.low < better.difference < better.high < 0
    assert np.isnan(same.p_value)
    # unpaired, a shift this small against this spread is invisible
    shifted = {"raw": samples["raw"], "shifted": samples["raw"] - np.linspace(0.01, 0.02, 40)}
    assert wilcoxon_paired(shifted, "raw", "psnr")[0].p_value < 1e-6
    assert stats.mannwhitneyu(shifted["raw"], shifted["shifted"]).pvalue > 0.5


def test_samples_without_spread_give_no_dunnett():
    flat = {"a": np.ones(5), "b": np.full(5, 2.0)}
    (only,) = anova_dunnett(flat, "a", "mse")
    assert np.isnan(only.p_value)
    assert anova_dunnett({"a": np.ones(5)}, "a", "mse") == []


@pytest.mark.parametrize(
    ("samples", "control", "text"),
    [
        ({"a": np.ones(5)}, "b", "not among"),
        ({"a": np.ones(5), "b": np.ones(4)}, "a", "must be paired"),
        ({"a": np.ones(2), "b": np.ones(2)}, "a", "needs 3"),
    ],
)
def test_what_cannot_be_tested_says_so(samples, control, text):
    for test in (anova_dunnett, wilcoxon_paired):
        with pytest.raises(ParameterError, match=text):
            test(samples, control, "mse")


def test_interval_of_the_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(2).normal(5, 2, 400)
    low, high = bootstrap_mean(values, seed=3)
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.15 * half)
    assert bootstrap_mean(values, seed=3) == (low, high)
    assert bootstrap_mean(values, seed=4) != (low, high)


def test_interval_covers_the_truth_in_about_95_of_100():
    rng = np.random.default_rng(5)
    hits = 0
    for i in range(200):
        low, high = bootstrap_mean(rng.exponential(1, 100), seed=i, n_resamples=400)
        hits += low <= 1 <= high
    assert 0.88 <= hits / 200 <= 0.985


def test_a_ratio_uses_the_pairing():
    control = np.random.default_rng(6).exponential(1, 300)
    low, high = bootstrap_ratio(0.7 * control, control, seed=0)
    assert low == pytest.approx(0.7)
    assert high == pytest.approx(0.7)
    assert np.isnan(bootstrap_ratio(control, -control, seed=0)[0])


def test_interval_of_the_median_is_that_of_the_sign_test():
    # tables: for 20 samples the 6th and 15th value, for 6 the least and the largest
    values = np.random.default_rng(7).permutation(20) + 1.0
    assert median_interval(values) == (6, 15)
    assert median_interval(values[:6]) == (values[:6].min(), values[:6].max())
    assert np.isnan(median_interval(values[:5])).all()
