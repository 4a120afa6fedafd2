"""The report of a fine-tuning job: tables as CSV and Markdown, and a figure."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_deeper.engine.finetune_judge import MEASURES, TUNED, PatchScore, Verdict
from napari_deeper.io.write import replacing
from napari_deeper.processing.statistics import Comparison

REPORT, TABLE, TESTS, FIGURE = "report.md", "test_patches.csv", "tests.csv", "figure.png"
_LABELS = {"psnr": "PSNR (dB)", "ssim": "SSIM", "mse": "MSE (of the maximum squared)"}


def write_finetune_report(
    folder: Path,
    title: str,
    verdict: Verdict,
    lines: Sequence[str],
    notes: Sequence[str],
    *,
    alone: bool = False,
) -> list[Path]:
    """Write ``report.md``, and where there are test patches the tables and the figure; return the files.

    Parameters
    ----------
    lines
        Of Markdown, before the tables.
    alone
        Whether noisy maps alone were learned from, so that there can be no test.
    """
    written = [folder / REPORT]
    _write(folder / REPORT, to_markdown(title, verdict, lines, notes, alone=alone).encode())
    if verdict.scores:
        _write(folder / TABLE, _csv(PatchScore, verdict.scores))
        _write(folder / TESTS, _csv(Comparison, verdict.comparisons))
        with replacing(folder / FIGURE) as temporary:
            draw(verdict, temporary)
        written += [folder / name for name in (TABLE, TESTS, FIGURE)]
    return written


def to_markdown(
    title: str,
    verdict: Verdict,
    lines: Sequence[str],
    notes: Sequence[str],
    *,
    alone: bool = False,
) -> str:
    """Return the report."""
    parts = [f"# {title}", "", *lines, ""]
    if verdict.scores:
        parts += ["## Test patches: means", "", *_means(verdict), ""]
        parts += [*_tests(verdict), "", "## Each test patch", "", *_each(verdict), ""]
        parts += [
            "PSNR and MSE are taken against the patch as measured, noise included, for its own maximum: "
            "no method can find that noise, and one that takes noise off is not rewarded for it. SSIM "
            "is the mean over up to 100 channels.",
            "",
        ]
    elif alone:
        parts += [
            "There was no better map to test by: the estimate above is all that is known.",
            "",
        ]
    else:
        parts += [
            "There are no test patches: nothing tells how it does on what it has not seen.",
            "",
        ]
    parts += [f"- {note}" for note in notes]
    return "\n".join(parts).rstrip() + "\n"


def _means(verdict: Verdict) -> list[str]:
    head = ["method", "PSNR (dB)", "SSIM", "MSE"]
    out = [_cells([*head, f"{TUNED} is better (PSNR)"]), "|---" * 5 + "|"]
    n = len(verdict.values(TUNED, "psnr"))
    for method in verdict.methods:
        psnr, ssim, mse = (float(np.mean(verdict.values(method, m))) for m in MEASURES)
        wins = "" if method == TUNED else f"on {verdict.n_better(method)} of {n}"
        name = f"**{method}**" if method == TUNED else method
        out.append(_cells([name, f"{psnr:.2f}", _number(ssim, 4), f"{mse:.3g}", wins]))
    return out


def _tests(verdict: Verdict) -> list[str]:
    if not verdict.comparisons:
        return ["No tests: they need at least three test patches."]
    out = [
        _cells(["test", "measure", "method", "against", "difference", "p", "n"]),
        "|---" * 7 + "|",
    ]
    for c in verdict.comparisons:
        difference = "-" if math.isnan(c.difference) else f"{c.difference:.3g}"
        p = "-" if math.isnan(c.p_value) else f"{c.p_value:.2g}"
        out.append(
            _cells([c.test, c.measure, c.method, c.control or "-", difference, p, str(c.n_samples)])
        )
    return out


def _each(verdict: Verdict) -> list[str]:
    patches = list(dict.fromkeys((s.patch, s.tissue) for s in verdict.scores))
    out = [_cells(["PSNR (dB) of patch", "tissue", *verdict.methods])]
    out.append("|---" * (2 + len(verdict.methods)) + "|")
    columns = [verdict.values(method, "psnr") for method in verdict.methods]
    for row, (patch, tissue) in enumerate(patches):
        out.append(_cells([patch, tissue, *(f"{column[row]:.2f}" for column in columns)]))
    return out


def draw(verdict: Verdict, path: Path) -> None:
    """Draw the measures of every patch by method, and the first patch as each method shows it."""
    # imported here: it takes a second, and is needed only when a report is written
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7.5), layout="constrained")
    FigureCanvasAgg(figure)  # without it a figure would look for a display
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.5, 1))
    top, bottom = parts
    shown = [m for m in MEASURES if np.isfinite(verdict.values(TUNED, m)).all()]
    for panel, measure in zip(top.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _draw_measure(panel, verdict, measure)
    images = dict(verdict.images or {})
    names = ["target", *(name for name in images if name != "target")]
    low, high = np.percentile(images["target"], (1, 99.5))
    for panel, name in zip(bottom.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        panel.imshow(images[name], vmin=low, vmax=high, cmap="inferno", interpolation="nearest")
        panel.set_title(name, fontsize=8)
        panel.set_axis_off()
    figure.savefig(path, dpi=150, format="png")


def _draw_measure(panel: Any, verdict: Verdict, measure: str) -> None:
    columns = [verdict.values(method, measure) for method in verdict.methods]
    places = np.arange(1, len(columns) + 1)
    panel.boxplot(columns, positions=places, widths=0.6, showfliers=False)
    for row in np.stack(columns, axis=1):  # one line for each patch: the samples are paired
        panel.plot(places, row, color="0.75", linewidth=0.6, zorder=0)
    panel.set_xticks(places, verdict.methods, rotation=40, ha="right", fontsize=8)
    panel.set_ylabel(_LABELS[measure])
    if measure == "mse":
        panel.set_yscale("log")


def _csv(kind: type[Any], rows: Sequence[Any]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, [f.name for f in dataclasses.fields(kind)])
    writer.writeheader()
    writer.writerows(dataclasses.asdict(row) for row in rows)
    return stream.getvalue().encode()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _cells(texts: Sequence[str]) -> str:
    return "| " + " | ".join(str(text).replace("|", "/") for text in texts) + " |"


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
