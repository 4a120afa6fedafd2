"""Files of instruments, dropped on the viewer and told of by the command: the same cube or the same refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from typer.testing import CliRunner

from napari_deeper.cli import app
from napari_deeper.plugin.layers import cube_from_layer
from napari_deeper.plugin.reader import get_reader
from napari_deeper.spectra.errors import DeeperError

FORMATS = Path(__file__).parents[2].parent / "shared" / "data" / "formats"
SUFFIXES = {".wdf", ".spc", ".xml", ".tvf", ".hdr", ".img"}


def told(path: Path) -> dict[str, Any] | str:
    """What ``napari-deeper info`` says: the facts, or the refusal."""
    result = CliRunner().invoke(app, ["info", str(path), "--json"])
    return json.loads(result.stdout) if result.exit_code == 0 else result.stderr


def test_dropped_files_are_what_the_command_tells(make_napari_viewer):
    pytest.importorskip("wdf")
    pytest.importorskip("rsciio")
    paths = sorted(p for p in FORMATS.rglob("*") if p.suffix in SUFFIXES)
    if not paths:
        pytest.skip(f"measured data is not here: {FORMATS}")
    window = make_napari_viewer()
    n_refused = 0
    for number, path in enumerate(paths):
        # What the window passes a dropped file to; drawing each of them in it would take long.
        viewer = window if number % 10 == 0 else ViewerModel()
        facts = told(path)
        if isinstance(facts, str):
            with pytest.raises(DeeperError) as refusal:
                viewer.open(path, plugin="napari-deeper")
            assert " ".join(str(refusal.value).split()) in " ".join(facts.split()), path.name
            n_refused += 1
            continue
        (layer,) = viewer.open(path, plugin="napari-deeper")
        cube = cube_from_layer(layer)
        assert list(cube.shape) == facts["shape"], path.name
        assert np.allclose(
            [cube.wavenumber[0], cube.wavenumber[-1]],
            [facts["axis"]["first"], facts["axis"]["last"]],
        )
        assert (list(cube.pixel_size) if cube.pixel_size else None) == facts["pixel_size_um"]
    assert len(paths) >= 25
    assert n_refused == 3  # the ENVI pair without its byte order, TriVista without its laser line


def test_files_of_other_programs_are_declined(tmp_path):
    for name, content in {
        "note.xml": b"<?xml version='1.0'?><note/>",
        "brain.hdr": b"\x5c\x01\x00\x00" * 100,
        "brain.img": b"\0" * 100,
        "disk.img": b"\0" * 100,
    }.items():
        (tmp_path / name).write_bytes(content)
        assert get_reader(str(tmp_path / name)) is None, name
    (tmp_path / "map.hdr").write_bytes(b"ENVI\nlines = 3")
    (tmp_path / "map.img").write_bytes(b"\0" * 100)
    for name in ("map.hdr", "map.img", "new.wdf"):
        assert get_reader(str(tmp_path / name)) is not None, name
