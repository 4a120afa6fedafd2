"""Checkpoints: what is saved is loaded, and a wrong file is refused by name."""

import hashlib
import json
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_deeper.models import checkpoint
from napari_deeper.models.compact import CompactHyRISR, CompactHyRISRConfig
from napari_deeper.models.eigenimage import EigenimageDenoiser, EigenimageDenoiserConfig
from napari_deeper.models.hyrisr import HyRISR, HyRISRConfig
from napari_deeper.models.resunet import ResUNet, ResUNetConfig
from napari_deeper.spectra.errors import CheckpointError

SMALL = ResUNetConfig(n_channels=16, widths=(4, 6, 8), num_convs=2)
AXIS = np.linspace(600, 1800, 16)


@pytest.fixture
def saved(tmp_path):
    card = {"wavenumber": AXIS.tolist(), "normalization": "max", "seed": 3}
    return checkpoint.save(ResUNet(SMALL), tmp_path / "small.safetensors", card)


@pytest.fixture
def published(tmp_path):
    path = tmp_path / "ResUNet.pt"
    torch.save(ResUNet(SMALL).state_dict(), path)
    return path


def edit_card(path, **changes):
    card_path = path.with_suffix(".json")
    card = json.loads(card_path.read_text()) | changes
    card_path.write_text(json.dumps(card))


def test_round_trip(saved):
    got = checkpoint.load(saved)
    assert (got.kind, got.scale, got.phase, got.name) == ("resunet", None, None, "small")
    assert got.normalization == "max" and got.card["seed"] == 3
    np.testing.assert_array_equal(got.wavenumber, AXIS)
    assert not got.model.training
    assert all(p.dtype == torch.float32 and p.device.type == "cpu" for p in got.model.parameters())
    assert sorted(p.name for p in saved.parent.iterdir()) == ["small.json", "small.safetensors"]


def test_weights_are_kept_to_half_precision(tmp_path):
    net = CompactHyRISR(
        CompactHyRISRConfig(8, 3, n_features=4, n_groups=1, n_blocks=1, reduction=2)
    )
    torch.nn.init.normal_(net.weights.weight)
    card = {"wavenumber": list(range(600, 608)), "normalization": "centered"}
    got = checkpoint.load(checkpoint.save(net, tmp_path / "a.safetensors", card), scale=3)
    assert (got.kind, got.scale, got.phase, got.any_phase) == ("hyrisr", 3, 1, True)
    x = torch.rand(1, 8, 4, 4)
    torch.testing.assert_close(got.model(x, 2), net.eval()(x, 2), rtol=1e-2, atol=1e-2)


def test_a_network_of_images_needs_no_axis(tmp_path):
    net = EigenimageDenoiser(EigenimageDenoiserConfig(n_features=4, n_blocks=1))
    torch.nn.init.normal_(net.tail.weight)
    path = checkpoint.save(net, tmp_path / "e.safetensors", {"normalization": "noise"})
    got = checkpoint.load(path)
    assert (got.kind, got.scale, got.phase, got.any_phase) == ("eigenimage", None, None, False)
    assert got.wavenumber.size == 0
    x = torch.randn(1, 1, 6, 7)
    torch.testing.assert_close(got.model(x), net(x), rtol=1e-2, atol=1e-2)
    edit_card(path, normalization="max")
    with pytest.raises(CheckpointError, match="normalization 'max'"):
        checkpoint.load(path)


def test_a_published_resunet_loads(published):
    got = checkpoint.load(published)
    assert isinstance(got.model, ResUNet)
    assert got.model.config == SMALL
    assert (got.kind, got.normalization, got.scale) == ("resunet", "max", None)
    np.testing.assert_allclose(got.wavenumber, AXIS)
    assert "600-1800" in got.card["notes"][0]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_published_hyrisr_loads(tmp_path, scale):
    config = HyRISRConfig(8, scale, n_features=4, n_groups=2, n_blocks=3, reduction=2)
    torch.save(HyRISR(config).state_dict(), tmp_path / "RCAN.pt")
    got = checkpoint.load(tmp_path / "RCAN.pt", scale=scale)
    assert isinstance(got.model, HyRISR)
    assert got.model.config == config
    assert (got.kind, got.scale, got.phase, got.any_phase) == ("hyrisr", scale, 1, False)


def test_wrapped_and_parallel_weights_load(tmp_path):
    tensors = {f"module.{k}": v for k, v in ResUNet(SMALL).state_dict().items()}
    torch.save({"epoch": 3, "state_dict": tensors}, tmp_path / "wrapped.pth")
    assert checkpoint.load(tmp_path / "wrapped.pth").kind == "resunet"


