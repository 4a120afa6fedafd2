"""A run: what a plain loop would do, bit by bit, whatever the batches are."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pytest
import torch

from napari_deeper.models.compact import CompactHyRISRConfig
from napari_deeper.models.eigenimage import EigenimageDenoiserConfig
from napari_deeper.models.resunet import ResUNetConfig
from napari_deeper.training import denoise, eigenimages, super_resolve
from napari_deeper.training.loop import (
    Drawn,
    Machine,
    Place,
    Schedule,
    Watching,
    fit,
    fit_on,
    rate_at,
)
from napari_deeper.training.recipes import PUBLISHED, SHIPPED
from napari_deeper.training.tasks import TASKS as TASKS_BY_NETWORK

AXIS = np.linspace(600, 1800, 64)
TINY = ResUNetConfig(n_channels=64, widths=(4, 6, 8), num_convs=1, linear_head=False)
TINY_CUBE = CompactHyRISRConfig(64, 2, n_features=8, n_groups=1, n_blocks=1, reduction=2, window=3)
TINY_IMAGE = EigenimageDenoiserConfig(n_features=6, n_blocks=1)


def images(rng):
    return eigenimages.make_batch(2048, rng)


def spectra(rng):
    return denoise.make_batch(8, AXIS, rng)


def cubes(rng):
    return super_resolve.make_batch(1, 2, AXIS, rng)


TASKS = pytest.mark.parametrize(
    ("new", "batch", "loss"),
    [
        (lambda: denoise.new_network(1, TINY), spectra, denoise.loss),
        (lambda: super_resolve.new_network(1, TINY_CUBE), cubes, super_resolve.loss),
        (lambda: eigenimages.new_network(1, TINY_IMAGE), images, eigenimages.loss),
    ],
    ids=["denoise", "super-resolve", "eigenimage"],
)


def plain_loop(net, batch, loss, schedule):
    """Train without any framework; return the losses."""
    losses = []
    optimizer = torch.optim.Adam(net.parameters(), lr=schedule.peak_rate)
    net.train()
    for step in range(schedule.n_steps):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, schedule)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=schedule.bf16):
            value = loss(net, batch(np.random.default_rng([schedule.seed, step])))
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), schedule.clip)
        optimizer.step()
        losses.append(float(value.detach()))
    return losses


@TASKS
@pytest.mark.parametrize("bf16", [False, True])
def test_a_run_takes_the_steps_of_a_plain_loop(new, batch, loss, bf16):
    schedule = Schedule(5, 2e-3, seed=3, bf16=bf16)
    expected, net = new(), new()
    wanted = plain_loop(expected, batch, loss, schedule)
    losses = []
    assert fit(net, batch, loss, schedule, on_step=lambda step, value: losses.append(value)) is net
    assert losses == wanted
    for name, tensor in expected.state_dict().items():
        assert torch.equal(net.state_dict()[name], tensor), name
    assert not net.training


@TASKS
def test_a_few_steps_on_one_batch_lower_its_loss(new, batch, loss):
    losses = []
    fit(
        new(),
        lambda rng: batch(np.random.default_rng(5)),
        loss,
        Schedule(4, 2e-3, bf16=False),
        on_step=lambda step, value: losses.append(value),
    )
    assert len(losses) == 4
    assert losses[3] < losses[2] < losses[0]


def test_batches_made_by_other_processes_are_the_same():
    batch_at = Drawn(partial(denoise.make_batch, 4, AXIS))
    losses: dict[int, list[float]] = {0: [], 2: []}
    for n, seen in losses.items():
        fit_on(
            Machine(workers=n),
            denoise.new_network(1, TINY),
            batch_at,
            denoise.loss,
            Schedule(5, 1e-3, seed=2, bf16=False),
            watching=Watching(lambda step, value, seen=seen: seen.append(value)),
        )
    assert len(losses[0]) == 5 and losses[0] == losses[2]


@pytest.mark.parametrize("recipe", [*SHIPPED, *PUBLISHED], ids=lambda recipe: recipe.name)
def test_batches_can_be_sent_to_other_processes(recipe):
    batch_at = TASKS_BY_NETWORK[recipe.network].batches(recipe)
    assert len(pickle.dumps(batch_at)) < 10_000


def test_the_rate_rises_and_falls():
    schedule = Schedule(100, 1e-3)
    rates = [rate_at(step, schedule) for step in range(100)]
    peak = int(np.argmax(rates))
    assert rates[peak] == pytest.approx(1e-3, rel=1e-2)
    assert 5 <= peak <= 15
    assert (np.diff(rates[: peak + 1]) >= 0).all() and (np.diff(rates[peak:]) <= 0).all()
    assert rates[-1] < 1e-5


@pytest.mark.parametrize("n_steps", [10, 37, 200])
def test_the_published_curve_is_that_of_torch(n_steps):
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-4, total_steps=n_steps)
    ours = Schedule(n_steps, 5e-4, curve="torch-one-cycle")
    for step in range(n_steps):
        assert rate_at(step, ours) == pytest.approx(theirs.get_last_lr()[0], rel=1e-6), step
        optimizer.step()
        if step + 1 < n_steps:
            theirs.step()
    assert rate_at(7, Schedule(n_steps, 1e-5, curve="constant")) == 1e-5


def test_the_stream_of_one_device_is_that_of_seed_and_step():
    drawn = Place(7, 12).rng().random(5)
    np.testing.assert_array_equal(drawn, np.random.default_rng([7, 12]).random(5))
    others = [Place(7, 12, rank, 2).rng().random(5) for rank in (0, 1)]
    assert not np.array_equal(*others)


def test_batches_are_what_they_say():
    noisy, clean, sigma = denoise.make_batch(64, AXIS, np.random.default_rng(0))
    assert noisy.shape == clean.shape == (64, 1, 64) and sigma.shape == (64, 1, 1)
    torch.testing.assert_close(noisy.mean(2), torch.zeros(64, 1), atol=1e-5, rtol=0)
    ratio = (noisy - clean).std(dim=2, keepdim=True) / sigma
    assert 0.6 < float(ratio.median()) < 1.4

    low, fine, weight, phase = super_resolve.make_batch(2, 3, AXIS, np.random.default_rng(0))
    p = int(phase)
    error = (low - fine[:, :, p::3, p::3]).std(dim=(1, 2, 3))
    torch.testing.assert_close(error, 1 / weight[:, 0, 0, 0] - 0.1, rtol=0.05, atol=1e-3)


def test_a_batch_of_images_is_what_it_says():
    weak, strong = np.inf, 0.0
    for seed in range(8):
        noisy, clean, power = eigenimages.make_batch(4096, np.random.default_rng(seed))
        side = noisy.shape[2]
        assert noisy.shape == clean.shape == (4096 // side**2, 1, side, side)
        noise = noisy - clean
        assert float(noise.std()) == pytest.approx(1, abs=0.08)
        drawn = clean.square().mean(dim=(1, 2, 3), keepdim=True)
        kept = drawn > 0  # some maps hold nothing
        torch.testing.assert_close(drawn[kept], power[kept], rtol=1e-3, atol=1e-4)
        weak, strong = min(weak, float(power.min())), max(strong, float(power.max()))
    assert weak < 0.4 and strong > 1000


def test_shared_layers_move_to_another_scale():
    source = super_resolve.new_network(1, TINY_CUBE)
    target = super_resolve.new_network(
        2, CompactHyRISRConfig(64, 3, n_features=8, n_groups=1, n_blocks=1, reduction=2, window=3)
    )
    before = target.upsampler[0].weight.clone()
    super_resolve.transfer(source, target)
    assert torch.equal(target.head.weight, source.head.weight)
    torch.testing.assert_close(target.upsampler[0].weight, 0.1 * before)
