"""The verb `heatmap`, its files and its command."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_deeper as nd
from napari_deeper.cli import app
from napari_deeper.engine.heatmap import parse_band


def test_a_heatmap_says_what_it_shows(small_cube):
    counted = nd.RamanCube.from_header(
        small_cube.intensity,
        small_cube.header() | {"metadata": {"name": "cell", "intensity_unit": "counts"}},
    )
    made = nd.heatmap(counted, band="1440-1460", measure="area", baseline=True)
    assert made.label == "area 1440-1460 cm-1 above baseline"
    assert made.unit == "counts·cm-1"
    assert (made.name, made.pixel_size, made.origin) == ("cell", (0.5, 0.5), (3.0, -2.0))
    assert made.image.shape == (9, 7)
    assert made.image.dtype == np.float32
    assert "area 1440-1460 cm-1 above baseline (counts·cm-1)" in repr(made)
    ratio = nd.heatmap(counted, band="1450", over="1004", measure="height")
    assert (ratio.label, ratio.unit) == ("ratio of peak heights 1440-1460 / 996-1012 cm-1", "")
    position = nd.heatmap(counted, measure="position")
    assert (position.label, position.unit) == ("peak position in 1440-1460 cm-1", "cm-1")
    assert nd.heatmap(small_cube).unit == "arb. units"


def test_the_default_is_the_mean_of_the_band(small_cube):
    axis = small_cube.wavenumber
    inside = (axis >= 1440) & (axis <= 1460)
    made = nd.heatmap(small_cube)
    np.testing.assert_allclose(made.image, small_cube.intensity[..., inside].mean(2), rtol=1e-5)
    assert made.notes == ()
    params = nd.HeatmapParams(band="1004", measure="sum")
    np.testing.assert_array_equal(
        nd.heatmap(small_cube, params).image,
        nd.heatmap(small_cube, band="1004", measure="sum").image,
    )


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("1450", (1440, 1460)),
        ("1004", (996, 1012)),
        ("785", (780, 790)),
        (" 1440 - 1460 cm-1", (1440, 1460)),
        ("1460:1440.5", (1440.5, 1460)),
        ("1440–1460", (1440, 1460)),
        ("dna", (785, 805)),
        ("1004 cm-1: phenylalanine", (996, 1012)),
    ],
)
def test_a_band_is_read_as_people_write_it(text, limits):
    assert parse_band(text, half_width=5) == limits


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"band": "nonsense"}, "band 'nonsense' is neither a center"),
        ({"band": ""}, "band '' is neither"),
        ({"over": "x"}, "band 'x' is neither"),
        ({"measure": "median"}, "must be one of: mean"),
        ({"measure": "position", "over": "1004"}, "ratio of peak positions has no meaning"),
        ({"band": "2900"}, "2890-2910 cm-1 lies outside the cube"),
        ({"over": "2900"}, "2890-2910 cm-1 lies outside the cube"),
        ({"band": "600-620", "baseline": True}, "reaches the end of the axis"),
        ({"shoulder": 0}, "shoulder is 0"),
    ],
)
def test_what_cannot_be_measured_is_told(small_cube, settings, text):
    before = small_cube.intensity.copy()
    with pytest.raises(nd.DeeperError, match=text):
        nd.heatmap(small_cube, **settings)
    np.testing.assert_array_equal(small_cube.intensity, before)


def test_missing_pixels_are_counted_and_explained(small_cube):
    values = small_cube.intensity.copy()
    values[2, 3] = np.nan
    holed = nd.RamanCube(values, small_cube.wavenumber)
    made = nd.heatmap(holed)
    assert made.n_missing == 1
    assert made.notes[0].startswith("1 of 63 pixels are missing: their intensities")
    none = nd.heatmap(holed, over="700-760", baseline=True)
    assert none.n_missing > 40
    assert "denominator is not 4 times its noise" in none.notes[0]
    assert "half of its height" in nd.heatmap(holed, measure="width").notes[0]


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def cube_path(tmp_path, small_cube):
    values = small_cube.intensity.copy()
    values[0, 1] = np.nan
    holed = nd.RamanCube.from_header(values, small_cube.header())
    return nd.write(holed, tmp_path / "in.npz")


def test_the_command_writes_what_the_verb_gives(tmp_path, cube_path):
    expected = nd.heatmap(nd.read(cube_path), band="1450", measure="area", baseline=True)
    for name in ("map.csv", "map.npz", "map.png"):
        flags = ("--band", "1450", "--measure", "area", "--baseline", "--out", tmp_path / name)
        result = run("heatmap", cube_path, *flags)
        assert result.exit_code == 0, result.output
        assert "area 1440-1460 cm-1 above baseline (arb. units·cm-1)" in result.stdout
        assert "1 of 63 pixels are missing" in result.stdout
    with (tmp_path / "map.csv").open(encoding="utf-8") as stream:
        head, *rows = list(csv.reader(stream))
    assert head[0].startswith("area 1440-1460 cm-1 above baseline (arb. units·cm-1)")
    assert [float(x) for x in head[1:3]] == [-2.0, -1.5]
    assert [float(row[0]) for row in rows[:2]] == [3.0, 3.5]
    assert rows[0][2] == ""
    values = [[float(cell or "nan") for cell in row[1:]] for row in rows]
    np.testing.assert_allclose(values, expected.image, rtol=1e-6)
    with np.load(tmp_path / "map.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["image"], expected.image)
        header = json.loads(str(stored["header"]))
    assert (header["unit"], header["low"], header["measure"]) == (expected.unit, 1440, "area")
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_refuses_before_it_reads(tmp_path, cube_path):
    (tmp_path / "there.csv").write_text("mine")
    for flags, code, text in [
        (("--out", tmp_path / "there.csv"), 1, "already exists"),
        (("--out", tmp_path / "map.tif"), 1, "Known: .csv, .npz, .png"),
        (("--out", tmp_path / "no" / "map.csv"), 1, "does not exist"),
        (("--out", tmp_path / "map.csv", "--band", "x"), 2, "neither a center"),
        (("--out", tmp_path / "map.csv", "--band", "2900"), 1, "lies outside the cube"),
    ]:
        result = run("heatmap", cube_path, *flags)
        assert result.exit_code == code, result.output
        assert text in " ".join(result.output.replace("│", " ").split())
    assert (tmp_path / "there.csv").read_text() == "mine"
    assert run("heatmap", cube_path, "--out", tmp_path / "there.csv", "--force").exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.npz", "there.csv"]