def test_another_scale_is_refused(tmp_path, published):
    config = HyRISRConfig(8, 2, n_features=4, n_groups=1, n_blocks=1, reduction=2)
    torch.save(HyRISR(config).state_dict(), tmp_path / "RCAN.pt")
    with pytest.raises(CheckpointError, match="2x network; a 4x"):
        checkpoint.load(tmp_path / "RCAN.pt", scale=4)
    with pytest.raises(CheckpointError, match="denoising network; a 2x"):
        checkpoint.load(published, scale=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("conv4.0.body.0.bias"), "'conv4.0.body.0.bias' is missing"),
        (lambda t: t.update(extra=torch.zeros(1)), "'extra' is unexpected"),
        (
            lambda t: t.update({"conv3.2.body.0.weight": torch.zeros(6, 8, 5)}),
            r"'conv3.2.body.0.weight' has shape \(6, 8, 5\).*needs \(6, 8, 3\)",
        ),
        (lambda t: t["conv5.0.body.0.bias"].fill_(float("nan")), "'conv5.0.body.0.bias' holds NaN"),
        (lambda t: t.update({"conv6.0.note": "text"}), "'conv6.0.note' is a str"),
    ],
)
def test_the_first_wrong_tensor_is_named(published, change, message):
    tensors = torch.load(published, weights_only=True)
    change(tensors)
    torch.save(tensors, published)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(published)


def test_a_card_of_another_network_is_refused(saved):
    edit_card(saved, config={"n_channels": 16, "widths": [4, 6, 10], "num_convs": 2})
    with pytest.raises(CheckpointError, match=r"'conv3.0.body.0.weight' has shape \(8, 6, 3\)"):
        checkpoint.load(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "UNet"}, "architecture 'UNet'"),
        ({"architecture": None}, "architecture"),
        ({"config": {"colour": 3}}, "colour"),
        ({"config": {"widths": ["wide"]}}, "wide"),
        ({"wavenumber": [1, 2, 3]}, "16 channels"),
        ({"normalization": "minmax"}, "'minmax'"),
        ({"sha256": "0" * 64}, "sha256 differs"),
    ],
)
def test_a_wrong_card_is_refused(saved, changes, message):
    edit_card(saved, **changes)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(saved)


def test_a_missing_or_broken_card_is_refused(saved):
    saved.with_suffix(".json").write_text("{")
    with pytest.raises(CheckpointError, match=r"small\.json"):
        checkpoint.load(saved)
    saved.with_suffix(".json").write_text("[]")
    with pytest.raises(CheckpointError, match="not a card"):
        checkpoint.load(saved)
    saved.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match=r"no card.*small\.json"):
        checkpoint.load(saved)


def test_a_truncated_file_is_refused(saved, published):
    content = saved.read_bytes()[:300]
    saved.write_bytes(content)
    with pytest.raises(CheckpointError, match="sha256 differs"):
        checkpoint.load(saved)
    edit_card(saved, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        checkpoint.load(saved)
    published.write_bytes(published.read_bytes()[:-500])
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(published)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x80\x04]"])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"a\.pt"):
        checkpoint.load(tmp_path / "a.pt")


@pytest.mark.parametrize("content", [{}, [torch.zeros(1)], {"weight": torch.zeros(1)}, 3])
def test_other_contents_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"a\.pt"):
        checkpoint.load(tmp_path / "a.pt")


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle ran')",))


@pytest.mark.parametrize("writer", [torch.save, lambda o, p: p.write_bytes(pickle.dumps(o))])
def test_a_pickle_with_code_is_not_run(tmp_path, writer):
    writer({"conv6.0.body.0.weight": Bomb()}, tmp_path / "bomb.pt")
    with pytest.raises(CheckpointError, match=r"bomb\.pt"):
        checkpoint.load(tmp_path / "bomb.pt")


def test_missing_files_and_other_suffixes_are_refused(tmp_path):
    for name, message in [("a.pt", "no weights file"), ("a.onnx", r"\.safetensors")]:
        with pytest.raises(CheckpointError, match=message):
            checkpoint.load(tmp_path / name)


def test_a_safetensors_file_without_its_card_is_refused(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="no card"):
        checkpoint.load(tmp_path / "a.safetensors")


def test_a_failed_write_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(ResUNet(SMALL), saved, {"wavenumber": [], "normalization": "max"})
    assert saved.read_bytes() == before
    assert not list(saved.parent.glob("*.part"))
