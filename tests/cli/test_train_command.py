"""``napari-deeper train``: flags, lines and exit codes; and the same without typer."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import napari_deeper as nd
from napari_deeper.cli import app
from napari_deeper.spectra.errors import FileError, ParameterError
from napari_deeper.training import run as training
from napari_deeper.training.__main__ import main
from napari_deeper.training.run import TrainResult


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *(str(a) for a in arguments)])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What `train` is called with; it trains nothing."""
    seen: list[dict[str, Any]] = []

    def stub(task: str, folder: Path, params: Any = None, **rest: Any) -> TrainResult:
        seen.append({"task": task, "folder": Path(folder), "params": params, **rest})
        rest["progress"].update(0.5, "resunet: step 5 of 10, loss 0.5")
        answer = answers.pop() if answers else TrainResult((Path("a.safetensors"),))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    answers: list[Any] = []
    monkeypatch.setattr(training, "train", stub)
    monkeypatch.setattr("napari_deeper.training.run.train", stub)
    stub.answers = answers  # type: ignore[attr-defined]
    return seen


def answer_with(answer: Any) -> None:
    training.train.answers.append(answer)  # type: ignore[attr-defined]


def test_the_flags_are_the_settings(tmp_path: Path, calls: list[dict[str, Any]]) -> None:
    flags = ("--scale", 3, "--minutes-per-slice", 2.5, "--small-checkpoints", "--strategy", "ddp")
    axis = tmp_path / "axis.txt"
    np.savetxt(axis, [600.0, 700.0])
    done = run("super-resolve", "--out", tmp_path / "o", *flags, "--force", "--wavenumbers", axis)
    assert done.exit_code == 0, done.output
    (call,) = calls
    assert call["task"] == "super-resolve" and call["folder"] == tmp_path / "o"
    assert call["params"] == nd.TrainParams(
        scale=3, minutes_per_slice=2.5, small_checkpoints=True, strategy="ddp"
    )
    assert call["overwrite"] is True
    np.testing.assert_array_equal(call["reading"]["wavenumber"], [600, 700])
    assert "Wrote a.safetensors" in done.stdout
    assert "step 5 of 10, loss 0.5" in done.stderr
    assert run("denoise", "--out", tmp_path, "--quiet").output == ""
    assert calls[1]["params"] == nd.TrainParams() and calls[1]["overwrite"] is False


def test_every_setting_has_a_flag_and_help() -> None:
    done = CliRunner(env={"COLUMNS": "250"}).invoke(app, ["train", "--help"])
    assert done.exit_code == 0
    for field in fields(nd.TrainParams):
        assert "--" + field.name.replace("_", "-") in done.output
    assert "denoise|eigenimage|eigen-super-resolve|super-resolve|all" in done.output


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        (TrainResult((), "time", ("stopped after step 7",)), 3, "stopped after step 7"),
        (TrainResult((), "interrupt", ("as asked",)), 130, "as asked"),
        (FileError("out is full"), 1, "Error: out is full"),
        (KeyboardInterrupt(), 130, "The same command goes on"),
        (ParameterError("no such task"), 2, "no such task"),
    ],
)
def test_exit_codes(
    tmp_path: Path, calls: list[dict[str, Any]], answer: Any, code: int, text: str
) -> None:
    answer_with(answer)
    done = run("denoise", "--out", tmp_path)
    assert done.exit_code == code
    assert text in " ".join(done.stderr.split()) and "Wrote" not in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "arguments", [("denoise",), ("denoise", "--out", "x", "--scale", "7"), ("--out", "x")]
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2 and "Usage" in done.output
    assert "Traceback" not in done.output


def test_other_processes_say_nothing(
    tmp_path: Path, calls: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert run("denoise", "--out", tmp_path).output == ""


def test_the_bare_command_does_the_same(
    tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["denoise", "--out", str(tmp_path), "--rate", "0.01", "--small-checkpoints"]) == 0
    (call,) = calls
    settings = {f.name: call[f.name] for f in fields(nd.TrainParams)}
    assert nd.TrainParams(**settings) == nd.TrainParams(rate=0.01, small_checkpoints=True)
    answer_with(TrainResult((), "time", ("stopped",)))
    assert main(["denoise", "--out", str(tmp_path)]) == 3
    answer_with(FileError("out is full"))
    assert main(["denoise", "--out", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "Wrote a.safetensors" in out and "stopped" in out
    assert "50% resunet: step 5 of 10" in err and "Error: out is full" in err


def test_flags_and_settings_load_neither_torch_nor_lightning() -> None:
    code = (
        "import sys, napari_deeper as nd, napari_deeper.cli; nd.TrainParams; "
        "loaded = {'torch', 'pytorch_lightning'} & sys.modules.keys(); assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
