"""``napari-deeper evaluate``: read the cubes, judge, write the report."""

from __future__ import annotations

import dataclasses
import inspect
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_deeper.cli.console import progress_bar
from napari_deeper.cli.flags import read_input, settings_from
from napari_deeper.engine.evaluate import EvaluateParams, evaluate
from napari_deeper.engine.evaluation_pairs import simulate_pair
from napari_deeper.engine.evaluation_report import check_report, write_report
from napari_deeper.engine.scores import Evaluation
from napari_deeper.spectra.cube import RamanCube

_Reference = Annotated[
    Path | None,
    typer.Argument(
        metavar="[REFERENCE]",
        help="The target, measured with as little noise as can be; with --target the measurement to "
        "judge by it, with --simulated nothing.",
    ),
]
_Target = Annotated[
    Path | None,
    typer.Option(
        "--target", metavar="FILE", help="The target, where the first file is what was measured."
    ),
]
_Simulated = Annotated[
    bool,
    typer.Option(
        "--simulated",
        help="Simulate a cell and its measurement in 0.1 s, by --seed; with --scale every such pixel.",
    ),
]
_Chemistry = Annotated[
    str,
    typer.Option(
        "--chemistry",
        metavar="held-out|default",
        help="Of the simulated cell: substances that the shipped networks were not trained on, or were.",
    ),
]
_Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write the report.")]
_Input = Annotated[
    Path | None,
    typer.Option(
        "--input",
        metavar="FILE",
        help="A noisier (with --scale: coarser) measurement of the same field, in place of added noise.",
    ),
]
_Given = Annotated[
    Path | None,
    typer.Option("--result", metavar="FILE", help="A finished result, judged as it is."),
]

EVALUATE_FILES: dict[str, tuple[Any, Any]] = {
    "source": (_Reference, None),
    "out": (_Out, inspect.Parameter.empty),
    "target": (_Target, None),
    "measured": (_Input, None),
    "result": (_Given, None),
    "simulated": (_Simulated, False),
    "chemistry": (_Chemistry, "held-out"),
}

EVALUATE_HELP = """Judge methods on a cube whose truth is known, against every comparator at its best.

    Add noise to a good measurement, and see who comes closest to it:

    [bold]napari-deeper evaluate cell.mat --noise white --level 0.2 --out report[/bold]

    [bold]napari-deeper evaluate cell.mat --noise poisson --n-seeds 3 --out report[/bold]

    Leave pixels out and estimate them:

    [bold]napari-deeper evaluate cell.mat --scale 2 --out report[/bold]

    Compare a short with a long exposure of the same field, or a result of your own:

    [bold]napari-deeper evaluate 0.1s.npz --target 1s.npz --match-scale --out report[/bold]

    [bold]napari-deeper evaluate low.npz --target high.npz --scale 2 --out report[/bold]

    [bold]napari-deeper evaluate cell.mat --result mine.npz --out report[/bold]

    Nothing measured yet? Simulate a cell of substances that no network has seen:

    [bold]napari-deeper evaluate --simulated --seed 7 --scale 2 --out report[/bold]

    The comparators (Savitzky-Golay, wavelet, PCA, low-rank; aligned interpolation) are tuned on the
    reference itself, which nobody has when measuring: what beats them beats any choice of their
    settings. The folder gets report.md, records.csv, tests.csv and figure.png.
    """


def run_evaluate(values: dict[str, Any]) -> None:
    """Do what the flags say."""
    params = settings_from(EvaluateParams, values)
    _check_files(values)
    # Before the long work: an output that was never possible must not be found out after it.
    folder = check_report(values["out"], overwrite=values["force"])
    reference, measured = _read_pair(values, params)
    if values["simulated"]:
        params = dataclasses.replace(params, noiseless=True)
    given = values["result"]
    results = {given.stem: _read(given, values)} if given else None
    with progress_bar(values["quiet"]) as progress:
        found = evaluate(reference, params, measured=measured, results=results, progress=progress)
    write_report([found], folder, overwrite=values["force"])
    if not values["quiet"]:
        typer.echo(_summary(found))
        for note in found.notes:
            typer.echo(f"- {note}")
        typer.echo(f"Wrote {folder}: report.md, records.csv, tests.csv, figure.png")


def _check_files(values: dict[str, Any]) -> None:
    files = [values[name] for name in ("source", "target", "measured", "result")]
    if values["simulated"] and any(files):
        raise typer.BadParameter("--simulated makes its own pair: give no file with it.")
    if not values["simulated"] and not values["source"]:
        raise typer.BadParameter("Give a REFERENCE, or --simulated.")
    if values["target"] and values["measured"]:
        raise typer.BadParameter(
            "--target makes the first file the measurement, and --input names another one: give one "
            "of the two."
        )


def _read_pair(
    values: dict[str, Any], params: EvaluateParams
) -> tuple[RamanCube, RamanCube | None]:
    if values["simulated"]:
        return simulate_pair(
            params.seed, chemistry=values["chemistry"], scale=params.scale, phase=params.phase
        )
    first = _read(values["source"], values)
    if values["target"]:
        return _read(values["target"], values), first
    return first, _read(values["measured"], values) if values["measured"] else None


def _read(path: Path, values: dict[str, Any]) -> RamanCube:
    return read_input(path, values)


def _summary(found: Evaluation) -> str:
    lines = [f"{found.map}, {found.case}: excess MSE, and over the best comparator's"]
    width = max(len(s.method) for s in found.summaries)
    for s in sorted(found.summaries, key=lambda s: s.excess_mse):
        ratio = "" if math.isnan(s.ratio) else f"  {s.ratio:8.3f}"
        best = "  best comparator" if s.method == found.best_comparator else ""
        lines.append(f"  {s.method:<{width}}  {s.excess_mse:10.4g}{ratio}{best}")
    return "\n".join(lines)
