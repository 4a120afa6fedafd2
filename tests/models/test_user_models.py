"""The user's own models: one file each, found by name, renamed, shared, removed."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import napari_deeper as nd
from napari_deeper.models import checkpoint, user_models
from napari_deeper.models.eigen_super_resolve import (
    EigenimageSuperResolver,
    EigenimageSuperResolverConfig,
)
from napari_deeper.spectra.errors import CheckpointError, FileError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(user_models.FOLDER_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


def save(path, seed=0, **card):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = EigenimageSuperResolver(EigenimageSuperResolverConfig(n_features=4, n_blocks=1))
    return checkpoint.save(net, path, {"normalization": "noise", **card}, one_file=True)


def test_a_model_of_one_file_is_loaded_by_its_name(folder):
    path = save(folder / "my cartilage.safetensors", data="16 patches")
    loaded = checkpoint.load("my cartilage")
    assert loaded.path == path and loaded.name == "my cartilage" and loaded.scale == 2
    assert loaded.card["data"] == "16 patches"
    assert [p.name for p in folder.iterdir()] == ["my cartilage.safetensors"]
    cube = nd.RamanCube(
        np.random.default_rng(0).random((6, 6, 40), np.float32), np.linspace(600, 900, 40)
    )
    fine = nd.super_resolve(cube, model="my cartilage")
    assert fine.provenance[-1].params["checkpoint"] == "my cartilage"
    assert fine.provenance[-1].params["checkpoint_sha256"] == loaded.card["sha256"]


def test_models_are_listed_by_kind_and_scale(folder):
    save(folder / "b.safetensors")
    save(folder / "A.safetensors", recommended=False)
    (folder / "damaged.safetensors").write_bytes(b"no model")
    (folder / "c.txt").write_text("no model")
    models = nd.list_models()
    assert [(m.name, m.kind, m.scale, m.recommended) for m in models] == [
        ("A", "eigenimage", 2, False), ("b", "eigenimage", 2, True),
    ]  # fmt: skip
    assert nd.list_models("eigenimage", 3) == [] and nd.list_models("resunet") == []
    assert len(nd.list_models("eigenimage", 2)) == 2


def test_nothing_is_listed_where_there_is_no_folder(folder):
    assert nd.list_models() == []
    with pytest.raises(CheckpointError, match="no model named 'mine'; there are: none"):
        checkpoint.load("mine")


def test_a_model_is_renamed_shared_taken_up_and_removed(folder, tmp_path):
    path = save(folder / "old.safetensors")
    content = path.read_bytes()
    assert user_models.rename_model("old", "new").path == folder / "new.safetensors"
    assert [m.name for m in nd.list_models()] == ["new"]
    shared = user_models.export_model("new", tmp_path / "for a friend")
    assert shared == tmp_path / "for a friend.safetensors" and shared.read_bytes() == content
    with pytest.raises(FileError, match="exists"):
        user_models.export_model("new", shared)
    assert user_models.export_model("new", tmp_path) == tmp_path / "new.safetensors"
    user_models.remove_model("new")
    assert nd.list_models() == []
    taken = user_models.add_model(shared)
    assert taken.name == "for a friend" and checkpoint.load(taken.name).scale == 2
    # outside the folder it loads by its path alone, without a card beside it
    assert checkpoint.load(shared).name == "for a friend"


def test_names_are_not_taken_twice(folder):
    save(folder / "a.safetensors")
    kept = save(folder / "b.safetensors", seed=1).read_bytes()
    with pytest.raises(FileError, match="already"):
        user_models.rename_model("a", "b")
    with pytest.raises(FileError, match="already"):
        user_models.add_model(folder / "a.safetensors", "b")
    assert (folder / "b.safetensors").read_bytes() == kept
    assert user_models.free_name("b") == "b 2" and user_models.free_name("c") == "c"
    user_models.add_model(folder / "a.safetensors", "b", overwrite=True)
    assert (folder / "b.safetensors").read_bytes() == (folder / "a.safetensors").read_bytes()


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a:b", "end.", "end ", "x" * 81])
def test_names_that_could_leave_the_folder_are_refused(folder, name):
    save(folder / "a.safetensors")
    with pytest.raises(FileError, match="cannot be used"):
        user_models.rename_model("a", name)


@pytest.mark.parametrize("name", ["resunet", "hyrisr_2x", "eigenimage_4x"])
def test_names_of_shipped_weights_are_not_taken(folder, name):
    save(folder / "a.safetensors")
    with pytest.raises(FileError, match="come with napari-deeper"):
        user_models.rename_model("a", name)


def test_damage_to_the_tensors_is_found(folder):
    path = save(folder / "a.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="sha256 differs"):
        checkpoint.load("a")
    path.write_bytes(content[:-40])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        checkpoint.load("a")


def test_a_file_without_a_card_is_no_model(folder, tmp_path):
    shipped = checkpoint.shipped("eigenimage", 2)
    with pytest.raises(CheckpointError, match="no card in it"):
        user_models.add_model(shipped)
    with pytest.raises(CheckpointError, match="There is no weights file"):
        user_models.add_model(tmp_path / "nowhere.safetensors")


def test_the_card_is_read_without_torch(folder):
    path = save(folder / "a.safetensors", notes=["read me"])
    card = user_models.read_card(path)
    assert card["notes"] == ["read me"] and json.dumps(card)


def test_without_the_variable_the_folder_is_the_systems(monkeypatch):
    monkeypatch.delenv(user_models.FOLDER_VARIABLE, raising=False)
    folder = user_models.models_folder()
    assert folder.is_absolute() and folder.parts[-2:] == ("napari-deeper", "models")
