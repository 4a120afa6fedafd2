"""Heatmap layers of a band that follow the plot."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.colormaps import Colormap, ensure_colormap

from napari_deeper.engine.heatmap import intensity_unit, label_of, unit_of
from napari_deeper.plugin.layers import (
    KEY as CUBE,
)
from napari_deeper.plugin.layers import (
    SHOWS,
    SOURCE,
    UNCERTAINTY,
    contrast_limits,
    dwell_time,
    put_below_markers,
    stored_image,
    wavenumbers,
)
from napari_deeper.plugin.stored_heatmap import StoredHeatmap
from napari_deeper.processing.band_maps import (
    PLACES,
    BandSpec,
    Image,
    band_map,
    denominator,
    divide,
)
from napari_deeper.spectra.errors import AxisError

if TYPE_CHECKING:
    import napari
    from napari.layers import Image as ImageLayer

KEY = "napari_deeper_heatmap"
MISSING_COLOR = "#8c8c8c"
SLOW_S = 0.008  # half a frame: what takes longer waits until the band rests
NEAR = 0.02  # of the span of the contrast: what is less is not seen
_N_SAMPLED = 50_000  # values that the contrast is taken from


@dataclass
class Outcome:
    """What became of an update: why a cube has no heatmap, and what shares its contrast."""

    problems: list[str] = field(default_factory=list)
    sharing: str = ""


class Heatmaps:
    """One 2D layer per cube layer; those that compare share one contrast.

    Intensities compare between cubes of one dwell time; ratios, positions and widths between all.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._below: dict[ImageLayer, tuple[Any, Image]] = {}
        self._seconds: dict[tuple[str, bool], float] = {}
        self._on_disk: dict[ImageLayer, StoredHeatmap] = {}

    def layer_of(self, source: ImageLayer) -> ImageLayer | None:
        """Return the heatmap layer of a cube layer, if it is there."""
        for layer in self._viewer.layers:
            if layer.metadata.get(KEY) is source:
                return layer
        return None

    def is_quick(self, spec: BandSpec) -> bool:
        """Tell whether this measure took so little time that it can follow a band that moves."""
        return self._seconds.get(_kind(spec), 0.0) < SLOW_S

    def update(
        self, sources: Sequence[ImageLayer], spec: BandSpec, *, moving: bool = False
    ) -> Outcome:
        """Show the measure of each cube layer.

        Names, color bars and what depends on them stay as they are while the band is `moving`: they
        take napari longer than the images.
        """
        outcome = Outcome()
        groups: dict[object, list[tuple[ImageLayer, Image]]] = {}
        start = time.thread_time()  # other programs do not add to it
        for source in sources:
            try:
                image = self._measure(source, spec)
            except AxisError as error:
                outcome.problems.append(f"{source.name}: {error}")
                self._blank(source)
                continue
            groups.setdefault(_compares_by(source, spec), []).append((source, image))
        self._seconds[_kind(spec)] = time.thread_time() - start
        for group in groups.values():
            limits = _shared_limits([image for _, image in group])
            for source, image in group:
                self._show(source, image, limits, spec, moving)
            if not moving:
                self._show_bar([source for source, _ in group])
        outcome.sharing = _explain(groups)
        return outcome

    def remove(self, keep: Sequence[ImageLayer] = ()) -> None:
        """Take away the heatmaps, but for those of these cube layers."""
        for known in (self._below, self._on_disk):
            for source in [source for source in known if source not in keep]:
                del known[source]
        for layer in list(self._viewer.layers):
            source = layer.metadata.get(KEY)
            # the removal of one may have led to that of another meanwhile
            if source is not None and source not in keep and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def unfinished(self) -> list[tuple[ImageLayer, StoredHeatmap]]:
        """Return the cube layers on disk whose heatmaps are still coarse."""
        return [(s, heat) for s, heat in self._on_disk.items() if heat.spec and not heat.done]

    def refresh(self) -> None:
        """Show what has become exact of the heatmaps of cubes on disk."""
        for source in self._on_disk:
            layer = self.layer_of(source)
            if layer is not None:
                layer.refresh(extent=False)

    def _measure(self, source: ImageLayer, spec: BandSpec) -> Image:
        stored = stored_image(source)
        if stored is not None:
            heat = self._on_disk.setdefault(source, StoredHeatmap(stored, wavenumbers(source)))
            layer = self.layer_of(source)
            return heat.begin(spec, None if layer is None else layer.data_level)
        intensity = np.moveaxis(source.data, 0, 2)
        axis, sigma = wavenumbers(source), source.metadata.get(UNCERTAINTY)
        image = band_map(intensity, axis, dataclasses.replace(spec, over=None), sigma)
        if spec.over is None:
            return image
        # the band that is dragged is most often the other one
        key = (dataclasses.replace(spec, low=0, high=0), id(source.data))
        if self._below.get(source, (None,))[0] != key:
            self._below[source] = (key, denominator(intensity, axis, spec, sigma))
        return divide(image, self._below[source][1])

    def _blank(self, source: ImageLayer) -> None:
        """Leave no image of another band where this one has none."""
        layer = self.layer_of(source)
        if layer is not None:
            if source in self._on_disk:
                self._on_disk[source].blank()
                layer.refresh(extent=False)
            else:
                layer.data = np.full(layer.data.shape, np.nan, np.float32)
            layer.name = f"no such band, {source.name}"

    def _show(
        self,
        source: ImageLayer,
        image: Image,
        limits: tuple[float, float],
        spec: BandSpec,
        moving: bool,
    ) -> None:
        layer = self.layer_of(source)
        if layer is None:
            layer = self._add(source, image, limits, spec)
        else:
            if source in self._on_disk:
                layer.refresh(extent=False)
            else:
                layer.data = image
            _set_limits(layer, limits, moving)
        if moving:
            return
        shows = describe(source, spec)
        if (layer.metadata[SHOWS]["measure"] in PLACES) != (spec.measure in PLACES):
            layer.colormap = _colors(spec)
        layer.metadata[SHOWS] = shows
        unit = f" ({shows['unit']})" if shows["unit"] else ""
        name = f"{shows['label']}{unit}, {source.name}"
        if layer.name != name:
            layer.name = name

    def _show_bar(self, sources: Sequence[ImageLayer]) -> None:
        """Show one color bar for layers of one contrast."""
        for i, source in enumerate(sources):
            layer = self.layer_of(source)
            if layer is not None and layer.colorbar.visible != (i == len(sources) - 1):
                layer.colorbar.visible = i == len(sources) - 1

    def _add(
        self, source: ImageLayer, image: Image, limits: tuple[float, float], spec: BandSpec
    ) -> ImageLayer:
        layers = self._viewer.layers
        active = layers.selection.active
        heat = self._on_disk.get(source)
        layer = self._viewer.add_image(
            image if heat is None else heat.levels,
            name=f"{label_of(spec)}, {source.name}",
            scale=source.scale[-2:],
            translate=source.translate[-2:],
            units=source.units[-2:],
            axis_labels=("y", "x"),
            colormap=_colors(spec),
            contrast_limits=limits,
            metadata={KEY: source, SOURCE: source, SHOWS: describe(source, spec)},
        )
        layer.colorbar.position = "bottom_left"  # the other corners have texts
        if any(type(above).__name__ == "Points" for above in layers[layers.index(source) :]):
            put_below_markers(
                layers
            )  # else they lie below the cube already, and so would the heatmap
        layers.selection.active = active  # the cube stays the layer that the docks speak of
        return layer


