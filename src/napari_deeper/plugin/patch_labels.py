"""Patches out of a Labels layer: where it lies over the cubes, and what its labels mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.plugin.patch_drawings import Brush
from napari_deeper.processing.patch_grid import Ground, check_fits
from napari_deeper.processing.patch_labels import patches_in_labels
from napari_deeper.spectra.errors import PatchError
from napari_deeper.spectra.patches import ROLES, Patch

if TYPE_CHECKING:
    from napari.layers import Labels


def labels_on(layer: Labels, ground: Ground) -> NDArray[np.intp]:
    """Return the labels (y, x) at the pixels of a map; painted in any channel counts in all."""
    values = np.asarray(layer.data)
    flat = values.reshape(-1, *values.shape[-2:]).max(axis=0)
    out = np.zeros(ground.shape, dtype=np.intp)
    indices, inside = [], []
    for axis in (0, 1):
        places = ground.origin[axis] + np.arange(ground.shape[axis]) * ground.spacing[axis]
        at = np.rint((places - layer.translate[axis - 2]) / layer.scale[axis - 2]).astype(int)
        indices.append(np.clip(at, 0, flat.shape[axis] - 1))
        inside.append((at >= 0) & (at < flat.shape[axis]))
    painted = flat[np.ix_(*indices)]
    within = np.outer(*inside)
    out[within] = painted[within]
    return out


def patches_of_labels(
    layer: Labels, ground: Ground, there: Sequence[Patch], brush: Brush
) -> tuple[list[Patch], list[str]]:
    """Return the patches of a map that lie mostly in one label, and what to tell of it.

    Parameters
    ----------
    layer
        The labels.
    ground
        The map.
    there
        Patches that are there already: no new one lies above them.
    brush
        Size, scale, and the role of labels that say none.
    """
    taken = [((p.y, p.x), p.size) for p in there if p.cube == ground.name]
    try:
        check_fits(ground, brush.size, brush.scale)
        found = patches_in_labels(labels_on(layer, ground), brush.size, brush.scale, taken=taken)
    except PatchError as error:
        return [], [f"{ground.name}: {error}"]
    patches, counts = [], dict.fromkeys(sorted({one.label for one in found}), 0)
    for one in found:
        role, tissue = meaning(layer, one.label, brush.role)
        tissue = tissue or brush.tissues.get(ground.name, "")
        patches.append(Patch(ground.name, *one.corner, brush.size, role, tissue))
        counts[one.label] += 1
    told = [
        f"{ground.name}: {n} patch{'es' if n > 1 else ''} in label {label} "
        f"({meaning(layer, label, brush.role)[0]})."
        for label, n in counts.items()
    ]
    return patches, told or [f"{ground.name}: no further patch lies mostly in a label."]


def meaning(layer: Labels, value: int, role: str) -> tuple[str, str]:
    """Return the role and the tissue (or nothing) that a label stands for.

    A table of features that names the label goes first: a column ``role``, ``tissue``, ``name`` or ``label``
    that holds a role gives it, and any other text is the tissue. Else 1, 2 and 3 are train, validation and
    test; and every other value has the role given.
    """
    row = _features_of(layer, value)
    texts = [str(row.get(name, "")).strip() for name in ("role", "tissue", "name", "label")]
    texts = [text for text in texts if text and text.lower() != "nan"]
    roles = [text.lower() for text in texts if text.lower() in ROLES]
    tissues = [text for text in texts if text.lower() not in ROLES]
    tissue = tissues[0] if tissues else ""
    if roles:
        return roles[0], tissue
    return (ROLES[value - 1] if 1 <= value <= len(ROLES) and not tissue else role), tissue


def _features_of(layer: Labels, value: int) -> dict[str, Any]:
    table = layer.features
    if "index" in table:
        rows = table[table["index"] == value]
        return {str(k): v for k, v in rows.iloc[0].items()} if len(rows) else {}
    return {str(k): v for k, v in table.iloc[value].items()} if 0 <= value < len(table) else {}
