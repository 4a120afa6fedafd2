"""Held-out substances: sound tables that nothing but cells and tissues asked for them reads."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import napari_deeper
from napari_deeper.simulate import held_out, library
from napari_deeper.simulate.bands import spectrum
from napari_deeper.simulate.cells import cell
from napari_deeper.simulate.chemistries import CHEMISTRIES, choose_substances, table_of
from napari_deeper.simulate.components import COMPONENTS, unit_spectra
from napari_deeper.simulate.domain import random_training_components, random_training_spectra
from napari_deeper.simulate.held_out import HELD_OUT
from napari_deeper.simulate.random_images import random_image
from napari_deeper.simulate.random_maps import random_cube
from napari_deeper.simulate.random_spectra import random_components, random_mixtures
from napari_deeper.spectra.errors import ParameterError

AXIS = np.linspace(600, 1800, 300)


class Forbidden(Mapping):
    """A table of tables that no one may open."""

    def __getitem__(self, key):
        raise AssertionError(f"{key} was drawn")

    def __iter__(self):
        raise AssertionError("the held-out tables were listed")

    __len__ = __iter__
    __contains__ = __getitem__


def test_no_training_spectrum_is_drawn_from_them(monkeypatch):
    monkeypatch.setattr(held_out, "HELD_OUT", Forbidden())
    rng = np.random.default_rng(0)
    for make in (
        random_training_spectra,
        random_training_components,
        random_components,
        random_mixtures,
    ):
        assert make(60, AXIS, rng).shape == (60, 300)
    random_cube((8, 8), AXIS, rng)
    random_image((8, 8), rng)
    with pytest.raises(AssertionError, match="was drawn"):
        cell((4, 4), chemistry="held-out", wavenumber=AXIS)


def test_nothing_that_training_uses_knows_them_but_by_the_name_of_a_chemistry():
    source = Path(napari_deeper.__file__).parent
    readers = set()
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [getattr(node, "module", None) or "", *(a.name for a in getattr(node, "names", [])
                     if isinstance(a, ast.alias))]  # fmt: skip
            if isinstance(node, ast.Import | ast.ImportFrom) and any(
                "held_out" in name.split(".") for name in names
            ):
                readers.add(path.name)
    # references names what was found in a map; training is on a lower floor and cannot import it
    assert readers == {"chemistries.py", "references.py"}


def test_no_table_is_a_training_table():
    assert not set(HELD_OUT) & set(COMPONENTS)
    pool = np.stack(list(unit_spectra(list(COMPONENTS.values()), AXIS)))
    ours = unit_spectra(list(HELD_OUT.values()), AXIS)
    likeness = (ours @ pool.T) / AXIS.size
    assert likeness.max() < 0.97


def test_tables_are_sorted_and_sound():
    for name, table in HELD_OUT.items():
        positions = [band.position for band in table]
        assert positions == sorted(positions), name
        assert max(band.height for band in table) == 1, name
        assert all(band.width > 5 and band.assignment for band in table)
        assert all(400 <= position <= 1800 for position in positions)


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("hydroxyapatite", 960),
        ("beta-carotene", 1525),
        ("cytochrome c", 750),
        ("RNA", 813),
        ("B-DNA", 786),
        ("tripalmitin", 1296),
        ("proteoglycan", 1064),
    ],
)
def test_the_strongest_band_is_the_known_one(name, position):
    axis = np.arange(600.0, 1801.0)
    assert abs(axis[np.argmax(spectrum(HELD_OUT[name], axis))] - position) <= 2


def test_every_source_is_named():
    text = held_out.__doc__
    assert len(re.findall(r"doi\s", text)) == len(re.findall(r"^\[\d\]", text, re.MULTILINE)) == 6
    source = Path(held_out.__file__).read_text(encoding="utf-8")
    for table in re.findall(r"^([A-Z_]+) = \($", source, re.MULTILINE):
        before = source[: source.index(f"\n{table} = (")].splitlines()[-1]
        assert before.startswith("# ") and "[" in before, table


def test_every_structure_has_a_table():
    for chemistry in CHEMISTRIES.values():
        for names in chemistry.values():
            assert all(table_of(name) for name in names)
    with pytest.raises(ParameterError, match="held-out"):
        choose_substances("alien", np.random.default_rng(0))
    with pytest.raises(ParameterError, match="unobtainium"):
        table_of("unobtainium")


def test_a_held_out_cell_is_made_of_them():
    truth = cell((24, 24), 1.0, np.random.default_rng(1), AXIS, chemistry="held-out")
    assert set(truth.names) <= set(HELD_OUT) | {"water"}
    assert {"B-DNA", "RNA", "cytochrome c", "silica"} <= set(truth.names)
    product = np.einsum("yxk,kc->yxc", truth.abundances, truth.endmembers)
    np.testing.assert_allclose(truth.cube.intensity, product, rtol=1e-4, atol=1e-5)


def test_the_library_leaves_them_out():
    for name in ("collagen", "cholesterol", "Cholesteryl oleate", "β-carotene", "cytochrome c"):
        assert library._withheld(name)
    assert not library._withheld("albumin")
