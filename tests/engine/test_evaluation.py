"""The verb evaluate: its inputs, records and report."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_deeper as nd
from napari_deeper.cli import app
from napari_deeper.engine.evaluation_report import FILES, to_markdown
from napari_deeper.engine.evaluation_runs import add_noise
from napari_deeper.engine.scores import METRICS, PUBLISHED
from napari_deeper.processing import metrics
from napari_deeper.processing.classes import accuracy, balanced_accuracy, class_map, classify
from napari_deeper.processing.interpolation import skip_sample, upsample
from napari_deeper.processing.kriging import krige
from napari_deeper.processing.smoothing import savgol
from napari_deeper.processing.tuned import ORDERS, WINDOWS
from napari_deeper.spectra.errors import Cancelled, CubeError, FileError, ParameterError


@pytest.fixture(scope="module")
def clean() -> nd.RamanCube:
    rng = np.random.default_rng(4)
    axis = np.linspace(600, 1800, 60)
    bands = np.exp(-(((axis - np.array([[1004], [1450]])) / 40) ** 2))
    y, x = np.mgrid[:12, :13] / 12
    amounts = np.stack([y + 0.2, np.cos(3 * x) + 1.2], axis=-1)
    intensity = 100 * amounts @ bands + 20 + rng.uniform(0, 1, (12, 13, 1))
    return nd.RamanCube(intensity, axis, metadata={"name": "bands"})


@pytest.fixture(scope="module")
def found(clean):
    return nd.evaluate(
        clean, methods="savgol,low-rank", level=0.1, n_seeds=2, seed=5, noiseless=True
    )


def test_every_method_and_seed_has_a_record(found):
    roles = {
        ("input", "input"),
        ("savgol", "method"),
        ("low-rank", "method"),
        ("savgol (comparator)", "comparator"),
        ("low-rank (comparator)", "comparator"),
        ("wavelet", "comparator"),
        ("pca", "comparator"),
    }
    expected = {(name, role, seed) for name, role in roles for seed in (5, 6)}
    assert {(r.method, r.role, r.seed) for r in found.records} == expected
    assert len(found.records) == len(expected)
    assert {(r.map, r.case) for r in found.records} == {("bands", "white 0.1")}


def test_records_are_the_metrics_of_the_result(clean):
    seed, level = 9, 0.2
    found = nd.evaluate(clean, methods="wavelet", level=level, seed=seed)
    noisy = add_noise(clean, "white", level, seed)
    result, target = nd.denoise(noisy, method="wavelet").intensity, clean.intensity
    (record,) = (r for r in found.records if r.role == "method")
    span = float(target.max())
    assert record.mse == metrics.mse(result, target)
    assert record.excess_mse == pytest.approx(metrics.excess_mse(result, target), rel=1e-5)
    assert record.psnr == metrics.psnr(result, target, span)
    assert record.ssim == metrics.ssim(result, target, span)
    assert record.spectral_angle == metrics.spectral_angle(result, target).mean()
    assert record.psnr_as_published == metrics.psnr_as_published(result, target)
    assert np.isfinite([getattr(record, m) for m in (*METRICS, *PUBLISHED)]).all()
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.mse = 0.0


def test_the_best_comparator_has_the_ratio_one(found):
    rivals = {s.method: s.mse for s in found.summaries if s.role == "comparator"}
    assert len(rivals) == 4
    assert rivals[found.best_comparator] == min(rivals.values())
    best = found.summary(found.best_comparator)
    assert best.ratio == 1
    assert best.ratio_interval == (1, 1)
    for s in found.summaries:
        low, high = s.excess_mse_interval
        assert low <= s.excess_mse <= high
        assert s.ratio == pytest.approx(s.excess_mse / best.excess_mse)


def test_untuned_methods_cannot_beat_their_tuned_selves(found):
    errors = {(s.method.split(" ")[0], s.role): s.mse for s in found.summaries}
    assert errors["savgol", "comparator"] <= errors["savgol", "method"] * (1 + 1e-6)
    assert errors["low-rank", "comparator"] <= errors["low-rank", "method"] * (1 + 1e-6)


def test_the_papers_tests_are_there(found):
    kinds = {(c.test, c.measure, c.control) for c in found.comparisons}
    best = found.best_comparator
    others = {s.method for s in found.summaries} - {"savgol"}
    assert kinds == {
        ("ANOVA", "mse", ""),
        ("Dunnett", "mse", "input"),
        ("paired ANOVA", "mse", ""),
        ("paired ANOVA, Greenhouse-Geisser", "mse", ""),
        ("Wilcoxon", "psnr", best),
        ("Wilcoxon", "ssim", best),
    } | {("Tukey", "mse", name) for name in others}
    assert all(c.n_samples == 12 * 13 for c in found.comparisons)
    pairs = [(c.method, c.control) for c in found.comparisons if c.test == "Tukey"]
    assert len(pairs) == len(set(pairs)) == 11
    assert {method for method, _ in pairs} == {"savgol", "low-rank"}
    for c in found.comparisons:
        if "ANOVA" not in c.test:
            assert c.low <= c.difference <= c.high


def test_the_same_seed_gives_the_same_figures(clean):
    def figures(seed):
        found = nd.evaluate(clean, methods="savgol", seed=seed, noise="poisson")
        # as text, in which NaN equals NaN
        return [str(dataclasses.replace(r, seconds=0.0, seed=0)) for r in found.records]

    assert figures(1) == figures(1)
    assert figures(1) != figures(2)


def test_pixels_are_classified_by_the_endmembers_of_the_reference(clean):
    exact = class_map(clean.intensity, 5)
    assert exact.n_classes == 3  # two bands on a constant ground: no more can be told apart
    found = nd.evaluate(clean, methods="low-rank", level=0.3, seed=2, noiseless=True)
    result = nd.denoise(add_noise(clean, "white", 0.3, 2), method="low-rank").intensity
    classes = classify(result, exact.endmembers.spectra)
    (record,) = (r for r in found.records if r.role == "method")
    assert record.accuracy == record.best_accuracy == accuracy(classes, exact.classes)
    assert record.balanced_accuracy == balanced_accuracy(classes, exact.classes)
    assert found.class_sizes == tuple(sorted(np.bincount(exact.classes), reverse=True))
    for s in found.summaries:
        assert s.accuracy <= s.best_accuracy
        low, high = s.accuracy_interval
        assert low <= s.accuracy <= high
    assert 1 / 3 < record.accuracy < 1


def test_classes_by_light_are_others(clean):
    found = nd.evaluate(clean, methods="savgol", level=0.3, class_by="light", noiseless=True)
    by_light = class_map(clean.intensity, 5, unit_length=True)
    assert found.class_sizes == tuple(sorted(np.bincount(by_light.classes), reverse=True))
    alike = class_map(clean.intensity, 5)
    assert found.class_sizes != tuple(sorted(np.bincount(alike.classes), reverse=True))


def test_the_best_accuracy_is_that_of_the_whole_grid(clean):
    found = nd.evaluate(clean, methods="wavelet", level=0.3, seed=2, noiseless=True)
    noisy = add_noise(clean, "white", 0.3, 2).spectra
    exact = class_map(clean.intensity, 5)
    each = [
        accuracy(classify(savgol(noisy, w, o), exact.endmembers.spectra), exact.classes)
        for w in WINDOWS
        for o in ORDERS
        if o < w - 1 and w <= noisy.shape[1]
    ]
    assert found.summary("savgol").best_accuracy == max(each)


def test_a_reference_without_classes_is_judged_without(clean):
    bright = np.random.default_rng(0).uniform(1, 2, (6, 6, 1))
    flat = nd.RamanCube(bright * (1 + np.arange(20)), np.arange(20) + 1.0)
    for found in (
        nd.evaluate(flat, methods="savgol", noiseless=True),
        nd.evaluate(clean, methods="savgol", n_endmembers=0),
    ):
        assert found.class_sizes == ()
        assert all(np.isnan(r.accuracy) and np.isnan(r.best_accuracy) for r in found.records)
        assert "accuracy" not in to_markdown([found])


@pytest.mark.parametrize(("stated", "expected"), [(1.0, 0.683), (0.5, 0.383), (2.0, 0.954)])
def test_stated_uncertainty_is_held_against_the_errors(clean, stated, expected):
    noise = np.random.default_rng(1).normal(0, 3, clean.shape)
    flags = np.zeros(clean.shape[:2], dtype=bool)
    flags[0] = True
    sure = np.full(clean.shape, 3 * stated, np.float32)
    result = dataclasses.replace(
        clean, intensity=clean.intensity + noise, uncertainty=sure, flagged=flags
    )
    found = nd.evaluate(clean, results={"mine": result}, noiseless=True)
    (record,) = found.records
    assert record.within_sigma == pytest.approx(expected, abs=0.015)
    assert record.flagged == pytest.approx(1 / 12)
    assert "within 1 sigma" in to_markdown([found])


def test_the_noise_of_the_reference_counts_towards_the_uncertainty(clean):
    rng = np.random.default_rng(2)
    level = np.full(clean.shape, 50)
    measured = level + rng.normal(0, 4, clean.shape)
    result = level + rng.normal(0, 3, clean.shape)
    sure = np.full(clean.shape, 3, np.float32)
    found = nd.evaluate(
        nd.RamanCube(measured, clean.wavenumber),
        results={"mine": dataclasses.replace(clean, intensity=result, uncertainty=sure)},
    )
    assert found.records[0].within_sigma == pytest.approx(0.683, abs=0.03)
    assert np.isnan(found.records[0].flagged)


@pytest.mark.parametrize("kind", ["white", "poisson"])
def test_the_noise_has_the_level_it_says(clean, kind):
    big = nd.RamanCube(np.tile(clean.intensity, (4, 4, 1)), clean.wavenumber)
    noise = add_noise(big, kind, 0.2, 3).intensity - big.intensity
    sigma = 0.2 * np.percentile(big.intensity.max(axis=2), 95)
    assert noise.std() == pytest.approx(sigma, rel=0.03)
    assert abs(noise.mean()) < 0.02 * sigma
    bright = big.intensity > np.median(big.intensity)
    apart = noise[bright].var() / noise[~bright].var()
    assert (apart > 1.5) == (kind == "poisson")


@pytest.mark.parametrize("scale", [2, 3])
def test_super_resolution_starts_from_the_sampled_pixels(clean, scale):
    found = nd.evaluate(clean, scale=scale, phase=0, methods="bicubic", noiseless=True)
    n = 13 // scale * scale
    target = clean.intensity[:, :n]
    fine = upsample(skip_sample(target, scale, 0), scale, "bicubic", 0)
    (record,) = (r for r in found.records if r.role == "method")
    assert record.mse == pytest.approx(metrics.mse(fine, target), rel=1e-5)
    assert record.case == f"{scale}x"
    assert record.seed == -1
    rivals = {r.method for r in found.records if r.role == "comparator"}
    interpolations = {"nearest", "bilinear", "bicubic (comparator)", "kriging"}
    denoised = {f"low-rank+{name.split(' ')[0]}" for name in interpolations}
    assert rivals == interpolations | denoised
    (kriged,) = (r for r in found.records if r.method == "kriging")
    low = skip_sample(target, scale, 0)
    assert kriged.mse == pytest.approx(metrics.mse(krige(low, scale, 0)[0], target), rel=1e-5)
    assert {c.control for c in found.comparisons if c.test == "Dunnett"} == {"bilinear"}


def test_noise_and_scale_together_denoise_first(clean):
    found = nd.evaluate(clean, scale=2, noise="white", methods="low-rank+bilinear,bilinear")
    by_name = {s.method: s for s in found.summaries if s.role == "method"}
    denoised, plain = by_name.values()
    assert denoised.mse < plain.mse
    assert found.case == "2x, white 0.2"
    rivals = {r.method for r in found.records if r.role == "comparator"}
    assert "pca+bilinear" in rivals
    assert "low-rank+kriging" in rivals
    assert "pca+kriging" not in rivals
    assert "savgol+nearest" in rivals


def test_a_pair_of_dwell_times(clean):
    short = nd.RamanCube(add_noise(clean, "white", 0.01, 0).intensity / 10, clean.wavenumber)
    far = nd.evaluate(clean, measured=short, methods="savgol")
    near = nd.evaluate(clean, measured=short, methods="savgol", match_scale=True)
    assert near.summary("input").mse < 0.1 * far.summary("input").mse
    assert near.case == "measured"
    assert {r.seed for r in near.records} == {-1}


def test_a_finished_result_is_judged_alone(clean):
    off = nd.RamanCube(clean.intensity + 2, clean.wavenumber)
    found = nd.evaluate(clean, results={"mine": off}, noiseless=True)
    (record,) = found.records
    assert (record.method, record.settings) == ("mine", "given")
    assert record.excess_mse == record.mse == pytest.approx(4, rel=1e-4)
    assert found.best_comparator == ""
    assert found.comparisons == ()


@pytest.mark.parametrize(
    ("settings", "error", "text"),
    [
        ({"methods": "magic"}, ParameterError, "Unknown method 'magic'"),
        ({"methods": ","}, ParameterError, "No method"),
        ({"methods": "savgol", "scale": 2}, ParameterError, "super-resolution"),
        ({"noise": "none"}, ParameterError, "nothing to do"),
        ({"noise": "pink"}, ParameterError, "one of"),
        ({"level": 0.0}, ParameterError, "level"),
        ({"class_by": "taste"}, ParameterError, "one of"),
        ({"scale": 2, "phase": 2}, ParameterError, "phase is 2"),
    ],
)
def test_what_does_not_fit_says_so(clean, settings, error, text):
    with pytest.raises(error, match=text):
        nd.evaluate(clean, **settings)


def test_cubes_that_do_not_fit_say_so(clean):
    small = nd.RamanCube(clean.intensity[:5], clean.wavenumber)
    moved = nd.RamanCube(clean.intensity, clean.wavenumber + 3)
    dark = nd.RamanCube(clean.intensity - 1000, clean.wavenumber)
    with pytest.raises(CubeError, match="must be"):
        nd.evaluate(clean, measured=small)
    with pytest.raises(CubeError, match="wavenumbers"):
        nd.evaluate(clean, results={"mine": moved})
    with pytest.raises(CubeError, match="no positive"):
        nd.evaluate(dark)
    with pytest.raises(CubeError, match="mean intensity"):
        nd.evaluate(clean, measured=dark, match_scale=True)
    with pytest.raises(ParameterError, match="too few"):
        nd.evaluate(small, scale=4)


def test_progress_runs_to_the_end_and_can_be_cancelled(clean):
    seen: list[float] = []
    nd.evaluate(
        clean, methods="savgol", progress=nd.Progress(lambda fraction, _: seen.append(fraction))
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1
    progress = nd.Progress()
    progress.cancel.set()
    with pytest.raises(Cancelled):
        nd.evaluate(clean, methods="savgol", progress=progress)


def test_the_report_is_whole(tmp_path: Path, found) -> None:
    folder = nd.write_report([found, found], tmp_path / "report")
    assert {p.name for p in folder.iterdir()} == set(FILES)
    assert [p.name for p in tmp_path.iterdir()] == ["report"]
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert text.count("## bands: white 0.1") == 2
    for s in found.summaries:
        assert f"{s.excess_mse:.4g} [" in text
    assert all(note in text for note in found.notes)
    with (folder / "records.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 2 * len(found.records)
    assert float(rows[0]["mse"]) == found.records[0].mse
    with (folder / "tests.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 2 * len(found.comparisons)
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_report_replaces_only_a_report(tmp_path: Path, found) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    nd.write_report([found], folder)  # an empty folder is there to be filled
    with pytest.raises(FileError, match="already exists"):
        nd.write_report([found], folder)
    nd.write_report([found], folder, overwrite=True)
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(FileError, match="other files"):
        nd.write_report([found], folder, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "mine"
    with pytest.raises(FileError, match="does not exist"):
        nd.write_report([found], tmp_path / "no" / "report")
    with pytest.raises(FileError, match="is a file"):
        nd.write_report([found], folder / "thesis.txt")


def run(*arguments: object):
    return CliRunner().invoke(app, ["evaluate", *(str(a) for a in arguments)])


def test_the_command_does_what_the_function_does(tmp_path: Path, clean) -> None:
    source = nd.write(clean, tmp_path / "in.npz")
    flags = ("--methods", "savgol", "--noise", "poisson", "--level", "0.3", "--seed", "4")
    done = run(source, *flags, "--out", tmp_path / "report")
    assert done.exit_code == 0, done.output
    expected = nd.evaluate(nd.read(source), methods="savgol", noise="poisson", level=0.3, seed=4)
    with (tmp_path / "report" / "records.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(r["mse"]) for r in rows] == [r.mse for r in expected.records]
    assert "best comparator" in done.stdout
    again = run(source, *flags, "--out", tmp_path / "report")
    assert again.exit_code == 1
    assert "already exists" in again.output
    assert run(source, *flags, "--out", tmp_path / "report", "--force", "--quiet").output == ""


def test_the_command_judges_what_is_given(tmp_path: Path, clean) -> None:
    source = nd.write(clean, tmp_path / "in.npz")
    short = nd.write(add_noise(clean, "white", 0.2, 0), tmp_path / "short.npz")
    assert run(source, "--result", short, "--out", tmp_path / "a").exit_code == 0
    done = run(source, "--input", short, "--methods", "savgol", "--out", tmp_path / "b")
    assert done.exit_code == 0, done.output
    assert "short" in (tmp_path / "a" / "report.md").read_text(encoding="utf-8")
    assert "measured" in (tmp_path / "b" / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "code"),
    [(("--scale", "5"), 2), (("--noise", "pink"), 2), (("--methods", "magic"), 1), ((), 2)],
)
def test_wrong_commands_leave_nothing(tmp_path: Path, clean, flags, code) -> None:
    source = nd.write(clean, tmp_path / "in.npz")
    out = ("--out", tmp_path / "report") if flags else ()
    done = run(source, *flags, *out)
    assert done.exit_code == code, done.output
    assert [p.name for p in tmp_path.iterdir()] == ["in.npz"]


def test_help_teaches_by_example() -> None:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["evaluate", "--help"])
    assert done.exit_code == 0
    for text in ("--noise white --level 0.2 --out report", "--scale 2 --out report", "--input"):
        assert text in done.output
    for field in dataclasses.fields(nd.EvaluateParams):
        assert "--" + field.name.replace("_", "-") in done.output
