"""``napari-deeper finetune``: train weights on, on one's own patches, and report by lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_deeper.cli.console import EXIT_CANCELLED
from napari_deeper.cli.flags import settings_from
from napari_deeper.cli.training import report_training
from napari_deeper.engine.finetune_job import FinetuneJob, PairFiles, read_job
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.training.config import STOPPED_AT_ONCE
from napari_deeper.training.finetune_config import FinetuneParams

if TYPE_CHECKING:
    from napari_deeper.engine.finetune_result import FinetuneResult

_Patches = Annotated[
    Path | None,
    typer.Argument(
        metavar="PATCHES", help="Patches of your maps: .json, from napari or 'patches'."
    ),
]
_Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", help="Where to leave states, tables and figures."),
]
_Job = Annotated[
    Path | None, typer.Option("--job", metavar="FILE", help="A job file, in place of all settings.")
]
_Name = Annotated[str, typer.Option("--name", metavar="TEXT", help="Of the model.")]
_Low = Annotated[
    list[Path] | None,
    typer.Option(
        "--low", metavar="FILE", help="To denoise: a noisy map. As often as there are pairs."
    ),
]
_High = Annotated[
    list[Path] | None,
    typer.Option(
        "--high", metavar="FILE", help="The good map of the same field, in the same order."
    ),
]
_Map = Annotated[
    list[Path] | None,
    typer.Option(
        "--map", metavar="FILE", help="To denoise without pairs: a noisy map. May be given again."
    ),
]
_Json = Annotated[
    bool, typer.Option("--json", help="Print each event as a line of JSON, for programs.")
]
_Estimate = Annotated[
    bool, typer.Option("--estimate", help="Tell how long it takes and how much memory, and end.")
]

FINETUNE_FILES: dict[str, tuple[Any, Any]] = {
    "patches": (_Patches, None),
    "out": (_Out, None),
    "job": (_Job, None),
    "name": (_Name, ""),
    "low": (_Low, None),
    "high": (_High, None),
    "maps": (_Map, None),
    "as_json": (_Json, False),
    "only_estimate": (_Estimate, False),
}

FINETUNE_HELP = """Train weights on, on patches of your own maps; the result is a model of yours.

    [bold]napari-deeper finetune patches.json --scale 2 --out tuning --name cartilage[/bold]

    [bold]napari-deeper super-resolve map.zarr fine.zarr --model cartilage[/bold]

    To denoise, give pairs of maps of one field:

    [bold]napari-deeper finetune --what denoise --low fast.npz --high slow.npz --out tuning[/bold]

    Or, where there is no better map, the noisy map that is to be denoised:

    [bold]napari-deeper finetune --what denoise --map fast.npz --out tuning[/bold]

    The same command goes on after Ctrl-C or a kill. While it runs, the word pause, continue, stop (and
    keep the best) or cancel in the file FOLDER/control does what it says. --job does what a job file
    says, as the window does. Test patches are judged next to every comparator in FOLDER/report.md.
    """


def run_finetune(values: dict[str, Any]) -> None:
    """Do what the flags say."""
    # Seconds to load, which the other commands need not wait for.
    from napari_deeper.engine.finetune import estimate_job

    try:
        job = _job(values)
        if values["only_estimate"]:
            typer.echo(f"{estimate_job(job)}")
            return
        result = _run(job, values)
    except ParameterError as error:
        raise typer.BadParameter(str(error)) from error
    except KeyboardInterrupt as error:
        typer.echo(STOPPED_AT_ONCE, err=True)
        raise typer.Exit(EXIT_CANCELLED) from error
    if not (values["quiet"] or values["as_json"]) and result.is_first:
        _tell(result)
    if result.stopped in ("cancel", "interrupt"):
        raise typer.Exit(EXIT_CANCELLED)


def _job(values: dict[str, Any]) -> FinetuneJob:
    params = settings_from(FinetuneParams, values)
    if values["job"]:
        given = [n for n in ("patches", "out", "name", "low", "high", "maps") if values[n]]
        if given or params != FinetuneParams():
            raise ParameterError("--job says everything: give no other settings with it.")
        return read_job(values["job"])
    if not values["out"]:
        raise ParameterError("Say where to leave the outcome: --out FOLDER.")
    low, high = values["low"] or [], values["high"] or []
    if len(low) != len(high):
        raise ParameterError(f"{len(low)} --low and {len(high)} --high do not make pairs.")
    pairs = tuple(PairFiles(a, b) for a, b in zip(low, high, strict=True))
    maps = tuple(values["maps"] or ())
    return FinetuneJob(values["out"], params, values["patches"], pairs, values["name"], maps)


def _run(job: FinetuneJob, values: dict[str, Any]) -> FinetuneResult:
    from napari_deeper.engine.finetune import run_job

    if values["as_json"]:
        return run_job(job, on_event=_print_line, overwrite=values["force"])
    with report_training(values["quiet"]) as progress:
        return run_job(job, progress=progress, overwrite=values["force"])


def _print_line(record: Mapping[str, Any]) -> None:
    """Print an event; whoever listened may be gone, which is no reason to stop."""
    try:
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return


def _tell(result: FinetuneResult) -> None:
    for note in result.notes:
        typer.echo(f"- {note}")
    if result.model is None:
        return
    if "estimated" not in result.model.card.get("figures", {}):
        typer.echo(
            f"Validation: {result.psnr_before:.2f} dB before, {result.psnr_after:.2f} dB after"
        )
    for method in dict.fromkeys(score.method for score in result.scores):
        values = [score.psnr for score in result.scores if score.method == method]
        typer.echo(
            f"  {method:<12}  {sum(values) / len(values):7.2f} dB on {len(values)} test patches"
        )
    for path in result.files:
        typer.echo(f"Wrote {path}")
    typer.echo(f"The model is named '{result.model.name}'.")
