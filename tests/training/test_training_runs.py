"""Training: the loss falls, and a run that was interrupted goes on as if it had not been."""

import json

import numpy as np
import pytest
import torch

from napari_deeper.models import checkpoint
from napari_deeper.models.compact import CompactHyRISRConfig
from napari_deeper.models.eigenimage import EigenimageDenoiser, EigenimageDenoiserConfig
from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.spectra.errors import CheckpointError
from napari_deeper.training import denoise, eigenimages, super_resolve, weights
from napari_deeper.training.loop import Schedule, fit, rate_at

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


@pytest.mark.parametrize(
    ("net", "batch", "loss"),
    [
        (denoise.new_network(1, TINY), spectra, denoise.loss),
        (super_resolve.new_network(1, TINY_CUBE), cubes, super_resolve.loss),
        (eigenimages.new_network(1, TINY_IMAGE), images, eigenimages.loss),
    ],
    ids=["denoise", "super-resolve", "eigenimage"],
)
def test_three_steps_on_one_batch_lower_its_loss(net, batch, loss):
    losses = []
    fit(
        net,
        lambda rng: batch(np.random.default_rng(5)),
        loss,
        Schedule(4, 2e-3, bf16=False),
        on_step=lambda step, value: losses.append(value),
    )
    assert len(losses) == 4
    assert losses[3] < losses[2] < losses[0]
    assert not net.training


def test_resuming_takes_the_same_next_steps(tmp_path):
    whole, halves = denoise.new_network(1, TINY), denoise.new_network(1, TINY)
    schedule = Schedule(6, 1e-3, seed=2, save_seconds=0, bf16=False)
    fit(whole, spectra, denoise.loss, schedule)
    state = tmp_path / "run" / "state.pt"

    def stop(step, value):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(halves, spectra, denoise.loss, schedule, state, stop)
    steps = []
    resumed = denoise.new_network(9, TINY)
    fit(resumed, spectra, denoise.loss, schedule, state, lambda step, value: steps.append(step))
    assert steps == [3, 4, 5]
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], tensor)
    assert [p.name for p in state.parent.iterdir()] == ["state.pt"]


def test_the_state_of_another_network_is_refused(tmp_path):
    state = tmp_path / "state.pt"
    fit(denoise.new_network(1, TINY), spectra, denoise.loss, Schedule(1, bf16=False), state)
    with pytest.raises(CheckpointError, match="another network"):
        other = ResUNet(ResUNetConfig(64, (4, 4, 4), 1, linear_head=False))
        fit(other, spectra, denoise.loss, Schedule(2, bf16=False), state)


def test_the_rate_rises_and_falls():
    schedule = Schedule(100, 1e-3)
    rates = [rate_at(step, schedule) for step in range(100)]
    peak = int(np.argmax(rates))
    assert rates[peak] == pytest.approx(1e-3, rel=1e-2)
    assert 5 <= peak <= 15
    assert (np.diff(rates[: peak + 1]) >= 0).all() and (np.diff(rates[peak:]) <= 0).all()
    assert rates[-1] < 1e-5


def test_batches_are_what_they_say():
    noisy, clean, sigma = denoise.make_batch(64, AXIS, np.random.default_rng(0))
    torch.testing.assert_close(noisy.mean(2), torch.zeros(64, 1), atol=1e-5, rtol=0)
    ratio = (noisy - clean).std(dim=2, keepdim=True) / sigma
    assert 0.7 < float(ratio.median()) < 1.3
    assert float(sigma.min()) < 0.05 and float(sigma.max()) > 0.7

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


def test_eigenimage_weights_are_made_with_a_whole_card(tmp_path, monkeypatch):
    monkeypatch.setattr(eigenimages, "new_network", lambda seed: EigenimageDenoiser(TINY_IMAGE))
    path = weights.make_eigenimage_denoiser(
        tmp_path, Schedule(2, seed=4, bf16=False), "command", n_pixels=512
    )
    got = checkpoint.load(path)
    assert (got.kind, got.card["steps"], got.card["command"]) == ("eigenimage", 2, "command")
    figures = got.card["figures"]["simulated, held out"]
    assert 0 < figures["mse_to_best_factor"] < 5
    again = weights.make_eigenimage_denoiser(
        tmp_path / "on", Schedule(0, bf16=False), "", start_from=path
    )
    assert again.read_bytes() == path.read_bytes()


def test_shared_layers_move_to_another_scale():
    source = super_resolve.new_network(1, TINY_CUBE)
    target = super_resolve.new_network(
        2, CompactHyRISRConfig(64, 3, n_features=8, n_groups=1, n_blocks=1, reduction=2, window=3)
    )
    before = target.upsampler[0].weight.clone()
    super_resolve.transfer(source, target)
    assert torch.equal(target.head.weight, source.head.weight)
    torch.testing.assert_close(target.upsampler[0].weight, 0.1 * before)


def test_weights_are_made_with_a_whole_card(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "WAVENUMBER", AXIS)
    monkeypatch.setattr(denoise, "CONFIG", TINY)
    monkeypatch.setattr(weights, "denoise_figures", lambda net, axis: {"mse_to_input": 0.5})
    monkeypatch.setattr(denoise, "new_network", lambda seed: ResUNet(TINY))
    path = weights.make_denoiser(tmp_path, Schedule(1, seed=4, bf16=False), "command", n=4)
    got = checkpoint.load(path)
    assert got.normalization == "standard"
    assert got.card["seed"] == 4 and got.card["steps"] == 1 and got.card["samples"] == 4
    assert json.loads(path.with_suffix(".json").read_text())["command"] == "command"
    # Going on from them without a step changes nothing.
    again = weights.make_denoiser(
        tmp_path / "on", Schedule(0, bf16=False), "", start_from=path, n=4
    )
    assert again.read_bytes() == path.read_bytes()
