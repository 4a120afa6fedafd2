"""Spectra of the optional package ``ramanbiolib``, for training only; none of them is shipped.

References
----------
ramanbiolib 1.0.0.post5: 202 digitized spectra of 140 biomolecules, 450-1800 cm-1. Database under
ODbL 1.0, program under GPL-3.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib import resources

import numpy as np

from napari_deeper.simulate.bands import Array
from napari_deeper.spectra.errors import DeeperError, ParameterError

LIBRARIES = ("ramanbiolib",)
# Substances of the held-out tables, and their nearest kin, are no part of any training pool.
WITHHELD = (
    "collagen", "elastin", "keratin", "cholest", "triolein", "trilinole", "carotene", "cytochrome",
    "glycogen", "amylo", "rna", "a-dna", "b-dna", "actin", "histone",
)  # fmt: skip


def load_library(name: str) -> tuple[Array, Array]:
    """Return the axis (channel,) and the spectra (spectrum, channel) of an installed library.

    Every spectrum has mean square 1 and no negative value. Held-out substances are left out.

    Raises
    ------
    DeeperError
        If the library is not installed.
    ParameterError
        If it is not known.
    """
    if name not in LIBRARIES:
        raise ParameterError(f"Unknown library {name!r}; choose from {', '.join(LIBRARIES)}.")
    return _ramanbiolib()


@lru_cache(maxsize=1)
def _ramanbiolib() -> tuple[Array, Array]:
    try:
        source = resources.files("ramanbiolib") / "db" / "raman_spectra_db.csv"
        text = source.read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise DeeperError(
            "The library 'ramanbiolib' is not installed. Install it (pip install ramanbiolib), or "
            "train without a library."
        ) from error
    csv.field_size_limit(10_000_000)
    axis = np.arange(450.0, 1801.0)
    rows = [row for row in csv.DictReader(text.splitlines()) if not _withheld(row["component"])]
    spectra = np.stack(
        [np.interp(axis, _numbers(row["wavenumbers"]), _numbers(row["intensity"])) for row in rows]
    )
    spectra = np.maximum(spectra - spectra.min(axis=1, keepdims=True), 0)
    spectra /= np.sqrt((spectra**2).mean(axis=1, keepdims=True))
    for array in (axis, spectra):
        array.flags.writeable = False
    return axis, spectra


def _withheld(component: str) -> bool:
    return any(word in component.lower() for word in WITHHELD)


def _numbers(text: str) -> Array:
    return np.array(text.strip("[]").split(","), dtype=float)
