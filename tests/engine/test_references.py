"""Endmembers get the names of what they are like, with a score."""

from __future__ import annotations

import numpy as np
import pytest

from napari_deeper import Endmembers
from napari_deeper.engine.references import GOOD, Match, band_tables, match_references
from napari_deeper.simulate.bands import spectrum
from napari_deeper.simulate.components import COMPONENTS
from napari_deeper.spectra.errors import AxisError

AXIS = np.linspace(600, 1800, 500)


def test_every_band_table_is_most_like_itself_on_any_background():
    tables = band_tables(AXIS)
    x = np.linspace(0, 1, AXIS.size)
    raised = 0.4 * tables.spectra + (3 * np.exp(-2 * x) + x).astype(np.float32)
    matches = match_references(Endmembers(raised, AXIS))
    assert [m.reference for m in matches] == list(tables.names)
    narrow = [m for m in matches if m.reference not in ("water", "substrate", "silica")]
    assert all(m.score > 0.8 for m in narrow)


def test_a_mixture_is_like_its_largest_part_and_the_runner_up_is_told():
    mixed = 0.9 * spectrum(COMPONENTS["lipid"], AXIS) + 0.2 * spectrum(COMPONENTS["protein"], AXIS)
    pair = Endmembers(
        [spectrum(COMPONENTS[name], AXIS[::2]) for name in ("protein", "lipid")],
        AXIS[::2],
        ("protein", "lipid"),
    )
    match = match_references(Endmembers(mixed[None], AXIS, ("spot",)), pair)[0]
    assert (match.endmember, match.reference, match.runner_up) == ("spot", "lipid", "protein")
    assert match.good and match.score > match.runner_up_score
    assert str(match).startswith("lipid 0.")
    assert match.label == "lipid"


def test_two_large_parts_are_both_told():
    half = spectrum(COMPONENTS["protein"], AXIS) + spectrum(COMPONENTS["nucleic acid"], AXIS)
    library = Endmembers(
        [spectrum(COMPONENTS[n], AXIS) for n in ("protein", "nucleic acid", "lipid", "glycogen")],
        AXIS,
        ("protein", "nucleic acid", "lipid", "glycogen"),
    )
    match = match_references(Endmembers(half[None], AXIS), library)[0]
    assert {match.reference, match.beside} == {"protein", "nucleic acid"}
    assert match.mixed and match.good
    assert match.fit > 0.99
    assert " + " in match.label and " with " in str(match)
    pure = match_references(library, library)
    assert not any(m.mixed for m in pure)


def test_noise_is_like_nothing():
    noise = np.random.default_rng(5).normal(size=(3, AXIS.size))
    for match in match_references(Endmembers(noise, AXIS)):
        assert match.score < GOOD
        assert "no good match" in str(match)
    one = Endmembers(spectrum(COMPONENTS["lipid"], AXIS)[None], AXIS, ("lipid",))
    alone = match_references(Endmembers(noise, AXIS), one)[0]
    assert (alone.runner_up, alone.runner_up_score) == ("", 0.0)
    assert (alone.beside, alone.beside_score) == ("", 0.0)


def test_axes_without_enough_in_common_are_refused():
    far = Endmembers(np.ones((1, 50)), np.linspace(2800, 3100, 50))
    with pytest.raises(AxisError, match="200 cm-1 in common"):
        match_references(far, Endmembers(np.ones((1, 50)), np.linspace(600, 1800, 50)))
    with pytest.raises(AxisError, match="No band table"):
        match_references(far)


def test_a_match_that_is_not_good_is_not_called_one():
    assert not Match("a", "lipid", GOOD - 0.01).good
    assert Match("a", "lipid", GOOD).good
