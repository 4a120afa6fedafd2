"""The command line: the same verbs, with bars, lines and exit codes."""

from __future__ import annotations

import dataclasses
import errno
import json
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import napari_deeper as nd
from napari_deeper.cli import app
from napari_deeper.engine import denoise_files, super_resolve_files
from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.spectra.errors import Cancelled
from napari_deeper.spectra.provenance import Step

_QUICK = {"denoise": "savgol", "super-resolve": "bilinear"}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def plain(text: str) -> str:
    """Return text without the frames and line breaks that depend on the width of the terminal."""
    return " ".join(text.replace("│", " ").split())


@pytest.fixture
def cube_path(tmp_path: Path, small_cube: nd.RamanCube) -> Path:
    return nd.write(small_cube, tmp_path / "in.npz")


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_denoise_does_what_the_function_does(tmp_path: Path, cube_path: Path) -> None:
    result = run("denoise", cube_path, tmp_path / "out.zarr", "--method", "low-rank")
    assert result.exit_code == 0, result.output
    made, expected = (
        nd.read(tmp_path / "out.zarr"),
        nd.denoise(nd.read(cube_path), method="low-rank"),
    )
    np.testing.assert_array_equal(made.intensity, expected.intensity)
    assert made.provenance == expected.provenance
    assert "Wrote" in result.stdout
    for note in made.provenance[-1].notes:
        assert note in result.stdout
    assert left_in(tmp_path) == ["in.npz", "out.zarr"]


def test_super_resolve_does_what_the_function_does(tmp_path: Path, cube_path: Path) -> None:
    out = tmp_path / "out.npz"
    flags = ("--scale", "3", "--method", "bicubic", "--phase", "0", "--quiet")
    result = run("super-resolve", cube_path, out, *flags)
    assert result.exit_code == 0, result.output
    expected = nd.super_resolve(nd.read(cube_path), scale=3, method="bicubic", phase=0)
    np.testing.assert_array_equal(nd.read(out).intensity, expected.intensity)
    assert nd.read(out).origin == expected.origin
    assert result.output == ""


def test_the_default_settings_are_those_of_the_verb(
    tmp_path: Path, cube_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def stub(cube: nd.RamanCube, params: Any, *, progress: nd.Progress) -> nd.RamanCube:
        seen.append(params)
        progress.update(0.5, "Half [done]")
        return cube.derive(cube.intensity, Step("nothing"))

    monkeypatch.setattr(denoise_files, "denoise", stub)
    monkeypatch.setattr(super_resolve_files, "super_resolve", stub)
    assert run("denoise", cube_path, tmp_path / "a.npz").exit_code == 0
    assert run("super-resolve", cube_path, tmp_path / "b.npz").exit_code == 0
    assert seen == [DenoiseParams(), SuperResolveParams()]


@pytest.mark.parametrize(
    ("command", "params"), [("denoise", DenoiseParams), ("super-resolve", SuperResolveParams)]
)
def test_every_setting_has_a_flag_and_help(command: str, params: Any) -> None:
    result = CliRunner(env={"COLUMNS": "250"}).invoke(app, [command, "--help"])
    assert result.exit_code == 0
    for field in fields(params):
        assert "--" + field.name.replace("_", "-") in result.output
    for common in ("--force", "--quiet", "--debug", "--wavenumbers", "--pixel-size"):
        assert common in result.output
    assert f"napari-deeper {command} cell" in result.output or "clean.zarr" in result.output


def test_help_and_version() -> None:
    assert "super-resolve" in run("--help").output
    assert "super-resolve" in run().output
    assert run("--version").output.startswith("napari-deeper 0.")
    assert run("--version").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("denoise", "IN", "OUT", "--method", "magic"),
        ("denoise", "IN", "OUT", "--batch-size", "0"),
        ("denoise", "IN", "OUT", "--batch-size", "many"),
        ("denoise", "IN", "OUT", "--nonsense"),
        ("denoise", "IN"),
        ("super-resolve", "IN", "OUT", "--scale", "5"),
        ("polish", "IN", "OUT"),
        ("info", "IN", "--pixel-size", "1,2,3"),
        ("info", "IN", "--pixel-size", "wide"),
        ("info", "IN", "--wavenumbers", "600:"),
        ("info", "IN", "--wavenumbers", "1.2.3:5"),
    ],
)
def test_wrong_usage_exits_with_2(
    tmp_path: Path, cube_path: Path, arguments: tuple[str, ...]
) -> None:
    places = {"IN": str(cube_path), "OUT": str(tmp_path / "out.npz")}
    result = run(*(places.get(a, a) for a in arguments))
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert left_in(tmp_path) == ["in.npz"]


