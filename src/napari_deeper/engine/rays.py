"""List the cosmic rays of a cube without touching it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_deeper.engine.prepare import as_recipe
from napari_deeper.engine.prepare_settings import Despike
from napari_deeper.engine.recipe import Recipe
from napari_deeper.processing.despike import find_rays
from napari_deeper.spectra.cube import RamanCube
from napari_deeper.spectra.errors import ParameterError
from napari_deeper.spectra.progress import Progress


@dataclass(frozen=True)
class RayTable:
    """The cosmic rays of a cube, in the order of the map.

    Parameters
    ----------
    pixels
        (ray, 2): row and column.
    wavenumber
        (ray,) in cm-1.
    height
        (ray,) over what lies beside it, in the unit of the intensities.
    mask
        (y, x, channel): the channels that are struck.
    """

    pixels: NDArray[np.intp]
    wavenumber: NDArray[np.float64]
    height: NDArray[np.float32]
    mask: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.height)

    def text(self, most: int = 40) -> str:
        """Return the table in words, the highest `most` rays."""
        n_pixels = len(np.unique(self.pixels, axis=0))
        lines = [f"{len(self)} cosmic rays in {n_pixels} pixels."]
        highest = np.sort(np.argsort(-self.height, kind="stable")[:most])
        if highest.size:
            lines.append(f"{'y':>5} {'x':>5} {'cm-1':>8} {'height':>10}")
        for i in highest:
            y, x = self.pixels[i]
            lines.append(f"{y:>5} {x:>5} {self.wavenumber[i]:>8.1f} {self.height[i]:>10.5g}")
        if len(self) > most:
            lines.append(f"... and {len(self) - most} that are less high")
        return "\n".join(lines)


def cosmic_rays(
    cube: RamanCube,
    recipe: Recipe | Despike | str | None = None,
    *,
    progress: Progress | None = None,
) -> RayTable:
    """Find cosmic rays in a cube as it is; nothing is repaired.

    Parameters
    ----------
    cube
        Any axis and size.
    recipe
        A recipe with a despike step, or that step; None for its usual settings.
    progress
        Told of each test that is made, and asked before it whether to stop.

    Raises
    ------
    ParameterError
        If the recipe does not despike.
    Cancelled
        If the user asked for it.
    """
    if recipe is None:
        recipe = Despike()
    if isinstance(recipe, Despike):
        recipe = Recipe((recipe,))
    steps = [s for s in as_recipe(recipe).steps if isinstance(s, Despike)]
    if not steps:
        raise ParameterError("The recipe has no step 'despike', so no cosmic rays are looked for.")
    p = steps[0]
    mask, heights = find_rays(
        cube.intensity,
        p.threshold,
        p.max_width,
        compare_neighbors=p.compare_neighbors,
        progress=progress,
    )
    at = np.argwhere(heights)
    return RayTable(at[:, :2], cube.wavenumber[at[:, 2]], heights[tuple(at.T)], mask)
