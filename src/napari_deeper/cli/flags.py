"""The flags: those of a verb are read from its params dataclass, the others are defined here."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import numpy as np
import typer

from napari_deeper.io.read import read
from napari_deeper.spectra.cube import Pair, RamanCube
from napari_deeper.spectra.errors import FileError, ParameterError
from napari_deeper.spectra.params import Params, make, options

P = TypeVar("P", bound=Params)

_READING = "How to read IN"
_RUNNING = "Running"

Source = Annotated[
    Path,
    typer.Argument(
        metavar="IN",
        help="The cube: a file of an instrument, .mat (WITec too), .zarr, .npz, .h5, .tif, a table of text, or a "
        "folder of spectra.",
    ),
]
Target = Annotated[
    Path,
    typer.Argument(
        metavar="OUT", help="Where to write the result: .zarr, .npz, .h5, .mat, .tif or .csv."
    ),
]
Wavenumbers = Annotated[
    str,
    typer.Option(
        metavar="FILE|FIRST:LAST",
        help="Axis in cm-1 where IN has none: a text file or .npy with one value per channel, or the "
        "first and last value of an even axis, for example 600:1800.",
        rich_help_panel=_READING,
    ),
]
PixelSize = Annotated[
    str,
    typer.Option(
        metavar="UM|DY,DX",
        help="Pixel size in um, for example 0.5 or 0.5,0.6.",
        rich_help_panel=_READING,
    ),
]
Excitation = Annotated[
    float | None,
    typer.Option(
        metavar="NM",
        help="Laser wavelength; needed where the axis is in nm.",
        rich_help_panel=_READING,
    ),
]
Variable = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Which array, where a file holds several.",
        rich_help_panel=_READING,
    ),
]
Layout = Annotated[
    str,
    typer.Option(
        metavar="yxc|cyx|...|long",
        help="How a foreign array or table is arranged, where it can be meant in several ways: its axes y, x and c "
        "(channel) from the slowest to the fastest; in a table yxc has a spectrum in each row, cyx in each column, "
        "and long one intensity per row.",
        rich_help_panel=_READING,
    ),
]
ImageSize = Annotated[
    str,
    typer.Option(
        metavar="ROWSxCOLUMNS",
        help="The image that a list of spectra unfolds to, for example 17x16.",
        rich_help_panel=_READING,
    ),
]
Crop = Annotated[
    str,
    typer.Option(
        metavar="ROWS,COLUMNS",
        help="This part alone, for example 0:512,100:612: pixels from 0, the ends left out. Of a large Zarr store "
        "nothing else is read.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace an existing OUT.", rich_help_panel=_RUNNING)
]
Quiet = Annotated[
    bool, typer.Option("--quiet", help="Say nothing but errors.", rich_help_panel=_RUNNING)
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=_RUNNING)
]

_NEEDED = inspect.Parameter.empty
VERB_FILES: dict[str, tuple[Any, Any]] = {"source": (Source, _NEEDED), "target": (Target, _NEEDED)}
_COMMON: dict[str, tuple[Any, Any]] = {
    "wavenumbers": (Wavenumbers, ""),
    "pixel_size": (PixelSize, ""),
    "excitation": (Excitation, None),
    "variable": (Variable, ""),
    "layout": (Layout, ""),
    "image_size": (ImageSize, ""),
    "force": (Force, False),
    "quiet": (Quiet, False),
    "debug": (Debug, False),
}
_READING_FLAGS = ("wavenumbers", "pixel_size", "excitation", "variable", "layout", "image_size")


def with_flags(
    params_type: type[Params],
    command: Callable[..., None],
    files: dict[str, tuple[Any, Any]] | None = None,
    *,
    reading: bool = True,
) -> Callable[..., None]:
    """Give a command that takes ``**values`` the flags of a verb: files, settings, then the common ones.

    Without `reading` it does not get those that say how to read a file.
    """
    keyword = inspect.Parameter.KEYWORD_ONLY
    hints = get_type_hints(params_type)
    parameters = [
        inspect.Parameter(name, keyword, annotation=annotation, default=default)
        for name, (annotation, default) in (files or VERB_FILES).items()
    ]
    for field in dataclasses.fields(params_type):
        option = _option(params_type, field)
        hint = hints[field.name]
        parameters.append(inspect.Parameter(field.name, keyword, annotation=hint, default=option))
    for name, (annotation, default) in _COMMON.items():
        if name in _READING_FLAGS and not reading:
            continue
        parameters.append(inspect.Parameter(name, keyword, annotation=annotation, default=default))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _option(params_type: type[Params], field: dataclasses.Field[Any]) -> Any:
    rule = options(params_type, field.name)
    name = "--" + field.name.replace("_", "-")
    choices = rule.get("choices")
    return typer.Option(
        field.default,
        f"{name}/--no-{name[2:]}" if field.default is True else name,
        help=str(rule.get("tooltip", rule.get("label", ""))) + ".",
        metavar="|".join(str(choice) for choice in choices) if choices else None,
        min=rule.get("min"),
        max=rule.get("max"),
        show_default=field.default not in ("", None),
        rich_help_panel="Settings",
    )


def settings_from(params_type: type[P], values: dict[str, Any]) -> P:
    """Return the checked settings among the values of the command line."""
    names = [field.name for field in dataclasses.fields(params_type)]
    try:
        return make(params_type, None, {name: values[name] for name in names})
    except ParameterError as error:
        raise typer.BadParameter(str(error)) from error


def read_input(source: Path, values: Mapping[str, Any]) -> RamanCube:
    """Read IN with what the flags say of it."""
    return read(source, **reading_from(values))


def reading_from(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the flags say of a file, as keywords of `napari_deeper.read`."""
    wavenumbers, pixel_size = values["wavenumbers"], values["pixel_size"]
    reading: dict[str, Any] = {
        "wavenumber": _parse_wavenumbers(wavenumbers) if wavenumbers else None,
        "pixel_size": _parse_pixel_size(pixel_size) if pixel_size else None,
        "excitation_nm": values["excitation"],
        "variable": values["variable"] or None,
    }
    if values["layout"]:
        reading["layout"] = values["layout"]
    if values["image_size"]:
        reading["image_size"] = _parse_image_size(values["image_size"])
    return reading