def test_a_wrong_choice_lists_the_right_ones(tmp_path: Path, cube_path: Path) -> None:
    result = run("denoise", cube_path, tmp_path / "out.npz", "--method", "magic")
    assert "it must be one of: auto, resunet" in plain(result.output)


def test_an_error_is_one_line_and_exits_with_1(tmp_path: Path) -> None:
    result = run("denoise", tmp_path / "gone.npz", tmp_path / "out.npz")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    assert "gone.npz does not exist" in result.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = run("info", tmp_path / "gone.npz", "--debug")
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("Error: ")


def test_a_fault_of_ours_is_said_to_be_one(
    tmp_path: Path, cube_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(denoise_files, "denoise", broken)
    result = run("denoise", cube_path, tmp_path / "out.npz")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert "report" in result.stderr


@pytest.mark.parametrize("out", ["gone/out.npz", "out.txt", "out.npy", "taken.npz", "folder.npz"])
def test_an_impossible_output_is_found_before_the_work(
    tmp_path: Path, cube_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    (tmp_path / "taken.npz").write_text("old")
    (tmp_path / "folder.npz").mkdir()
    before = left_in(tmp_path)

    def never(*_: object, **__: object) -> None:
        pytest.fail("the work began")

    monkeypatch.setattr(denoise_files, "denoise", never)
    result = run("denoise", cube_path, tmp_path / out)
    assert result.exit_code == 1, result.output
    assert left_in(tmp_path) == before
    assert (tmp_path / "taken.npz").read_text() == "old"


def test_a_read_only_output_folder_is_found_before_the_work(
    tmp_path: Path, cube_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    result = run("denoise", cube_path, tmp_path / "out.npz")
    assert result.exit_code == 1
    assert "is read-only" in result.stderr


def test_force_replaces(tmp_path: Path, cube_path: Path) -> None:
    out = tmp_path / "out.npz"
    out.write_text("old")
    assert "--force" in run("convert", cube_path, out).stderr
    assert run("convert", cube_path, out, "--force").exit_code == 0
    assert nd.read(out).name == "small"


def test_convert_can_take_a_part(tmp_path: Path, cube_path: Path, small_cube: nd.RamanCube) -> None:
    out = tmp_path / "part.npz"
    assert run("convert", cube_path, out, "--crop", "2:5, 0:7").exit_code == 0
    np.testing.assert_array_equal(nd.read(out).intensity, small_cube.intensity[2:5])
    beyond = run("convert", cube_path, out, "--crop", "2:50,0:7", "--force")
    assert beyond.exit_code == 1
    assert "do not lie within the cube of 9 x 7 pixels" in beyond.stderr
    assert run("convert", cube_path, out, "--crop", "2-5", "--force").exit_code == 2


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Cancelled])
def test_a_cancelled_run_exits_with_130_and_writes_nothing(
    tmp_path: Path, cube_path: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def cancelled(*_: object, **__: object) -> None:
        raise stop

    monkeypatch.setattr(super_resolve_files, "super_resolve", cancelled)
    result = run("super-resolve", cube_path, tmp_path / "out.npz")
    assert result.exit_code == 130
    assert left_in(tmp_path) == ["in.npz"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda a: np.where(a > a.max() * 0.99, np.nan, a), "NaN or infinity"),
        (lambda a: np.where(a > a.max() * 0.99, np.inf, a), "NaN or infinity"),
        (lambda a: a * 0, "zero"),
        (lambda a: a * 0 + 3, "constant"),
    ],
)
@pytest.mark.parametrize("command", ["denoise", "super-resolve"])
def test_a_cube_without_signal_is_refused(
    tmp_path: Path, small_cube: nd.RamanCube, command: str, change: Any, text: str
) -> None:
    bad = nd.RamanCube(change(small_cube.intensity), small_cube.wavenumber)
    path = nd.write(bad, tmp_path / "in.npz")
    result = run(command, path, tmp_path / "out.npz")
    assert result.exit_code == 1
    assert text in result.stderr
    assert left_in(tmp_path) == ["in.npz"]


