"""Judge methods on a cube whose truth is known, against every comparator at its best."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from napari_deeper.engine.device import DeviceSetting
from napari_deeper.engine.evaluation_book import Book
from napari_deeper.engine.evaluation_pairs import fit_to_reference, pair_notes
from napari_deeper.engine.evaluation_runs import (
    Result,
    Task,
    add_noise,
    check_methods,
    crop_to_cells,
    run_comparators,
    run_methods,
    sample,
)
from napari_deeper.engine.scores import Evaluation
from napari_deeper.spectra import params as settings_of
from napari_deeper.spectra.cube import RamanCube, require_signal
from napari_deeper.spectra.errors import CubeError, ParameterError
from napari_deeper.spectra.progress import Progress

NOISES = ("auto", "white", "poisson", "none")
SCALES = (1, 2, 3, 4)
CLASS_RULES = ("likeness", "light")


@dataclass(frozen=True)
class EvaluateParams:
    """Settings of `evaluate`."""

    methods: Annotated[
        str,
        {
            "label": "Methods",
            "tooltip": (
                "What to judge, separated by commas; 'low-rank+bilinear' denoises, then super-resolves. "
                "Empty: auto and the network"
            ),
        },
    ] = ""
    noise: Annotated[
        str,
        {
            "label": "Noise",
            "tooltip": (
                "What is added to the reference. poisson: shot noise of the same mean variance as white. "
                "auto: white for denoising, none for super-resolution"
            ),
            "choices": NOISES,
        },
    ] = "auto"
    level: Annotated[
        float,
        {
            "label": "Noise level",
            "tooltip": "Standard deviation as a part of the 95th percentile of the pixels' maxima",
            "min": 0.0001,
            "max": 100.0,
        },
    ] = 0.2
    scale: Annotated[
        int,
        {
            "label": "Scale",
            "tooltip": "2, 3, 4: keep every second, third, fourth pixel and super-resolve; 1: denoise",
            "choices": SCALES,
        },
    ] = 1
    phase: Annotated[
        int,
        {
            "label": "Sample phase",
            "tooltip": "Which pixel of each cell is kept, from 0 to scale - 1 (published: 1)",
            "min": 0,
            "max": 3,
        },
    ] = 1
    seed: Annotated[
        int,
        {
            "label": "Seed",
            "tooltip": "Of the first noise; also of resampling for the intervals",
            "min": 0,
            "max": 2**31 - 1,
        },
    ] = 0
    n_seeds: Annotated[
        int,
        {
            "label": "Seeds",
            "tooltip": "How often to repeat with other noise: seed, seed + 1, and so on",
            "min": 1,
            "max": 100,
        },
    ] = 1
    n_endmembers: Annotated[
        int,
        {
            "label": "Endmembers",
            "tooltip": (
                "Components to find on the reference, into whose classes every result's pixels are "
                "sorted (published: 4 or 5); 0: do not classify"
            ),
            "min": 0,
            "max": 20,
        },
    ] = 5
    class_by: Annotated[
        str,
        {
            "label": "Class by",
            "tooltip": (
                "A pixel's class is the component it is most like (endmembers as bright as found), or "
                "that most of its light comes from (endmembers of one length)"
            ),
            "choices": CLASS_RULES,
        },
    ] = "likeness"
    noiseless: Annotated[
        bool,
        {
            "label": "Noiseless reference",
            "tooltip": (
                "The reference is simulated and holds no noise, so nothing is deducted from the MSE"
            ),
        },
    ] = False
    match_scale: Annotated[
        bool,
        {
            "label": "Match scale",
            "tooltip": (
                "Give a given input or result the mean intensity of the reference first, for pairs of "
                "different dwell time"
            ),
        },
    ] = False
    model: Annotated[
        str,
        {
            "label": "Weights",
            "tooltip": "Path of your own network weights for the last step; empty: the shipped ones",
        },
    ] = ""
    device: DeviceSetting = "auto"


def evaluate(
    reference: RamanCube,
    params: EvaluateParams | None = None,
    *,
    measured: RamanCube | None = None,
    results: Mapping[str, RamanCube] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Evaluation:
    """Judge methods on a cube whose truth is known, against every comparator at its best.

    The input is made from the reference (noise added, pixels left out), or is a ``measured`` cube of
    the same field. Each comparator is tuned *on the reference*: its settings are those that come
    closest to it. The methods get no such help.

    Parameters
    ----------
    reference
        The target: simulated, or measured with little noise.
    params
        All settings at once.
    measured
        A noisier measurement of the same field, in place of added noise; with ``scale`` a coarser one.
    results
        Finished results by name, in the shape of the reference, judged beside the methods. Given
        without ``measured`` and without ``methods``, they alone are judged.
    progress
        Gets reports, and may cancel.
    settings
        Single settings by name, for example ``noise="poisson"``; they override ``params``.

    Raises
    ------
    CubeError
        If the reference holds NaN or no signal, or another cube does not fit it.
    ParameterError
        For a setting or method that does not fit.
    DeeperError
        As `denoise` and `super_resolve`.
    """
    p = settings_of.make(EvaluateParams, params, settings)
    progress = progress or Progress()
    plan = _make_plan(reference, p, measured, results)
    progress.update(0.0, "Evaluating")
    by_light = p.class_by == "light"
    book = Book(plan.reference, plan.case, p.noiseless, p.n_endmembers, by_light)
    for i, seed in enumerate(plan.seeds):
        part = progress.part(i / len(plan.seeds), (i + 1) / len(plan.seeds))
        for result in _run(plan, p, seed, part, book):
            book.enter(result, seed if plan.adds_noise else -1)
    progress.update(1.0, "Evaluated")
    return book.close(p.seed, plan.notes)


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is to be done, checked before any of it is."""

    reference: RamanCube
    measured: RamanCube | None
    results: dict[str, RamanCube]
    methods: tuple[str, ...]
    task: Task
    kind: str
    case: str
    seeds: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def adds_noise(self) -> bool:
        return self.kind != "none" and self.measured is None and bool(self.methods)


