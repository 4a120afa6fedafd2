import subprocess
import sys
import threading

import numpy as np
import pytest
from engine_cubes import band_cube

import napari_deeper as nd
from napari_deeper.engine.enhance import enhance
from napari_deeper.engine.estimate import plan
from napari_deeper.spectra.errors import AxisError, Cancelled, CubeError, ParameterError

DENOISE = nd.DenoiseParams(method="low-rank")
FINER = nd.SuperResolveParams(method="bilinear")


@pytest.fixture
def cell():
    return band_cube(shape=(10, 11), metadata={"name": "cell", "dwell": 0.1})


def test_both_steps_and_comparators_in_order_named_for_what_they_are(cell):
    results = enhance(cell, DENOISE, FINER, ("savgol", "nearest"))

    assert [r.name for r in results] == [
        "cell · denoised (low-rank)",
        "cell · denoised (low-rank) · 2x (bilinear)",
        "cell · denoised (savgol)",
        "cell · denoised (low-rank) · 2x (nearest)",
    ]
    assert [len(r.provenance) for r in results] == [1, 2, 1, 2]
    assert all(r.metadata["dwell"] == 0.1 for r in results)
    assert cell.name == "cell"


def test_results_are_those_of_the_verbs(cell):
    denoised, fine, smooth, rough = enhance(cell, DENOISE, FINER, ("savgol", "nearest"))

    first = nd.denoise(cell, DENOISE)
    np.testing.assert_array_equal(denoised.intensity, first.intensity)
    np.testing.assert_array_equal(fine.intensity, nd.super_resolve(first, FINER).intensity)
    savgol = nd.denoise(cell, method="savgol")
    np.testing.assert_array_equal(smooth.intensity, savgol.intensity)
    nearest = nd.super_resolve(first, method="nearest")
    np.testing.assert_array_equal(rough.intensity, nearest.intensity)


def test_one_step_alone(cell):
    (denoised,) = enhance(cell, DENOISE, None)
    (fine, other) = enhance(cell, None, FINER, ("bicubic",))

    assert denoised.shape == cell.shape
    assert fine.shape[:2] == other.shape[:2] == (20, 22)
    assert other.name == "cell · 2x (bicubic)"


@pytest.mark.parametrize(
    ("denoise", "finer", "comparators", "text"),
    [
        (None, None, (), "Nothing is asked for"),
        (DENOISE, None, ("nearest",), "Unknown comparator 'nearest'"),
        (None, FINER, ("savgol",), "Unknown comparator 'savgol'"),
        (DENOISE, nd.SuperResolveParams(phase=3), (), "phase is 3"),
    ],
)
def test_what_cannot_be_run_is_refused_before_it_starts(cell, denoise, finer, comparators, text):
    seen = []
    with pytest.raises(ParameterError, match=text):
        enhance(cell, denoise, finer, comparators, nd.Progress(lambda f, t: seen.append(f)))
    assert seen == []


def test_progress_covers_the_whole_run_and_cancel_stops_it(cell):
    seen = []
    enhance(cell, DENOISE, FINER, ("nearest",), nd.Progress(lambda f, t: seen.append(f)))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, 1)

    cancel = threading.Event()
    progress = nd.Progress(lambda f, t: cancel.set() if f > 0.4 else None, cancel)
    with pytest.raises(Cancelled):
        enhance(cell, DENOISE, FINER, ("nearest",), progress)


# ---- the plan
# ---------------------------------------------------------------------------------------------------


def test_plan_tells_what_is_not_covered_and_the_cost():
    cube = band_cube(axis=np.linspace(300, 4000, 1600))

    lines = plan(cube, nd.DenoiseParams(method="resunet"))

    assert any("resampled to the network's axis (600-1800 cm-1, 500 channels)" in x for x in lines)
    assert any("1802-4000 cm-1" in line for line in lines)
    assert "memory" in lines[-1]


def test_plan_of_super_resolution_tells_the_size():
    lines = plan(band_cube(shape=(10, 11)), nd.SuperResolveParams(scale=3, method="bicubic"))

    assert any("30 x 33" in line for line in lines)


def test_plan_grows_with_the_cube():
    small = plan(band_cube(shape=(4, 4)), DENOISE)[-1]
    large = plan(band_cube(shape=(300, 300), noise=0.1), DENOISE)[-1]

    assert "less than a second" in small
    assert small != large


def test_plan_refuses_what_the_run_would_refuse():
    beyond = band_cube(axis=np.linspace(2000, 3000, 200))
    with pytest.raises(AxisError, match="2000-3000"):
        plan(beyond, nd.DenoiseParams(method="resunet"))
    with pytest.raises(AxisError, match="2000-3000"):
        plan(beyond, nd.SuperResolveParams(method="hyrisr"))
    with pytest.raises(CubeError, match="1 channel"):
        plan(nd.RamanCube(np.ones((2, 2, 1)), [1000.0]), DENOISE)
    with pytest.raises(ParameterError, match="phase"):
        plan(beyond, nd.SuperResolveParams(phase=2))
    assert any("do without it" in line for line in plan(beyond, nd.DenoiseParams()))


def test_params_and_plan_load_no_torch():
    code = (
        "import sys, numpy as np, napari_deeper as nd\n"
        "from napari_deeper.engine.estimate import plan\n"
        "from napari_deeper.engine.enhance import enhance\n"
        "cube = nd.RamanCube(np.random.rand(3, 3, 100), np.linspace(600, 1800, 100))\n"
        "plan(cube, nd.DenoiseParams()), plan(cube, nd.SuperResolveParams())\n"
        "nd.denoise(cube, method='wavelet')\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
