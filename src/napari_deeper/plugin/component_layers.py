"""Unmixed cubes as layers: component maps, their composite, the class map and what is left over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import Colormap, DirectLabelColormap
from numpy.typing import NDArray

from napari_deeper.engine.component_colors import BLACK, composite, rgb, shared_limits
from napari_deeper.engine.unmixed import Unmixed
from napari_deeper.plugin.layers import (
    COMPONENT,
    ENDMEMBERS,
    SOURCE,
    contrast_limits,
    dwell_time,
    put_below_markers,
)

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Layer

# What a layer made here shows, under this key of its metadata.
SHOWS = "shows"
DRAWN = "napari_deeper_colors"  # of a composite: the color that each component is drawn in, black for none
RESIDUAL, CLASSES, COMPONENTS, COMPOSITE = "residual", "classes", "components", "composite"
KINDS = (RESIDUAL, CLASSES, COMPONENTS, COMPOSITE)  # the last lies on top
Result = tuple["Image", Unmixed]
# Additive layers cannot be transparent to what is below: dark gray is neither no nor any abundance.
_MISSING = (0.25, 0.25, 0.25, 1.0)


@dataclass(frozen=True)
class _Wanted:
    """One layer to be there: what makes it up."""

    kind: str
    index: int
    name: str
    data: NDArray[Any]
    limits: tuple[float, float] | None = None
    colors: tuple[str, ...] = ()
    blending: str = "translucent_no_depth"
    visible: bool = True


class ComponentLayers:
    """Keeps the layers of unmixed cubes in step; cubes of one dwell time share one contrast per component."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer

    def update(
        self,
        results: Sequence[Result],
        drawn: Sequence[bool],
        kinds: Iterable[str],
        *,
        add: bool = True,
    ) -> None:
        """Bring the layers of these cubes up to date, and take others away.

        Parameters
        ----------
        results
            Cube layers with what they were unmixed into, all with the same endmembers.
        drawn
            Of each endmember: whether the composite shows it.
        kinds
            Which of `KINDS` to show.
        add
            Whether layers that are not there are made, or only those that are there changed.
        """
        for _ in self.update_in_turns(results, drawn, kinds, add=add):
            pass

    def update_in_turns(
        self,
        results: Sequence[Result],
        drawn: Sequence[bool],
        kinds: Iterable[str],
        *,
        add: bool = True,
    ) -> Iterator[None]:
        """Do as `update` in pieces: a layer of each cube at a time."""
        wanted_kinds = set(kinds)
        kept: list[Layer] = []
        for group in _by_dwell_time(results):
            limits = shared_limits([unmixed.abundances for _, unmixed in group])
            left = contrast_limits(np.concatenate([u.residual.ravel() for _, u in group]), 99.5)
            for source, unmixed in group:
                for wanted in _layers_of(source, unmixed, drawn, limits, left):
                    # a cube may be removed between two turns
                    if wanted.kind in wanted_kinds and source in self._viewer.layers:
                        kept.append(self._show(source, unmixed, wanted, add=add))
                        yield
        self._remove_but(kept)

    def of(self, source: Layer, kind: str) -> list[Layer]:
        """Return the layers of one kind that belong to a cube layer, in the order of the components."""
        found = [
            layer
            for layer in self._viewer.layers
            if layer.metadata.get(SOURCE) is source and layer.metadata.get(SHOWS) == kind
        ]
        return sorted(found, key=lambda layer: int(layer.metadata.get(COMPONENT, 0)))

    def _show(self, source: Image, unmixed: Unmixed, wanted: _Wanted, *, add: bool) -> Any:
        layer = next(
            (
                layer
                for layer in self.of(source, wanted.kind)
                if layer.metadata.get(COMPONENT, 0) == wanted.index
            ),
            None,
        )
        if layer is None:
            return self._add(source, unmixed, wanted) if add else None
        layer.data = wanted.data
        layer.name = wanted.name
        layer.metadata[ENDMEMBERS] = unmixed.endmembers
        if wanted.kind == COMPOSITE:
            layer.metadata[DRAWN] = wanted.colors
        if wanted.kind == CLASSES:
            layer.colormap = _label_colors(wanted.colors)
            layer.features = _label_names(unmixed)
        elif wanted.limits is not None:
            layer.contrast_limits_range = wanted.limits
            layer.contrast_limits = wanted.limits
            if wanted.kind == COMPONENTS:
                layer.colormap = _ramp(wanted.colors[0])
        return layer

    def _add(self, source: Image, unmixed: Unmixed, wanted: _Wanted) -> Any:
        viewer = self._viewer
        active = viewer.layers.selection.active
        placed = _placed(source, unmixed, wanted)
        layer: Any
        if wanted.kind == CLASSES:
            layer = viewer.add_labels(
                wanted.data,
                colormap=_label_colors(wanted.colors),
                opacity=1.0,
                features=_label_names(unmixed),
                **placed,
            )
            layer.editable = False
        elif wanted.kind == COMPOSITE:
            layer = viewer.add_image(wanted.data, rgb=True, **placed)
        else:
            layer = viewer.add_image(
                wanted.data,
                colormap=_ramp(wanted.colors[0]) if wanted.colors else "magma",
                blending=wanted.blending,
                visible=wanted.visible,
                contrast_limits=wanted.limits,
                **placed,
            )
        put_below_markers(viewer.layers)
        viewer.layers.selection.active = active  # the cube stays the layer that the docks speak of
        return layer

    def _remove_but(self, kept: Sequence[Layer]) -> None:
        layers = self._viewer.layers
        for layer in list(layers):
            ours = SHOWS in layer.metadata and ENDMEMBERS in layer.metadata
            # the removal of one may have led to that of another meanwhile
            if ours and not any(layer is other for other in kept) and layer in layers:
                layers.remove(layer)


