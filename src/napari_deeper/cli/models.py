"""``napari-deeper models``: the user's own models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_deeper.cli.console import one_line_errors
from napari_deeper.models import user_models

app = typer.Typer(help="List, rename, share and remove your own models.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Of a model.")]


@app.command("list")
def list_all() -> None:
    """List your models and where they are."""
    with one_line_errors(False):
        models = user_models.list_models()
        for model in models:
            scale = f" {model.scale}x" if model.scale else ""
            advice = "" if model.recommended else ", no better than what it started from"
            typer.echo(f"{model.name}: {model.kind}{scale}{advice}")
        typer.echo(f"{len(models)} in {user_models.models_folder()}")


@app.command()
def rename(
    name: _Name, new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")]
) -> None:
    """Give a model another name."""
    with one_line_errors(False):
        typer.echo(f"Renamed to {user_models.rename_model(name, new).name}")


@app.command()
def export(
    name: _Name,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write it.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a model into one file to share; its card is in it."""
    with one_line_errors(False):
        typer.echo(f"Wrote {user_models.export_model(name, target, overwrite=force)}")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A shared model: .safetensors.")],
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="Another name for it.")] = "",
) -> None:
    """Take a shared model up."""
    with one_line_errors(False):
        typer.echo(f"Added {user_models.add_model(file, name).name}")


@app.command()
def remove(name: _Name) -> None:
    """Remove a model for good."""
    with one_line_errors(False):
        user_models.remove_model(name)
        typer.echo(f"Removed {name}")
