"""Which substance each structure of a cell or a tissue is made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from napari_deeper.simulate import held_out
from napari_deeper.simulate.bands import Band
from napari_deeper.simulate.components import COMPONENTS
from napari_deeper.spectra.errors import ParameterError

# Under and around a cell: broad. Water as in Movasaghi et al. 2007, doi 10.1080/05704920701551530;
# a glass-like substrate about where silica has its bands, Galeener 1979, doi
# 10.1103/PhysRevB.19.4292. Heights and widths are approximate.
SURROUNDINGS: Mapping[str, tuple[Band, ...]] = MappingProxyType(
    {
        "water": (Band(1640, 110, 1.00, "water H-O-H bend"),),
        "substrate": (
            Band(800, 120, 0.70, "Si-O of the substrate"),
            Band(1080, 160, 1.00, "Si-O of the substrate"),
        ),
    }
)

# Structure: the substances that it may be made of, one of which is drawn for each map.
_DEFAULT = {
    "dna": ("nucleic acid",),
    "rna": ("nucleic acid",),
    "protein": ("protein",),
    "droplet": ("lipid",),
    "membrane": ("membrane",),
    "glycogen": ("glycogen",),
    "fiber": ("collagen",),
    "matrix": ("proteoglycan",),
    "water": ("water",),
    "substrate": ("substrate",),
}
_HELD_OUT = {
    "dna": ("B-DNA",),
    "rna": ("RNA",),
    "protein": ("keratin", "beta-sheet protein"),
    "droplet": ("tripalmitin", "cholesteryl ester"),
    "pigment": ("beta-carotene",),
    "mineral": ("hydroxyapatite",),
    "membrane": ("sphingomyelin", "cholesterol"),
    "mitochondria": ("cytochrome c",),
    "fiber": ("collagen",),
    "matrix": ("proteoglycan",),
    "water": ("water",),
    "substrate": ("silica",),
}
CHEMISTRIES: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"default": _DEFAULT, "held-out": _HELD_OUT}
)


def choose_substances(chemistry: str, rng: np.random.Generator) -> dict[str, str]:
    """Return the substance of each structure; a structure that the chemistry lacks is missing.

    Parameters
    ----------
    chemistry
        ``"default"``: substances near to what networks are trained on (but for the collagen and
        proteoglycan of tissues). ``"held-out"``: but for water, only substances that no training
        spectrum is drawn from.

    Raises
    ------
    ParameterError
        If the chemistry is unknown.
    """
    if chemistry not in CHEMISTRIES:
        raise ParameterError(
            f"Unknown chemistry {chemistry!r}; choose from {', '.join(CHEMISTRIES)}."
        )
    choices = CHEMISTRIES[chemistry]
    return {part: names[int(rng.integers(len(names)))] for part, names in choices.items()}


def table_of(substance: str) -> tuple[Band, ...]:
    """Return the band table of a substance."""
    for tables in (COMPONENTS, SURROUNDINGS, held_out.HELD_OUT):
        if substance in tables:
            return tables[substance]
    raise ParameterError(f"No band table is known for {substance!r}.")
