"""Band tables of what a cell is made of.

Positions are those of the review cited at each table, to a few cm-1; widths and
heights are typical of spectra taken at 532 nm with a resolution of 5-10 cm-1, rounded, and no
measurement in themselves.

References
----------
[1] Movasaghi, Rehman & Rehman, Appl. Spectrosc. Rev. 2007, 42, 493-541, doi
10.1080/05704920701551530.
[2] Czamara et al., J. Raman Spectrosc. 2015, 46, 4-20, doi 10.1002/jrs.4607.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from napari_deeper.simulate.bands import Array, Band, spectrum

# DNA and RNA, reference [1].
NUCLEIC_ACID = (
    Band(668, 14, 0.25, "T, G ring"),
    Band(728, 14, 0.45, "A ring"),
    Band(785, 18, 1.00, "C, T ring and O-P-O backbone"),
    Band(898, 24, 0.15, "deoxyribose"),
    Band(1094, 26, 0.60, "PO2- symmetric stretch"),
    Band(1180, 24, 0.18, "C, T, A"),
    Band(1254, 28, 0.35, "A, C ring"),
    Band(1340, 26, 0.55, "A, G ring"),
    Band(1375, 20, 0.45, "T, A, G ring"),
    Band(1421, 20, 0.28, "A, G deoxyribose"),
    Band(1488, 18, 0.55, "G, A ring"),
    Band(1578, 20, 0.60, "G, A ring"),
    Band(1668, 40, 0.40, "C=O of T, G, C"),
)

# Protein, reference [1].
PROTEIN = (
    Band(621, 9, 0.10, "phenylalanine C-C twist"),
    Band(643, 10, 0.08, "tyrosine C-C twist"),
    Band(758, 14, 0.14, "tryptophan ring breathing"),
    Band(829, 16, 0.16, "tyrosine out-of-plane ring"),
    Band(853, 16, 0.22, "tyrosine ring, proline C-C"),
    Band(938, 24, 0.22, "C-C of alpha helix"),
    Band(1004, 9, 0.80, "phenylalanine ring breathing"),
    Band(1032, 12, 0.24, "phenylalanine C-H in-plane"),
    Band(1128, 24, 0.26, "C-N stretch"),
    Band(1158, 16, 0.15, "C-C and C-N stretch"),
    Band(1174, 12, 0.12, "tyrosine, phenylalanine C-H"),
    Band(1209, 16, 0.22, "phenylalanine, tyrosine C-C"),
    Band(1250, 46, 0.50, "amide III"),
    Band(1318, 30, 0.45, "CH2 and CH3 twist"),
    Band(1340, 24, 0.35, "CH deformation"),
    Band(1450, 30, 0.95, "CH2 and CH3 deformation"),
    Band(1554, 18, 0.14, "tryptophan"),
    Band(1586, 12, 0.12, "phenylalanine"),
    Band(1606, 12, 0.20, "phenylalanine C=C"),
    Band(1617, 12, 0.16, "tyrosine, tryptophan C=C"),
    Band(1660, 48, 1.00, "amide I"),
)

# Neutral lipid of droplets (an unsaturated triglyceride), reference [2].
LIPID = (
    Band(868, 24, 0.12, "C-C stretch"),
    Band(970, 26, 0.10, "=C-H out of plane"),
    Band(1065, 18, 0.26, "C-C trans stretch"),
    Band(1083, 28, 0.28, "C-C gauche stretch"),
    Band(1128, 18, 0.18, "C-C trans stretch"),
    Band(1265, 20, 0.36, "=C-H in-plane"),
    Band(1302, 18, 0.62, "CH2 twist"),
    Band(1440, 26, 1.00, "CH2 scissoring"),
    Band(1656, 16, 0.70, "C=C stretch"),
    Band(1745, 20, 0.18, "ester C=O stretch"),
)

# Phospholipid of membranes, reference [2].
MEMBRANE = (
    Band(718, 12, 0.42, "choline C-N symmetric stretch"),
    Band(874, 18, 0.20, "choline C-N asymmetric stretch"),
    Band(1065, 18, 0.40, "C-C trans stretch"),
    Band(1088, 24, 0.40, "C-C gauche, PO2- stretch"),
    Band(1130, 16, 0.28, "C-C trans stretch"),
    Band(1266, 20, 0.25, "=C-H in-plane"),
    Band(1300, 18, 0.60, "CH2 twist"),
    Band(1440, 28, 1.00, "CH2 scissoring"),
    Band(1658, 18, 0.40, "C=C stretch"),
    Band(1737, 22, 0.10, "ester C=O stretch"),
)

# Glycogen among the cytoplasm, reference [1].
GLYCOGEN = (
    Band(853, 20, 0.55, "C-O-C skeletal"),
    Band(938, 24, 0.90, "C-O-C of the glycosidic bond"),
    Band(1048, 22, 0.45, "C-O stretch"),
    Band(1083, 28, 0.90, "C-O-H bend, C-C stretch"),
    Band(1125, 24, 0.80, "C-O stretch"),
    Band(1340, 34, 0.80, "CH2 deformation"),
    Band(1382, 24, 0.60, "C-H, C-O-H deformation"),
    Band(1459, 26, 0.50, "CH2 deformation"),
)

# Water and a glass-like substrate under and around the cell: broad, reference [1] for water.
BACKGROUND = (
    Band(800, 120, 0.25, "Si-O of the substrate"),
    Band(1080, 160, 0.30, "Si-O of the substrate"),
    Band(1640, 110, 1.00, "water H-O-H bend"),
)

COMPONENTS: Mapping[str, tuple[Band, ...]] = MappingProxyType(
    {
        "nucleic acid": NUCLEIC_ACID,
        "protein": PROTEIN,
        "lipid": LIPID,
        "membrane": MEMBRANE,
        "glycogen": GLYCOGEN,
        "background": BACKGROUND,
    }
)


def endmembers(names: tuple[str, ...], wavenumber: Array) -> Array:
    """Return the spectra (component, channel) of named components, each with mean square 1.

    Parameters
    ----------
    names
        Keys of `COMPONENTS`.
    wavenumber
        (channel,), cm-1.
    """
    return unit_spectra([COMPONENTS[name] for name in names], wavenumber)


def unit_spectra(tables: Sequence[tuple[Band, ...]], wavenumber: Array) -> Array:
    """Return the spectra (table, channel) of band tables, each with mean square 1."""
    spectra = np.stack([spectrum(table, wavenumber) for table in tables])
    power = np.sqrt((spectra**2).mean(axis=1, keepdims=True))
    return np.asarray(spectra / np.where(power > 0, power, 1.0))
