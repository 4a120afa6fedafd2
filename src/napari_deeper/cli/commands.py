"""The commands; each reads a cube, does one thing and writes the result.

Exit codes: 0 done, 1 an error said in one line, 2 wrong usage, 130 cancelled with Ctrl-C.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any

import typer

from napari_deeper.cli.batching import (
    BATCH_FILES,
    BATCH_HELP,
    WATCH_FILES,
    WATCH_HELP,
    WORKER_FLAGS,
    run_batch,
    run_watch,
)
from napari_deeper.cli.comparison import COMPARE_FILES, COMPARE_HELP, run_compare
from napari_deeper.cli.console import kept_parts, one_line_errors, progress_bar
from napari_deeper.cli.evaluation import EVALUATE_FILES, EVALUATE_HELP, run_evaluate
from napari_deeper.cli.figure import FIGURE_FILES, FIGURE_HELP, run_figure
from napari_deeper.cli.finetuning import FINETUNE_FILES, FINETUNE_HELP, run_finetune
from napari_deeper.cli.flags import (
    VERB_FILES,
    Crop,
    Debug,
    Excitation,
    Force,
    ImageSize,
    Layout,
    PixelSize,
    Quiet,
    Source,
    Target,
    Variable,
    Wavenumbers,
    parse_crop,
    reading_from,
    settings_from,
    with_flags,
)
from napari_deeper.cli.heatmap import HEATMAP_FILES, HEATMAP_HELP, run_heatmap
from napari_deeper.cli.models import app as models_app
from napari_deeper.cli.patches import PATCHES_FILES, PATCHES_HELP, run_patches
from napari_deeper.cli.plan import run_plan
from napari_deeper.cli.preparing import PREPARE_FILES, PREPARE_HELP, NoSettings, run_prepare
from napari_deeper.cli.report import (
    describe_cube,
    facts_of_sample,
    fit_facts,
    format_fit,
    format_report,
)
from napari_deeper.cli.training import TRAIN_FILES, TRAIN_HELP, run_train
from napari_deeper.cli.unmixing import UNMIX_FILES, UNMIX_HELP, run_unmix
from napari_deeper.engine.compare_settings import CompareParams
from napari_deeper.engine.denoise_files import denoise_file
from napari_deeper.engine.denoise_params import DenoiseParams
from napari_deeper.engine.evaluate import EvaluateParams
from napari_deeper.engine.figure import FigureParams
from napari_deeper.engine.fit_check import check_fit
from napari_deeper.engine.heatmap import HeatmapParams
from napari_deeper.engine.large_files import input_of, sample_of
from napari_deeper.engine.super_resolve_files import super_resolve_file
from napari_deeper.engine.super_resolve_params import SuperResolveParams
from napari_deeper.engine.unmix_settings import UnmixParams
from napari_deeper.io.read import read
from napari_deeper.io.write import check_output, write
from napari_deeper.processing.patch_suggestion import SuggestParams
from napari_deeper.spectra.params import Params
from napari_deeper.training.config import TrainParams
from napari_deeper.training.finetune_config import FinetuneParams

# source, target, params, overwrite, reading, progress: what the user should know
FileVerb = Callable[..., tuple[str, ...]]

app = typer.Typer(
    name="napari-deeper",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line."""
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-deeper {version('napari-deeper')}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Denoise and super-resolve hyperspectral Raman images.

    Look at a cube first, then denoise it, then super-resolve the result:

    [bold]napari-deeper info cell.mat[/bold]

    [bold]napari-deeper denoise cell.mat clean.zarr[/bold]

    [bold]napari-deeper super-resolve clean.zarr fine.zarr --scale 2[/bold]

    How well that works on cubes like yours, against every classical method at its best:

    [bold]napari-deeper evaluate cell.mat --out report[/bold]

    Inputs are never changed, and an existing output is kept unless you pass --force. Results carry
    their wavenumbers, pixel size and history; open them in napari with "napari fine.zarr".
    """


def _add_verb(name: str, params_type: type[Params], verb: FileVerb, text: str) -> None:
    def command(**values: Any) -> None:
        with one_line_errors(values["debug"]):
            _run(params_type, verb, values)

    command.__doc__ = text
    files = {**VERB_FILES, **WORKER_FLAGS}
    app.command(name, no_args_is_help=True)(with_flags(params_type, command, files))


def _run(params_type: type[Params], verb: FileVerb, values: dict[str, Any]) -> None:
    params, target = settings_from(params_type, values), values["target"]
    with kept_parts(target), progress_bar(values["quiet"]) as progress:
        notes = verb(
            values["source"],
            target,
            params,
            overwrite=values["force"],
            reading=reading_from(values),
            workers=values["workers"],
            scheduler=values["scheduler"],
            progress=progress,
        )
    if not values["quiet"]:
        typer.echo(f"Wrote {target}")
        for note in notes:
            typer.echo(f"- {note}")


_add_verb(
    "denoise",
    DenoiseParams,
    denoise_file,
    """Denoise every spectrum of a cube; the intensities keep their scale.

    [bold]napari-deeper denoise cell.mat clean.zarr[/bold]

    [bold]napari-deeper denoise cell.npy clean.npz --wavenumbers 600:1800 --pixel-size 0.5[/bold]

    [bold]napari-deeper denoise cell.mat clean.npz --method low-rank --force[/bold]

    The default method, auto, combines what measured well on real maps. The others are there to
    compare with: a result worth trusting does not depend on the method alone. What was chosen, and
    what to distrust, is printed at the end and kept in the history of the result.
    """,
)

_add_verb(
    "super-resolve",
    SuperResolveParams,
    super_resolve_file,
    """Estimate 2, 3 or 4 times the pixels along y and x, with a whole spectrum in each.

    [bold]napari-deeper super-resolve clean.zarr fine.zarr --scale 2[/bold]

    [bold]napari-deeper super-resolve clean.zarr plain.zarr --scale 4 --method bilinear[/bold]

    New pixels are estimates, not measurements: compare with bilinear, which adds nothing, before
    reading meaning into fine detail. Denoise first where the cube is noisy. The result lies exactly
    over its input in napari.
    """,
)


def _add_command(
    name: str,
    params_type: type[Params],
    run: Callable[[dict[str, Any]], None],
    text: str,
    files: dict[str, tuple[Any, Any]],
    *,
    reading: bool = True,
) -> None:
    def command(**values: Any) -> None:
        with one_line_errors(values["debug"]):
            run(values)

    command.__doc__ = text
    app.command(name, no_args_is_help=True)(
        with_flags(params_type, command, files, reading=reading)
    )


_add_command("compare", CompareParams, run_compare, COMPARE_HELP, COMPARE_FILES)
_add_command("evaluate", EvaluateParams, run_evaluate, EVALUATE_HELP, EVALUATE_FILES)
_add_command("patches", SuggestParams, run_patches, PATCHES_HELP, PATCHES_FILES, reading=False)
_add_command("finetune", FinetuneParams, run_finetune, FINETUNE_HELP, FINETUNE_FILES, reading=False)
app.add_typer(models_app, name="models")
_add_command("heatmap", HeatmapParams, run_heatmap, HEATMAP_HELP, HEATMAP_FILES)
_add_command("prepare", NoSettings, run_prepare, PREPARE_HELP, PREPARE_FILES)
_add_command("batch", NoSettings, run_batch, BATCH_HELP, BATCH_FILES)
_add_command("watch", NoSettings, run_watch, WATCH_HELP, WATCH_FILES)
_add_command("train", TrainParams, run_train, TRAIN_HELP, TRAIN_FILES)
_add_command("figure", FigureParams, run_figure, FIGURE_HELP, FIGURE_FILES)
_add_command("unmix", UnmixParams, run_unmix, UNMIX_HELP, UNMIX_FILES)
app.command("plan", no_args_is_help=True)(run_plan)


@app.command(no_args_is_help=True)
def info(
    source: Source,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    fit: Annotated[
        bool, typer.Option("--fit", help="Say what does not suit the networks, and what mends it.")
    ] = False,
    wavenumbers: Wavenumbers = "",
    pixel_size: PixelSize = "",
    excitation: Excitation = None,
    variable: Variable = "",
    layout: Layout = "",
    image_size: ImageSize = "",
    debug: Debug = False,
) -> None:
    """Tell what a file holds: size, axis, intensities, noise and history.

    [bold]napari-deeper info cell.mat[/bold]

    [bold]napari-deeper info cell.mat --fit[/bold]

    [bold]napari-deeper info cell.mat --json[/bold]

    [bold]napari-deeper info table.txt --image-size 17x16[/bold]
    """
    values = dict(locals())
    with one_line_errors(debug):
        stored, given = input_of(source, source, reading_from(values))
        cube = read(source, **given) if stored is None else sample_of(stored)
        facts = describe_cube(cube)
        if stored is not None:
            facts |= facts_of_sample(cube, stored.shape)
        findings = check_fit(cube) if fit else ()
        if as_json:
            facts |= {"fit": fit_facts(findings)} if fit else {}
            typer.echo(json.dumps(facts, indent=2))
            return
        typer.echo(format_report(facts))
        if fit:
            typer.echo(format_fit(findings))


@app.command(no_args_is_help=True)
def convert(
    source: Source,
    target: Target,
    wavenumbers: Wavenumbers = "",
    pixel_size: PixelSize = "",
    excitation: Excitation = None,
    variable: Variable = "",
    layout: Layout = "",
    image_size: ImageSize = "",
    crop: Crop = "",
    force: Force = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a cube, or a part of it, in another format; nothing else changes.

    [bold]napari-deeper convert cell.mat cell.zarr[/bold]

    [bold]napari-deeper convert cell.npy cell.npz --wavenumbers axis.txt --pixel-size 0.5[/bold]

    [bold]napari-deeper convert large.zarr part.npz --crop 0:512,100:612[/bold]
    """
    values = dict(locals())
    with one_line_errors(debug):
        path = check_output(target, overwrite=force)
        cube = read(source, **reading_from(values), crop=parse_crop(crop))
        write(cube, path, overwrite=force)
        if not quiet:
            typer.echo(f"Wrote {path}: {cube}")
