"""Measure how many pixels keep their class after a quick measurement, as the paper did.

Run as ``python benchmarks/classification.py [--quick]``; prints Markdown, row by row.

Endmembers are found on the target by vertex component analysis and applied to every image by
non-negative least squares; the largest abundance gives the class. The input is a cell measured at
0.1 s, of which every second, third or fourth pixel along both axes is kept. Every comparator has the
settings *and the interpolation* that classify best, found with the target in hand; the methods run
with their defaults.

With ``--unit`` the class is the component that most of a pixel's light comes from, not the one whose
endmember it is most like: endmembers that are bright where they are pure no longer count for less.

``none`` interpolates what was measured. ``without noise`` is aligned bilinear interpolation of the
noiseless samples: what leaving out pixels costs, whatever the denoiser. ``as published`` denoises with
tuned Savitzky-Golay or PCA and then uses the corner-aligned bicubic zoom, whose shift the paper's
comparators suffer from.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from simulated_cells import SEEDS, expose

import napari_deeper as nd
from napari_deeper.engine.evaluation_runs import crop_to_cells, sample
from napari_deeper.engine.super_resolve_params import INTERPOLATIONS
from napari_deeper.processing import classes, tuned
from napari_deeper.processing.interpolation import upsample
from napari_deeper.processing.kriging import krige

COLUMNS = (
    "auto",
    "auto, then bilinear",
    "bilinear",
    "without noise",
    *("none", *tuned.DENOISERS),
    "kriging",
    "as published",
)
TARGETS = ("clean", "longer")
PHASE = 1

Score = tuple[float, float]


def accuracies(
    target: nd.RamanCube,
    noisy: nd.RamanCube,
    clean: nd.RamanCube,
    scale: int,
    n_endmembers: int,
    unit_length: bool = False,
) -> tuple[dict[str, Score], tuple[int, ...]]:
    """Return (accuracy, balanced accuracy) by method, and the sizes of the classes.

    A comparator's accuracy and balanced accuracy are each the best of all its settings.
    """
    target, clean, noisy = (crop_to_cells(cube, scale) for cube in (target, clean, noisy))
    known = classes.class_map(target.intensity, n_endmembers, unit_length=unit_length)
    coarse, ideal = sample(noisy, scale, PHASE), sample(clean, scale, PHASE)

    def judge(intensity: Any) -> Score:
        found = classes.classify(intensity, known.endmembers.spectra)
        return (
            classes.accuracy(found, known.classes),
            classes.balanced_accuracy(found, known.classes),
        )

    denoised = nd.denoise(coarse)
    found = {
        "auto": judge(nd.super_resolve(denoised, scale=scale, phase=PHASE).intensity),
        "auto, then bilinear": judge(upsample(denoised.intensity, scale, "bilinear", PHASE)),
        "bilinear": judge(upsample(coarse.intensity, scale, "bilinear", PHASE)),
        "without noise": judge(upsample(ideal.intensity, scale, "bilinear", PHASE)),
    }
    found["kriging"] = judge(krige(coarse.intensity, scale, PHASE)[0])
    for name in ("none", *tuned.DENOISERS):
        found[name] = _best(
            judge(upsample(image, scale, method, PHASE))
            for image in _denoised(name, coarse)
            for method in INTERPOLATIONS
        )
    found["as published"] = _best(
        judge(upsample(image, scale, "bicubic", as_published=True))
        for name in ("savgol", "pca")
        for image in _denoised(name, coarse)
    )
    sizes = sorted((int((known.classes == c).sum()) for c in range(known.n_classes)), reverse=True)
    return found, tuple(sizes)


def _denoised(name: str, coarse: nd.RamanCube) -> Iterator[Any]:
    if name == "none":
        yield coarse.intensity
        return
    for _, spectra in tuned.candidates(name, coarse.spectra):
        yield spectra.reshape(coarse.shape)


def _best(scores: Iterator[Score]) -> Score:
    each = list(scores)
    return max(accuracy for accuracy, _ in each), max(balanced for _, balanced in each)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one small cell, 2x only")
    parser.add_argument("--dwell", type=float, nargs="+", default=[0.1], help="seconds")
    parser.add_argument("--endmembers", type=int, nargs="+", default=[5])
    parser.add_argument("--target", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--unit", action="store_true", help="give all endmembers one length")
    parser.add_argument("--chemistry", choices=("held-out", "default"), default="held-out")
    args = parser.parse_args(arguments)
    seeds, scales, size = (args.seeds[:1], (2,), 16) if args.quick else (args.seeds, (2, 3, 4), 48)
    head = ("cell", "s", "target", "scale", "endmembers", *COLUMNS, "classes")
    print("Accuracy / balanced accuracy in %.\n")
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for dwell in args.dwell:
        for seed in seeds:
            made = expose(seed, size, dwell, args.chemistry)
            for name in args.target:
                for n in args.endmembers:
                    for scale in scales:
                        target = getattr(made, name)
                        found = accuracies(target, made.noisy, made.clean, scale, n, args.unit)
                        start = (f"{seed}", f"{dwell:g}", name, f"{scale}x", f"{n}")
                        print(_row(start, *found), flush=True)


def _row(start: tuple[str, ...], found: dict[str, Score], sizes: tuple[int, ...]) -> str:
    figures = [f"{100 * a:.1f} / {100 * b:.1f}" for a, b in (found[name] for name in COLUMNS)]
    return "| " + " | ".join([*start, *figures, " ".join(map(str, sizes))]) + " |"


if __name__ == "__main__":
    main()
