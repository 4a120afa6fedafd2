"""``napari-deeper plan``: the published figures in, the published figures out."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from napari_deeper.cli import app


def plan(*arguments):
    return CliRunner().invoke(app, ["plan", *arguments])


def test_the_published_plan():
    result = plan("--pixels", "64x64", "--dwell", "1", "--fast-dwell", "0.1", "--scale", "4")
    assert result.exit_code == 0, result.output
    for part in ("68:16", "00:26", "160x", "one of 16 pixels"):
        assert part in result.stdout, part


def test_a_field_is_counted_in_pixels():
    result = plan("--field", "32x16", "--pixel-size", "0.5", "--scale", "2", "--json")
    facts = json.loads(result.stdout)
    assert (facts["full"]["n_y"], facts["full"]["n_x"]) == (64, 32)
    assert facts["speed_up"] == pytest.approx(40)
    assert facts["fast"]["time"] == "00:51"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([ "--dwell", "1"], "Give --pixels"),
        (["--pixels", "64x64", "--field", "3x3"], "Give --pixels"),
        (["--field", "32"], "--pixel-size"),
        (["--pixels", "six"], "like 64x64"),
        (["--pixels", "6.5x4"], "whole"),
        (["--pixels", "64x64", "--scale", "5"], "scale is 5"),
        (["--pixels", "64x64", "--dwell", "0"], "dwell_s is 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_one_line(arguments, told):
    result = plan(*arguments)
    assert result.exit_code == 1
    assert told in result.output
    assert "Traceback" not in result.output
