"""What the comment lines of a text file say: laser, date, exposure, units, instrument."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from napari_deeper.io.layout import plain_name

_MOST_FACTS = 200
_PAIR = re.compile(r"^\s*([^=:\t;]{1,80}?)\s*[=:\t;]\s*[=:\t;]?\s*(.*?)\s*$")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?")
# By the plain name of a line: how programs call it.
_LASER = ("laser", "lasernm", "excitation", "excitationnm", "excitationwavelength", "laserwavelength",
          "excitationwavelengthnm", "laserwavelengthnm", "exciting", "lambda0")  # fmt: skip
_DWELL = ("acqtimes", "acquisitiontime", "acquisitiontimes", "exposure", "exposuretime", "exposuretimes",
          "integrationtime", "integrationtimes", "dwelltime", "dwelltimes")  # fmt: skip
_DATE = ("acquired", "date", "datetime", "measured", "starttime")
_NAME = ("title", "name", "sample")
_INSTRUMENT = ("instrument", "spectrometer")
_UNIT = ("axisunit0", "intensityunit", "yunit", "yunits")
_DATES = (
    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%d %b %Y", "%d %B %Y",
)  # fmt: skip


def read_facts(comments: Iterable[str]) -> dict[str, str]:
    """Return the lines ``name = value`` (or with a colon or a tab) as they stand."""
    facts: dict[str, str] = {}
    for line in comments:
        match = _PAIR.match(line)
        if match and match[2] and len(facts) < _MOST_FACTS:
            facts[match[1].strip()] = match[2].strip()
    return facts


def header_from(facts: dict[str, str]) -> dict[str, Any]:
    """Return what the facts say of a cube, as keys of `RamanCube.header`."""
    plain = {plain_name(name): value for name, value in facts.items()}
    known: dict[str, Any] = {}
    header: dict[str, Any] = {"metadata": known}
    laser = _first_number(plain, _LASER)
    if laser is not None and 200 <= laser <= 2000:
        header["excitation_nm"] = laser
    seconds = _seconds(facts)
    if seconds is not None and seconds > 0:
        known["dwell_time_s"] = seconds
    for key, names in (("name", _NAME), ("instrument", _INSTRUMENT), ("intensity_unit", _UNIT)):
        found = next((plain[name] for name in names if plain.get(name)), "")
        if found:
            known[key] = found
    date = next((iso for name in _DATE if (iso := _iso(plain.get(name, "")))), "")
    if date:
        known["date"] = date
    if facts:
        known["source"] = facts
    return header


def axis_unit_from(facts: dict[str, str]) -> str:
    """Return the unit that the comments state for the spectral axis, or nothing."""
    plain = {plain_name(name): value for name, value in facts.items()}
    for name in ("axisunit1", "xunit", "xunits", "spectralunit"):
        if plain.get(name):
            return plain[name]
    return "nm" if "rangenm" in plain else ""


def _seconds(facts: dict[str, str]) -> float | None:
    for name, value in facts.items():
        plain = plain_name(name)
        number = _NUMBER.search(value)
        if number and (plain in _DWELL or plain.removesuffix("ms") in _DWELL):
            is_ms = plain.endswith("ms") or bool(re.search(r"\d\s*ms\b", value))
            return _float(number[0]) * (1e-3 if is_ms else 1.0)
    return None


def _first_number(plain: dict[str, str], names: Iterable[str]) -> float | None:
    for name in names:
        number = _NUMBER.search(plain.get(name, ""))
        if number:
            return _float(number[0])
    return None


def _float(text: str) -> float:
    return float(text.replace(",", "."))


def _iso(text: str) -> str:
    """Return a date in ISO 8601; one whose day and month could be either is left alone."""
    for pattern in _DATES:
        try:
            date = datetime.strptime(text.strip(), pattern)
        except ValueError:
            continue
        return date.isoformat() if "%H" in pattern else date.date().isoformat()
    return ""
