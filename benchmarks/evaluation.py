"""Evaluate all that is measured or simulated here; prints the tables of docs/evaluation.md.

Run as ``python benchmarks/evaluation.py --out FOLDER``; the whole report goes to the folder. What has
been evaluated is kept beside it, in ``FOLDER.parts``, and ``--resume`` takes it from there: give it only
where neither code nor weights have changed since. ``--list`` names the cases, ``--only TEXT`` runs those
whose name holds the text.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from measured_maps import measured_map
from simulated_cells import SEEDS, Exposure, expose

import napari_deeper as nd
from napari_deeper.engine.evaluation_runs import crop_to_cells, sample
from napari_deeper.engine.scores import Evaluation, EvaluationRecord, MethodSummary
from napari_deeper.processing.statistics import Comparison
from napari_deeper.spectra.errors import DeeperError

LEVELS = (0.1, 0.2, 0.4)
SCALES = (2, 3, 4)
MAPS = ("THP-1", "bladder", "P_A32_006")

Job = tuple[str, Callable[[], Evaluation]]


def jobs(n_seeds: int, chemistry: str) -> Iterator[Job]:
    """Yield the name of every case, and what evaluates it."""
    for name in MAPS:
        for noise in ("white", "poisson"):
            for level in LEVELS:
                run = partial(_with_noise, name, noise, level, n_seeds)
                yield f"{name}, {noise} {level:g}", run
        for scale in SCALES:
            yield f"{name}, {scale}x", partial(_with_scale, name, scale)
    for seed in SEEDS:
        pair = partial(_exposed, seed, 48, chemistry)
        yield f"cell {seed}, 0.1 s", partial(_cell, pair, 1, True)
        for scale in SCALES:
            yield f"cell {seed}, {scale}x", partial(_cell, pair, scale, False)
            yield f"cell {seed}, {scale}x, 0.1 s", partial(_cell, pair, scale, True)


def quick_jobs() -> Iterator[Job]:
    """Yield two small cases, simulated and classical only."""
    pair = partial(_exposed, SEEDS[0], 16, "held-out")
    yield "cell, 0.1 s", partial(_cell, pair, 1, True, methods="low-rank")
    yield "cell, 2x", partial(_cell, pair, 2, False, methods="bilinear")


def _with_noise(name: str, noise: str, level: float, n_seeds: int) -> Evaluation:
    return nd.evaluate(measured_map(name), noise=noise, level=level, n_seeds=n_seeds)


def _with_scale(name: str, scale: int) -> Evaluation:
    return nd.evaluate(measured_map(name), scale=scale)


def _cell(pair: Callable[[], Exposure], scale: int, noisy: bool, **settings: Any) -> Evaluation:
    made = pair()
    measured = None
    if noisy:
        cube = made.noisy if scale == 1 else crop_to_cells(made.noisy, scale)
        measured = cube if scale == 1 else sample(cube, scale, 1)
    return nd.evaluate(made.clean, measured=measured, scale=scale, noiseless=True, **settings)


@lru_cache(maxsize=1)
def _exposed(seed: int, size: int, chemistry: str) -> Exposure:
    return expose(seed, size, chemistry=chemistry)


def save_part(found: Evaluation, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(dataclasses.asdict(found)), encoding="utf-8")
    temporary.replace(path)


def load_part(path: Path) -> Evaluation:
    """Return what `save_part` kept; a part of other code does not fit and raises `TypeError`."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    kinds = {"records": EvaluationRecord, "summaries": MethodSummary, "comparisons": Comparison}
    for name, kind in kinds.items():
        kept[name] = tuple(kind(**_tuples(one)) for one in kept[name])
    return Evaluation(**_tuples(kept))


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


HEAD = (
    *("map", "case", "method / best comparator", "auto / best bilinear", "best comparator"),
    *("comparators", "accuracy: auto, best comparator (%)", "within 1 sigma, flagged (%)"),
)


def row(found: Evaluation) -> str:
    """Return one line of the table."""
    ratios = []
    for s in found.summaries:
        if s.role == "method":
            low, high = s.ratio_interval
            ratios.append(f"{s.method} {s.ratio:.3f} [{low:.2f}, {high:.2f}]")
    least = found.summary(found.best_comparator)
    others = ", ".join(f"{s.method} {s.ratio:.2f}" for s in _comparators(found))
    best = f"{found.best_comparator} ({least.settings}), {least.excess_mse:.4g}"
    cells = (
        *(found.map, found.case, "; ".join(ratios), _against_bilinear(found), best, others),
        *(_accuracy(found), _trust(found)),
    )
    return "| " + " | ".join(cells) + " |"


