"""Tuning on eigenimages: what is given, what is learned, and what the noise may not do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_deeper.engine.eigen_super_resolve import decompose
from napari_deeper.engine.finetune_eigen import EigenBatches, EigenSubject, images_of
from napari_deeper.models.eigen_super_resolve import (
    EigenimageSuperResolver,
    EigenimageSuperResolverConfig,
)
from napari_deeper.training import eigen_super_resolve
from napari_deeper.training.loop import Place


def patch(seed: int = 0, noise: float = 0.01, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy patch and its truth, of three smooth images with spectra of their own."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    images = np.stack(
        [np.sin(rng.uniform(0.3, 0.7) * x + rng.uniform(-0.5, 0.5) * y) + 1 for _ in range(3)]
    )
    truth = np.einsum("iyx,ic->yxc", images, rng.random((3, 80)))
    truth /= truth.max()
    noisy = truth + noise * rng.standard_normal(truth.shape)
    return noisy.astype(np.float32), truth.astype(np.float32)


def subject(scale: int = 2, **changes) -> EigenSubject:
    images = tuple(image for seed in range(2) for image in images_of(patch(seed)[0]))
    settings = {"images": images, "validation": (patch(5)[0],), "scale": scale, "side": 8}
    return EigenSubject(**(settings | changes))


def network(scale: int = 2) -> EigenimageSuperResolver:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EigenimageSuperResolver(
            EigenimageSuperResolverConfig(scale, n_features=8, n_blocks=1)
        ).eval()


def test_a_patch_is_put_together_from_its_images_less_the_noise():
    noisy, truth = patch(noise=0.05)
    eigenmap = decompose(noisy)
    whole = eigenmap.compose(eigenmap.images, 1, 0)
    assert len(eigenmap.images) in (2, 3)  # the spectra are of three sources about a mean
    assert np.mean((whole - truth) ** 2) < 0.2 * np.mean((noisy - truth) ** 2)
    # neighbors within an image differ by noise of variance 1 where it is flat
    low = np.zeros((16, 16, 80), np.float32) + 0.5
    flat = decompose(
        (low + 0.05 * np.random.default_rng(1).standard_normal(low.shape)).astype(np.float32)
    )
    assert len(flat.images) == 0


def given(like: torch.Tensor, phase: torch.Tensor, scale: int) -> torch.Tensor:
    """Return where fine pixels were given."""
    mask = torch.zeros(like.shape[2:], dtype=torch.bool)
    mask[int(phase[0]) :: scale, int(phase[1]) :: scale] = True
    return mask


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_is_given_is_the_target_sampled_where_its_noise_was_not_split(scale):
    batch_at = EigenBatches(subject().images, scale, 12, "turn", 12)
    batch = batch_at(Place(0, 3))
    measured, target, noise, learned, weight, phase = batch
    assert measured.shape == (12, 1, 12 // scale, 12 // scale)
    assert target.shape == noise.shape == learned.shape == (12, 1, 12, 12)
    at = given(target, phase, scale)
    whole = ~learned[:, 0, at].bool().any(dim=1)
    assert 0 < whole.sum() < 12
    sampled = target[:, 0, at].reshape(measured.shape)
    assert torch.equal(measured[whole], sampled[whole])
    assert not (measured == sampled)[~whole].any()
    assert (noise[whole] == 1).all() and learned[:, 0, ~at].all()
    assert weight.shape == (12, 1, 1, 1) and (weight > 0).all() and weight.isfinite().all()
    again, other = batch_at(Place(0, 3)), batch_at(Place(1, 3))
    assert all(torch.equal(p, q) for p, q in zip(again, batch, strict=True))
    assert not torch.equal(other[1], target)


def test_noise_that_was_split_is_of_variance_1_and_unknown_to_the_target():
    rng = np.random.default_rng(0)
    images = tuple(rng.standard_normal((64, 64)).astype(np.float32) for _ in range(40))
    measured, target, noise, learned, _, phase = EigenBatches(images, 2, 64, "none", 40)(
        Place(0, 0)
    )
    at = given(target, phase, 2)
    split = learned[:, 0, at].bool().all(dim=1)
    low, there = measured[split].flatten(), target[split][:, 0, at].flatten()
    assert low.var() == pytest.approx(1, abs=0.03) and there.var() == pytest.approx(1, abs=0.03)
    assert abs(float((low * there).mean())) < 0.03
    new = target[split][:, 0, ~at]
    assert new.var() == pytest.approx(float(noise[split][:, 0, ~at].mean()), abs=0.03)
    assert measured[~split].var() == pytest.approx(1, abs=0.03)


def test_random_images_are_rehearsed_unless_the_network_knows_none():
    s, net = subject(rehearses=True), network()
    batch = s.batch_at(4)(Place(0, 0))
    alone = s.alone().batch_at(4)(Place(0, 0))
    assert len(alone) == 6 and len(batch) == 10
    assert all(torch.equal(p, q) for p, q in zip(alone, batch[:6], strict=True))
    assert torch.equal(s.batch_at(4)(Place(0, 0))[7], batch[7])
    rehearsed = eigen_super_resolve.loss(net, batch[6:])
    assert s.loss(net, batch) == s.loss(net, alone) + rehearsed > s.loss(net, alone)


def test_pieces_are_turned_and_mirrored_only_where_that_is_asked_for():
    image = np.arange(64, dtype=np.float32).reshape(8, 8)

    def pieces(augmentation: str) -> list[np.ndarray]:
        _, target, noise, learned, *_ = EigenBatches((image,), 2, 8, augmentation, 8)(Place(0, 0))
        whole = (noise == 1).all(dim=(1, 2, 3)) & ~learned.bool().all(dim=(1, 2, 3))
        return list(target[whole][:, 0].numpy())

    assert pieces("none") and all(np.array_equal(piece, image) for piece in pieces("none"))
    turned = pieces("turn")
    assert not all(np.array_equal(piece, image) for piece in turned)
    assert np.array_equal(np.sort(np.abs(turned[0]).ravel()), image.ravel())


def test_the_noise_of_the_given_pixels_is_not_learned():
    s, net = subject(), network()
    measured, target, noise, learned, *rest = s.batch_at(4)(Place(0, 0))
    at = given(target, rest[1], 2)
    whole = ~learned[:, 0, at].bool().any(dim=1)
    assert whole.any()
    other = target.clone()
    other[whole[:, None, None, None] & at] += 100
    same = s.loss(net, (measured, other, noise, learned, *rest))
    assert torch.equal(s.loss(net, (measured, target, noise, learned, *rest)), same)
    other[:, :, ~at] += 100
    assert s.loss(net, (measured, other, noise, learned, *rest)) > 2 * same


def test_noise_that_is_kept_at_the_given_pixels_is_no_merit():
    s, net = subject(validation=(patch(5, noise=0.1)[0],)), network()
    before = s.score(net)
    # The given pixel of a cell is the last of four that the tail makes, at phase 1.
    with torch.no_grad():
        net.tail.bias[3] += 3
    after = s.score(net)
    assert after.psnr == before.psnr and after.ssim < before.ssim


def test_the_variance_that_is_learned_is_without_the_noise_of_the_target():
    """At the true mean, the best variance is that of the error alone, not with the target's own."""
    rng = np.random.default_rng(0)
    truth, error = torch.zeros(8, 1, 32, 32), 2.0
    noisy = truth + torch.from_numpy(rng.standard_normal(truth.shape).astype(np.float32))
    guess = truth + error * torch.from_numpy(rng.standard_normal(truth.shape).astype(np.float32))
    measured, weight, phase = noisy[:, :, ::2, ::2], torch.zeros(8, 1, 1, 1), torch.tensor([0, 0])
    noise, learned = torch.ones_like(truth), torch.ones_like(truth)
    learned[:, :, ::2, ::2] = 0

    def loss_of(variance: float) -> float:
        def answer(x, at):
            return guess, torch.full_like(guess, variance)

        return float(subject().loss(answer, (measured, noisy, noise, learned, weight, phase)))

    tried = [2.0, 3.0, 4.0, 5.0, 6.0]
    assert min(tried, key=loss_of) == error**2


def test_a_better_network_scores_higher_although_the_patches_are_noisy():
    s = subject(validation=(patch(5, noise=0.1)[0],))
    net = network()
    untrained = s.score(net)
    with torch.no_grad():
        net.tail.bias.add_(0.5)
    assert untrained.psnr > s.score(net).psnr and untrained.ssim > s.score(net).ssim
    preview = s.preview(net)
    assert {
        name: image.shape for name, image in preview.items() if name != "channel"
    } == dict.fromkeys(("nearest", "bilinear", "now", "target"), (16, 16))
