"""Workflows: files that are strict, and runs that do what the verbs do."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import napari_deeper as nd
from napari_deeper import DenoiseParams, Recipe, SuperResolveParams, Workflow
from napari_deeper.engine.enhance import enhance
from napari_deeper.engine.recipe import PRESETS
from napari_deeper.engine.workflow import WORKFLOWS, as_workflow
from napari_deeper.spectra.errors import FileError, ParameterError

HEADER = {"format": "napari-deeper workflow", "version": 1}
SAVGOL, BILINEAR = DenoiseParams(method="savgol"), SuperResolveParams(method="bilinear")


@given(
    prepare=st.none() | st.sampled_from(list(PRESETS.values())),
    denoise=st.none() | st.builds(DenoiseParams, batch_size=st.integers(1, 999), model=st.text()),
    fine=st.none() | st.builds(SuperResolveParams, scale=st.sampled_from((2, 3, 4))),
    name=st.text(),
)
def test_json_gives_a_workflow_back(prepare, denoise, fine, name):
    if prepare is denoise is fine is None:
        return
    workflow = Workflow(prepare, denoise, fine, name)
    assert Workflow.from_json(json.loads(json.dumps(workflow.to_json()))) == workflow


def test_files_of_workflows_recipes_and_presets_are_read(tmp_path):
    workflow = Workflow(Recipe((nd.Despike(),)), SAVGOL)
    assert nd.read_workflow(nd.write_workflow(workflow, tmp_path / "w.json")) == workflow
    with pytest.raises(FileError, match="already exists"):
        nd.write_workflow(workflow, tmp_path / "w.json")
    recipe = nd.write_recipe(PRESETS["classical"], tmp_path / "r.json")
    assert nd.read_workflow(recipe).prepare == PRESETS["classical"]
    (tmp_path / "p.json").write_text(json.dumps({**HEADER, "prepare": "despike", "denoise": {}}))
    assert nd.read_workflow(tmp_path / "p.json") == Workflow(PRESETS["despike"], DenoiseParams())


def test_every_name_is_a_workflow(small_cube):
    for name, workflow in WORKFLOWS.items():
        assert as_workflow(name) == Workflow.from_json(workflow.to_json())
    verbs = [step.verb for step in nd.run_workflow(small_cube, "raw-2x").provenance]
    assert verbs == ["despike", "crop", "baseline", "super-resolve"]
    with pytest.raises(ParameterError, match=r"no workflow 'raw-3x'\. Known: as-deeper"):
        nd.run_workflow(small_cube, "raw-3x")


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ([], "This is no workflow"),
        ({"format": "other"}, "This is no workflow"),
        ({**HEADER, "version": 2}, "version 2; this program reads 1"),
        ({**HEADER, "denoize": {}}, "Unknown key 'denoize'"),
        ({**HEADER}, "does nothing"),
        ({**HEADER, "prepare": "nonsense"}, "prepare: unknown preset 'nonsense'"),
        ({**HEADER, "prepare": {"steps": []}}, "prepare: This is no recipe"),
        ({**HEADER, "denoise": True}, "'denoise' is True; it must be an object"),
        ({**HEADER, "denoise": {"method": 3}}, "denoise: method is 3; it must be text"),
        ({**HEADER, "denoise": {"methods": "pca"}}, "denoise: unknown key 'methods'"),
        ({**HEADER, "super_resolve": {"scale": 5}}, "super_resolve: scale is 5; it must be one of"),
        ({**HEADER, "super_resolve": {"scale": 2.0}}, "must be a whole number"),
        ({**HEADER, "name": 3, "denoise": {}}, "'name' is 3"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, record, told):
    (tmp_path / "w.json").write_text(json.dumps(record))
    with pytest.raises(ParameterError, match=told) as caught:
        nd.read_workflow(tmp_path / "w.json")
    assert "w.json" in str(caught.value)


@pytest.mark.parametrize("text", ["{", "\x00", "[" * 100_000])
def test_what_is_no_json_is_told(tmp_path, text):
    (tmp_path / "w.json").write_text(text)
    with pytest.raises(FileError, match="is no JSON"):
        nd.read_workflow(tmp_path / "w.json")


def test_a_workflow_does_what_the_verbs_do(small_cube):
    recipe = Recipe((nd.Crop(700.0, 1700.0), nd.Baseline()))
    ours = nd.run_workflow(small_cube, Workflow(recipe, SAVGOL, BILINEAR))
    step = nd.denoise(nd.prepare(small_cube, recipe), SAVGOL)
    np.testing.assert_array_equal(ours.intensity, nd.super_resolve(step, BILINEAR).intensity)
    verbs = [step.verb for step in ours.provenance]
    assert verbs == ["crop", "baseline", "denoise", "super-resolve"]


def test_two_autos_give_the_joint_result_without_the_denoised_one(small_cube, monkeypatch):
    both = DenoiseParams(), SuperResolveParams()
    expected = enhance(small_cube, *both)[-1]

    def nobody(*_: object, **__: object) -> None:
        raise AssertionError("nobody sees the denoised cube")

    monkeypatch.setattr("napari_deeper.engine.enhance.denoise", nobody)
    ours = nd.run_workflow(small_cube, Workflow(None, *both))
    np.testing.assert_array_equal(ours.intensity, expected.intensity)
    assert dataclasses.asdict(ours)["metadata"] == dataclasses.asdict(expected)["metadata"]
