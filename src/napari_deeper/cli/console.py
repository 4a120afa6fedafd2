"""What the user sees of a run: a bar while it lasts, one line if it fails."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from napari_deeper.engine.work_folder import work_path
from napari_deeper.spectra.errors import Cancelled, in_words
from napari_deeper.spectra.progress import Progress

EXIT_ERROR = 1
EXIT_CANCELLED = 130


@contextmanager
def one_line_errors(debug: bool) -> Iterator[None]:
    """Turn a failure into one line on stderr and an exit code; with `debug` show the traceback too.

    Usage errors pass through to typer, which exits with 2.
    """
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except (KeyboardInterrupt, Cancelled) as error:
        typer.echo("Cancelled: nothing was written.", err=True)
        raise typer.Exit(EXIT_CANCELLED) from error
    except Exception as error:
        if debug:
            traceback.print_exc()
        typer.echo(f"Error: {in_words(error)}", err=True)
        raise typer.Exit(EXIT_ERROR) from error


@contextmanager
def kept_so_far() -> Iterator[None]:
    """End a run over many files that is cancelled by saying that what is finished stays."""
    try:
        yield
    except (KeyboardInterrupt, Cancelled) as error:
        typer.echo("Cancelled: what was finished is kept; run it again to go on.", err=True)
        raise typer.Exit(EXIT_CANCELLED) from error


@contextmanager
def kept_parts(target: Path) -> Iterator[None]:
    """End a run in parts that is cancelled by saying how to go on; any other writes nothing."""
    try:
        yield
    except (KeyboardInterrupt, Cancelled) as error:
        folder = work_path(target)
        if not folder.is_dir():
            raise
        typer.echo(
            f"Cancelled: run it again to go on. What is finished lies in {folder}; delete it to start anew.",
            err=True,
        )
        raise typer.Exit(EXIT_CANCELLED) from error


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """Show a bar with percentage and time left on stderr; yield what a verb reports to."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    silent = quiet or not console.is_terminal  # a bar in a log file is noise
    with Bar(*columns, console=console, transient=True, disable=silent) as bar:
        task = bar.add_task("Starting", total=1.0)

        def report(fraction: float, text: str) -> None:
            bar.update(task, completed=fraction, description=text)

        yield Progress(report)
