"""Bands that the user chooses by name: the known ones and the user's own, remembered."""

from __future__ import annotations

from typing import Any

from napari_deeper.plugin.widgets.form import Remembered
from napari_deeper.processing.bands import PRESETS, Band
from napari_deeper.spectra.errors import ParameterError


class BandPresets:
    """The presets of this user; every change is remembered at once."""

    def __init__(self) -> None:
        self._store = Remembered("bands")
        self.own: list[Band] = []
        for record in self._store.load().get("own", []):
            band = _band_from(record)
            if band is not None:
                self.own.append(band)

    def all(self) -> list[Band]:
        """Return the known bands, then the user's own."""
        return [*PRESETS, *self.own]

    def find(self, low: float, high: float) -> Band | None:
        """Return the preset with these borders, to half a wavenumber; the user's own before the known."""
        for band in [*self.own, *PRESETS]:
            if abs(band.limits[0] - low) < 0.5 and abs(band.limits[1] - high) < 0.5:
                return band
        return None

    def add(self, low: float, high: float, name: str) -> Band:
        """Keep a band (cm-1) under a name.

        Raises
        ------
        ParameterError
            If the name is empty or taken.
        """
        band = Band((low + high) / 2, self._free_name(name), (high - low) / 2)
        self.own.append(band)
        self._save()
        return band

    def rename(self, band: Band, name: str) -> Band:
        """Give a band of the user's another name.

        Raises
        ------
        ParameterError
            If the name is empty or taken.
        """
        renamed = Band(band.center, self._free_name(name), band.half_width)
        self.own[self.own.index(band)] = renamed
        self._save()
        return renamed

    def remove(self, band: Band) -> None:
        """Forget a band of the user's."""
        self.own.remove(band)
        self._save()

    def _free_name(self, name: str) -> str:
        name = " ".join(name.split())
        if not name:
            raise ParameterError("A preset needs a name.")
        if name.casefold() in (band.assignment.casefold() for band in self.all()):
            raise ParameterError(f"There is a preset '{name}' already. Choose another name.")
        return name

    def _save(self) -> None:
        self._store.save(
            own=[{"low": b.limits[0], "high": b.limits[1], "name": b.assignment} for b in self.own]
        )


def _band_from(record: Any) -> Band | None:
    """Return the band that was kept, or None where another version kept something else."""
    try:
        low, high, name = float(record["low"]), float(record["high"]), str(record["name"])
    except (KeyError, TypeError, ValueError):
        return None
    return Band((low + high) / 2, name, (high - low) / 2) if high >= low else None
