"""RamanCube: intensities with their wavenumbers, place and history."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deeper.spectra.axis import Axis, check_wavenumber, describe
from napari_deeper.spectra.errors import CubeError
from napari_deeper.spectra.provenance import Step

Intensity = NDArray[np.float32]
Pair = tuple[float, float]


@dataclass(frozen=True, eq=False)
class RamanCube:
    """A hyperspectral Raman image.

    Parameters
    ----------
    intensity
        (y, x, channel), any real number type; kept as float32 in native byte order. May hold NaN.
    wavenumber
        (channel,), Raman shift in cm-1, strictly increasing.
    pixel_size
        (dy, dx) in um, or None where it is unknown.
    origin
        (y, x) of the centre of pixel (0, 0), in um (in measured pixels where the pixel size is unknown).
    zoom
        Pixels per measured pixel along y and x: 1 for a measured cube, 2 after 2x super-resolution.
    excitation_nm
        Laser wavelength in nm, or None.
    provenance
        What was done, oldest first.
    metadata
        What the source said, as JSON types. ``metadata["name"]`` is the name shown to the user. Where
        ``metadata["axis_unit"]`` is ``"cm-1"``, an axis that looks like one in nm is taken as it is.
    uncertainty
        (y, x, channel), one standard deviation of the error of each intensity, or None where it is
        not known.
    flagged
        (y, x), True where what the result left out of its input does not look like noise; None where
        that was not checked.

    Raises
    ------
    CubeError
        If the intensities are not a real, non-empty (y, x, channel) array, or the uncertainty or the
        flags are not of their shape.
    AxisError
        If the wavenumbers do not fit it.
    """

    intensity: Intensity
    wavenumber: Axis
    pixel_size: Pair | None = None
    _: dataclasses.KW_ONLY
    origin: Pair = (0.0, 0.0)
    zoom: float = 1.0
    excitation_nm: float | None = None
    provenance: tuple[Step, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    uncertainty: Intensity | None = None
    flagged: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        intensity = _check_intensity(self.intensity)
        # A cube with a history was checked when it began; one with few channels left is no other.
        known = bool(self.provenance) or self.metadata.get("axis_unit") == "cm-1"
        axis = check_wavenumber(self.wavenumber, intensity.shape[2], unit_is_known=known)
        axis.flags.writeable = False
        object.__setattr__(self, "intensity", intensity)
        object.__setattr__(self, "wavenumber", axis)
        object.__setattr__(self, "pixel_size", _check_pixel_size(self.pixel_size))
        object.__setattr__(self, "origin", (float(self.origin[0]), float(self.origin[1])))
        object.__setattr__(self, "provenance", tuple(self.provenance))
        object.__setattr__(self, "metadata", dict(self.metadata))
        self._check_trust()

    def _check_trust(self) -> None:
        if self.uncertainty is not None:
            uncertainty = _check_intensity(self.uncertainty, "uncertainties")
            _check_shape("uncertainties", uncertainty.shape, self.shape)
            if (uncertainty < 0).any():
                raise CubeError("The uncertainty is a standard deviation; it must not be negative.")
            object.__setattr__(self, "uncertainty", uncertainty)
        if self.flagged is not None:
            flagged = np.ascontiguousarray(self.flagged, dtype=bool)
            _check_shape("flags", flagged.shape, self.shape[:2])
            object.__setattr__(self, "flagged", flagged)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(y, x, channel)."""
        y, x, channel = self.intensity.shape
        return y, x, channel

    @property
    def spectra(self) -> Intensity:
        """(pixel, channel) view, row by row."""
        return self.intensity.reshape(-1, self.intensity.shape[2])

    @property
    def spacing(self) -> Pair:
        """(dy, dx) between pixel centres: um, or measured pixels where the pixel size is unknown."""
        return self.pixel_size or (1 / self.zoom, 1 / self.zoom)

    @property
    def length_unit(self) -> str:
        """Unit of `spacing` and `origin`: ``"um"`` or ``"pixel"``."""
        return "um" if self.pixel_size else "pixel"

    @property
    def name(self) -> str:
        """Name shown to the user."""
        return str(self.metadata.get("name", "cube"))

    def derive(self, intensity: ArrayLike, step: Step, **changes: Any) -> RamanCube:
        """Return the successor of this cube: new intensities, one more step, all else kept.

        Uncertainty and flags belong to the old intensities: the successor has those given, or none.

        Parameters
        ----------
        intensity
            (y, x, channel) of the result.
        step
            What was done.
        changes
            Fields that the step changed, for example ``wavenumber`` or ``pixel_size``.
        """
        history = (*self.provenance, step)
        changes = {"uncertainty": None, "flagged": None} | changes
        return dataclasses.replace(
            self, intensity=np.asarray(intensity), provenance=history, **changes
        )

    def header(self) -> dict[str, Any]:
        """Return everything but the intensities, as JSON types, for files and layers."""
        return {
            "wavenumber": self.wavenumber.tolist(),
            "pixel_size": list(self.pixel_size) if self.pixel_size else None,
            "origin": list(self.origin),
            "zoom": self.zoom,
            "excitation_nm": self.excitation_nm,
            "provenance": [step.to_json() for step in self.provenance],
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_header(
        cls,
        intensity: ArrayLike,
        header: Mapping[str, Any],
        *,
        uncertainty: ArrayLike | None = None,
        flagged: ArrayLike | None = None,
    ) -> RamanCube:
        """Join intensities (y, x, channel), a `header`, and the uncertainty and flags where there are any."""
        size = header.get("pixel_size")
        origin = header.get("origin", (0.0, 0.0))
        return cls(
            intensity,  # type: ignore[arg-type]
            header["wavenumber"],
            tuple(size) if size else None,
            origin=(origin[0], origin[1]),
            zoom=float(header.get("zoom", 1.0)),
            excitation_nm=header.get("excitation_nm"),
            provenance=tuple(Step.from_json(step) for step in header.get("provenance", ())),
            metadata=header.get("metadata", {}),
            uncertainty=uncertainty,  # type: ignore[arg-type]
            flagged=flagged,  # type: ignore[arg-type]
        )

    def __repr__(self) -> str:
        y, x, _ = self.shape
        size = "pixel size unknown"
        if self.pixel_size:
            size = f"{self.pixel_size[0]:g} x {self.pixel_size[1]:g} um pixels"
        return f"RamanCube '{self.name}': {y} x {x} pixels, {describe(self.wavenumber)}, {size}"


def require_signal(cube: RamanCube) -> None:
    """Raise `CubeError` if the cube holds NaN or infinities, or no spectrum that varies.

    A verb calls this first, so that no result is computed from numbers that are not there.
    """
    finite = np.isfinite(cube.intensity)
    if not finite.all():
        y, x, channel = np.argwhere(~finite)[0]
        n_bad = int((~finite.all(axis=2)).sum())
        raise CubeError(
            f"{n_bad} of {finite.shape[0] * finite.shape[1]} spectra hold NaN or infinity, the first at "
            f"y={y}, x={x}, {cube.wavenumber[channel]:.0f} cm-1. Crop those pixels or fill them first."
        )
    if cube.shape[2] > 1 and not np.ptp(cube.spectra, axis=1).any():
        kind = "zero" if not cube.intensity.any() else "constant"
        raise CubeError(
            f"Every spectrum is {kind}, so there is no signal to work on. Was the right layer or "
            "file chosen?"
        )


def _check_intensity(values: Any, what: str = "intensities") -> Intensity:
    array = np.asarray(values)
    if array.dtype.kind == "c":
        raise CubeError(f"The {what} are complex numbers; pass their real part or magnitude.")
    if array.dtype.kind not in "biuf":
        raise CubeError(f"The {what} are of type {array.dtype}; they must be real numbers.")
    if array.ndim != 3:
        raise CubeError(
            f"A cube has three axes (y, x, channel); this array has {array.ndim}: {array.shape}. "
            "A single spectrum is (1, 1, channel), a line (1, x, channel)."
        )
    if array.size == 0:
        raise CubeError(f"The cube is empty: shape (y, x, channel) is {array.shape}.")
    with np.errstate(over="ignore"):
        intensity = np.ascontiguousarray(array, dtype=np.float32)
    if array.dtype.itemsize > 4 and (np.isinf(intensity) & np.isfinite(array)).any():
        raise CubeError(f"The {what} exceed the range of float32 (3.4e38); scale them down.")
    return intensity


def _check_shape(what: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        raise CubeError(f"The {what} have shape {shape}; the intensities ask for {wanted}.")


def _check_pixel_size(size: Any) -> Pair | None:
    if size is None:
        return None
    pair = (size, size) if np.isscalar(size) else tuple(size)
    if len(pair) != 2 or not all(np.isfinite(s) and s > 0 for s in pair):
        raise CubeError(
            f"The pixel size is {size}; it must be two positive numbers (dy, dx) in um."
        )
    return float(pair[0]), float(pair[1])
