"""The same training on a bare machine: ``python -m napari_deeper.training denoise --out FOLDER``.

Needs torch, numpy, scipy, safetensors and pytorch-lightning alone; the flags are those of
``napari-deeper train``.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import get_type_hints

from napari_deeper.spectra.errors import DeeperError, ParameterError
from napari_deeper.spectra.params import options
from napari_deeper.training.config import EXIT_UNFINISHED, STOPPED_AT_ONCE, TrainParams
from napari_deeper.training.recipes import tasks
from napari_deeper.training.watch import in_lines

_LINE_SECONDS = 15.0


def main(arguments: list[str] | None = None) -> int:
    """Train as the arguments say; return the exit code."""
    given = vars(_parser().parse_args(arguments))
    task, folder, force = given.pop("task"), given.pop("out"), given.pop("force")
    from napari_deeper.training.run import train

    try:
        made = train(task, folder, progress=in_lines(_say, _LINE_SECONDS), overwrite=force, **given)
    except DeeperError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ParameterError) else 1
    except KeyboardInterrupt:  # the second one, or one while a network is judged
        _say(STOPPED_AT_ONCE)
        return 130
    if made.is_first:
        for line in (*made.notes, *(f"Wrote {path}" for path in made.files)):
            print(line, flush=True)
    if made.stopped:
        return EXIT_UNFINISHED if made.stopped == "time" else 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m napari_deeper.training", description=__doc__)
    parser.add_argument("task", choices=tasks())
    parser.add_argument("--out", required=True, metavar="FOLDER", help="for weights and states")
    parser.add_argument("--force", action="store_true", help="begin again")
    hints = get_type_hints(TrainParams)
    for field in dataclasses.fields(TrainParams):
        name, rule = "--" + field.name.replace("_", "-"), options(TrainParams, field.name)
        text = rule["tooltip"].replace("%", "%%")
        if hints[field.name] is bool:
            parser.add_argument(name, action="store_true", help=text)
        else:
            parser.add_argument(name, type=hints[field.name], default=field.default, help=text)
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
