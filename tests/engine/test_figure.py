"""Figures: what is in them, that nothing is cut off or in the way, and that what is written can be edited."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import threading
from itertools import combinations

import matplotlib
import numpy as np
import pytest

import napari_deeper as nd
from napari_deeper.engine.figure_bars import bars_of_evaluation
from napari_deeper.engine.figure_draw import draw_figure, notes_for
from napari_deeper.engine.figure_parts import (
    Bar,
    BarsPanel,
    Figure,
    FigureCurve,
    FigureStyle,
    MapPanel,
    Mark,
    SpectraPanel,
)
from napari_deeper.engine.figure_ticks import format_number, scale_bar_length, ticks_of
from napari_deeper.spectra.errors import AxisError, CubeError, FileError, ParameterError


@pytest.fixture
def fast(small_cube):
    metadata = {"name": "0.1 s", "dwell_time_s": 0.1, "intensity_unit": "counts"}
    return dataclasses.replace(small_cube, metadata=metadata)


@pytest.fixture
def slow(small_cube):
    metadata = {"name": "1 s", "dwell_time_s": 1.0, "intensity_unit": "counts"}
    return dataclasses.replace(small_cube, intensity=10 * small_cube.intensity, metadata=metadata)


def a_map(title, column="1450 cm⁻¹", n=(20, 24), gap=False, **changes):
    image = np.random.default_rng(len(title)).random(n, dtype=np.float32)
    if gap:
        image[:3, :4] = np.nan
    fields = dict(
        spacing=(0.5, 0.5), unit="um", quantity="Intensity (counts)", imaging="38:24 (10×)"
    )
    return MapPanel(title, image, column, **(fields | changes))


def a_composite(title, **changes):
    colors = tuple((f"Component {i}", "#4477AA") for i in range(1, 6))
    image = np.random.default_rng(1).random((20, 24, 3), dtype=np.float32)
    return MapPanel(title, image, "Components", (0.5, 0.5), unit="um", colors=colors, **changes)


def some_spectra(n=6, name="Denoised cell"):
    axis = np.linspace(600, 1800, 90)
    rng = np.random.default_rng(2)
    curves = [
        FigureCurve(
            f"{name} {i}", axis, rng.random(90).astype(np.float32), "#E69F00", str(i + 1),
            np.full(90, 0.1, np.float32),
        )
        for i in range(n)
    ]  # fmt: skip
    return SpectraPanel(tuple(curves), "counts/s", ((1440, 1460),))


def some_bars(n=4):
    bars = tuple(Bar(f"method {i}", 3e-5 * (i + 1), (2e-5, 1e-4)) for i in range(n))
    return (
        BarsPanel("Excess MSE", bars, "counts²", "lower"),
        BarsPanel("PSNR", tuple(Bar(b.name, 40.1) for b in bars), "dB", "higher"),
        BarsPanel("SSIM", tuple(Bar(b.name, float("nan")) for b in bars), "", "higher"),
    )


MARKS = (Mark(2, 2, "1"), Mark(6, 9, "2"), Mark(9.5, 0.2, "3"))
CASES = {
    "one map": Figure((a_map("cell"),), MARKS),
    "one map with spectra": Figure((a_map("cell", gap=True),), MARKS, some_spectra(2)),
    "a row of maps": Figure(tuple(a_map(f"cell {i}") for i in range(3)), MARKS, some_spectra()),
    "rows of methods": Figure(
        tuple(m for t in ("measured", "denoised", "1 s") for m in (a_map(t), a_composite(t))),
        MARKS, some_spectra(), some_bars(), ("A note that is long enough for a second line. " * 4,),
    ),
    "groups of contrast": Figure(
        tuple(
            a_map(f"map {i}", contrast=c, limits=(0, 10.0 ** (6 - 4 * i)))
            for i, c in enumerate(("0.1 s", "0.1 s", "1 s"))
        )
    ),
    "many maps": Figure(tuple(a_map(f"map {i}") for i in range(24))),
    "names too long": Figure(
        tuple(a_map(f"{'a very long name of a layer ' * 3}{i}") for i in range(4)),
        MARKS, some_spectra(4, "a very long name of a layer " * 3), some_bars(),
    ),
    "strange names": Figure((a_map("a $ b $ \\frac{1}{2} _^ \n 細胞"), a_map("ß µ"))),
    "spectra alone": Figure(spectra=some_spectra(12)),
    "bars alone": Figure(metrics=some_bars(12)),
    "a line and a point": Figure((a_map("line", n=(1, 60)), a_map("point", n=(1, 1)))),
    "a tall map": Figure((a_map("tall", n=(200, 20)), a_map("other", n=(200, 20))), MARKS),
}  # fmt: skip


def written(drawing):
    """Return (text, box in pixels) of each text that is drawn."""
    renderer = drawing.canvas.get_renderer()
    drawing.draw(renderer)
    artists = drawing.findobj(matplotlib.text.Text)
    shown = [t for t in artists if t.get_visible() and t.get_text()]
    # axes without labels of their own keep the texts of their ticks, invisible
    shown = [t for t in shown if t.axes is None or t.axes.axison or t in t.axes.texts]
    return [(t.get_text(), t.get_window_extent(renderer), t.get_fontsize()) for t in shown]


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize("case", CASES)
def test_no_text_is_cut_off_too_small_or_on_another(case, width):
    drawing = draw_figure(CASES[case], FigureStyle(width=width), dpi=150)
    page = drawing.bbox
    texts = written(drawing)
    assert texts
    for text, box, size in texts:
        assert size >= 6
        inside = (box.x0 >= -1, box.y0 >= -1, box.x1 <= page.x1 + 1, box.y1 <= page.y1 + 1)
        assert all(inside), f"'{text}' is cut off: {box} of {page}"
    for (one, a, _), (other, b, _) in combinations(texts, 2):
        w, h = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        # boxes hold room for letters that reach below the line
        assert w <= 1.5 or h <= 0.25 * min(a.height, b.height), f"'{one}' on '{other}'"


def test_the_page_has_the_width_of_the_column():
    for width, mm in (("single", 85), ("double", 178)):
        drawing = draw_figure(CASES["rows of methods"], FigureStyle(width=width))
        assert drawing.get_figwidth() * 25.4 == pytest.approx(mm)
        assert drawing.get_figheight() * 25.4 < 240


def shown_texts(figure, **style):
    return [text for text, _, _ in written(draw_figure(figure, FigureStyle(**style), dpi=60))]


def test_what_is_switched_off_is_not_drawn():
    figure = CASES["rows of methods"]
    everything = shown_texts(figure)
    assert {"a", "10 µm", "5 µm"} & set(everything) >= {"a"}
    assert everything.count("38:24 (10×)") == 3
    bare = shown_texts(
        figure, letters=False, scale_bars=False, times=False, color_bars=False, arrows=False
    )
    for gone in ("a", "38:24 (10×)", "Intensity (counts)", "5 µm", "2"):
        assert gone not in bare, gone
    assert "Raman shift (cm⁻¹)" in bare


def test_maps_of_one_contrast_share_a_color_bar_and_others_do_not():
    shared = shown_texts(CASES["a row of maps"])
    assert shared.count("Intensity (counts)") == 1
    three = tuple(
        a_map(f"map {i}", contrast=c, limits=limits)
        for i, (c, limits) in enumerate((("0.1 s", (0, 9)), ("0.1 s", (0, 9)), ("1 s", (0, 5e6))))
    )
    apart = shown_texts(Figure(three))
    assert [t for t in apart if t.startswith("Intensity")] == [
        "Intensity (counts), 0.1 s", "Intensity (10⁶ counts), 1 s"
    ]  # fmt: skip


def images(figure, **style):
    drawing = draw_figure(figure, FigureStyle(**style), dpi=60)
    return {
        image.get_gid(): image.get_extent() for image in drawing.findobj(matplotlib.image.AxesImage)
    }


def test_maps_are_drawn_to_one_scale_whatever_their_pixels():
    coarse = a_map("coarse", n=(10, 10), spacing=(1.0, 1.0))
    fine = a_map("fine", n=(40, 40), spacing=(0.25, 0.25))
    small = a_map("small", n=(20, 20), spacing=(0.25, 0.25))
    found = images(Figure((coarse, fine, small)))
    sizes = [found[f"map_{i}"][1] - found[f"map_{i}"][0] for i in (1, 2, 3)]
    assert sizes[0] == pytest.approx(sizes[1])
    assert sizes[2] == pytest.approx(sizes[0] / 2)


def test_what_all_maps_show_is_said_once():
    assert shown_texts(CASES["a row of maps"]).count("1450 cm⁻¹") == 1
    mixed = Figure((a_map("cell"), a_map("cell", "785 cm⁻¹")))
    assert {"cell, 1450 cm⁻¹", "cell, 785 cm⁻¹"} <= set(shown_texts(mixed))


@pytest.mark.parametrize(
    ("pixel", "text"), [(0.05, "0.2 µm"), (0.5, "2 µm"), (300.0, "2 mm"), (150.0, "1 mm")]
)
def test_scale_bars_tell_their_length_in_a_fitting_unit(pixel, text):
    assert text in shown_texts(Figure((a_map("cell", spacing=(pixel, pixel)),)))


def test_missing_values_are_hatched_and_said():
    assert "no data" in shown_texts(Figure((a_map("cell", gap=True),)))
    assert "no data" not in shown_texts(Figure((a_map("cell"),)))


def test_an_unknown_pixel_size_is_said():
    figure = Figure((a_map("cell", unit="pixel", spacing=(1.0, 1.0)),))
    assert "5 px" in shown_texts(figure)
    assert any("pixel size is not known" in note for note in notes_for(figure, FigureStyle()))


def test_a_mark_outside_a_map_is_not_drawn_there():
    figure = Figure((a_map("left"), a_map("right", origin=(0.0, 100.0))), (Mark(2, 2, "7"),))
    assert shown_texts(figure).count("7") == 1


def test_nothing_and_too_much_are_refused():
    with pytest.raises(ParameterError, match="nothing to draw"):
        Figure()
    with pytest.raises(ParameterError, match=r"24 maps; these are 25.*Hide layers"):
        Figure(tuple(a_map(f"map {i}") for i in range(25)))
    with pytest.raises(ParameterError, match="16 spectra"):
        Figure(spectra=some_spectra(17))
    with pytest.raises(CubeError, match="not \\(y, x\\)"):
        MapPanel("wrong", np.zeros((2, 2, 4)))


def test_columns_that_have_no_room_are_refused():
    figure = CASES["many maps"]
    style = FigureStyle(width="double", n_columns=8)
    assert len({round(box[0], 3) for box in images(figure, n_columns=8).values()}) >= 8
    draw_figure(figure, style, dpi=60)
    with pytest.raises(ParameterError, match=r"8 columns of maps.*85 mm"):
        draw_figure(figure, FigureStyle(width="single", n_columns=8), dpi=60)


# ---- from cubes -------------------------------------------------------------------------------------------------


def test_a_figure_of_cubes_holds_what_the_verbs_find(fast, slow):
    figure = nd.make_figure([fast], target=slow, components=2, pins=[(0, 0), (4, 3)])
    assert [(m.title, m.column) for m in figure.maps] == [
        ("0.1 s", "1440–1460 cm⁻¹"), ("0.1 s", "Components"),
        ("1 s", "1440–1460 cm⁻¹"), ("1 s", "Components"),
    ]  # fmt: skip
    np.testing.assert_array_equal(figure.maps[0].image, nd.heatmap(fast, band="1450").image)
    assert figure.maps[0].quantity == "Intensity (counts)"
    assert [m.imaging for m in figure.maps] == ["00:06 (10×)"] * 2 + ["01:03"] * 2
    found = nd.compare(
        {"0.1 s": fast}, slow, match_scale=True, n_endmembers=0, endmembers=None
    ).scores[0]
    measures = {panel.measure: panel.bars[0].value for panel in figure.metrics}
    assert measures["MSE"] == found.mse
    assert measures["PSNR"] == found.psnr
    assert "Class accuracy" in measures
    assert any("dwell times differ" in note for note in figure.notes)


def test_spectra_are_those_of_the_pixels(fast, slow):
    figure = nd.make_figure([fast, slow], pins=[(4, 3)])
    curves = figure.spectra.curves
    assert figure.spectra.unit == "counts/s"  # dwell times differ
    np.testing.assert_allclose(curves[0].intensity, fast.intensity[4, 3] / 0.1, rtol=1e-6)
    np.testing.assert_allclose(curves[1].intensity, slow.intensity[4, 3], rtol=1e-6)
    alone = nd.make_figure([fast], pins=[(4, 3)]).spectra
    np.testing.assert_array_equal(alone.curves[0].intensity, fast.intensity[4, 3])
    unknown = dataclasses.replace(slow, metadata={"name": "unknown"})
    mixed = nd.make_figure([fast, unknown], pins=[(4, 3)]).spectra
    assert mixed.unit == "of maximum"
    assert all(c.intensity.max() == pytest.approx(1) for c in mixed.curves)
    with pytest.raises(ParameterError, match="dwell time of every cube"):
        nd.make_figure([fast, unknown], pins=[(4, 3)], scaling="per second")


def test_cubes_of_one_dwell_time_share_their_contrast(fast, slow):
    bright = dataclasses.replace(
        fast, intensity=2 * fast.intensity, metadata={**fast.metadata, "name": "bright"}
    )
    maps = nd.make_figure([fast, bright, slow]).maps
    assert maps[0].limits == maps[1].limits != maps[2].limits
    assert maps[0].scale_group == maps[1].scale_group != maps[2].scale_group


def test_ratios_compare_between_all_dwell_times(fast, slow):
    figure = nd.make_figure([fast, slow], band="1450", over="1004", pins=[(1, 1)])
    one, other = figure.maps
    assert one.quantity == "Ratio"
    assert one.scale_group == other.scale_group
    np.testing.assert_array_equal(one.image, nd.heatmap(fast, band="1450", over="1004").image)
    assert figure.spectra.bands == ((1440, 1460), (996, 1012))


def test_a_result_is_marked_at_the_same_place_in_um(fast):
    fine = nd.super_resolve(fast, scale=2, method="bilinear")
    figure = nd.make_figure({"measured": fast, "fine": fine}, pins=[(4, 3)])
    for panel in figure.maps:
        y, x = panel.place(figure.marks[0])
        assert (y / 0.5 - 0.5, x / 0.5 - 0.5) == pytest.approx((4, 3), abs=0.3)
    # four times the pixels of what was measured
    assert [m.imaging for m in figure.maps] == ["00:06", "00:06 (4×)"]
    assert any("0.1 s per pixel, as in 'measured'" in note for note in figure.notes)
    asked = nd.make_figure({"fine": fine}, reference_dwell=1.0)
    assert asked.maps[0].imaging == "00:06 (40×)"
    assert any("1 s per pixel" in note for note in asked.notes)


def test_no_time_is_told_where_none_is_known(small_cube):
    figure = nd.make_figure([small_cube])
    assert figure.maps[0].imaging == ""
    assert not any("imaging time" in note for note in figure.notes)


def test_two_cubes_of_one_name_are_told_apart(fast):
    assert [m.title for m in nd.make_figure([fast, fast]).maps] == ["0.1 s", "0.1 s (2)"]


def test_missing_pixels_stay_missing(fast):
    intensity = fast.intensity.copy()
    intensity[0, 0] = np.nan
    holed = dataclasses.replace(fast, intensity=intensity)
    figure = nd.make_figure([holed], components=2, pins=[(0, 0), (3, 3)])
    assert all(np.isnan(m.image[0, 0]).all() and m.has_gaps for m in figure.maps)
    draw_figure(figure, dpi=60)


@pytest.mark.parametrize(
    ("settings", "pins", "error", "told"),
    [
        ({"band": "3000"}, [], AxisError, "outside the cube"),
        ({"band": "x"}, [], ParameterError, "neither a center"),
        ({}, [(50, 2)], CubeError, "50,2 lies outside every cube"),
        ({"width": "triple"}, [], ParameterError, "single, double"),
        ({"band": ""}, [], ParameterError, "nothing to draw"),
    ],
)
def test_what_cannot_be_drawn_is_said(fast, settings, pins, error, told):
    with pytest.raises(error, match=told):
        nd.make_figure([fast], pins=pins, **settings)


def test_no_cube_is_said():
    with pytest.raises(CubeError, match="no cube"):
        nd.make_figure([])


def test_a_cube_made_from_the_target_is_told(slow):
    measured = slow.derive(slow.intensity, nd_step("measure"))
    made = nd.denoise(measured, method="low-rank")
    figure = nd.make_figure({"denoised": made}, target=measured)
    assert any("Made from the target itself" in note for note in figure.notes)


def nd_step(verb):
    from napari_deeper.spectra.provenance import Step

    return Step(verb)


def test_an_evaluation_becomes_bars_with_its_intervals(fast):
    found = nd.evaluate(fast, methods="low-rank", noise="white", n_endmembers=0)
    panels = bars_of_evaluation(found, "counts")
    assert [p.measure for p in panels[:3]] == ["Excess MSE", "PSNR", "SSIM"]
    assert panels[0].bars[0].interval == found.summaries[0].excess_mse_interval
    texts = shown_texts(Figure(metrics=panels))
    assert any("Error bars: 95 % intervals" in t for t in texts)


# ---- files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def figure(fast, slow):
    return nd.make_figure([fast], target=slow, components=2, pins=[(0, 0), (4, 3)])


def test_all_formats_and_the_numbers_are_written(tmp_path, figure, fast):
    written = nd.write_figure(figure, tmp_path / "a.svg", formats=("pdf", "png"))
    assert [p.name for p in written] == ["a.svg", "a.pdf", "a.png", "a_data"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pdf", "a.png", "a.svg", "a_data"]
    with (tmp_path / "a_data" / "map01_0.1_s.csv").open(encoding="utf-8", newline="") as stream:
        table = list(csv.reader(stream))
    corner = "1440–1460 cm⁻¹ Intensity (counts); y down, x right in um"
    assert table[0] == [corner, "-2", "-1.5", "-1", "-0.5", "0", "0.5", "1"]
    assert [row[0] for row in table[1:3]] == ["3", "3.5"]
    values = np.array([row[1:] for row in table[1:]], dtype=float)
    np.testing.assert_allclose(values, nd.heatmap(fast, band="1450").image, rtol=1e-6)
    record = json.loads((tmp_path / "a_data" / "figure.json").read_text(encoding="utf-8"))
    assert record["maps"][1]["colors"][0][0].startswith("Component 1")
    assert record["maps"][0]["about"]["metadata"]["dwell_time_s"] == 0.1
    assert all((tmp_path / "a_data" / f).is_file() for m in record["maps"] for f in m["files"])
    head = (tmp_path / "a_data" / "spectra.csv").read_text(encoding="utf-8").splitlines()[0]
    assert head == (
        '"Raman shift (cm-1)","1: 0.1 s (counts/s)","1: 1 s (counts/s)","2: 0.1 s (counts/s)",'
        '"2: 1 s (counts/s)"'
    )
    assert "MSE,counts²,lower,0.1 s," in (tmp_path / "a_data" / "measures.csv").read_text("utf-8")


def test_text_stays_text(tmp_path, figure):
    nd.write_figure(figure, tmp_path / "a.svg", formats=("pdf",), data=False)
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    for text in ("Raman shift (cm⁻¹)", "Intensity (counts), 0.1 s", "00:06 (10×)", "PSNR ↑ (dB)"):
        assert re.search(rf"<text[^>]*>\s*{re.escape(text)}\s*</text>", svg), text
    assert "<dc:date>" not in svg
    assert all(", sans-serif" in style for style in re.findall(r"font-family: [^;\"]+", svg))
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert (
        b"/CIDFontType2" in pdf or b"/TrueType" in pdf
    )  # Type 42: outlines that programs can edit
    assert b"/Type3" not in pdf


def test_a_png_has_300_dots_per_inch(tmp_path, figure):
    from matplotlib.image import imread

    nd.write_figure(figure, tmp_path / "a.png", FigureStyle(width="single"), data=False)
    assert imread(tmp_path / "a.png").shape[1] == pytest.approx(85 / 25.4 * 300, abs=1)


def test_the_same_figure_gives_the_same_files(tmp_path, figure):
    for name in ("a", "b"):
        nd.write_figure(figure, tmp_path / f"{name}.svg", formats=("pdf", "png"), data=False)
    for suffix in (".svg", ".pdf", ".png"):
        a, b = (tmp_path / f"{name}{suffix}" for name in ("a", "b"))
        assert a.read_bytes() == b.read_bytes(), suffix


def test_nothing_is_overwritten_unasked(tmp_path, figure):
    nd.write_figure(figure, tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises(FileError, match="already exists"):
        nd.write_figure(figure, tmp_path / "a.png", FigureStyle(width="single"))
    with pytest.raises(FileError, match="already exists"):  # the data of the other one
        nd.write_figure(figure, tmp_path / "a.svg")
    assert (tmp_path / "a.png").read_bytes() == before
    assert not (tmp_path / "a.svg").exists()
    nd.write_figure(figure, tmp_path / "a.png", FigureStyle(width="single"), overwrite=True)
    assert (tmp_path / "a.png").read_bytes() != before


def test_a_folder_of_other_files_is_never_replaced(tmp_path, figure):
    (tmp_path / "a_data").mkdir()
    (tmp_path / "a_data" / "thesis.docx").write_text("precious")
    with pytest.raises(FileError, match="other files"):
        nd.write_figure(figure, tmp_path / "a.png", overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a_data"]


def test_a_failure_leaves_nothing(tmp_path, figure, monkeypatch):
    monkeypatch.setattr(
        "napari_deeper.engine.figure_files._write_data",
        lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")),
    )
    with pytest.raises(FileError, match="disk is full"):
        nd.write_figure(figure, tmp_path / "a.svg", formats=("png",))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "formats", "told"),
    [("a.jpg", (), "no format"), ("a", (), "no format"), ("a.svg", ("gif",), "no format"),
     ("none/a.svg", (), "does not exist")],
)  # fmt: skip
def test_unknown_formats_and_folders_are_said(tmp_path, figure, name, formats, told):
    with pytest.raises(FileError, match=told):
        nd.write_figure(figure, tmp_path / name, formats=formats)


def test_threads_draw_at_once_and_leave_the_settings_as_they_were(tmp_path, figure):
    before = dict(matplotlib.rcParams)
    failures = []

    def work(i):
        try:
            nd.write_figure(figure, tmp_path / f"{i}.svg", data=False)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()
    assert dict(matplotlib.rcParams) == before


def test_the_users_style_of_matplotlib_does_not_leak_in(figure):
    with matplotlib.rc_context({"axes.grid": True, "font.size": 30, "lines.linewidth": 9}):
        styled = written(draw_figure(figure, dpi=60))
    usual = written(draw_figure(figure, dpi=60))
    assert [(t, tuple(b.bounds), s) for t, b, s in styled] == [
        (t, tuple(b.bounds), s) for t, b, s in usual
    ]


# ---- round numbers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "length"), [(7.2, 5), (10, 10), (0.031, 0.02), (1e4, 1e4), (1.99, 1)]
)
def test_scale_bars_have_round_lengths(most, length):
    assert scale_bar_length(most) == pytest.approx(length)
    assert scale_bar_length(0.3, whole=True) == 1


@pytest.mark.parametrize("most", [1, 2, 3, 5])
@pytest.mark.parametrize("limits", [(0, 1), (-3, 17000), (2e-7, 9e-7), (999, 1001)])
def test_ticks_lie_within_and_say_their_value(limits, most):
    values, texts, power = ticks_of(*limits, most)
    assert 1 <= len(values) <= most
    assert ((values >= limits[0]) & (values <= limits[1])).all()
    table = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    scale = 10.0 ** int(power[2:].translate(table)) if power else 1.0
    told = [float(t.replace("−", "-")) * scale for t in texts]
    np.testing.assert_allclose(told, values, rtol=1e-3, atol=1e-12)


def test_numbers_have_a_true_minus():
    assert format_number(-0.5) == "−0.5"
    assert format_number(-1e-15) == "0"
