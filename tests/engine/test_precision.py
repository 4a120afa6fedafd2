"""How networks multiply is a setting, and its effect is recorded."""

import dataclasses
import os

import numpy as np
import pytest
import torch
from engine_cubes import MODEL_AXIS, band_cube

import napari_deeper as nd
from napari_deeper.engine import precision as precisions
from napari_deeper.engine.precision import ready
from napari_deeper.models.checkpoint import load, save, shipped
from napari_deeper.models.hyrisr import HyRISR, HyRISRConfig
from napari_deeper.models.kept import keeping
from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.spectra.errors import ParameterError

CARD = {"normalization": "max", "wavenumber": MODEL_AXIS.tolist()}


@pytest.fixture
def has_bf16(monkeypatch):
    monkeypatch.setattr(precisions, "has_fast_bf16", lambda device: True)


@pytest.fixture
def resunet(tmp_path):
    config = ResUNetConfig(n_channels=MODEL_AXIS.size, widths=(8, 16, 32))
    path = tmp_path / "small.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save(ResUNet(config), path, CARD)
    return path


def used(cube):
    return cube.provenance[-1].params["device_used"].split(", ")[-1]


def test_the_setting_reaches_the_record_and_the_result(resunet):
    cube = band_cube()
    results = {
        name: nd.denoise(cube, method="resunet", model=str(resunet), device="cpu", precision=name)
        for name in ("fp32", "bf16")
    }

    for name, result in results.items():
        assert used(result) == name
        assert result.provenance[-1].params["precision"] == name
    plain, half = (each.intensity for each in results.values())
    apart = np.linalg.norm(half - plain) / np.linalg.norm(plain)
    assert 0 < apart < 1e-2
    with pytest.raises(ParameterError, match="precision is 'fp16'; it must be one of: auto, fp32"):
        nd.denoise(cube, method="resunet", precision="fp16")


@pytest.mark.parametrize("method", ["auto", "hyrisr"])
def test_super_resolution_takes_it_too(method):
    cube = band_cube(shape=(16, 16), axis=np.linspace(600, 1800, 120))
    found = [
        nd.super_resolve(cube, method=method, device="cpu", precision=p) for p in ("fp32", "bf16")
    ]

    assert [used(each) for each in found] == ["fp32", "bf16"]
    apart = np.linalg.norm(found[0].intensity - found[1].intensity)
    assert 0 < apart < 1e-2 * np.linalg.norm(found[0].intensity)


@pytest.mark.parametrize("kind", ["resunet", "eigenimage"])
def test_auto_takes_bf16_where_it_is_fast(kind, monkeypatch):
    checkpoint = load(shipped(kind))

    for fast, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(precisions, "has_fast_bf16", lambda device, fast=fast: fast)
        assert ready(checkpoint, "cpu", "auto")[1].description.endswith(expected)
        for asked in ("fp32", "bf16"):
            assert ready(checkpoint, "cpu", asked)[1].description.endswith(asked)


def test_a_form_is_made_once_where_networks_are_kept(resunet):
    place = {}

    def opened(precision="fp32"):
        with keeping(place):
            return ready(load(resunet), "cpu", precision)[0]

    first = opened()
    assert opened() is first
    assert opened("bf16") is not first
    assert ready(load(resunet), "cpu", "fp32")[0] is not first

    # other weights under the same name are other weights
    with torch.random.fork_rng():
        torch.manual_seed(1)
        save(ResUNet(ResUNetConfig(n_channels=MODEL_AXIS.size, widths=(4, 8, 16))), resunet, CARD)
    later = resunet.stat().st_mtime_ns + 10**9
    os.utime(resunet, ns=(later, later))
    assert opened() is not first


def test_auto_keeps_fp32_where_bf16_would_change_the_result(has_bf16, resunet, monkeypatch):
    checkpoint = load(resunet)
    assert ready(checkpoint, "cpu", "auto")[1].description.endswith("bf16")

    monkeypatch.setattr(precisions, "TOLERANCE", 1e-5)

    assert ready(checkpoint, "cpu", "auto")[1].description.endswith("fp32")
    assert ready(checkpoint, "cpu", "bf16")[1].description.endswith("bf16")


def test_networks_of_the_published_design_are_tried_as_images(has_bf16, tmp_path):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = HyRISR(HyRISRConfig(MODEL_AXIS.size, 2, 16, 2, 2, 4))
    checkpoint = load(save(net, tmp_path / "net.safetensors", CARD))

    model, choice = ready(checkpoint, "cpu", "auto")

    assert choice.description.endswith("bf16")
    assert model(torch.rand(1, MODEL_AXIS.size, 6, 6)).shape == (1, MODEL_AXIS.size, 12, 12)


def test_the_settings_of_both_steps_name_it():
    for params in (nd.DenoiseParams, nd.SuperResolveParams):
        (field,) = [f for f in dataclasses.fields(params) if f.name == "precision"]
        assert field.default == "auto"
