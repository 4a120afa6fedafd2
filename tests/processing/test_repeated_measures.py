import numpy as np
import pytest
from scipy import stats

from napari_deeper.processing.repeated_measures import greenhouse_geisser, paired_anova_tukey
from napari_deeper.spectra.errors import ParameterError

# Reaction times of five people under four drugs: Winer, Statistical Principles in Experimental Design,
# 2nd edition, section 4.3
TIMES = np.array(
    [(30, 28, 16, 34), (14, 18, 10, 22), (24, 20, 18, 30), (38, 34, 20, 44), (26, 28, 14, 30)],
    float,
)
DRUGS = dict(zip("abcd", TIMES.T, strict=True))
# Rutherford, Introducing ANOVA and ANCOVA, p. 72: eight people, three conditions
BLOCKS = {
    "a": np.array([7, 3, 6, 6, 5, 8, 6, 7.0]),
    "b": np.array([7, 11, 9, 11, 10, 10, 11, 11.0]),
    "c": np.array([8, 14, 10, 11, 12, 10, 11, 12.0]),
}


def test_the_anova_is_that_of_the_textbooks():
    whole, corrected, *_ = paired_anova_tukey(DRUGS, "time")
    # mean squares 698.20 / 3 and 112.80 / 12
    assert whole.statistic == pytest.approx(232.7333 / 9.40, rel=1e-5)
    assert whole.p_value == pytest.approx(1.99e-5, rel=0.01)
    assert whole.p_value < corrected.p_value < 0.01
    assert [whole.test, corrected.test] == ["paired ANOVA", "paired ANOVA, Greenhouse-Geisser"]
    blocks = paired_anova_tukey(BLOCKS, "y")[0]
    assert blocks.statistic == pytest.approx(56.0 / (38.0 / 14))
    assert round(blocks.statistic, 4) == 20.6316


def test_the_correction_is_that_of_the_contrasts():
    # Box: the eigenvalues of the covariance of three orthonormal contrasts
    contrasts = np.array([[1, -1, 0, 0], [1, 1, -2, 0], [1, 1, 1, -3]]).T.astype(float)
    contrasts /= np.linalg.norm(contrasts, axis=0)
    values = np.linalg.eigvalsh(np.cov(TIMES @ contrasts, rowvar=False))
    expected = values.sum() ** 2 / (3 * np.sum(values**2))
    assert greenhouse_geisser(TIMES) == pytest.approx(expected)
    assert round(greenhouse_geisser(TIMES), 3) == 0.605
    p = stats.f.sf(232.7333 / 9.40, 3 * expected, 12 * expected)
    assert paired_anova_tukey(DRUGS, "time")[1].p_value == pytest.approx(p, rel=1e-4)


def test_tukeys_intervals_have_the_width_of_the_tables():
    pairs = [c for c in paired_anova_tukey(DRUGS, "time") if c.test == "Tukey"]
    assert {c.method + c.control for c in pairs} == {"ab", "ac", "ad", "bc", "bd", "cd"}
    error = np.sqrt(9.40 / 5)
    for c in pairs:
        assert c.difference == pytest.approx(DRUGS[c.method].mean() - DRUGS[c.control].mean())
        assert c.statistic == pytest.approx(abs(c.difference) / error)
        # q of 4 groups and 12 degrees of freedom: 4.20 at 5 %
        assert c.high - c.difference == pytest.approx(4.20 * error, rel=2e-3)
        assert c.difference - c.low == pytest.approx(4.20 * error, rel=2e-3)
        # 5.50 at 1 %, 4.20 at 5 %
        assert (c.p_value < 0.01) == (c.statistic > 5.50)
        assert (c.p_value < 0.05) == (c.statistic > 4.20)
    assert 0 < sum(c.p_value < 0.01 for c in pairs) < len(pairs)


def test_two_methods_are_a_paired_t_test():
    two = {name: DRUGS[name] for name in "ad"}
    whole, corrected, pair = paired_anova_tukey(two, "time")
    t = stats.ttest_rel(two["a"], two["d"])
    assert whole.statistic == pytest.approx(t.statistic**2)
    interval = t.confidence_interval(0.95)
    assert (pair.low, pair.high) == pytest.approx((interval.low, interval.high), rel=1e-5)
    for each in (whole, corrected, pair):
        assert each.p_value == pytest.approx(t.pvalue, rel=1e-5)


def test_pairing_finds_what_the_spread_of_samples_hides():
    rng = np.random.default_rng(0)
    common = rng.normal(0, 100, 50)
    samples = {name: common + shift + rng.normal(0, 1, 50) for name, shift in (("a", 0), ("b", 2))}
    assert stats.f_oneway(*samples.values()).pvalue > 0.5
    assert paired_anova_tukey(samples, "x")[0].p_value < 1e-6


def test_only_the_pairs_asked_for_with_the_p_values_of_all():
    every = [c for c in paired_anova_tukey(DRUGS, "time") if c.test == "Tukey"]
    some = [c for c in paired_anova_tukey(DRUGS, "time", ["d"]) if c.test == "Tukey"]
    assert [(c.method, c.control) for c in some] == [("d", "a"), ("d", "b"), ("d", "c")]
    turned = {c.method: (c.p_value, -c.difference) for c in every if c.control == "d"}
    assert {c.control: (c.p_value, c.difference) for c in some} == turned
    with pytest.raises(ParameterError, match="Not among"):
        paired_anova_tukey(DRUGS, "time", ["z"])


def test_what_cannot_be_tested():
    shifted = {"a": np.arange(5.0), "b": np.arange(5.0) + 1}
    assert [np.isnan(c.p_value) for c in paired_anova_tukey(shifted, "x")] == [True, True]
    assert paired_anova_tukey({"a": np.arange(5.0)}, "x") == []
    with pytest.raises(ParameterError, match="must be paired"):
        paired_anova_tukey({"a": np.ones(5), "b": np.ones(4)}, "x")
    with pytest.raises(ParameterError, match="needs 3"):
        paired_anova_tukey({"a": np.ones(2), "b": np.ones(2)}, "x")
