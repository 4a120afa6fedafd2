"""Cubes survive a file unchanged; a write that fails harms nothing."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import napari_deeper as nd
from napari_deeper.io.write import check_output, replacing, writable_suffixes, write
from napari_deeper.spectra.errors import CubeError, FileError
from napari_deeper.spectra.provenance import Step

SUFFIXES = (".npz", ".zarr", ".mat", ".h5", ".tif", ".csv")

_json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_steps = st.builds(
    Step,
    st.sampled_from(["read", "denoise", "crop"]),
    st.dictionaries(st.text(max_size=5), _json_values, max_size=2),
    st.lists(st.text(), max_size=2).map(tuple),
)
_lengths = st.floats(0.01, 1e3)


@st.composite
def cubes(draw: st.DrawFn) -> nd.RamanCube:
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 12)))
    values = st.floats(width=32, allow_nan=True, allow_infinity=True)
    steps = draw(hnp.arrays(np.float64, shape[2], elements=st.floats(0.5, 20)))
    return nd.RamanCube(
        draw(hnp.arrays(np.float32, shape, elements=values)),
        100 + np.cumsum(steps),
        draw(st.none() | st.tuples(_lengths, _lengths)),
        origin=draw(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))),
        zoom=draw(st.sampled_from([1.0, 2.0, 3.0])),
        excitation_nm=draw(st.none() | st.floats(200, 1100)),
        provenance=tuple(draw(st.lists(_steps, min_size=1, max_size=2))),
        metadata=draw(st.dictionaries(st.text(), _json_values, max_size=3))
        | {"name": draw(st.text())},
    )


@pytest.fixture
def cube() -> nd.RamanCube:
    rng = np.random.default_rng(3)
    return nd.RamanCube(rng.random((5, 4, 30)), np.linspace(600, 1800, 30), (0.5, 0.7))


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cube=cubes())
def test_a_cube_comes_back_exactly(tmp_path: Path, suffix: str, cube: nd.RamanCube) -> None:
    path = write(cube, tmp_path / f"cube{suffix}", overwrite=True)
    back = nd.read(path)
    assert back.header() == cube.header()
    assert back.intensity.dtype == np.float32
    np.testing.assert_array_equal(back.intensity, cube.intensity)
    np.testing.assert_array_equal(back.wavenumber, cube.wavenumber)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cube_without_name_and_history_gains_them_from_the_file(
    tmp_path: Path, cube: nd.RamanCube, suffix: str
) -> None:
    back = nd.read(write(cube, tmp_path / f"cell 7{suffix}"))
    assert back.name == "cell 7"
    assert [step.verb for step in back.provenance] == ["read"]
    assert back.provenance[0].params["path"] == f"cell 7{suffix}"


def test_a_zarr_of_many_chunks_comes_back(tmp_path: Path) -> None:
    intensity = np.arange(70 * 65 * 3, dtype=np.float32).reshape(70, 65, 3)
    intensity[:, 64:] = 0  # whole chunks of zeros are written too
    path = write(nd.RamanCube(intensity, [1, 2, 3]), tmp_path / "big.zarr")
    assert sum(p.is_file() for p in (path / "0" / "c").rglob("*")) == 4
    np.testing.assert_array_equal(nd.read(path).intensity, intensity)


def test_matlab_finds_plain_variables(tmp_path: Path, cube: nd.RamanCube) -> None:
    from scipy.io import loadmat

    content = loadmat(write(cube, tmp_path / "cube.mat"))
    np.testing.assert_array_equal(content["intensity"], cube.intensity)
    np.testing.assert_array_equal(content["wavenumber"].ravel(), cube.wavenumber)
    np.testing.assert_array_equal(content["pixel_size"].ravel(), [0.5, 0.7])


def test_a_zarr_is_legible_to_zarr_alone(tmp_path: Path, cube: nd.RamanCube) -> None:
    import zarr

    group = zarr.open_group(write(cube, tmp_path / "cube.zarr"), mode="r")
    np.testing.assert_array_equal(np.moveaxis(group["0"][:], 0, 2), cube.intensity)
    assert group.attrs["napari_deeper"]["wavenumber"] == cube.wavenumber.tolist()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_existing_output_is_kept_unless_asked(
    tmp_path: Path, cube: nd.RamanCube, suffix: str
) -> None:
    path = write(cube, tmp_path / f"cube{suffix}")
    other = nd.RamanCube(cube.intensity * 2, cube.wavenumber)
    with pytest.raises(FileError, match=r"already exists.*--force"):
        write(other, path)
    np.testing.assert_array_equal(nd.read(path).intensity, cube.intensity)
    write(other, path, overwrite=True)
    np.testing.assert_array_equal(nd.read(path).intensity, other.intensity)


@pytest.mark.parametrize("name", ["cube.npy", "cube.txt", "cube"])
def test_an_unknown_format_is_refused(tmp_path: Path, cube: nd.RamanCube, name: str) -> None:
    with pytest.raises(FileError, match=r"\.mat, \.npz, \.tif, \.zarr"):
        write(cube, tmp_path / name)


def test_a_missing_folder_is_named(tmp_path: Path, cube: nd.RamanCube) -> None:
    with pytest.raises(FileError, match=r"nowhere does not exist"):
        write(cube, tmp_path / "nowhere" / "cube.npz")


@pytest.mark.parametrize("name", ["precious.npz", "precious.zarr"])
def test_a_folder_that_is_no_cube_is_never_replaced(
    tmp_path: Path, cube: nd.RamanCube, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "thesis.txt").write_text("years")
    with pytest.raises(FileError, match="not a cube"):
        write(cube, folder, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "years"


def test_a_file_is_not_replaced_by_a_store(tmp_path: Path, cube: nd.RamanCube) -> None:
    (tmp_path / "cube.zarr").write_text("a file")
    with pytest.raises(FileError, match="is a file"):
        write(cube, tmp_path / "cube.zarr", overwrite=True)


def test_a_read_only_folder_is_named(
    tmp_path: Path, cube: nd.RamanCube, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # root may write everywhere; refuse in its stead

        def refuse(**_: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(FileError, match=r"locked is read-only"):
        write(cube, folder / "cube.npz")


@contextmanager
def small_disk() -> Iterator[None]:
    """Let no file of this process grow beyond 1 KiB; kept short, since pytest's own log is such a file."""
    resource = pytest.importorskip("resource", reason="only POSIX can limit the size of files")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("has_old", [False, True])