def _comparators(found: Evaluation) -> list[MethodSummary]:
    return [s for s in found.summaries if s.role == "comparator"]


def _own(found: Evaluation) -> MethodSummary:
    """Return `auto`, or the first method where it did not run."""
    methods = [s for s in found.summaries if s.role == "method"]
    return next((s for s in methods if s.method == "auto"), methods[0])


def _against_bilinear(found: Evaluation) -> str:
    ending = [s.excess_mse for s in _comparators(found) if "bilinear" in s.method]
    return f"{_own(found).excess_mse / min(ending):.3f}" if ending else "-"


def _accuracy(found: Evaluation) -> str:
    if not found.class_sizes:
        return "-"
    best = max(_comparators(found), key=lambda s: s.best_accuracy)
    return f"{100 * _own(found).accuracy:.1f}, {best.method} {100 * best.best_accuracy:.1f}"


def _trust(found: Evaluation) -> str:
    figures = (_own(found).within_sigma, _own(found).flagged)
    return ", ".join("-" if math.isnan(f) else f"{100 * f:.1f}" for f in figures)


def means(done: list[Evaluation]) -> list[str]:
    """Return what the aims speak of, averaged over the cases of each kind."""
    kinds = {
        "noise added to measured maps": [
            e for e in done if e.case.startswith(("white", "poisson"))
        ],
        "measured maps super-resolved": [
            e for e in done if not e.map.startswith("cell") and e.case.endswith("x")
        ],
        "cells in 0.1 s": [e for e in done if "cell" in e.map and e.case == "measured"],
        "cells super-resolved": [e for e in done if "cell" in e.map and e.case.endswith("x")],
        "cells in 0.1 s, super-resolved": [e for e in done if "cell" in e.map and "x, " in e.case],
    }
    return [_mean(name, group) for name, group in kinds.items() if group]


def _mean(name: str, group: list[Evaluation]) -> str:
    own = [_own(e) for e in group]
    ratios = [s.ratio for s in own]
    text = f"- {name}: auto / best comparator {np.mean(ratios):.3f}, at most {max(ratios):.3f}"
    gained = [
        s.accuracy - max(r.best_accuracy for r in _comparators(e))
        for s, e in zip(own, group, strict=True)
    ]
    if not math.isnan(gained[0]):
        text += f"; accuracy {100 * np.mean(gained):+.1f} points against the best comparator"
    if not math.isnan(own[0].within_sigma):
        parts = [100 * s.within_sigma for s in own]
        text += f"; within 1 sigma {min(parts):.0f} to {max(parts):.0f} %"
    return f"{text} ({len(group)} cases)"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, help="folder for the report")
    parser.add_argument("--quick", action="store_true", help="small, simulated and classical only")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name holds it")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--resume", action="store_true", help="keep what an earlier run finished")
    parser.add_argument("--n-seeds", type=int, default=3, help="of the noise on measured maps")
    parser.add_argument("--chemistry", choices=("held-out", "default"), default="held-out")
    args = parser.parse_args(arguments)
    chosen = list(quick_jobs() if args.quick else jobs(args.n_seeds, args.chemistry))
    chosen = [(name, run) for name, run in chosen if args.only in name]
    if args.list:
        print("\n".join(name for name, _ in chosen))
        return
    if args.out is None or not chosen:
        parser.error("--out is missing." if args.out is None else f"No case has '{args.only}'.")
    print("| " + " | ".join(HEAD) + " |\n" + "|---" * len(HEAD) + "|")
    done = [found for job in chosen if (found := _do(job, args.out, args.resume))]
    print("\n" + "\n".join(means(done)))
    nd.write_report(done, args.out, overwrite=True)


def _do(job: Job, out: Path, resume: bool) -> Evaluation | None:
    name, run = job
    part = out.with_name(out.name + ".parts") / f"{name.replace(', ', '_').replace(' ', '-')}.json"
    try:
        found = load_part(part) if resume and part.exists() else run()
    except FileNotFoundError as error:
        print(f"{error} Left out: {name}.")
        return None
    except DeeperError as error:
        raise SystemExit(f"{name} stopped: {error}") from error
    save_part(found, part)
    print(row(found), flush=True)
    return found


if __name__ == "__main__":
    main()