def parse_crop(text: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return ((first row, end), (first column, end)) of ``--crop``, or None where it is not given."""
    if not text:
        return None
    number = r"\s*(\d{1,9})\s*"
    match = re.fullmatch(f"{number}:{number},{number}:{number}", text)
    if not match:
        raise typer.BadParameter(f"--crop: '{text}' is not ROWS,COLUMNS such as 0:512,100:612.")
    top, bottom, left, right = map(int, match.groups())
    return (top, bottom), (left, right)


def _parse_image_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(\d{1,9})\s*[x,]\s*(\d{1,9})\s*", text)
    if not match:
        raise typer.BadParameter(f"--image-size: '{text}' is not ROWSxCOLUMNS such as 17x16.")
    return int(match[1]), int(match[2])


def _parse_wavenumbers(text: str) -> Any:
    number = r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*"
    pair = re.fullmatch(f"{number}:{number}", text)
    if pair:
        try:
            return float(pair[1]), float(pair[2])
        except ValueError as error:
            raise typer.BadParameter(f"--wavenumbers: '{text}' is not FIRST:LAST.") from error
    path = Path(text)
    if not path.is_file():
        raise typer.BadParameter(
            f"--wavenumbers: '{text}' is neither a file nor FIRST:LAST such as 600:1800."
        )
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, allow_pickle=False)
        lines = path.read_text(encoding="utf-8-sig").replace(",", " ").replace(";", " ")
        return np.loadtxt(lines.splitlines(), ndmin=2)[:, 0]
    except (ValueError, OSError, EOFError, IndexError) as error:
        raise FileError(
            f"{path} does not hold wavenumbers, one per line: {str(error).splitlines()[0]}"
        ) from error


def _parse_pixel_size(text: str) -> float | Pair:
    try:
        sizes = [float(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if len(sizes) == 1:
        return sizes[0]
    if len(sizes) == 2:
        return sizes[0], sizes[1]
    raise typer.BadParameter(f"--pixel-size: '{text}' is not a number, or two such as 0.5,0.6.")
