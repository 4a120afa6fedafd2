"""``napari-deeper train``: make weights, in one go or in slices."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from napari_deeper.cli.console import EXIT_CANCELLED, progress_bar
from napari_deeper.cli.flags import reading_from, settings_from
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.progress import Progress
from napari_deeper.training.config import EXIT_UNFINISHED, STOPPED_AT_ONCE, TrainParams
from napari_deeper.training.recipes import tasks
from napari_deeper.training.watch import in_lines

_Task = Annotated[
    str,
    typer.Argument(
        metavar="|".join(tasks()),
        help="What to train; all: every file of weights that comes with napari-deeper.",
    ),
]
_Out = Annotated[
    Path,
    typer.Option("--out", metavar="FOLDER", help="Where to write weights, states and logs."),
]

TRAIN_FILES: dict[str, tuple[Any, Any]] = {
    "task": (_Task, inspect.Parameter.empty),
    "out": (_Out, inspect.Parameter.empty),
}

TRAIN_HELP = """Train networks, on simulated or on your own data.

    [bold]napari-deeper train all --out weights[/bold]

    [bold]napari-deeper train denoise --data pairs --steps 2000 --out mine[/bold]

    [bold]napari-deeper train super-resolve --scale 3 --preset published --data images --out mine[/bold]

    The same command goes on after Ctrl-C, a kill or the end of a slice, with the step that would have
    come next. Exit code 3 says that a slice ended and work is left:

    [bold]until napari-deeper train all --out weights --minutes-per-slice 5; do [ $? = 3 ] || break; done[/bold]

    Data are a folder of Inputs.mat and Outputs.mat, of Image_IDs.csv with its cubes, or of low/ and
    high/ with cubes of the same names. The folder of OUT gets the weights with a card each, the losses
    as CSV and for TensorBoard. --force begins again.
    """

_LINE_SECONDS = 60.0


def run_train(values: dict[str, Any]) -> None:
    """Do what the flags say."""
    params = settings_from(TrainParams, values)
    reading = reading_from(values)
    quiet = values["quiet"] or not _speaks_for_all()
    # Seconds to load, which the other commands need not wait for.
    from napari_deeper.training.run import train

    try:
        with report_training(quiet) as progress:
            made = train(
                values["task"],
                values["out"],
                params,
                progress=progress,
                reading=reading,
                overwrite=values["force"],
            )
    except ParameterError as error:
        raise typer.BadParameter(str(error)) from error
    except KeyboardInterrupt as error:  # the second one, or one while a network is judged
        typer.echo(STOPPED_AT_ONCE, err=True)
        raise typer.Exit(EXIT_CANCELLED) from error
    if not quiet:
        for note in made.notes:
            typer.echo(f"- {note}", err=bool(made.stopped))
        for path in made.files if not made.stopped else ():
            typer.echo(f"Wrote {path}")
    if made.stopped:
        raise typer.Exit(EXIT_UNFINISHED if made.stopped == "time" else EXIT_CANCELLED)


def _speaks_for_all() -> bool:
    """Tell whether this is the first of the processes that train together."""
    names = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
    return not any(os.environ.get(name, "0") not in ("", "0") for name in names)


@contextmanager
def report_training(quiet: bool) -> Iterator[Progress]:
    """Show a bar on a terminal, and a line a minute where there is none."""
    if quiet or Console(stderr=True).is_terminal:
        with progress_bar(quiet) as progress:
            yield progress
        return
    yield in_lines(lambda text: typer.echo(text, err=True), _LINE_SECONDS)