def _by_dwell_time(results: Sequence[Result]) -> list[list[Result]]:
    groups: dict[object, list[Result]] = {}
    for source, unmixed in results:
        groups.setdefault(dwell_time(source), []).append((source, unmixed))
    return list(groups.values())


def _layers_of(
    source: Image,
    unmixed: Unmixed,
    drawn: Sequence[bool],
    limits: NDArray[np.float64],
    left: tuple[float, float],
) -> list[_Wanted]:
    """Return every layer that could be shown, bottom first."""
    drawn = [bool(on) for on in drawn]
    endmembers = unmixed.endmembers
    colors, name = endmembers.colors, source.name
    shown = tuple(c if on else BLACK for c, on in zip(colors, drawn, strict=True))
    picture = composite(unmixed.abundances, shown, limits)
    # the lowest one that is seen hides the cube, and the others add to it: their stack is a composite too
    lowest = drawn.index(True) if True in drawn else 0
    return [
        _Wanted(RESIDUAL, 0, f"left over, {name}", unmixed.residual, (0.0, left[1])),
        _Wanted(
            CLASSES, 0, f"classes, {name}", unmixed.classes.astype(np.uint16), colors=colors
        ),
        *(
            _Wanted(
                COMPONENTS, i, f"{endmembers.names[i]}, {name}",
                np.ascontiguousarray(unmixed.abundances[..., i]), (0.0, float(limits[i])),
                (colors[i],), "translucent_no_depth" if i == lowest else "additive", drawn[i],
            )
            for i in range(len(endmembers))
        ),
        _Wanted(COMPOSITE, 0, f"components, {name}", picture, colors=shown),
    ]  # fmt: skip


def _placed(source: Image, unmixed: Unmixed, wanted: _Wanted) -> dict[str, Any]:
    metadata = {SOURCE: source, ENDMEMBERS: unmixed.endmembers, SHOWS: wanted.kind}
    if wanted.kind == COMPONENTS:
        metadata[COMPONENT] = wanted.index
    if wanted.kind == COMPOSITE:
        metadata[DRAWN] = wanted.colors
    return {
        "name": wanted.name,
        "scale": source.scale[-2:],
        "translate": source.translate[-2:],
        "units": source.units[-2:],
        "axis_labels": ("y", "x"),
        "metadata": metadata,
    }


def _ramp(color: str) -> Colormap:
    ends = [(0.0, 0.0, 0.0, 1.0), (*rgb(color), 1.0)]
    return Colormap(ends, name=f"black to {color}", nan_color=_MISSING)


def _label_colors(colors: Sequence[str]) -> DirectLabelColormap:
    table: dict[int | None, NDArray[Any]] = {None: np.zeros(4), 0: np.zeros(4)}
    table |= {i: np.array((*rgb(color), 1.0)) for i, color in enumerate(colors, start=1)}
    return DirectLabelColormap(color_dict=table)


def _label_names(unmixed: Unmixed) -> dict[str, list[Any]]:
    names = ["missing or no component", *unmixed.endmembers.names]
    return {"index": list(range(len(names))), "component": names}
