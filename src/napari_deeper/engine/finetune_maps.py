"""Maps to tune the denoiser of eigenimages on: with a better map of the field each, or alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.finetune_alone import NoisyImages, SelfSubject, checkered
from napari_deeper.engine.finetune_denoiser import PairedImages, PairedSubject
from napari_deeper.engine.finetune_images import MapImages
from napari_deeper.engine.finetune_material import Material, TestItem
from napari_deeper.engine.finetune_pairs import Pair, check_pair, windows
from napari_deeper.models.checkpoint import Checkpoint
from napari_deeper.processing import shot_noise
from napari_deeper.spectra.cube import RamanCube, require_signal
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.patches import cube_sha256
from napari_deeper.training.finetune_config import FinetuneParams

_N_TEST_BLOCKS = 8


def from_pairs(pairs: Sequence[Pair], params: FinetuneParams, start: Checkpoint) -> Material:
    """Take pairs apart into the images of the noisy map and what they should be.

    The noisy map is taken apart as a whole, as it is when it is denoised; of the better one the parts for
    validation and test are not learned from.

    Raises
    ------
    CubeError
        If the cubes of a pair differ in field or axis, are shifted against each other, or nothing stands out of the
        noise.
    """
    learned = []
    test: list[TestItem] = []
    about = []
    for pair in pairs:
        check_pair(pair)
        masks = {
            role: np.zeros(pair.low.shape[:2], bool) for role in ("train", "validation", "test")
        }
        for role, window in windows(pair):
            masks[role][window] = True
            if role == "test":
                test += _test_blocks(pair, window)
        if masks["train"].any() or masks["validation"].any():
            learned.append(_paired(pair, masks["train"], masks["validation"]))
        about.append(
            {"name": pair.name, "shape": list(pair.low.shape), "role": pair.role or "split"}
        )
    for role in ("train", "validation"):
        if not any(getattr(pair, role).any() for pair in learned):
            raise ParameterError(f"There is no {role} pair: give that role to one of the pairs.")
    side = _side(params, [pair.source for pair in learned])
    subject = PairedSubject(tuple(learned), side, params.augmentation)
    return Material(start, subject, tuple(test), {"pairs": about}, ())


def from_maps(maps: Sequence[RamanCube], params: FinetuneParams, start: Checkpoint) -> Material:
    """Take noisy maps apart into their images; every second block is learned from, the others check.

    Raises
    ------
    CubeError
        If nothing stands out of the noise of a map.
    """
    for cube in maps:
        require_signal(cube)
    taken = [MapImages.of(cube) for cube in maps]
    noisy = tuple(NoisyImages(each, checkered(each.alive)) for each in taken)
    first = copy.deepcopy(start.model).eval().requires_grad_(False)
    subject = SelfSubject(noisy, first, _side(params, taken), params.augmentation, params.seed)
    # The variance is not learned: without the truth it would follow chance more than it gains.
    start.model.get_submodule("doubt").requires_grad_(False)
    about = {
        "maps": [
            {"name": cube.name, "shape": list(cube.shape), "sha256": cube_sha256(cube)}
            for cube in maps
        ]
    }
    return Material(start, subject, (), about, (), subject.check)


def _paired(pair: Pair, train: NDArray[np.bool_], validation: NDArray[np.bool_]) -> PairedImages:
    source = MapImages.of(pair.low)
    target, high, factor = source.project(pair.high)
    noise = shot_noise.estimate(pair.high.spectra)
    sigma = noise.row * noise.column
    level = float(np.mean(np.square(sigma, dtype=np.float64))) * factor**2
    own = float(np.mean(np.square(source.unit * source.fit.sigma, dtype=np.float64)))
    return PairedImages(
        source, target, high, level / own, train & source.alive, validation & source.alive
    )


def _side(params: FinetuneParams, taken: Sequence[MapImages]) -> int:
    smallest: int = min(min(each.alive.shape) for each in taken)
    return min(params.side or smallest, smallest)


def _test_blocks(pair: Pair, window: tuple[slice, slice]) -> list[TestItem]:
    """Cut the test part of a field into blocks along its longer side; the map is denoised as a whole."""
    rows, columns = (np.arange(n)[part] for n, part in zip(pair.low.shape[:2], window, strict=True))
    along_y = len(rows) >= len(columns)
    longer = rows if along_y else columns
    items = []
    for i, part in enumerate(np.array_split(longer, min(_N_TEST_BLOCKS, len(longer))), 1):
        block = slice(int(part[0]), int(part[-1]) + 1)
        place = (block, window[1]) if along_y else (window[0], block)
        target = np.ascontiguousarray(pair.high.intensity[place])
        items.append(TestItem(f"{pair.name} {i}", "", pair.low, target, place))
    return items
