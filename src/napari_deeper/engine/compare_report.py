"""Write a comparison as a report: Markdown for people, CSV and npz for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from napari_deeper.engine.compare_scores import (
    BandStatistics,
    CandidateScores,
    ComponentScores,
    CubeComparison,
    DifferenceMap,
    RegionScores,
)
from napari_deeper.engine.tables import (
    as_row,
    number,
    percent,
    table,
    table_of_tests,
    write_csv,
)
from napari_deeper.io.spectra_table import format_spectra
from napari_deeper.io.write import check_folder, replacing
from napari_deeper.processing.regions import RegionSpectrum
from napari_deeper.processing.statistics import Comparison
from napari_deeper.spectra.axis import describe

FILES = (
    "report.md", "scores.csv", "components.csv", "bands.csv", "regions.csv", "region_spectra.csv",
    "tests.csv", "differences.npz",
)  # fmt: skip


def write_comparison(
    found: CubeComparison, folder: str | PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write a comparison into a new folder, which appears under its name only when complete.

    It gets ``report.md`` and ``scores.csv``, ``bands.csv``, and as far as there are any ``components.csv``,
    ``regions.csv``, ``region_spectra.csv``, ``tests.csv`` and ``differences.npz`` (for each candidate its map
    ``difference_i`` and ``rms_i`` (y, x), ``names``, and the place of the maps).

    Parameters
    ----------
    found
        What `compare` returned.
    folder
        Where to.
    overwrite
        Replace a report that is there; a folder that is none is never replaced.

    Raises
    ------
    FileError
        If the folder cannot be made, or exists.
    """
    path = check_comparison(folder, overwrite=overwrite)
    empty = path.is_dir() and not any(path.iterdir())
    with replacing(path, overwrite=overwrite or empty) as temporary:
        temporary.mkdir()
        (temporary / "report.md").write_text(comparison_to_markdown(found), encoding="utf-8")
        tables: tuple[tuple[str, type[Any], Sequence[Any]], ...] = (
            ("scores.csv", CandidateScores, found.scores),
            ("components.csv", ComponentScores, found.components),
            ("bands.csv", BandStatistics, found.bands),
            ("regions.csv", RegionScores, found.region_scores),
            ("tests.csv", Comparison, found.tests),
        )
        for name, kind, rows in tables:
            if rows:
                write_csv(temporary / name, kind, [as_row(row) for row in rows])
        if found.spectra:
            text = format_spectra(spectra_columns(found.spectra), separator=",")
            (temporary / "region_spectra.csv").write_text(text, encoding="utf-8")
        if found.differences:
            np.savez_compressed(temporary / "differences.npz", **_arrays(found.differences))
    return path


def check_comparison(folder: str | PathLike[str], *, overwrite: bool = False) -> Path:
    """Return the path if a report could be written there now; raise `FileError` if not."""
    return check_folder(
        folder, overwrite=overwrite, ours=lambda p: {e.name for e in p.iterdir()} <= set(FILES)
    )


def comparison_to_markdown(found: CubeComparison) -> str:
    """Return the tables of a comparison, and what to know about them, as Markdown."""
    parts = [
        f"# Comparison with {found.target}" if found.target else "# Cubes, without a target",
        "",
    ]
    if found.wavenumber is not None and found.scores:
        parts += [
            f"{found.scores[0].n_pixels} pixels, {describe(found.wavenumber)}. Data range of PSNR and SSIM: "
            f"{found.data_range:.4g}, the target's maximum.",
            "",
        ]
    parts += [*_scores(found), ""]
    if found.components:
        parts += ["## Components", "", *_components(found.components), ""]
    if found.region_scores:
        parts += ["## Regions", "", *_regions(found.region_scores), ""]
    if found.bands:
        parts += ["## Bands", "", *_bands(found.bands), ""]
    if found.tests:
        parts += ["## Tests over regions", "", *table_of_tests(found.tests), ""]
    parts += ["## How to read this", "", *(f"- {note}" for note in found.notes)]
    if found.components:
        parts.append(
            "- Components: the abundances of the target's endmembers by non-negative least squares, in the "
            "candidate against those in the target. Accuracy: part of the pixels whose largest component stays "
            "the same; balanced: each class counted alike; kept: the part of one class."
        )
    return "\n".join(parts) + "\n"


