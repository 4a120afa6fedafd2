"""The patches of a viewer and its cube layers, kept in step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from napari_deeper.plugin.layers import cube_layers
from napari_deeper.plugin.patch_drawings import Brush, ground_of_layer, quick_cube, settle
from napari_deeper.plugin.patch_layers import PatchLayer
from napari_deeper.processing.patch_grid import Ground
from napari_deeper.spectra.patches import Patch, PatchSet

if TYPE_CHECKING:
    import napari


class Annotation:
    """Follows what the cube layers are called and where they lie, so that their patches go with them.

    Parameters
    ----------
    viewer
        The viewer.
    on_drawn
        Called without arguments when the user drew, moved or removed a shape; it must do no more than start a
        timer that calls `settle`.
    """

    def __init__(self, viewer: napari.Viewer, on_drawn: Callable[[], None]) -> None:
        self._viewer = viewer
        self.marks = PatchLayer(viewer, on_drawn)
        self._names: dict[Any, str] = {}  # to know which layer was renamed

    def cubes(self) -> list[Any]:
        """Return the cube layers, bottom first."""
        return cube_layers(self._viewer.layers)

    def grounds(self) -> dict[str, Ground]:
        """Return where each cube lies, by name."""
        return {layer.name: ground_of_layer(layer) for layer in self.cubes()}

    def patches(self) -> list[Patch]:
        """Return the patches on cubes that are there."""
        grounds = self.grounds()
        return [patch for patch in self.marks.patches() if patch.cube in grounds]

    def used(self) -> list[Any]:
        """Return the cube layers that patches lie on, bottom first."""
        names = {patch.cube for patch in self.patches()}
        return [layer for layer in self.cubes() if layer.name in names]

    def overview(self) -> PatchSet:
        """Return the set without the sha256 of its cubes, which take a while and change no warning here."""
        known = tuple(quick_cube(layer) for layer in self.used())
        return PatchSet(known, tuple(self.patches()))

    def show(self, patches: Sequence[Patch]) -> None:
        """Show these patches and no others."""
        cubes = self.cubes()
        if patches and cubes:
            self.marks.make(cubes[-1])
        self.marks.show(patches, self.grounds())

    def redraw(self, *_: object) -> None:
        """Draw the patches where their cubes lie now."""
        self.show(self.patches())

    def settle(self, open_to_new: Sequence[str], brush: Brush) -> list[str]:
        """Make patches of what was drawn; return what to tell of it."""
        patches, told = settle(self.marks.drawn(), self.grounds(), open_to_new, brush)
        self.show(patches)
        return told

    def follow(self) -> list[str]:
        """Take note of layers that came, went or were renamed; return what to tell of it."""
        self.marks.adopt()
        cubes = self.cubes()
        renamed = {name: la.name for la, name in self._names.items() if la.name != name}
        before = self.marks.patches()
        patches = [patch.replace(cube=renamed.get(patch.cube, patch.cube)) for patch in before]
        self._watch(cubes)
        self.marks.bring_to_front()
        there = {layer.name for layer in cubes}
        kept = [patch for patch in patches if patch.cube in there]
        if kept != before:
            self.show(kept)
        gone = sorted({patch.cube for patch in patches} - there)
        if not gone:
            return []
        n = len(patches) - len(kept)
        went = "1 patch" if n == 1 else f"{n} patches"
        return [f"{went} went with '{', '.join(gone)}', which was closed."]

    def _watch(self, cubes: Sequence[Any]) -> None:
        for layer in [la for la in self._names if la not in cubes]:
            self._leave(layer)
        for layer in cubes:
            if layer not in self._names:
                layer.events.translate.connect(self.redraw)
                layer.events.scale.connect(self.redraw)
            self._names[layer] = layer.name

    def _leave(self, layer: Any) -> None:
        layer.events.translate.disconnect(self.redraw)
        layer.events.scale.disconnect(self.redraw)
        del self._names[layer]

    def release(self) -> None:
        """Let go of every layer; the patches stay on theirs, and are found there again."""
        for layer in list(self._names):
            self._leave(layer)
        self.marks.release()
