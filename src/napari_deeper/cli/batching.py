"""``napari-deeper batch`` and ``watch``: a workflow on many cubes, and on those that an instrument writes."""

from __future__ import annotations

import inspect
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_deeper.cli.console import EXIT_ERROR, kept_so_far, progress_bar
from napari_deeper.cli.flags import reading_from
from napari_deeper.engine.batch import batch
from napari_deeper.engine.batch_task import BatchFile
from napari_deeper.engine.watch import watch_folder
from napari_deeper.engine.workflow import WORKFLOWS, as_workflow

_NEEDED = inspect.Parameter.empty
_WORKFLOW_HELP = f"A JSON file of a workflow or a recipe; or one of: {', '.join(WORKFLOWS)}."
_OUT = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="For the results; made where it is missing.")
]
_FORMAT = Annotated[str, typer.Option("--format", metavar=".zarr|.npz|...", help="Of the results.")]

_SCHEDULER = Annotated[
    str,
    typer.Option(
        "--scheduler", metavar="tcp://HOST:PORT", help="Run on this dask cluster instead."
    ),
]

# Of a verb on one cube, whose windows can be shared out where it is large.
WORKER_FLAGS: dict[str, tuple[Any, Any]] = {
    "workers": (
        Annotated[
            int,
            typer.Option(
                "--workers",
                metavar="N",
                min=1,
                help="Processes that share a .zarr of 512 MiB and more; each takes up to 2 GB of memory.",
            ),
        ],
        1,
    ),
    "scheduler": (_SCHEDULER, ""),
}

BATCH_FILES: dict[str, tuple[Any, Any]] = {
    "workflow": (Annotated[str, typer.Argument(metavar="WORKFLOW", help=_WORKFLOW_HELP)], _NEEDED),
    "sources": (
        Annotated[list[Path], typer.Argument(metavar="FOLDER", help="Folders of cubes, or cubes.")],
        _NEEDED,
    ),
    "out": (_OUT, _NEEDED),
    "suffix": (_FORMAT, ".zarr"),
    "workers": (
        Annotated[
            int,
            typer.Option(
                "--workers",
                metavar="N",
                min=0,
                help="Processes on this computer; 0: one a core, 1: in this process, without dask.",
            ),
        ],
        0,
    ),
    "scheduler": (_SCHEDULER, ""),
}

WATCH_FILES: dict[str, tuple[Any, Any]] = {
    "folder": (Annotated[Path, typer.Argument(metavar="DIR", help="Where cubes appear.")], _NEEDED),
    "workflow": (
        Annotated[str, typer.Option("--recipe", metavar="WORKFLOW", help=_WORKFLOW_HELP)],
        _NEEDED,
    ),
    "out": (_OUT, _NEEDED),
    "suffix": (_FORMAT, ".zarr"),
    "poll": (
        Annotated[
            float,
            typer.Option(
                "--poll",
                metavar="SECONDS",
                min=0,
                help="Between two looks. A cube is finished when it did not change between them: take more than the "
                "longest pause of an instrument that writes as it goes.",
            ),
        ],
        2.0,
    ),
    "patience": (
        Annotated[
            float,
            typer.Option(
                "--patience",
                metavar="SECONDS",
                min=0,
                help="How long a cube that rests, but cannot be read, is waited for.",
            ),
        ],
        60.0,
    ),
    "once": (
        Annotated[bool, typer.Option("--once", help="Look twice, make what is finished, and end.")],
        False,
    ),
}

BATCH_HELP = """Run a workflow on many cubes: prepare, denoise, super-resolve, on all cores or on a cluster.

    [bold]napari-deeper batch workflow.json measured --out results[/bold]

    [bold]napari-deeper batch raw-for-enhance monday tuesday --out ready --workers 1[/bold]

    [bold]napari-deeper batch workflow.json measured --out results --scheduler tcp://node1:8786[/bold]

    One cube that fails does not stop the others; a table at the end says why. Run again, it makes what is missing
    and skips what the same workflow made from the same input. Of several folders, each has a folder of its name in
    the results. The exit code is 1 if a cube failed.
    """

WATCH_HELP = """Run a workflow on the cubes of a folder, and on those that an instrument writes there, as they finish.

    [bold]napari-deeper watch measured --recipe workflow.json --out results[/bold]

    [bold]napari-deeper watch measured --recipe raw-for-enhance --out ready --once[/bold]

    Half-written files are waited for. Ctrl-C ends it; what is finished is kept, and skipped the next time.
    """


def run_batch(values: dict[str, Any]) -> None:
    """Do what the flags of ``batch`` say."""
    workflow = as_workflow(values["workflow"])
    with kept_so_far(), progress_bar(values["quiet"]) as progress:
        outcomes = batch(
            workflow,
            values["sources"],
            values["out"],
            suffix=values["suffix"],
            workers=values["workers"],
            scheduler=values["scheduler"],
            overwrite=values["force"],
            reading=reading_from(values),
            progress=progress,
            on_file=None if values["quiet"] else tell,
        )
    sum_up(outcomes, values["quiet"])


def run_watch(values: dict[str, Any]) -> None:
    """Do what the flags of ``watch`` say."""
    failed = False
    with kept_so_far(), progress_bar(values["quiet"]) as progress:
        for outcome in watch_folder(
            values["folder"],
            values["workflow"],
            values["out"],
            suffix=values["suffix"],
            poll=values["poll"],
            patience=values["patience"],
            once=values["once"],
            overwrite=values["force"],
            reading=reading_from(values),
            progress=progress,
        ):
            failed |= outcome.outcome == "failed"
            if outcome.outcome == "failed" or not values["quiet"]:
                tell(outcome, err=outcome.outcome == "failed")
    if failed:
        raise typer.Exit(EXIT_ERROR)


def tell(outcome: BatchFile, *, err: bool = False) -> None:
    """Say in one line what became of a cube."""
    said = " ".join(outcome.text.split())
    typer.echo(
        f"{outcome.outcome:<8} {outcome.source.name} -> {outcome.target.name}: {said}", err=err
    )


def sum_up(outcomes: tuple[BatchFile, ...], quiet: bool) -> None:
    """Say how many cubes were made, and why the others failed; exit with 1 if one did."""
    counts = Counter(o.outcome for o in outcomes)
    if not quiet:
        typer.echo(", ".join(f"{counts[k]} {k}" for k in ("done", "skipped", "failed")))
    failed = [o for o in outcomes if o.outcome == "failed"]
    if failed:
        width = max(len(o.source.name) for o in failed)
        typer.echo("Failed:", err=True)
        for o in failed:
            typer.echo(f"  {o.source.name:<{width}}  {' '.join(o.text.split())}", err=True)
        raise typer.Exit(EXIT_ERROR)