def spectra_columns(spectra: Sequence[RegionSpectrum]) -> list[Any]:
    """Return the columns (name, wavenumber, values) of mean and sd of each region and cube."""
    columns: list[Any] = []
    for s in spectra:
        name = f"{s.region}, {s.cube} (n = {s.n_pixels} pixels)"
        columns.append((f"mean of {name}", s.wavenumber, s.mean))
        columns.append((f"sd of {name}", s.wavenumber, s.sd))
    return columns


def _scores(found: CubeComparison) -> list[str]:
    if not found.target:
        return table(
            ("cube", "pixels", "mean", "noise", "SNR"),
            [
                (s.candidate, str(s.n_pixels), f"{s.level:.4g}", f"{s.noise:.4g}", f"{s.snr:.3g}")
                for s in found.scores
            ],
        )
    head = (
        "candidate", "MSE", "excess MSE", "PSNR (dB)", "SSIM", "angle (rad)", "accuracy (%)",
        "balanced (%)", "level", "noise", "SNR",
    )  # fmt: skip
    rows = [
        (
            s.candidate, f"{s.mse:.4g}", f"{s.excess_mse:.4g}", _decibels(s.psnr), number(s.ssim),
            f"{s.spectral_angle:.4f}", percent(s.accuracy), percent(s.balanced_accuracy),
            f"{s.level:.3g}", f"{s.noise:.4g}", f"{s.snr:.3g}",
        )
        for s in found.scores
    ]  # fmt: skip
    return table(head, rows)


def _components(rows: Sequence[ComponentScores]) -> list[str]:
    head = (
        "component", "candidate", "MSE", "PSNR (dB)", "SSIM", "correlation", "pixels", "kept (%)",
    )  # fmt: skip
    ordered = sorted(
        rows, key=lambda r: list(dict.fromkeys(x.component for x in rows)).index(r.component)
    )
    return table(
        head,
        [
            (
                r.component, r.candidate, f"{r.mse:.4g}", _decibels(r.psnr), number(r.ssim),
                number(r.correlation), str(r.n_class), percent(r.kept),
            )
            for r in ordered
        ],
    )  # fmt: skip


def _regions(rows: Sequence[RegionScores]) -> list[str]:
    head = ("region", "candidate", "pixels", "MSE", "PSNR (dB)", "SSIM", "angle (rad)")
    return table(
        head,
        [
            (
                r.region, r.candidate, str(r.n_pixels), f"{r.mse:.4g}", _decibels(r.psnr),
                number(r.ssim), f"{r.spectral_angle:.4f}",
            )
            for r in rows
        ],
    )  # fmt: skip


def _bands(rows: Sequence[BandStatistics]) -> list[str]:
    names = list(dict.fromkeys(r.cube for r in rows))
    by_place = {(r.cube, r.band): r for r in rows}
    bands = list(dict.fromkeys(r.band for r in rows))
    lines = []
    for band in bands:
        cells = [by_place.get((name, band)) for name in names]
        lines.append((band, *(f"{c.mean:.4g} ± {c.sd:.3g}" if c else "-" for c in cells)))
    return [*table(("mean ± sd over pixels", *names), lines)]


def _decibels(value: float) -> str:
    if math.isinf(value):
        return "infinite"
    return "-" if math.isnan(value) else f"{value:.2f}"


def _arrays(maps: Sequence[DifferenceMap]) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "names": np.array([m.candidate for m in maps]),
        "origin": np.array(maps[0].origin),
        "spacing": np.array(maps[0].spacing),
        "unit": np.array(maps[0].unit),
        "channels": np.array(maps[0].what),
    }
    for i, each in enumerate(maps):
        arrays[f"difference_{i}"], arrays[f"rms_{i}"] = each.difference, each.rms
    return arrays
