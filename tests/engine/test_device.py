from pathlib import Path

import numpy as np
import pytest
import torch
from engine_cubes import MODEL_AXIS, band_cube
from torch import nn

import napari_deeper as nd
from napari_deeper.engine import network as running
from napari_deeper.engine.device import choose_device, is_out_of_memory, run_within_memory
from napari_deeper.models.checkpoint import Checkpoint
from napari_deeper.spectra.errors import DeeperError, ParameterError
from napari_deeper.spectra.progress import Progress

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    MemoryError(),
]


class Greedy(nn.Module):
    """Doubles its input, or runs out of memory above a size."""

    def __init__(self, largest, error, axis=0, scale=1):
        super().__init__()
        self.largest, self.error, self.axis, self.scale = largest, error, axis, scale
        self.seen = []

    def forward(self, x):
        self.seen.append(x.shape[self.axis])
        if x.shape[self.axis] > self.largest:
            raise self.error
        out = 2 * x
        if self.scale > 1:
            out = out.repeat_interleave(self.scale, -1).repeat_interleave(self.scale, -2)
        return out


def network_of(model, kind="resunet", scale=None):
    checkpoint = Checkpoint(
        model=model,
        kind=kind,
        wavenumber=MODEL_AXIS,
        normalization="max",
        scale=scale,
        phase=1 if scale else None,
        card={"sha256": "0" * 64},
        name="greedy",
        path=Path("greedy.pt"),
    )
    choice = choose_device("cpu")
    return running.Network(
        checkpoint, choice, MODEL_AXIS, running.cover(MODEL_AXIS, MODEL_AXIS, "greedy")
    )


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_out_of_memory_halves_the_batch_and_says_so(error):
    model, notes = Greedy(20, error), []
    spectra = band_cube().spectra

    result = running.denoise_spectra(network_of(model), spectra, 64, Progress(), notes)

    np.testing.assert_allclose(result, 2 * spectra, rtol=1e-5)
    assert model.seen == [64, 32, 16, 16, 16, 16, 8]
    assert notes == ["Memory ran out: the batch was halved from 64 to 16."]


def test_out_of_memory_halves_the_tile_and_says_so():
    model, notes = Greedy(13, MemoryError(), axis=2, scale=2), []
    image = band_cube(shape=(30, 30)).intensity

    result = running.super_resolve_image(
        network_of(model, "hyrisr", 2), image, 1, 64, Progress(), notes
    )

    expected = 2 * image.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_allclose(result, expected, atol=1e-4)
    assert notes == ["Memory ran out: the tile was halved from 30 to 7."]


def test_tiles_together_give_what_they_give_one_by_one(tiny_hyrisr, monkeypatch):
    cube, found, at_once = band_cube(shape=(40, 45)), {}, []
    forward = running._forward_tiles

    def watched(network, low, phase):
        at_once.append(len(low))
        return forward(network, low, phase)

    monkeypatch.setattr(running, "_forward_tiles", watched)
    for n in (1, 4):
        monkeypatch.setattr(running, "_tiles_at_once", lambda device, n=n: n)
        settings = {"method": "hyrisr", "model": tiny_hyrisr(2), "tile": 20, "precision": "fp32"}
        found[n] = nd.super_resolve(cube, **settings).intensity

    assert at_once == 12 * [1] + 3 * [4]
    np.testing.assert_allclose(found[4], found[1], atol=1e-5 * np.abs(found[1]).max())


def test_tiles_go_one_by_one_once_memory_ran_out(monkeypatch):
    monkeypatch.setattr(running, "_tiles_at_once", lambda device: 16)
    model, notes = Greedy(1, MemoryError(), scale=2), []
    image = band_cube(shape=(30, 30)).intensity

    running.super_resolve_image(network_of(model, "hyrisr", 2), image, 1, 20, Progress(), notes)

    assert model.seen[0] == 4 and set(model.seen[1:]) == {1}
    assert notes == ["Memory ran out: the tile was halved from 20 to 10."]


def test_memory_that_never_suffices_ends_with_a_clear_error():
    model = Greedy(0, MemoryError())

    with pytest.raises(DeeperError, match="even with a batch of 1"):
        running.denoise_spectra(network_of(model), band_cube().spectra, 8, Progress(), [])
    assert model.seen == [8, 4, 2, 1]


def test_other_errors_pass_through():
    model = Greedy(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))

    with pytest.raises(RuntimeError, match="mat1"):
        running.denoise_spectra(network_of(model), band_cube().spectra, 8, Progress(), [])
    assert not is_out_of_memory(ValueError("out of memory"))


def test_a_size_that_fits_is_not_noted():
    notes = []

    assert run_within_memory(lambda n: n, 8, 1, "batch", notes) == (8, 8)
    assert notes == []


def test_device_on_a_computer_without_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    choice = choose_device("auto")

    assert choice.device == "cpu"
    assert choice.description.startswith("CPU, ")
    with pytest.raises(ParameterError, match="no cuda device"):
        choose_device("cuda")
    with pytest.raises(ParameterError, match="must be one of"):
        choose_device("tpu")


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, False, "cuda"), (False, True, "mps"), (True, True, "cuda")]
)
def test_auto_takes_the_gpu(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Test GPU")

    choice = choose_device()

    assert choice.device == expected
    assert "GPU" in choice.description
    assert choose_device("cpu").device == "cpu"