def test_a_full_disk_leaves_no_half_file_and_the_old_one(
    tmp_path: Path, cube: nd.RamanCube, suffix: str, has_old: bool
) -> None:
    path = tmp_path / f"cube{suffix}"
    if has_old:
        write(cube, path)
    before = sorted(p.name for p in tmp_path.iterdir())
    large = nd.RamanCube(np.random.default_rng(0).random((20, 20, 30)), cube.wavenumber)
    with pytest.raises(FileError, match="not written: the disk is full"), small_disk():
        write(large, path, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    if has_old:
        np.testing.assert_array_equal(nd.read(path).intensity, cube.intensity)


def test_a_store_that_cannot_be_put_in_place_leaves_the_old_one(
    tmp_path: Path, cube: nd.RamanCube, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(cube, tmp_path / "cube.zarr")
    rename = Path.rename

    def fail_on_new(self: Path, target: Path) -> Path:
        if ".partial" in self.name:
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_on_new)
    with pytest.raises(FileError, match="Input/output error"):
        write(nd.RamanCube(cube.intensity * 2, cube.wavenumber), path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["cube.zarr"]
    np.testing.assert_array_equal(nd.read(path).intensity, cube.intensity)


def test_an_interrupt_leaves_no_half_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "cube.npz") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_output_made_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "cube.npz"
    with pytest.raises(FileError, match="already exists"), replacing(path, overwrite=False) as new:
        new.write_text("mine")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_check_output_makes_nothing(tmp_path: Path) -> None:
    assert check_output(tmp_path / "new.npz") == tmp_path / "new.npz"
    assert list(tmp_path.iterdir()) == []


def test_only_cubes_are_written(tmp_path: Path) -> None:
    with pytest.raises(CubeError, match="RamanCube, not ndarray"):
        write(np.zeros((2, 2, 2)), tmp_path / "cube.npz")  # type: ignore[arg-type]


def test_metadata_of_numpy_becomes_plain_and_the_rest_is_refused(tmp_path: Path) -> None:
    cube = nd.RamanCube(np.ones((1, 1, 2)), [1, 2], metadata={"name": "a", "n": np.float32(0.5)})
    assert nd.read(write(cube, tmp_path / "cube.npz")).metadata["n"] == 0.5
    odd = nd.RamanCube(np.ones((1, 1, 2)), [1, 2], metadata={"name": "a", "lens": object()})
    with pytest.raises(CubeError, match="metadata"):
        write(odd, tmp_path / "odd.npz")
    assert not (tmp_path / "odd.npz").exists()


def test_the_header_is_json_text(tmp_path: Path, cube: nd.RamanCube) -> None:
    with np.load(write(cube, tmp_path / "cube.npz"), allow_pickle=False) as content:
        assert sorted(content) == ["header", "intensity"]
        assert json.loads(str(content["header"])) == cube.header()


def test_suffixes() -> None:
    assert set(writable_suffixes()) == set(SUFFIXES)