def _make_plan(
    reference: RamanCube,
    p: EvaluateParams,
    measured: RamanCube | None,
    results: Mapping[str, RamanCube] | None,
) -> _Plan:
    require_signal(reference)
    if p.scale > 1:
        if p.phase >= p.scale:
            raise ParameterError(f"phase is {p.phase}; at scale {p.scale} it is below {p.scale}.")
        reference = crop_to_cells(reference, p.scale)
    if not reference.intensity.max() > 0:
        raise CubeError("The reference has no positive intensity, so it has no scale to judge by.")
    given = {name: _fitted(cube, reference, 1, p, name) for name, cube in (results or {}).items()}
    kind = p.noise
    if kind == "auto":
        kind = "white" if p.scale == 1 else "none"
    if measured is not None:
        measured = _fitted(measured, reference, p.scale, p, "the measured cube")
    only_results = bool(given) and measured is None and not p.methods
    if kind == "none" and p.scale == 1 and measured is None and not only_results:
        raise ParameterError(
            "There is nothing to do: with noise 'none' give a scale, or a measured cube."
        )
    task = Task(p.scale, p.phase, kind != "none" or measured is not None, p.model, p.device)
    methods = () if only_results else _methods(p, task)
    fresh = kind != "none" and measured is None and not only_results
    seeds = tuple(range(p.seed, p.seed + p.n_seeds)) if fresh else (p.seed,)
    case = _case(p, kind, measured is not None, only_results)
    notes = _notes(p, fresh)
    if measured is not None:
        notes += pair_notes(measured, reference, p.scale, p.phase)
    return _Plan(reference, measured, given, methods, task, kind, case, seeds, notes)


def _methods(p: EvaluateParams, task: Task) -> tuple[str, ...]:
    if p.methods.strip():
        methods = tuple(dict.fromkeys(m.strip() for m in p.methods.split(",") if m.strip()))
    elif task.scale == 1:
        methods = ("auto", "resunet")
    else:
        methods = ("auto", "auto+auto", "hyrisr")
    check_methods(methods, task)
    return methods


def _case(p: EvaluateParams, kind: str, measured: bool, only_results: bool) -> str:
    if only_results:
        return "given results"
    noise = "measured" if measured else kind if kind == "none" else f"{kind} {p.level:g}"
    if p.scale == 1:
        return noise
    return f"{p.scale}x" if noise == "none" else f"{p.scale}x, {noise}"


def _notes(p: EvaluateParams, adds_noise: bool) -> tuple[str, ...]:
    notes = [
        "Every comparator was tuned on the reference itself; the methods were not.",
        "Intervals and tests are over the pixels of this map, which are not independent of each "
        "other; they say nothing of other samples.",
    ]
    if not p.noiseless:
        notes.append(
            "Excess MSE deducts the reference's own noise, estimated from second differences. Where "
            "that noise is in the input too, methods that keep it are favored."
        )
    if adds_noise and p.n_seeds == 1:
        notes.append("One noise seed.")
    return tuple(notes)


def _fitted(
    cube: RamanCube, reference: RamanCube, scale: int, p: EvaluateParams, name: str
) -> RamanCube:
    return fit_to_reference(cube, reference, scale, p.phase, p.match_scale, name)


def _run(
    plan: _Plan, p: EvaluateParams, seed: int, progress: Progress, book: Book
) -> Iterator[Result]:
    for name, cube in plan.results.items():
        yield Result(name, "method", "given", cube.intensity, 0.0, cube.uncertainty, cube.flagged)
    if not plan.methods:
        return
    source = plan.measured
    if source is None:
        source = plan.reference
        if plan.kind != "none":
            source = add_noise(source, plan.kind, p.level, seed)
        if p.scale > 1:
            source = sample(source, p.scale, p.phase)
    if p.scale == 1:
        yield Result("input", "input", "", source.intensity, 0.0)
    yield from run_methods(source, plan.methods, plan.task, progress.part(0.0, 0.6))
    target = plan.reference.intensity
    accuracy = book.accuracy_of if book.classes else None
    yield from run_comparators(source, target, plan.task, progress.part(0.6, 1.0), accuracy)
