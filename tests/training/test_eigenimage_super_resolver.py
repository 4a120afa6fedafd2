"""Training the network that super-resolves eigenimages, and the images it learns from."""

import numpy as np
import pytest
import torch

from napari_deeper.models.eigen_super_resolve import EigenimageSuperResolverConfig
from napari_deeper.simulate.random_images import random_images
from napari_deeper.training import eigen_super_resolve as training


def test_images_are_seeded_standard_and_from_smooth_to_rough():
    one, two = (random_images(40, (17, 24), np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (40, 17, 24)
    np.testing.assert_allclose(one.mean(axis=(1, 2)), 0, atol=1e-9)
    np.testing.assert_allclose((one**2).mean(axis=(1, 2)), 1, atol=1e-6)
    many = np.concatenate([random_images(10, (24, 24), np.random.default_rng(s)) for s in range(6)])
    alike = (many[:, :, 1:] * many[:, :, :-1]).mean(axis=(1, 2))
    assert np.quantile(alike, 0.95) > 0.95
    assert np.quantile(alike, 0.05) < 0.6


def test_images_larger_than_a_field_are_made_too():
    assert random_images(2, (150, 20), np.random.default_rng(0)).shape == (2, 150, 20)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_batch_holds_what_was_measured_and_what_was_there(scale):
    measured, fine, weight, phase = training.make_batch(2000, scale, np.random.default_rng(scale))
    again = training.make_batch(2000, scale, np.random.default_rng(scale))
    torch.testing.assert_close(measured, again[0])
    n, _, n_y, n_x = measured.shape
    assert fine.shape == (n, 1, n_y * scale, n_x * scale)
    noise = measured - fine[:, :, int(phase[0]) :: scale, int(phase[1]) :: scale]
    quiet = fine.abs().amax(dim=(1, 2, 3)) < 1e5  # float32 rounds the others
    assert quiet.any()
    assert float(noise[quiet].std()) == pytest.approx(1, abs=0.2)
    assert weight.shape == (n, 1, 1, 1)
    assert (weight > 0).all()


def test_a_short_run_learns_and_says_how_wrong_it_is(tmp_path):
    config = EigenimageSuperResolverConfig(scale=2, n_features=8, n_blocks=1)
    net = training.new_network(0, config)
    batches = [training.make_batch(800, 2, np.random.default_rng([5, i])) for i in range(8)]
    before = np.mean([float(training.loss(net, b).detach()) for b in batches])
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    for _ in range(6):
        for batch in batches:
            optimizer.zero_grad()
            training.loss(net, batch).backward()
            optimizer.step()
    after = np.mean([float(training.loss(net, b).detach()) for b in batches])
    assert after < before - 0.1


def test_a_network_starts_from_the_layers_it_shares_with_another_scale():
    source = training.new_network(1, EigenimageSuperResolverConfig(scale=2))
    target = training.new_network(2, EigenimageSuperResolverConfig(scale=3))
    own = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    training.transfer(source, target)
    n_shared = 0
    for name, tensor in target.state_dict().items():
        given = source.state_dict().get(name)
        shared = given is not None and given.shape == tensor.shape
        n_shared += shared
        assert torch.equal(tensor, given if shared else own[name])
    assert 0 < n_shared < len(own)
