"""What napari opens, saves and offers as samples."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from npe2 import PluginManifest
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QDialogButtonBox,
    QProgressDialog,
    QPushButton,
    QRadioButton,
)
from typer.testing import CliRunner

from napari_deeper import read, write
from napari_deeper.cli.commands import app
from napari_deeper.io import sample
from napari_deeper.plugin.layers import cube_from_layer, layer_tuple
from napari_deeper.plugin.reader import get_reader
from napari_deeper.plugin.widgets.choose_reading import ReadingDialog
from napari_deeper.plugin.writer import write_layer
from napari_deeper.spectra.errors import CubeError, DeeperError, FileError


def test_the_manifest_names_only_what_exists():
    manifest = PluginManifest.from_distribution("napari-deeper")
    manifest.validate_imports()
    titles = [widget.display_name for widget in manifest.contributions.widgets]
    assert titles == [
        "Workspace", "Enhance", "Spectra", "Prepare", "Crop", "Components", "Compare", "Evaluate", "Annotate",
        "Fine-tune", "Figure", "Imaging time", "Watch",
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", [".npz", ".zarr", ".mat", ".h5", ".tif", ".csv"])
def test_napari_opens_and_saves_a_cube(make_napari_viewer, small_cube, tmp_path, suffix):
    viewer = make_napari_viewer()
    (layer,) = viewer.open(write(small_cube, tmp_path / f"in{suffix}"), plugin="napari-deeper")
    assert layer.name == "small"
    layer.name = "renamed"
    (saved,) = layer.save(str(tmp_path / f"out{suffix}"), plugin="napari-deeper")
    back = read(saved)
    np.testing.assert_array_equal(back.intensity, small_cube.intensity)
    np.testing.assert_array_equal(back.wavenumber, small_cube.wavenumber)
    assert (back.name, back.pixel_size, back.origin) == ("renamed", (0.5, 0.5), (3.0, -2.0))


def test_several_files_open_as_several_layers(small_cube, tmp_path):
    paths = [str(write(small_cube, tmp_path / f"{i}.npz")) for i in range(2)]
    reader = get_reader(paths)
    assert reader is not None
    assert len(reader(paths)) == 2


def test_other_files_are_left_to_other_plugins(tmp_path):
    (tmp_path / "image.zarr").mkdir()
    (tmp_path / "image.zarr" / "zarr.json").write_text('{"node_type": "group"}')
    assert get_reader(str(tmp_path / "image.zarr")) is None
    assert get_reader(str(tmp_path / "photo.png")) is None


def test_a_broken_file_is_told_by_name(tmp_path):
    path = tmp_path / "broken.npz"
    path.write_bytes(b"PK\x03\x04 cut off")
    reader = get_reader(str(path))
    assert reader is not None
    with pytest.raises(DeeperError, match=r"broken\.npz"):
        reader(str(path))


def test_a_layer_without_wavenumbers_is_not_saved(tmp_path):
    with pytest.raises(CubeError, match="no Raman cube"):
        write_layer(str(tmp_path / "a.npz"), np.zeros((2, 3, 4)), {"name": "stack", "metadata": {}})
    assert not list(tmp_path.iterdir())


def test_the_samples_are_one_field_at_two_exposures(make_napari_viewer):
    viewer = make_napari_viewer()
    for key in ("simulated_low_snr", "simulated_high_snr"):
        viewer.open_sample("napari-deeper", key)
    cubes = [cube_from_layer(layer) for layer in viewer.layers]
    low, high = cubes
    assert low.shape == high.shape
    np.testing.assert_array_equal(low.wavenumber, high.wavenumber)
    assert low.pixel_size == high.pixel_size is not None
    assert "imulated" in low.name


def test_the_window_lives_while_a_sample_is_downloaded(
    make_napari_viewer, small_cube, tmp_path, monkeypatch, qtbot
):
    viewer = make_napari_viewer()
    path = write(small_cube, tmp_path / "cell.npz")
    threads = []

    def slowly(progress):
        for i in range(40):
            progress.update(i / 40, "Downloading")
            time.sleep(0.01)
        threads.append(threading.current_thread())
        return path

    monkeypatch.setattr(sample, "fetch_thp1", slowly)
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(10)
    (layer,) = viewer.open_sample("napari-deeper", "thp1_cell")
    timer.stop()
    assert threads[0] is not threading.main_thread()
    assert len(ticks) > 5
    np.testing.assert_array_equal(cube_from_layer(layer).intensity, small_cube.intensity)
    assert not [t for t in threading.enumerate() if t.name == "napari-deeper"]


def test_a_download_can_be_cancelled_and_may_fail(make_napari_viewer, monkeypatch, qtbot):
    viewer = make_napari_viewer()

    def endless(progress):
        while True:
            progress.update(0.5, "Downloading")
            time.sleep(0.01)

    def press_cancel():
        (dialog,) = [
            w
            for w in QApplication.topLevelWidgets()
            if isinstance(w, QProgressDialog) and w.isVisible()
        ]
        (button,) = dialog.findChildren(QPushButton)
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    monkeypatch.setattr(sample, "fetch_thp1", endless)
    QTimer.singleShot(700, press_cancel)
    with pytest.raises(FileError, match="cancelled"):
        viewer.open_sample("napari-deeper", "thp1_cell")
    assert not [t for t in threading.enumerate() if t.name == "napari-deeper"]

    def offline(progress):
        raise FileError("is this computer online?")

    monkeypatch.setattr(sample, "fetch_thp1", offline)
    with pytest.raises(FileError, match="online"):
        viewer.open_sample("napari-deeper", "thp1_cell")
    assert len(viewer.layers) == 0


def test_opening_loads_neither_torch_nor_qt(small_cube, tmp_path):
    path = write(small_cube, tmp_path / "cube.npz")
    code = (
        "import sys\n"
        "from napari_deeper.plugin import reader, sample_data, writer\n"
        f"layer, = reader.get_reader({str(path)!r})({str(path)!r})\n"
        "sample_data.simulated_low_snr()\n"
        f"writer.write_layer({str(tmp_path / 'copy.npz')!r}, layer[0], layer[1])\n"
        "heavy = {'torch', 'qtpy', 'PyQt6', 'napari', 'magicgui'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_layer_tuple_survives_nan_and_constant_cubes(small_cube):
    intensity = small_cube.intensity.copy()
    intensity[0, 0, :] = np.nan
    _, attributes, _ = layer_tuple(small_cube.derive(intensity, small_cube_step()))
    low, high = attributes["contrast_limits"]
    assert np.isfinite([low, high]).all()
    assert low < high
    _, attributes, _ = layer_tuple(small_cube.derive(np.zeros_like(intensity), small_cube_step()))
    assert attributes["contrast_limits"] == (0.0, 1.0)


def small_cube_step():
    from napari_deeper.spectra.provenance import Step

    return Step("test")


SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
TABLES = (
    "bladder/bladder.csv.xz",
    "formats/horiba/labspec_map_incomplete_grid.txt",
    "formats/witec/P_A32_006_Spec.Data 1.txt.xz",
    "formats/witec/P_A32_006_Spec.Data 1.mat",
    "formats/witec/Witec-Map_full.txt",
    "thp1/3D THP1 map 001 L5 (B+R) (Sub BG).mat",
)


@pytest.mark.parametrize("name", TABLES)
def test_a_dropped_file_is_what_the_command_says_of_it(make_napari_viewer, name):
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"the measured file {name} is not beside this checkout (../shared/data)")
    viewer = make_napari_viewer()
    (layer,) = viewer.open(str(path), plugin="napari-deeper")
    cube = cube_from_layer(layer)
    told = CliRunner().invoke(app, ["info", str(path), "--json"])
    assert told.exit_code == 0, told.output
    facts = json.loads(told.stdout)
    assert tuple(facts["shape"]) == cube.shape
    assert facts["name"] == layer.name


@pytest.fixture
def ambiguous(tmp_path):
    table = np.random.default_rng(0).random((8, 9)) * 100
    table[0], table[:, 0] = np.linspace(600, 680, 9), np.linspace(600, 607, 8)
    np.savetxt(tmp_path / "table.txt", table)
    return tmp_path / "table.txt"


def answer(qtbot, choice, button):
    """Click an answer and a button of the dialog that asks, once it is there."""

    def click():
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, ReadingDialog)
        dialogs.append(dialog.findChildren(QRadioButton)[choice].text())
        qtbot.mouseClick(
            dialog.findChildren(QRadioButton)[choice], Qt.MouseButton.LeftButton, pos=QPoint(8, 8)
        )
        qtbot.mouseClick(
            dialog.findChild(QDialogButtonBox).button(button), Qt.MouseButton.LeftButton
        )

    dialogs: list[str] = []
    QTimer.singleShot(300, click)
    return dialogs


@pytest.mark.parametrize(("choice", "shape"), [(0, (1, 7, 9)), (1, (1, 8, 8))])
def test_an_ambiguous_file_is_asked_about_in_a_dialog(
    make_napari_viewer, qtbot, ambiguous, choice, shape
):
    viewer = make_napari_viewer()
    seen = answer(qtbot, choice, QDialogButtonBox.StandardButton.Open)
    (layer,) = viewer.open(str(ambiguous), plugin="napari-deeper")
    assert cube_from_layer(layer).shape == shape
    assert ("row", "column")[choice] in seen[0]


def test_a_question_can_be_cancelled(make_napari_viewer, qtbot, ambiguous):
    viewer = make_napari_viewer()
    answer(qtbot, 0, QDialogButtonBox.StandardButton.Cancel)
    with pytest.raises(FileError, match=r"table\.txt was not opened"):
        viewer.open(str(ambiguous), plugin="napari-deeper")
    assert len(viewer.layers) == 0


def test_the_command_prints_the_choices_and_takes_them(ambiguous):
    asked = CliRunner().invoke(app, ["info", str(ambiguous)])
    assert asked.exit_code == 1
    assert "--layout yxc" in asked.stderr
    assert "--layout cyx" in asked.stderr
    told = CliRunner().invoke(
        app, ["info", str(ambiguous), "--layout", "cyx", "--image-size", "2x4", "--json"]
    )
    assert json.loads(told.stdout)["shape"] == [2, 4, 8]
    wrong = CliRunner().invoke(app, ["info", str(ambiguous), "--image-size", "two"])
    assert wrong.exit_code == 2


def test_without_an_axis_a_tiff_and_napari_tables_are_left_to_napari(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6, 7), np.float32), photometric="minisblack")
    assert get_reader(str(tmp_path / "a.tif")) is None
    (tmp_path / "a.txt").write_text("600 601 602 603 604")
    assert get_reader(str(tmp_path / "a.tif")) is not None
    (tmp_path / "points.csv").write_text("index,axis-0,axis-1\n0,1.0,2.0\n")
    assert get_reader(str(tmp_path / "points.csv")) is None


def test_a_folder_of_spectra_opens_and_other_folders_are_left_alone(make_napari_viewer, tmp_path):
    folder = tmp_path / "spectra"
    folder.mkdir()
    assert get_reader(str(folder)) is None
    for i in range(3):
        (folder / f"{i}.txt").write_text("600 1\n601 2\n602 3\n")
    (layer,) = make_napari_viewer().open(str(folder), plugin="napari-deeper")
    assert cube_from_layer(layer).shape == (1, 3, 3)
    (folder / "photo.png").write_bytes(b"x")
    assert get_reader(str(folder)) is None