def describe(source: ImageLayer, spec: BandSpec) -> dict[str, Any]:
    """Return what a heatmap shows, for its layer's metadata."""
    unit = unit_of(spec, intensity_unit(source.metadata[CUBE].get("metadata", {})))
    return {
        "measure": spec.measure,
        "low": spec.low,
        "high": spec.high,
        "over": spec.over,
        "baseline": spec.from_line,
        "unit": unit,
        "label": label_of(spec),
    }


def _set_limits(layer: ImageLayer, limits: tuple[float, float], moving: bool) -> None:
    """Set the contrast; while the band moves only where it shows, since it takes napari longer than the image."""
    far = max(abs(now - wanted) for now, wanted in zip(layer.contrast_limits, limits, strict=True))
    if moving and far > NEAR * (limits[1] - limits[0]):
        layer.contrast_limits = limits
    elif not moving and far > 0:
        layer.contrast_limits_range = limits
        layer.contrast_limits = limits


def _kind(spec: BandSpec) -> tuple[str, bool]:
    return spec.measure, spec.over is not None


def _compares_by(source: ImageLayer, spec: BandSpec) -> object:
    if spec.over is not None or spec.measure in PLACES:
        return "all"
    return dwell_time(source)


def _shared_limits(images: Sequence[Image]) -> tuple[float, float]:
    n_values = sum(image.size for image in images)
    step = max(1, n_values // _N_SAMPLED) | 1  # odd: an even one could read the same columns only
    return contrast_limits(np.concatenate([image.ravel()[::step] for image in images]), 99.5)


def _explain(groups: dict[object, list[Any]]) -> str:
    """Return in words which heatmaps share a contrast; nothing where there is but one."""
    if sum(len(group) for group in groups.values()) < 2:
        return ""
    if "all" in groups:
        return f"One contrast for all heatmaps ({len(groups['all'])})."
    parts = []
    for dwell, group in groups.items():
        of = "of unknown dwell time" if dwell is None else f"of {dwell:g} s"
        parts.append(f"{len(group)} {of}")
    if len(parts) == 1:
        return f"One contrast for all heatmaps ({parts[0]})."
    return f"One contrast for each dwell time: {', '.join(parts)}."


def _colors(spec: BandSpec) -> Colormap:
    """Return the colors of a measure, with gray where there is no value: napari would show what lies below."""
    name = "viridis" if spec.measure in PLACES else "inferno"
    plain = ensure_colormap(name)
    return Colormap(
        plain.colors,
        name=f"{name}, gray where missing",
        controls=plain.controls,
        nan_color=MISSING_COLOR,
    )