def test_info_says_what_is_there(cube_path: Path) -> None:
    result = run("info", cube_path)
    assert result.exit_code == 0
    for text in ("small", "9 x 7 pixels", "0.5 x 0.5 um", "120 channels", "SNR", "1. read"):
        assert text in result.stdout


def test_info_as_json(cube_path: Path, small_cube: nd.RamanCube) -> None:
    facts = json.loads(run("info", cube_path, "--json").stdout)
    steps = np.diff(small_cube.wavenumber)
    assert facts["shape"] == [9, 7, 120]
    assert facts["axis"]["smallest_step"] == pytest.approx(steps.min())
    assert facts["axis"]["largest_step"] == pytest.approx(steps.max())
    assert facts["intensity"]["max"] == pytest.approx(small_cube.intensity.max())
    assert facts["n_values_not_finite"] == 0
    # Bands up to 100 high over noise of 4.
    assert 5 < facts["snr"] < 30
    assert facts["provenance"][0]["verb"] == "read"


def test_info_tells_of_uncertainty_and_flags(tmp_path: Path, small_cube: nd.RamanCube) -> None:
    plain_path = nd.write(small_cube, tmp_path / "plain.npz")
    facts = json.loads(run("info", plain_path, "--json").stdout)
    assert facts["uncertainty"] is None
    assert facts["n_flagged"] is None
    assert "not stated" in run("info", plain_path).stdout
    path = nd.write(with_trust(small_cube), tmp_path / "sure.npz")
    facts = json.loads(run("info", path, "--json").stdout)
    assert facts["n_flagged"] == 2
    assert facts["uncertainty"]["median"] == 3
    heights = small_cube.spectra.max(axis=1) - np.median(small_cube.spectra, axis=1)
    assert facts["uncertainty"]["median_over_highest_band"] == pytest.approx(
        np.median(3 / heights), rel=1e-4
    )
    shown = run("info", path).stdout
    assert "one sigma of each value; median 3" in shown
    assert "2 of 63 pixels" in shown


def with_trust(cube: nd.RamanCube) -> nd.RamanCube:
    flagged = np.zeros(cube.shape[:2], bool)
    flagged[0, :2] = True
    return dataclasses.replace(
        cube, uncertainty=np.full(cube.shape, 3.0, np.float32), flagged=flagged
    )


