"""The names that scripts rely on, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper.spectra.errors import AxisError, CubeError

HEAVY = "{'torch', 'qtpy', 'PyQt6', 'PySide6', 'napari', 'vispy', 'superqt', 'magicgui'}"


@pytest.mark.parametrize(
    "code",
    [
        "import napari_deeper",
        "import napari_deeper as nd; nd.RamanCube, nd.read, nd.write, nd.Progress, nd.DeeperError",
        "from napari_deeper.io.read import read; from napari_deeper.io.write import write",
        "from napari_deeper.io.sample import simulated_cell; simulated_cell('0.1s')",
        "import napari_deeper as nd; nd.DenoiseParams, nd.SuperResolveParams, nd.EvaluateParams",
        "import napari_deeper as nd; nd.evaluate, nd.write_report",
        "import napari_deeper as nd; nd.PatchSet, nd.read_patches, nd.write_patches, nd.suggest_patches",
        "import napari_deeper as nd; nd.FinetuneParams, nd.FinetuneJob, nd.list_models, nd.list_jobs",
        "import napari_deeper as nd; nd.prepare, nd.Recipe, nd.read_recipe, nd.check_fit, nd.prepare_folder",
        "import napari_deeper as nd; nd.Workflow, nd.batch, nd.watch_folder, nd.run_workflow",
        "import napari_deeper as nd; nd.UnmixParams, nd.Unmixed, nd.unmix, nd.abundances",
        "from npe2 import PluginManifest as M; M.from_distribution('napari-deeper')",
    ],
)
def test_importing_loads_neither_torch_nor_qt(code: str) -> None:
    check = f"import sys; {code}; loaded = {HEAVY} & sys.modules.keys(); assert not loaded, loaded"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_reading_loads_no_library_of_other_formats(tmp_path: Path) -> None:
    path = nd.write(nd.RamanCube(np.ones((1, 1, 2)), [1, 2]), tmp_path / "a.npz")
    code = (
        f"import sys, napari_deeper as nd; nd.read({str(path)!r}); "
        "loaded = {'scipy', 'zarr', 'h5py', 'pooch', 'torch'} & sys.modules.keys(); "
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there() -> None:
    for name in nd.__all__:
        assert getattr(nd, name).__doc__
    assert set(nd.__all__) <= set(dir(nd))
    assert nd.__version__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        nd.nonsense  # noqa: B018


def test_the_documented_script_runs(tmp_path: Path, small_cube: nd.RamanCube) -> None:
    path = nd.write(small_cube, tmp_path / "in.npz")
    cube = nd.read(path)
    assert cube.intensity.shape == (9, 7, 120)
    again = nd.RamanCube(
        intensity=cube.intensity, wavenumber=cube.wavenumber, pixel_size=(0.5, 0.5)
    )
    assert again.pixel_size == cube.pixel_size
    low = nd.denoise(cube, method="auto")
    high = nd.super_resolve(low, scale=2, method="auto", phase=1)
    assert high.shape == (18, 14, 120)
    nd.write(high, tmp_path / "out.zarr")
    back = nd.read(tmp_path / "out.zarr")
    assert [step.verb for step in back.provenance] == ["read", "denoise", "super-resolve"]
    np.testing.assert_array_equal(back.intensity, high.intensity)


@pytest.mark.parametrize("method", ["auto", "resunet", "low-rank", "pca", "savgol", "wavelet"])
def test_every_documented_denoise_method(small_cube: nd.RamanCube, method: str) -> None:
    low = nd.denoise(small_cube, method=method)
    assert low.shape == small_cube.shape
    np.testing.assert_array_equal(low.wavenumber, small_cube.wavenumber)


@pytest.mark.parametrize("method", ["auto", "hyrisr", "nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_documented_super_resolve_method(
    small_cube: nd.RamanCube, method: str, scale: int
) -> None:
    high = nd.super_resolve(small_cube, scale=scale, method=method)
    assert high.shape == (9 * scale, 7 * scale, 120)


AXIS = np.linspace(600, 1800, 20)
VALUES = np.random.default_rng(2).random((3, 4, 20))


@pytest.mark.parametrize(
    ("values", "axis", "error", "text"),
    [
        ("a photo", AXIS, CubeError, "must be real numbers"),
        (None, AXIS, CubeError, "must be real numbers"),
        (VALUES.astype(object), AXIS, CubeError, "must be real numbers"),
        (VALUES + 1j, AXIS, CubeError, "complex"),
        (VALUES[0], AXIS, CubeError, r"this array has 2: \(4, 20\)"),
        (VALUES[None], AXIS, CubeError, "this array has 4"),
        (VALUES[:0], AXIS, CubeError, "empty"),
        (VALUES * 1e300, AXIS, CubeError, "float32"),
        (VALUES, None, AxisError, "one wavenumber"),
        (VALUES, AXIS[1:], AxisError, "20 channels"),
        (VALUES, "600-1800", AxisError, "not numbers"),
        (VALUES, np.where(AXIS > 1000, np.nan, AXIS), AxisError, "Wavenumber 7 is nan"),
        (VALUES, AXIS[::-1], AxisError, "reverse both"),
        (VALUES, np.roll(AXIS, 2), AxisError, "not sorted: channel 1"),
        (VALUES, np.round(AXIS, -2), AxisError, "Channels 1 and 2 have the same"),
        (VALUES, np.linspace(540, 549, 20), AxisError, "looks like nm"),
    ],
)
def test_what_is_not_a_cube_says_so(values: Any, axis: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        nd.RamanCube(values, axis)
    assert isinstance(caught.value, nd.DeeperError)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "float64", ">f8", ">i2", "float16", "bool"])
def test_real_numbers_of_any_type_make_a_cube(dtype: str) -> None:
    values = (VALUES * 100 - 50).astype(dtype)
    cube = nd.RamanCube(values, AXIS)
    assert cube.intensity.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(cube.intensity, values.astype(np.float32))


@pytest.mark.parametrize("shape", [(1, 1, 200), (1, 9, 200), (9, 1, 200), (5, 5, 1), (3, 3, 5000)])
def test_odd_shapes_give_a_result_or_a_reason(shape: tuple[int, int, int]) -> None:
    values = np.random.default_rng(4).normal(10, 3, shape)
    cube = nd.RamanCube(values, np.linspace(500, 3500, shape[2]))
    for verb, factor in ((nd.denoise, 1), (nd.super_resolve, 2)):
        try:
            result = verb(cube)
        except nd.DeeperError as error:
            assert shape[2] == 1, error
        else:
            assert result.shape == (shape[0] * factor, shape[1] * factor, shape[2])
            assert np.isfinite(result.intensity).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("verb", ["denoise", "super_resolve"])
def test_values_that_are_not_there_are_refused(
    small_cube: nd.RamanCube, verb: str, bad: float
) -> None:
    values = small_cube.intensity.copy()
    values[2, 3, 5] = bad
    with pytest.raises(CubeError, match=r"1 of 63 spectra.*y=2, x=3"):
        getattr(nd, verb)(nd.RamanCube(values, small_cube.wavenumber))
