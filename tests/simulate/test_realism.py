"""The band tables against purified substances: near in angle, bands where they should be."""

from pathlib import Path

import numpy as np
import pytest

from napari_deeper.simulate.components import COMPONENTS, unit_spectra
from napari_deeper.simulate.domain import random_training_components
from napari_deeper.simulate.held_out import HELD_OUT

FILE = Path(__file__).parents[2].parent / "shared" / "data" / "purified" / "library15.npz"
TABLES = {**COMPONENTS, **HELD_OUT}
KINDS = {
    "protein": {"protein", "keratin", "beta-sheet protein", "collagen"},
    "nucleic acid": {"nucleic acid", "B-DNA", "RNA"},
    "lipid": {"lipid", "membrane", "tripalmitin", "cholesteryl ester", "sphingomyelin"},
}


@pytest.fixture(scope="module")
def purified():
    if not FILE.exists():
        pytest.skip(f"the measured data are not here: {FILE}")
    with np.load(FILE) as data:
        spectra = dict(zip(data["names"].tolist(), data["spectra"].astype(float), strict=True))
        return data["wavenumber"], spectra


def angles(measured, wavenumber):
    ours = unit_spectra(list(TABLES.values()), wavenumber)
    cosine = ours @ measured / np.linalg.norm(ours, axis=1) / np.linalg.norm(measured)
    return dict(zip(TABLES, np.arccos(cosine).tolist(), strict=True))


@pytest.mark.parametrize(
    ("name", "kind", "largest"),
    [
        ("Protein", "protein", 0.45),
        ("DNA", "nucleic acid", 0.60),
        ("RNA", "nucleic acid", 0.70),
        ("lipid", "lipid", 0.56),
    ],
)
def test_the_nearest_table_is_of_the_same_kind(purified, name, kind, largest):
    wavenumber, spectra = purified
    angle = angles(spectra[name], wavenumber)
    best = min(angle, key=angle.get)
    print(f"{name}: {best} {angle[best]:.3f} rad")
    assert best in KINDS[kind]
    assert angle[best] < largest
    for other in set(KINDS) - {kind}:
        assert min(angle[k] for k in KINDS[other]) > 1.3 * angle[best]


# Strong bands that stand alone; where several overlap, their sum has its top elsewhere.
@pytest.mark.parametrize(
    ("name", "table", "positions"),
    [
        ("Protein", "protein", (621, 643, 758, 853, 1004, 1032, 1128, 1450, 1660)),
        ("DNA", "nucleic acid", (785, 1094, 1340, 1488, 1578)),
        ("RNA", "RNA", (670, 725, 784, 1100, 1243, 1484, 1575)),
        ("lipid", "lipid", (868, 1083, 1302, 1440, 1656, 1745)),
    ],
)
def test_bands_lie_within_the_resolution(purified, name, table, positions):
    wavenumber, spectra = purified
    assert set(positions) <= {band.position for band in TABLES[table]}
    smooth = np.convolve(spectra[name], np.ones(3) / 3, "same")
    tops = np.flatnonzero((smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:])) + 1
    tops = wavenumber[tops[smooth[tops] > 0.03 * smooth.max()]]
    off = np.array([tops[np.argmin(np.abs(tops - p))] - p for p in positions])
    print(f"{name}: {np.round(off, 1).tolist()} cm-1")
    # The calibration of that library is itself off by some cm-1 (phenylalanine at 1006).
    assert np.abs(off).max() <= 12
    assert np.median(np.abs(off)) <= 6


def features(spectra):
    """How peaked, how rough, how crowded, how empty: (spectrum, feature)."""
    kernel = np.array([0.25, 0.5, 0.25])
    spectra = np.stack([np.convolve(s, kernel, "valid") for s in spectra])
    spectra = spectra - spectra.min(axis=1, keepdims=True)
    spectra = spectra / spectra.max(axis=1, keepdims=True)
    power = (spectra**2).mean(axis=1)
    rough = (np.diff(spectra, axis=1) ** 2).mean(axis=1) / power
    inner = spectra[:, 1:-1]
    tops = (inner > spectra[:, :-2]) & (inner >= spectra[:, 2:]) & (inner > 0.05)
    empty = (spectra < 0.05).mean(axis=1)
    return np.stack([power, np.log(rough + 1e-9), tops.sum(axis=1), empty], axis=1)


def test_unseen_substances_lie_inside_the_training_domain():
    axis = np.linspace(600, 1800, 500)
    rng = np.random.default_rng(0)
    # Components share one window each call, so a few hundred calls show many windows.
    seen = np.concatenate([random_training_components(8, axis, rng) for _ in range(250)])
    seen = features(seen[seen.max(axis=1) > 0].astype(float))
    unseen = features(unit_spectra(list(HELD_OUT.values()), axis))
    rank = (seen[None] < unseen[:, None]).mean(axis=1)
    print(np.round(np.stack([rank.min(axis=0), rank.max(axis=0)]), 3))
    assert rank.min() > 0.01
    assert rank.max() < 0.99


def test_measured_substances_lie_inside_the_training_domain(purified):
    wavenumber, spectra = purified
    rng = np.random.default_rng(1)
    seen = np.concatenate([random_training_components(8, wavenumber, rng) for _ in range(250)])
    seen = features(seen[seen.max(axis=1) > 0].astype(float))
    rank = (seen[None] < features(np.stack(list(spectra.values())))[:, None]).mean(axis=1)
    print(np.round(np.stack([rank.min(axis=0), rank.max(axis=0)]), 3))
    assert rank.min() > 0.01
    # What noise they hold counts as bands, so they are more crowded than they should be.
    assert rank.max() < 0.995