@pytest.mark.parametrize("verb", ["denoise", "super-resolve"])
def test_a_run_ends_with_how_sure_its_result_is(
    tmp_path: Path, cube_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    name = verb.replace("-", "_")
    made = with_trust(getattr(nd, name)(nd.read(cube_path), method=_QUICK[verb]))
    monkeypatch.setattr(f"napari_deeper.engine.{name}_files.{name}", lambda *_, **__: made)
    told = run(verb, cube_path, tmp_path / "out.npz").stdout
    assert "- Median uncertainty (one sigma): 3," in told
    assert f"- 2 of {made.shape[0] * made.shape[1]} pixels are flagged" in told
    np.testing.assert_array_equal(nd.read(tmp_path / "out.npz").flagged, made.flagged)
    assert run(verb, cube_path, tmp_path / "quiet.npz", "--quiet").stdout == ""


def test_convert_carries_uncertainty_and_flags(tmp_path: Path, small_cube: nd.RamanCube) -> None:
    sure = with_trust(small_cube)
    result = run("convert", nd.write(sure, tmp_path / "a.mat"), tmp_path / "b.zarr")
    assert result.exit_code == 0, result.output
    back = nd.read(tmp_path / "b.zarr")
    np.testing.assert_array_equal(back.uncertainty, sure.uncertainty)
    np.testing.assert_array_equal(back.flagged, sure.flagged)


def test_info_counts_what_is_missing(tmp_path: Path) -> None:
    values = np.ones((2, 2, 3))
    values[0, 0, :2], values[1, 1, 0] = np.nan, np.inf
    path = nd.write(nd.RamanCube(values, [1, 2, 3]), tmp_path / "a.npz")
    facts = json.loads(run("info", path, "--json").stdout)
    assert facts["n_values_not_finite"] == 3
    assert facts["n_spectra_not_finite"] == 2
    assert facts["snr"] is None
    assert "3 values are NaN or infinite, in 2 spectra" in run("info", path).stdout


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 5000), (3, 1, 2)])
def test_info_of_odd_shapes(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    cube = nd.RamanCube(np.full(shape, np.nan), np.arange(shape[2]) + 400.0)
    path = nd.write(cube, tmp_path / "a.npz")
    result = run("info", path)
    assert result.exit_code == 0
    assert "no finite value" in result.stdout
    assert json.loads(run("info", path, "--json").stdout)["intensity"]["min"] is None


@pytest.mark.parametrize("kind", ["pair", "txt", "csv", "npy"])
def test_axis_and_pixel_size_by_flag(tmp_path: Path, kind: str) -> None:
    axis = np.linspace(600, 1800, 30)
    np.save(tmp_path / "in.npy", np.random.default_rng(0).random((4, 5, 30)))
    np.save(tmp_path / "axis.npy", axis)
    np.savetxt(tmp_path / "axis.txt", axis, header="cm-1")
    np.savetxt(tmp_path / "axis.csv", np.column_stack([axis, axis * 0]), delimiter=",")
    given = "600:1800" if kind == "pair" else tmp_path / f"axis.{kind}"
    flags = ("--wavenumbers", given, "--pixel-size", "0.5,0.25")
    result = run("convert", tmp_path / "in.npy", tmp_path / "out.mat", *flags)
    assert result.exit_code == 0, result.output
    cube = nd.read(tmp_path / "out.mat")
    np.testing.assert_allclose(cube.wavenumber, axis)
    assert cube.pixel_size == (0.5, 0.25)
    assert "given by the user" in cube.provenance[0].notes[0]


@pytest.mark.parametrize("content", [b"", b"one\ntwo", b"\xff\xfe\x00", b"1,2\n3"])
def test_an_axis_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    np.save(tmp_path / "in.npy", np.ones((2, 2, 3)))
    (tmp_path / "axis.txt").write_bytes(content)
    result = run("info", tmp_path / "in.npy", "--wavenumbers", tmp_path / "axis.txt")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


def test_the_measured_cell_by_the_command(tmp_path: Path, thp1_path: Path) -> None:
    out = tmp_path / "2x.npz"
    result = run("super-resolve", thp1_path, out, "--method", "bilinear")
    assert result.exit_code == 0, result.output
    fine, coarse = nd.read(out), nd.read(thp1_path)
    channel = int(np.argmin(np.abs(coarse.wavenumber - 1450)))
    places = []
    for cube in (coarse, fine):
        peak = np.unravel_index(cube.intensity[..., channel].argmax(), cube.shape[:2])
        places.append(np.array(cube.origin) + np.array(peak) * cube.spacing)
    np.testing.assert_allclose(places[0], places[1], atol=coarse.spacing[0] / 2)


CLI = [sys.executable, "-m", "napari_deeper.cli"]


def test_help_loads_no_torch() -> None:
    code = (
        "import sys; from napari_deeper.cli import main; sys.argv = ['napari-deeper', 'denoise', '-h']\n"
        "try: main()\nexcept SystemExit as e: assert e.code == 0\n"
        "loaded = {'torch', 'napari', 'qtpy', 'zarr'} & sys.modules.keys()\n"
        "assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_real_process_says_one_line(tmp_path: Path) -> None:
    command = [*CLI, "info", str(tmp_path / "gone.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_a_real_process_at_once(tmp_path: Path, cube_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        # a shell that runs the tests in the background has its children ignore it
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from napari_deeper.cli import commands\n"
        "from napari_deeper.engine import denoise_files\n"
        "def slow(cube, params, *, progress):\n"
        "    progress.update(0.1, 'Working')\n"
        "    print('working', flush=True)\n"
        "    time.sleep(60)\n"
        "denoise_files.denoise = slow\n"
        f"sys.argv = ['x', 'denoise', {str(cube_path)!r}, {str(tmp_path / 'out.npz')!r}]\n"
        "commands.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - start < 20
    assert "Cancelled" in errors
    assert "Traceback" not in errors
    assert left_in(tmp_path) == ["in.npz"]
