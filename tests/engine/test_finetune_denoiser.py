"""Tuning the denoiser of `auto`: from pairs, and from a noisy map alone, which must know when it did not help."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import napari_deeper as nd
from napari_deeper.engine import finetune_judge
from napari_deeper.engine.auto import without_spikes
from napari_deeper.engine.finetune_alone import (
    SURE,
    NoisyImages,
    SelfCheck,
    SelfSubject,
    checkered,
    error_of,
)
from napari_deeper.engine.finetune_images import MapImages
from napari_deeper.engine.finetune_judge import PatchScore, Verdict
from napari_deeper.engine.finetune_maps import from_maps, from_pairs
from napari_deeper.engine.finetune_pairs import Pair
from napari_deeper.engine.finetune_start import open_start
from napari_deeper.models import checkpoint, user_models
from napari_deeper.models.checkpoint import load, shipped
from napari_deeper.models.eigenimage import EigenimageDenoiser, EigenimageDenoiserConfig, rms
from napari_deeper.spectra.errors import CubeError, ParameterError
from napari_deeper.training.loop import Place

QUICK = {"epochs": 1, "threads": 1, "precision": "32", "device": "cpu", "preview_seconds": 0}
AXIS = np.linspace(600, 1800, 80)


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    monkeypatch.setenv(user_models.FOLDER_VARIABLE, str(tmp_path / "models"))


def field(noise: float = 0.3, size: tuple[int, int] = (24, 40), gain: float = 1.0, seed: int = 0):
    """Return a map of three smooth images with white noise, and its truth."""
    y, x = np.mgrid[: size[0], : size[1]]
    images = np.stack([np.sin(x / 5), np.cos(y / 4), np.sin((x + y) / 9)]) + 1
    bands = np.exp(-(((AXIS - np.array([[800], [1200], [1500]])) / 60) ** 2))
    truth = gain * np.einsum("iyx,ic->yxc", images, bands)
    noisy = truth + noise * np.random.default_rng(seed).standard_normal(truth.shape)
    return nd.RamanCube(noisy, AXIS, metadata={"name": "field"}), nd.RamanCube(truth, AXIS)


def small_net() -> EigenimageDenoiser:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EigenimageDenoiser(EigenimageDenoiserConfig(n_features=8, n_blocks=1)).eval()


def test_a_map_is_taken_apart_as_auto_does():
    noisy, truth = field()
    taken = MapImages.of(noisy)
    assert 2 <= len(taken.images) <= 3
    spectra = noisy.spectra / np.abs(noisy.spectra).max()
    bridged, noise, _ = without_spikes(spectra)
    plain = noise.fit(bridged, lambda scores: scores)
    assert np.allclose(
        taken.compose(taken.images).reshape(-1, 80), plain.intensity * noise.unit, atol=1e-5
    )
    ideal, matched, factor = taken.project(truth)
    assert np.var(taken.images - ideal) == pytest.approx(1, abs=0.1)
    left = np.mean((taken.compose(ideal) - matched) ** 2)
    assert left < 0.03 * np.mean((taken.measured - matched) ** 2)
    assert factor == pytest.approx(1 / np.abs(noisy.intensity).max(), rel=0.02)


def test_exposure_and_background_between_a_pair_are_allowed_for():
    noisy, truth = field()
    brighter = nd.RamanCube(100 * truth.intensity + np.linspace(3, 9, 80), AXIS)
    taken = MapImages.of(noisy)
    for a, b in zip(taken.project(truth)[:2], taken.project(brighter)[:2], strict=True):
        assert np.allclose(a, b, atol=2e-3 * np.abs(a).max())
    with pytest.raises(CubeError, match="does not vary as"):
        taken.project(nd.RamanCube(-truth.intensity, AXIS))


def test_drawn_noise_is_like_the_maps_own_and_independent_of_it():
    noisy, truth = field(0.2, (48, 40))
    # twice the noise in one half of the map, which nobody was told
    left = noisy.intensity - truth.intensity
    left[:, :20] *= 2
    noisy = nd.RamanCube(truth.intensity + left, AXIS)
    taken = MapImages.of(noisy)
    own = taken.images - taken.project(truth)[0]
    rng = np.random.default_rng(0)
    drawn = np.stack([taken.draw_noise(rng) for _ in range(32)])
    for half in (np.s_[..., :20], np.s_[..., 20:]):
        assert np.var(drawn[half]) == pytest.approx(np.var(own[half]), rel=0.2)
    assert abs(np.mean(drawn * own)) < 0.03 * np.var(own)


def test_the_error_is_known_without_the_truth():
    """For a filter of which all is known: shrinking by half, of an image and of white noise."""
    rng = np.random.default_rng(0)
    truth = 3 * rng.standard_normal((1, 1, 200, 200)).astype(np.float32)
    noisy = torch.from_numpy(truth + rng.standard_normal(truth.shape).astype(np.float32))
    found = [
        error_of(
            lambda x, level: 0.5 * x,
            noisy,
            torch.from_numpy(rng.standard_normal(truth.shape).astype(np.float32)),
            rms(noisy),
        ).mean()
        for _ in range(8)
    ]
    # at the noise that is looked at, which is a little more
    expected = 0.25 * 9 + 0.25 * 1.04
    assert float(np.mean(found)) == pytest.approx(expected, rel=0.02)


def test_a_worse_network_is_found_out_and_a_better_one_too():
    noisy, _ = field(0.6, (36, 36))
    taken = MapImages.of(noisy)
    shipped_net, idle = load(shipped("eigenimage")).model, small_net()

    def check(first, net):
        return SelfSubject((NoisyImages(taken, checkered(taken.alive)),), first, 12).check(net)

    better, worse = check(idle, shipped_net), check(shipped_net, idle)
    assert better.better and better.ratio < 0.6
    assert not worse.better and worse.ratio > 1.5 and "keep to those" in worse.words()
    same = check(shipped_net, shipped_net)
    assert same.ratio == 1 and not same.better
    subject = SelfSubject((NoisyImages(taken, checkered(taken.alive)),), idle, 12)
    assert subject.score(idle).psnr == 0 and subject.score(shipped_net).psnr > 2
    broken = small_net()
    broken.tail.bias.data.fill_(torch.nan)
    assert subject.score(broken).psnr == -np.inf
    assert not SelfCheck(1 - 0.9 * SURE * 0.02, 0.02).better
    assert SelfCheck(1 - 1.1 * SURE * 0.02, 0.02).better


def test_pixels_that_are_held_out_teach_nothing():
    noisy, _ = field()
    subject = from_maps(
        [noisy], nd.FinetuneParams(what="denoise"), open_start(nd.FinetuneParams(what="denoise"))
    ).subject
    mask = subject.maps[0]
    assert not (mask.train & mask.held_out).any() and (mask.train | mask.held_out).all()
    image, drawn, learned, level = subject.batch_at(4)(Place(0, 0))
    again = subject.batch_at(4)(Place(0, 0))
    assert torch.equal(image, again[0]) and torch.equal(drawn, again[1])
    assert image.shape == drawn.shape == learned.shape == (4, 1, 24, 24)

    def loss(noise):
        # a filter that sees one pixel: what it is told elsewhere must not matter
        return float(subject.loss(lambda x, at: 0.5 * x, (image, noise, learned, level)))

    assert loss(torch.where(learned > 0, drawn, 9 * drawn)) == pytest.approx(loss(drawn), rel=1e-5)
    assert loss(9 * drawn) != pytest.approx(loss(drawn), rel=0.01)


def test_a_pair_is_learned_from_one_part_and_judged_on_another(tmp_path):
    noisy, truth = field(0.5, (14, 44))
    low = nd.write(noisy, tmp_path / "low.npz")
    high = nd.write(nd.RamanCube(50 * truth.intensity, AXIS), tmp_path / "high.npz")
    result = nd.finetune([(low, high)], tmp_path / "job", what="denoise", name="mine", **QUICK)
    assert (result.model.kind, result.model.scale) == ("eigenimage", None)
    methods = {s.method for s in result.scores}
    assert methods == {
        "fine-tuned", "pretrained", "low-rank", "savgol", "wavelet", "as measured"
    }  # fmt: skip
    assert len({s.patch for s in result.scores}) == 8
    clean = nd.denoise(noisy, method="auto", model="mine")
    step = clean.provenance[-1]
    assert step.params["eigenimage_checkpoint"] == "mine"
    said = any("keep to those" in note for note in step.notes)
    assert said == (not result.recommended)
    with pytest.raises(nd.DeeperError, match="a resunet is needed"):
        nd.denoise(noisy, method="resunet", model="mine")


@pytest.mark.parametrize(("psnr", "lost"), [(41.0, True), (39.0, False)])
def test_weights_that_lose_on_the_test_part_are_not_recommended(psnr, lost, tmp_path, monkeypatch):
    noisy, truth = field(0.8, (14, 44))
    low = nd.write(noisy, tmp_path / "low.npz")
    high = nd.write(truth, tmp_path / "high.npz")

    def judge(test, runs, *args, **settings):
        return Verdict(
            tuple(
                PatchScore(item.name, "", name, psnr if name == "pretrained" else 40.0, 0.9, 1e-4)
                for name in runs
                for item in test
            ),
            images={"target": np.eye(9, dtype=np.float32)},
        )

    monkeypatch.setattr(finetune_judge, "judge", judge)
    idle = checkpoint.save(  # anything is better than this
        small_net(), tmp_path / "idle.safetensors", {"normalization": "noise"}, one_file=True
    )
    settings = {**QUICK, "epochs": 6, "what": "denoise", "name": "mine", "start": str(idle)}
    result = nd.finetune([(low, high)], tmp_path / "job", **settings)
    assert result.psnr_after > result.psnr_before
    assert result.recommended != lost and result.model.card["recommended"] != lost
    notes = nd.denoise(noisy, model="mine").provenance[-1].notes
    assert any("not on the test part" in note for note in notes) == lost


def test_parts_of_a_pair_share_no_pixel_and_a_better_network_scores_higher():
    params = nd.FinetuneParams(what="denoise")
    start = open_start(params)
    noisy, truth = field(0.5)
    made = from_pairs([Pair(noisy, truth)], params, start)
    pair = made.subject.pairs[0]
    assert not (pair.train & pair.validation).any()
    tested = np.zeros((24, 40), bool)
    for item in made.test:
        tested[item.window] = True
    assert not (tested & (pair.train | pair.validation)).any()
    assert (tested | pair.train | pair.validation).all()
    subject = made.subject
    assert subject.score(start.model.eval()).psnr > subject.score(small_net()).psnr + 1
    assert set(subject.preview(start.model)) == {"measured", "now", "target", "wavenumber"}
    moved = nd.RamanCube(np.roll(truth.intensity, 2, axis=1), AXIS)
    with pytest.raises(CubeError, match="shifted"):
        from_pairs([Pair(noisy, moved)], params, start)


def test_a_map_alone_is_reported_by_an_estimate_and_no_test(tmp_path):
    noisy, _ = field(0.5, (20, 20))
    path = nd.write(noisy, tmp_path / "noisy.npz")
    events = []
    result = nd.finetune([path], tmp_path / "job", what="denoise", on_event=events.append, **QUICK)
    assert not result.scores and set(result.model.card["figures"]) == {"estimated"}
    report = (tmp_path / "job" / "report.md").read_text()
    assert "estimated without knowing the truth" in report and "| method" not in report
    finished = events[-1]
    assert finished["event"] == "finished" and 0.5 < finished["estimated"]["ratio"] < 2
    # what is not clearly better says so with every result
    notes = nd.denoise(noisy, model=result.model.name).provenance[-1].notes
    assert any("keep to those" in note for note in notes) == (not result.recommended)
    again = nd.finetune([path], tmp_path / "job", what="denoise", **QUICK)
    assert again.notes[-1] == "Everything was made before."


def test_a_map_alone_that_was_cancelled_goes_on_to_the_same_weights(tmp_path):
    noisy, _ = field(0.5, (20, 20))
    path = nd.write(noisy, tmp_path / "noisy.npz")
    settings = {**QUICK, "epochs": 4, "batch_size": 1, "what": "denoise"}
    whole = nd.finetune([path], tmp_path / "whole", **settings)
    steps = []

    progress = nd.Progress()

    def on_event(event):
        steps.append(event["event"])
        if steps.count("validated") == 3:
            progress.cancel.set()

    cut = nd.finetune([path], tmp_path / "cut", progress=progress, on_event=on_event, **settings)
    assert cut.stopped == "cancel" and cut.model is None
    rest = nd.finetune([path], tmp_path / "cut", **settings)
    assert rest.model.card["sha256"] == whole.model.card["sha256"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"network": "resunet"}, "alone the network 'eigenimages'"),
     ({"network": "hyrisr"}, "alone the network 'eigenimages'"),
     ({"start": "scratch"}, "start from trained weights"),
     ({"scratch": True}, "start from trained weights")],
)  # fmt: skip
def test_what_a_map_alone_cannot_do_is_refused(tmp_path, settings, message):
    with pytest.raises(ParameterError, match=message):
        nd.finetune([tmp_path / "a.npz"], tmp_path / "job", what="denoise", **settings)


def test_a_map_that_teaches_nothing_is_refused():
    start = open_start(nd.FinetuneParams(what="denoise"))
    flat = nd.RamanCube(np.random.default_rng(0).standard_normal((20, 20, 80)) + 5, AXIS)
    with pytest.raises(CubeError, match="Nothing stands out"):
        from_maps([flat], nd.FinetuneParams(what="denoise"), start)
    with pytest.raises(CubeError, match="8 x 40 pixels"):
        from_maps([field(size=(8, 40))[0]], nd.FinetuneParams(what="denoise"), start)


def test_a_job_of_maps_comes_back_as_it_was(tmp_path):
    params = nd.FinetuneParams(what="denoise")
    job = nd.FinetuneJob(tmp_path, params, maps=(tmp_path / "a.npz", tmp_path / "b.npz"))
    assert nd.read_job(nd.write_job(job)) == job
