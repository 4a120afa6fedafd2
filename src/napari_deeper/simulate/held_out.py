"""Band tables that no training spectrum is ever drawn from, so that chemistry new to a network can be tried.

Positions are well-known ones of the reviews cited at each table, to a few cm-1, and not all that a
substance has. Heights and widths are approximate: typical of spectra at 532 nm and a resolution of
5-10 cm-1, rounded, and no measurement in themselves.

References
----------
[1] Movasaghi, Rehman & Rehman, Appl. Spectrosc. Rev. 2007, 42, 493-541, doi
10.1080/05704920701551530.
[2] Czamara et al., J. Raman Spectrosc. 2015, 46, 4-20, doi 10.1002/jrs.4607.
[3] De Gelder et al., J. Raman Spectrosc. 2007, 38, 1133-1147, doi 10.1002/jrs.1734.
[4] Talari et al., Appl. Spectrosc. Rev. 2015, 50, 46-111, doi 10.1080/05704928.2014.923902.
[5] Okada et al., Proc. Natl. Acad. Sci. 2012, 109, 28-32, doi 10.1073/pnas.1107524108.
[6] Galeener, Phys. Rev. B 1979, 19, 4292-4297, doi 10.1103/PhysRevB.19.4292.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from napari_deeper.simulate.bands import Band

# DNA in the B form, references [1] and, for the bases, [3].
B_DNA = (
    Band(681, 14, 0.30, "G ring, C2'-endo"),
    Band(729, 14, 0.45, "A ring"),
    Band(749, 12, 0.18, "T ring"),
    Band(786, 14, 1.00, "C, T ring and O-P-O"),
    Band(835, 22, 0.35, "O-P-O of the B form"),
    Band(895, 20, 0.15, "deoxyribose"),
    Band(1093, 18, 0.75, "PO2- symmetric stretch"),
    Band(1256, 24, 0.35, "C, A ring"),
    Band(1341, 20, 0.50, "A, G ring"),
    Band(1376, 16, 0.60, "T, A, G ring"),
    Band(1421, 16, 0.30, "deoxyribose CH2"),
    Band(1489, 14, 0.60, "G, A ring"),
    Band(1578, 16, 0.55, "G, A ring"),
    Band(1668, 32, 0.60, "C=O of T, G, C"),
)

# RNA, reference [1].
RNA = (
    Band(670, 16, 0.20, "G ring"),
    Band(725, 14, 0.35, "A ring"),
    Band(784, 15, 0.80, "U, C ring"),
    Band(813, 14, 1.00, "O-P-O of the A form"),
    Band(915, 22, 0.15, "ribose"),
    Band(1100, 18, 0.65, "PO2- symmetric stretch"),
    Band(1243, 28, 0.40, "U ring"),
    Band(1320, 22, 0.35, "G ring"),
    Band(1338, 18, 0.40, "A ring"),
    Band(1484, 15, 0.65, "G, A ring"),
    Band(1575, 16, 0.45, "G, A ring"),
    Band(1690, 36, 0.35, "C=O of U, G, C"),
)

# Collagen, references [1] and [4].
COLLAGEN = (
    Band(816, 16, 0.25, "C-C of the backbone"),
    Band(856, 18, 0.65, "proline ring"),
    Band(876, 16, 0.50, "hydroxyproline ring"),
    Band(921, 18, 0.40, "proline ring"),
    Band(938, 22, 0.45, "C-C of the backbone"),
    Band(1004, 8, 0.35, "phenylalanine ring breathing"),
    Band(1032, 12, 0.20, "phenylalanine, proline"),
    Band(1206, 16, 0.18, "hydroxyproline, tyrosine"),
    Band(1246, 26, 0.70, "amide III"),
    Band(1271, 26, 0.65, "amide III"),
    Band(1317, 20, 0.35, "CH3CH2 twist"),
    Band(1343, 20, 0.35, "CH3CH2 wag"),
    Band(1450, 26, 1.00, "CH2 and CH3 deformation"),
    Band(1668, 42, 0.95, "amide I"),
)

# A coiled-coil protein of the keratin kind, reference [1] for its helix.
KERATIN = (
    Band(644, 10, 0.12, "tyrosine C-C twist"),
    Band(830, 14, 0.20, "tyrosine ring"),
    Band(852, 14, 0.28, "tyrosine ring"),
    Band(935, 20, 0.40, "C-C of the alpha helix"),
    Band(1004, 8, 0.45, "phenylalanine ring breathing"),
    Band(1032, 11, 0.15, "phenylalanine C-H in-plane"),
    Band(1128, 20, 0.25, "C-N stretch"),
    Band(1208, 15, 0.18, "tyrosine, phenylalanine"),
    Band(1317, 26, 0.45, "CH2 twist"),
    Band(1341, 22, 0.45, "CH deformation"),
    Band(1450, 26, 1.00, "CH2 and CH3 deformation"),
    Band(1615, 12, 0.15, "tyrosine ring"),
    Band(1653, 30, 1.00, "amide I of the alpha helix"),
)

# A protein mostly of beta sheets, reference [1].
BETA_SHEET_PROTEIN = (
    Band(621, 9, 0.12, "phenylalanine"),
    Band(757, 12, 0.35, "tryptophan ring breathing"),
    Band(830, 14, 0.20, "tyrosine ring"),
    Band(853, 14, 0.25, "tyrosine ring"),
    Band(1004, 8, 0.75, "phenylalanine ring breathing"),
    Band(1032, 11, 0.22, "phenylalanine C-H in-plane"),
    Band(1127, 20, 0.20, "C-N stretch"),
    Band(1208, 15, 0.22, "tyrosine, phenylalanine"),
    Band(1238, 28, 0.70, "amide III of beta sheets"),
    Band(1339, 22, 0.35, "tryptophan, CH deformation"),
    Band(1449, 28, 0.85, "CH2 and CH3 deformation"),
    Band(1552, 13, 0.30, "tryptophan"),
    Band(1606, 11, 0.18, "phenylalanine C=C"),
    Band(1671, 26, 1.00, "amide I of beta sheets"),
)

# A saturated triglyceride with ordered chains, reference [2].
TRIPALMITIN = (
    Band(1062, 11, 0.75, "C-C trans stretch"),
    Band(1099, 16, 0.30, "C-C stretch"),
    Band(1129, 11, 0.65, "C-C trans stretch"),
    Band(1296, 9, 1.00, "CH2 twist"),
    Band(1438, 18, 0.80, "CH2 scissoring"),
    Band(1460, 18, 0.45, "CH2 and CH3 deformation"),
    Band(1743, 16, 0.20, "ester C=O stretch"),
)

# Cholesterol esterified with an unsaturated acid, reference [2].
CHOLESTERYL_ESTER = (
    Band(608, 13, 0.18, "sterol ring"),
    Band(702, 12, 0.45, "sterol ring"),
    Band(1085, 30, 0.25, "C-C stretch"),
    Band(1131, 18, 0.20, "C-C stretch"),
    Band(1268, 20, 0.35, "=C-H in-plane"),
    Band(1301, 18, 0.50, "CH2 twist"),
    Band(1439, 24, 1.00, "CH2 and CH3 deformation"),
    Band(1669, 22, 0.70, "C=C stretch of ring and chain"),
    Band(1739, 20, 0.18, "ester C=O stretch"),
)

# Cholesterol, references [2] and [3].
CHOLESTEROL = (
    Band(548, 11, 0.35, "sterol ring"),
    Band(608, 12, 0.35, "sterol ring"),
    Band(702, 10, 0.65, "sterol ring"),
    Band(1085, 22, 0.20, "C-C stretch"),
    Band(1131, 16, 0.20, "C-C stretch"),
    Band(1274, 18, 0.20, "CH deformation"),
    Band(1440, 24, 1.00, "CH2 and CH3 deformation"),
    Band(1672, 14, 0.75, "C=C stretch"),
)

# Sphingomyelin, reference [2].
SPHINGOMYELIN = (
    Band(718, 11, 0.50, "choline C-N symmetric stretch"),
    Band(875, 18, 0.20, "choline C-N asymmetric stretch"),
    Band(1064, 13, 0.60, "C-C trans stretch"),
    Band(1099, 22, 0.35, "C-C stretch, PO2- stretch"),
    Band(1130, 12, 0.55, "C-C trans stretch"),
    Band(1296, 11, 1.00, "CH2 twist"),
    Band(1439, 20, 0.95, "CH2 scissoring"),
    Band(1460, 20, 0.40, "CH2 and CH3 deformation"),
    Band(1672, 18, 0.35, "trans C=C stretch"),
)

# Beta-carotene in resonance, references [1] and [3].
BETA_CAROTENE = (
    Band(1008, 12, 0.35, "CH3 rock"),
    Band(1157, 14, 0.90, "C-C stretch"),
    Band(1191, 14, 0.18, "C-C stretch, C-H bend"),
    Band(1525, 16, 1.00, "C=C stretch"),
)

# Reduced cytochrome c in resonance at 532 nm, reference [5].
CYTOCHROME_C = (
    Band(750, 12, 1.00, "pyrrole breathing"),
    Band(1127, 14, 0.75, "C-N stretch"),
    Band(1313, 16, 0.65, "CH bend"),
    Band(1585, 16, 0.95, "methine bridge C-C stretch"),
)

# Carbonated hydroxyapatite, references [1] and [4].
HYDROXYAPATITE = (
    Band(431, 22, 0.18, "PO4 nu2"),
    Band(590, 22, 0.18, "PO4 nu4"),
    Band(960, 14, 1.00, "PO4 nu1"),
    Band(1045, 26, 0.14, "PO4 nu3"),
    Band(1071, 16, 0.18, "CO3 nu1, type B"),
)

# The sulfated sugars of cartilage, references [1] and [4].
PROTEOGLYCAN = (
    Band(890, 26, 0.25, "C-O-C of the sugar ring"),
    Band(941, 26, 0.45, "C-O-C of the glycosidic bond"),
    Band(1064, 20, 1.00, "O-SO3- symmetric stretch"),
    Band(1126, 26, 0.50, "C-O, C-C stretch"),
    Band(1342, 30, 0.60, "CH deformation"),
    Band(1379, 26, 0.85, "CH3 deformation of the N-acetyl group"),
    Band(1450, 26, 0.45, "CH2 deformation"),
    Band(1640, 50, 0.50, "amide I of the N-acetyl group"),
)

# Fused silica, reference [6].
SILICA = (
    Band(440, 180, 1.00, "Si-O-Si bend"),
    Band(492, 24, 0.45, "D1, rings of four"),
    Band(606, 22, 0.25, "D2, rings of three"),
    Band(800, 60, 0.30, "Si-O-Si stretch"),
    Band(1062, 70, 0.15, "Si-O stretch"),
    Band(1195, 60, 0.07, "Si-O stretch"),
)

HELD_OUT: Mapping[str, tuple[Band, ...]] = MappingProxyType(
    {
        "B-DNA": B_DNA,
        "RNA": RNA,
        "collagen": COLLAGEN,
        "keratin": KERATIN,
        "beta-sheet protein": BETA_SHEET_PROTEIN,
        "tripalmitin": TRIPALMITIN,
        "cholesteryl ester": CHOLESTERYL_ESTER,
        "cholesterol": CHOLESTEROL,
        "sphingomyelin": SPHINGOMYELIN,
        "beta-carotene": BETA_CAROTENE,
        "cytochrome c": CYTOCHROME_C,
        "hydroxyapatite": HYDROXYAPATITE,
        "proteoglycan": PROTEOGLYCAN,
        "silica": SILICA,
    }
)
