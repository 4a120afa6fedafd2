"""Measured data: the published layout of files, pairs of cubes, and what is wrong with a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

import napari_deeper as nd
from napari_deeper.models.scaling import normalize
from napari_deeper.spectra.errors import AxisError, CubeError, FileError, TrainingError
from napari_deeper.training import measured, published
from napari_deeper.training.datasets import Order, split
from napari_deeper.training.layouts import open_cubes, open_spectra
from napari_deeper.training.loop import Place
from napari_deeper.training.recipes import Recipe

RNG = np.random.default_rng(4)
ROWS = RNG.random((20, 500))
AXIS = np.linspace(600, 1800, 500)


def write_v5(path: Path, **arrays: np.ndarray) -> None:
    savemat(path, arrays, do_compression=True)


def write_v73(path: Path, **arrays: np.ndarray) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            # MATLAB counts axes from the fastest.
            file[name] = array.transpose()
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(126) + b"IM")


WRITERS = pytest.mark.parametrize("write", [write_v5, write_v73], ids=["v5", "v7.3"])


@WRITERS
@pytest.mark.parametrize("keys", [("Inputs", "Outputs"), ("data", "data")])
def test_published_rows(tmp_path, write, keys):
    write(tmp_path / "Inputs.mat", **{keys[0]: ROWS})
    write(tmp_path / "Outputs.mat", **{keys[1]: ROWS + 1})
    got = open_spectra(tmp_path, None, {})
    np.testing.assert_array_equal(got.low, ROWS.astype(np.float32))
    np.testing.assert_allclose(got.high, ROWS + 1, rtol=1e-6)
    np.testing.assert_array_equal(got.wavenumber, AXIS)
    assert got.about["n_spectra"] == 20 and got.low.dtype == np.float32


@WRITERS
def test_published_images(tmp_path, write):
    cubes = {name: RNG.random((5, 4, 500)) for name in ("cell_1", "7")}
    for name, cube in cubes.items():
        write(tmp_path / f"{name}.mat", image=cube)
    (tmp_path / "Image_IDs.csv").write_text("\ufeffnumber,id\n1,cell_1\n2,7\n", encoding="utf-8")
    got = open_cubes(tmp_path, None, {})
    assert len(got) == 2 and not got.paired
    for i, cube in enumerate(cubes.values()):
        low, high = got[i]
        assert low is high
        np.testing.assert_array_equal(low, cube.astype(np.float32))
    np.testing.assert_array_equal(got.wavenumber, AXIS)


def pairs_in(folder: Path, n: int = 3, **change: object) -> list[nd.RamanCube]:
    axis = np.linspace(500, 1900, 90)
    made = []
    for side in ("low", "high"):
        (folder / side).mkdir()
        for i in range(n):
            shape = change.get("shape", (4, 5, 90)) if side == "high" and i == 1 else (4, 5, 90)
            cube = nd.RamanCube(np.random.default_rng(i).random(shape) + 1, axis)
            made.append(cube)
            nd.write(cube, folder / side / f"cell{i}{'.npz' if side == 'low' else '.mat'}")
    return made


def test_pairs_of_cubes_meet_on_the_axis_of_the_network(tmp_path):
    cubes = pairs_in(tmp_path)
    got = open_cubes(tmp_path, None, {})
    assert got.paired and len(got) == 3 and got[0][0].shape == (4, 5, 500)
    np.testing.assert_allclose(got.wavenumber, np.linspace(500, 1900, 500))
    straight = np.interp(got.wavenumber, cubes[0].wavenumber, cubes[0].intensity[2, 3])
    assert np.abs(got[0][0][2, 3] - straight).max() < 0.3
    assert open_cubes(tmp_path, np.linspace(600, 1800, 64), {})[2][1].shape == (4, 5, 64)
    spectra = open_spectra(tmp_path, None, {})
    assert spectra.low.shape == spectra.high.shape == (60, 500)
    np.testing.assert_array_equal(spectra.group, np.repeat([0, 1, 2], 20))
    np.testing.assert_array_equal(spectra.low[20:40], got[1][0].reshape(-1, 500))


def test_only_what_fits_is_kept_in_memory(tmp_path, monkeypatch):
    pairs_in(tmp_path)
    got = open_cubes(tmp_path, None, {})
    monkeypatch.setattr("napari_deeper.training.datasets._CACHE_BYTES", 2 * got[0][0].nbytes)
    first = got[0]
    assert got[0] is first and list(got.kept) == [0]
    assert got[1] is not first and list(got.kept) == [1]


def rows_with(folder: Path, low: np.ndarray, high: np.ndarray) -> None:
    write_v5(folder / "Inputs.mat", Inputs=low)
    write_v5(folder / "Outputs.mat", Outputs=high)


def bad(value: float) -> np.ndarray:
    rows = ROWS.copy()
    rows[7, 3] = value
    return rows


@pytest.mark.parametrize(
    ("prepare", "error", "text"),
    [
        (lambda p: None, FileError, r"neither Inputs.mat.*It holds nothing"),
        (lambda p: write_v5(p / "Inputs.mat", Inputs=ROWS), FileError, "but no Outputs.mat"),
        (lambda p: rows_with(p, ROWS, ROWS[1:]), FileError, r"\(20, 500\).*\(19, 500\)"),
        (lambda p: rows_with(p, bad(np.nan), ROWS), FileError, "Inputs.mat: 'Inputs'.*row 7 "),
        (lambda p: rows_with(p, ROWS, bad(np.inf)), FileError, "Outputs.mat: 'Outputs'.*row 7 "),
        (lambda p: rows_with(p, ROWS[:, :90], ROWS[:, :90]), AxisError, "--wavenumbers"),
        (lambda p: rows_with(p, ROWS[None], ROWS), FileError, r"'Inputs' has the shape \(1, 20"),
        (
            lambda p: [write_v5(p / f"{n}.mat", spectra=ROWS) for n in ("Inputs", "Outputs")],
            FileError,
            "neither 'Inputs' nor 'data'; it holds spectra",
        ),
        (lambda p: (p / "Image_IDs.csv").write_text("id\n1\n"), FileError, "without noisy"),
        (lambda p: [(p / "low").mkdir(), (p / "high").mkdir()], FileError, "low holds no cube"),
        (
            lambda p: [pairs_in(p), (p / "high" / "cell1.mat").unlink()],
            FileError,
            "'cell1' has no partner",
        ),
        (lambda p: pairs_in(p, shape=(4, 4, 90)), CubeError, r"high/cell1.mat \(4, 4, 90\)"),
        (
            lambda p: [rows_with(p, ROWS, ROWS), (p / "Inputs.mat").write_bytes(b"MATLAB 5" * 40)],
            FileError,
            "Inputs.mat: it is no MATLAB file",
        ),
    ],
    ids=range(13),
)
def test_what_is_wrong_with_a_folder_of_spectra(tmp_path, prepare, error, text):
    prepare(tmp_path)
    with pytest.raises(error, match=text):
        open_spectra(tmp_path, None, {})


@pytest.mark.parametrize(
    ("table", "cube", "error", "text"),
    [
        ("name\n1\n", ROWS[None], FileError, "no column 'id'; its columns are name"),
        ("id\n\n", ROWS[None], FileError, "names no image"),
        ("id\n2\n", ROWS[None], FileError, "2.mat does not exist"),
        ("id\n1\n", ROWS, FileError, r"first variable 'x' has the shape \(20, 500\)"),
        ("id\n1\n", bad(np.nan)[None], FileError, "'x' holds NaN.*y=0, x=7"),
    ],
)
def test_what_is_wrong_with_a_folder_of_images(tmp_path, table, cube, error, text):
    (tmp_path / "Image_IDs.csv").write_text(table)
    write_v5(tmp_path / "1.mat", x=cube)
    with pytest.raises(error, match=text):
        open_cubes(tmp_path, None, {})


def test_axes_must_be_covered(tmp_path):
    rows_with(tmp_path, ROWS, ROWS)
    got = open_spectra(tmp_path, None, {"wavenumber": (500, 3000)})
    np.testing.assert_allclose(got.wavenumber[[0, -1]], [500, 3000])
    assert open_spectra(tmp_path, np.linspace(700, 1700, 64), {}).low.shape == (20, 64)
    with pytest.raises(AxisError, match=r"from 600 to 1800.*from 400 to 1800"):
        open_spectra(tmp_path, np.linspace(400, 1800, 64), {})
    with pytest.raises(FileError, match="is no folder"):
        open_spectra(tmp_path / "gone", None, {})
    with pytest.raises(FileError, match="single spectra"):
        open_cubes(tmp_path, None, {})


def test_splits_keep_cubes_together_and_lose_nothing():
    groups = np.repeat(np.arange(20), 7)
    parts = split(groups, (0.85, 0.10, 0.05), seed=3)
    assert [len(np.unique(groups[part])) for part in parts] == [17, 2, 1]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(140))
    held = [set(groups[part]) for part in parts]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])
    assert [len(p) for p in split(np.zeros(50, int), (0.9, 0.1), 0)] == [45, 5]
    assert [len(p) for p in split(np.arange(3), (0.85, 0.10, 0.05), 0)] == [1, 1, 1]
    with pytest.raises(TrainingError, match="1 items to train on; 2"):
        split(np.arange(1), (0.9, 0.1), 0)
    one, two = (split(np.arange(50), (0.9, 0.1), seed)[1] for seed in (0, 1))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("n_ranks", [1, 3])
def test_an_epoch_sees_every_item_once(n_ranks):
    order = Order(n_items=60, n=4)
    per_epoch = order.n_batches(n_ranks)
    assert per_epoch == 15 // n_ranks
    epochs = [
        np.concatenate(
            [
                order.at(Place(1, epoch * per_epoch + step, rank, n_ranks))
                for step in range(per_epoch)
                for rank in range(n_ranks)
            ]
        )
        for epoch in range(2)
    ]
    for seen in epochs:
        np.testing.assert_array_equal(np.sort(seen), np.arange(60))
    assert not np.array_equal(*epochs)
    ragged = Order(n_items=5, n=4)
    assert ragged.n_batches() == 2
    assert set(np.concatenate([ragged.at(Place(0, s)) for s in (0, 1)])) == set(range(5))


def test_published_batches_are_over_their_own_maximum(tmp_path):
    rows_with(tmp_path, ROWS * 100, ROWS * 7)
    recipe = Recipe("r", "denoise", "published-resunet", 1, 1e-3, n=6)
    data = open_spectra(tmp_path, None, {})
    source = measured.spectra_source(data, recipe, published.finish_spectra)
    given, target = source.batch_at(Place(0, 0))
    assert given.shape == target.shape == (6, 1, 500) and given.dtype == torch.float32
    for part in (given, target):
        torch.testing.assert_close(part.amax(dim=2), torch.ones(6, 1))
    torch.testing.assert_close(given, target)  # one is a multiple of the other
    assert source.n_per_epoch(1) == 3 and source.held_out["validation"][1] == 1
    again = source.batch_at(Place(0, 0))[0]
    assert torch.equal(given, again) and not torch.equal(given, source.batch_at(Place(0, 3))[0])
    plain = source.held_out["validation"][0](Place(0, 0))[1][:, 0].numpy()
    known = (ROWS / ROWS.max(axis=1, keepdims=True)).astype(np.float32)
    assert all(np.isclose(known, row, atol=1e-6).all(axis=1).any() for row in plain)


def images_in(folder: Path, sides: list[tuple[int, int]]) -> None:
    for i, side in enumerate(sides):
        write_v5(folder / f"{i}.mat", x=np.random.default_rng(i).random((*side, 20)) + i)
    ids = "\n".join(str(i) for i in range(len(sides)))
    (folder / "Image_IDs.csv").write_text(f"id\n{ids}\n")


@pytest.mark.parametrize(("scale", "side"), [(2, 64), (3, 63), (4, 64)])
def test_published_cubes_are_64_pixels_wide_and_sampled_at_their_phase(tmp_path, scale, side):
    images_in(tmp_path, [(70, 40), (64, 64), (20, 66)])
    phases = (1, 2) if scale == 4 else (1,)
    recipe = Recipe("r", "super-resolve", "published-hyrisr", 1, 1e-5, 1, scale=scale)
    recipe = Recipe(**{**recipe.__dict__, "shares": (0.85, 0.10, 0.05)})
    finish = published.FinishCubes(scale, phases)
    assert published.side_of(scale) == side
    data = open_cubes(tmp_path, np.linspace(600, 1800, 20), {"wavenumber": (600, 1800)})
    source = measured.cube_source(data, recipe, side, finish)
    assert set(source.held_out) == {"validation", "test"}
    met = set()
    for step in range(6 if scale == 4 else 1):
        low, high = source.batch_at(Place(0, step))
        assert high.shape == (1, 20, side, side)
        assert float(high.max()) == pytest.approx(1)
        fits = [p for p in range(scale) if torch.equal(low, high[:, :, p::scale, p::scale])]
        met |= set(fits)
    assert met == set(phases)


def test_our_batches_of_spectra_are_on_the_scale_of_the_input(tmp_path):
    noisy = ROWS + 0.1 * RNG.standard_normal(ROWS.shape)
    rows_with(tmp_path, noisy, 30 * ROWS)
    recipe = Recipe("r", "denoise", "compact-resunet", 1, 1e-3, n=8)
    data = open_spectra(tmp_path, None, {})
    source = measured.spectra_source(data, recipe, measured.finish_denoise)
    given, target, sigma = source.held_out["validation"][0](Place(0, 0))
    torch.testing.assert_close(given, normalize(given, "standard")[0], atol=1e-5, rtol=0)
    error = (given - target).std(dim=2, keepdim=True)
    torch.testing.assert_close(error, sigma, rtol=0.05, atol=0)
    assert float(error.mean()) == pytest.approx(0.1 / noisy.std(axis=1).mean(), rel=0.2)


@pytest.mark.parametrize("paired", [False, True])
def test_our_batches_of_cubes_are_sampled_at_their_phase(tmp_path, paired):
    if paired:
        pairs_in(tmp_path, n=4)
    else:
        images_in(tmp_path, [(14, 14), (15, 12)])
    recipe = Recipe("r", "super-resolve", "compact-hyrisr", 1, 1e-3, n=2, scale=2)
    reading = {} if paired else {"wavenumber": (600, 1800)}
    data = open_cubes(tmp_path, np.linspace(600, 1800, 20), reading)
    finish = measured.FinishSuperResolve(2)
    source = measured.cube_source(data, recipe, 12, finish)
    low, high, weight, phase = source.batch_at(Place(0, 1))
    assert low.shape == (2, 20, 6, 6) and high.shape == (2, 20, 12, 12)
    assert weight.shape == (2, 1, 1, 1) and float(weight.min()) > 0
    p = int(phase)
    torch.testing.assert_close(low, high[:, :, p::2, p::2], rtol=1e-3, atol=1e-3)
