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


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_is_given_is_the_target_sampled(scale):
    batch_at = EigenBatches(subject().images, scale, 12, "turn", 5)
    measured, target, weight, phase = batch_at(Place(0, 3))
    assert measured.shape == (5, 1, 12 // scale, 12 // scale) and target.shape == (5, 1, 12, 12)
    a, b = (int(p) for p in phase)
    assert torch.equal(measured, target[:, :, a::scale, b::scale])
    assert weight.shape == (5, 1, 1, 1) and (weight > 0).all() and weight.isfinite().all()
    again, other = batch_at(Place(0, 3)), batch_at(Place(1, 3))
    assert all(
        torch.equal(p, q) for p, q in zip(again, (measured, target, weight, phase), strict=True)
    )
    assert not torch.equal(other[1], target)


def test_pieces_are_turned_and_mirrored_only_where_that_is_asked_for():
    image = np.arange(64, dtype=np.float32).reshape(8, 8)
    plain = EigenBatches((image,), 2, 8, "none", 4)(Place(0, 0))[1]
    turned = EigenBatches((image,), 2, 8, "turn", 4)(Place(0, 0))[1]
    assert all(np.array_equal(piece[0].numpy(), image) for piece in plain)
    assert not all(np.array_equal(piece[0].numpy(), image) for piece in turned)
    assert np.array_equal(np.sort(turned[0].abs().flatten().numpy()), image.ravel())


def test_the_noise_of_the_given_pixels_is_not_learned():
    s, net = subject(), network()
    measured, target, weight, phase = s.batch_at(4)(Place(0, 0))
    a, b = (int(p) for p in phase)
    other = target.clone()
    other[:, :, a::2, b::2] += 100
    same = s.loss(net, (measured, other, weight, phase))
    assert torch.equal(s.loss(net, (measured, target, weight, phase)), same)
    other[:, :, 1 - a :: 2, b::2] += 100
    assert s.loss(net, (measured, other, weight, phase)) > 2 * same


def test_the_variance_that_is_learned_is_without_the_noise_of_the_target():
    """At the true mean, the best variance is that of the error alone, not with the target's own."""
    rng = np.random.default_rng(0)
    truth, error = torch.zeros(8, 1, 32, 32), 2.0
    noisy = truth + torch.from_numpy(rng.standard_normal(truth.shape).astype(np.float32))
    guess = truth + error * torch.from_numpy(rng.standard_normal(truth.shape).astype(np.float32))
    measured, weight, phase = noisy[:, :, ::2, ::2], torch.zeros(8, 1, 1, 1), torch.tensor([0, 0])

    def loss_of(variance: float) -> float:
        def answer(x, at):
            return guess, torch.full_like(guess, variance)

        return float(subject().loss(answer, (measured, noisy, weight, phase)))

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
