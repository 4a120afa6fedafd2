"""The command line: ``napari-deeper denoise | super-resolve | evaluate | train | info | convert``."""

from napari_deeper.cli.commands import app, main

__all__ = ["app", "main"]
