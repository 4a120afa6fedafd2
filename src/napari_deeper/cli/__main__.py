"""Run as ``python -m napari_deeper.cli``."""

from napari_deeper.cli.commands import main

main()
