"""Galactic (Thermo GRAMS) .spc, by ``spc-io`` (extra ``formats``); maps as WITec and LabSpec export them.

Subfiles follow each other with x running fastest, as in the text exports of the same maps. The format has no
place for an image size: where the spectra alone make it plain (neighbors above each other look alike for one
width only) the map is unfolded and a note says so, and ``image_size=(17, 16)`` (rows, columns) states it.

Known limits: the format of before 1996 (version 4D) and files in Motorola byte order are refused; so are
subfiles with different axes.
"""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Contents, check_memory
from napari_deeper.io.extras import import_extra, quiet
from napari_deeper.io.layout import Asked
from napari_deeper.io.series import known, laser_line, series, spectral_axis
from napari_deeper.spectra.errors import FileError

_HEADER = 512
_LOG_OFFSET = 248
_SINGLE, _MULTI, _OWN_AXES, _ONE_AXIS = 1, 4, 64, 128
_VERSIONS = {
    0x4D: "in the format of before 1996",
    0x4C: "in Motorola byte order",
    0xCF: "a Shimadzu file",
}
_AXES = {
    "XRAMANS": "cm-1",
    "XWAVEN": "cm-1",
    "XNMETR": "nm",
    "XUMETR": "um",
    "XEV": "eV",
    "XARB": "cm-1",
}
_AXIS_NOTES = {
    "XARB": "The file does not state the unit of its axis; it is taken as cm-1.",
    "XWAVEN": "The file calls its axis a wavenumber in cm-1; it is taken as Raman shift.",
}
_INTENSITIES = {
    "YCOUNT": "counts",
    "YABSRB": "absorbance",
    "YPERCNT": "percent",
    "YTRANS": "transmission",
}
_SERIES = {
    "XUMETR": ("z", "um", 1.0),
    "XMMETR": ("z", "um", 1e3),
    "XSECS": ("time", "s", 1.0),
    "XMSEC": ("time", "s", 1e-3),
    "XMINUTS": ("time", "s", 60.0),
    "XHOURS": ("time", "s", 3600.0),
}


def read_spc(path: Path, asked: Asked) -> Contents:
    """Read a .spc file; of what was asked only the image size matters."""
    data = bytearray(path.read_bytes())
    least = _check(data)
    log_offset, log = _log(data)
    # The library expects the log right behind the spectra, and gives them up where it is elsewhere or damaged.
    data[_LOG_OFFSET : _LOG_OFFSET + 4] = bytes(4)
    if log_offset >= least:
        del data[log_offset:]
    low_level = import_extra("spc_io.low_level", "spc-io", "formats")
    with quiet("spc_io"):
        raw = low_level.SpcRaw.from_bytes_io(io.BytesIO(data))
    header = raw.main_header
    spectra = np.stack([_intensities(header, sub) for sub in raw.subs])
    unit = str(header.fxtype)
    axis, axis_unit, notes = spectral_axis(_axis(raw), _AXES.get(unit, unit))
    notes += (_AXIS_NOTES[unit],) if unit in _AXIS_NOTES else ()
    metadata, laser = _metadata(header, log)
    intensity, found, note = _unfold(spectra, raw, asked.image_size)
    fields = {"wavenumber": axis, "metadata": metadata | found}
    if laser is not None:
        fields["excitation_nm"] = laser
    axis_unit = "" if unit == "XARB" else axis_unit
    return Contents(intensity, "Galactic .spc", fields, axis_unit, notes + note)


def _check(data: bytearray) -> int:
    """Compare what the header declares with what is there; return the bytes that it needs at least."""
    if len(data) < _HEADER:
        raise FileError(
            f"it has {len(data)} bytes, less than the header of a .spc; it is cut short."
        )
    if data[1] in _VERSIONS:
        raise FileError(f"it is {_VERSIONS[data[1]]}, which is not read. Export it again as text.")
    if data[1] != 0x4B:
        raise FileError("it does not begin as a Galactic .spc does. Was it renamed?")
    n_channels, n_spectra = (
        struct.unpack_from("<I", data, 4)[0],
        struct.unpack_from("<I", data, 24)[0],
    )
    flags = data[0]
    if n_spectra == 0:
        raise FileError("it declares no spectra; it is damaged. Export it again.")
    least = _HEADER + 32 * n_spectra
    if not flags & _OWN_AXES:
        width = 2 if flags & _SINGLE else 4
        least += width * n_channels * n_spectra + (4 * n_channels if flags & _ONE_AXIS else 0)
        check_memory((n_spectra, n_channels), 4)
    if least > len(data):
        raise FileError(
            f"it declares {n_spectra} spectra of {n_channels} channels, at least {least} bytes, but has {len(data)}: "
            "it is cut short or damaged. Export it again."
        )
    return int(least)


def _intensities(header: Any, sub: Any) -> NDArray[np.float32]:
    values: NDArray[Any] = np.asarray(sub.yarray)
    is_scaled = values.dtype.kind == "f" and values.dtype.itemsize == 8
    if is_scaled and not header.ftflgs.TMULTI and header.fexp != sub.header.subexp:
        # A file of one spectrum states the exponent of its integers in the main header.
        values = values * 2.0 ** (header.fexp - sub.header.subexp)
    return values.astype(np.float32)


def _axis(raw: Any) -> NDArray[np.float64]:
    header = raw.main_header
    if header.ftflgs.TXYXYS:
        axes = [np.asarray(sub.xarray, dtype=np.float64) for sub in raw.subs]
        if any(not np.array_equal(axes[0], other) for other in axes[1:]):
            raise FileError(
                f"its {len(axes)} spectra have axes of their own, which is no cube. Export them on one axis."
            )
        return axes[0]
    if header.ftflgs.TXVALS:
        return np.asarray(raw.xarray, dtype=np.float64)
    return np.linspace(header.ffirst, header.flast, header.fnpts)


def _unfold(
    spectra: NDArray[np.float32], raw: Any, image_size: tuple[int, int] | None
) -> tuple[NDArray[np.float32], dict[str, Any], tuple[str, ...]]:
    """Return (y, x, channel), what is known of the series, and what to say."""
    n, n_channels = spectra.shape
    if image_size is not None:
        rows, columns = image_size
        if rows * columns != n:
            raise FileError(f"{rows} x {columns} pixels were asked for, but it holds {n} spectra.")
        return spectra.reshape(rows, columns, n_channels), {}, ()
    if n == 1:
        return spectra[None], {}, ()
    places = np.array([sub.header.subfirst for sub in raw.subs], dtype=np.float64)
    kind = _SERIES.get(str(raw.main_header.fztype))
    if kind is not None and not np.array_equal(places, np.arange(n)):
        found, note = series(kind[0], places * kind[2], kind[1])
        return spectra[None], found, (note,)
    is_numbered = np.array_equal(places, np.arange(n)) or np.ptp(places) == 0
    width = likely_columns(spectra) if is_numbered else None
    if width is None:
        where = "" if is_numbered else f" at {places[0]:g} to {places[-1]:g} of an unnamed unit"
        note = (
            f"The file holds {n} spectra{where} and states no image size; they became one row. If it is a map, say its "
            "rows and columns, for example image_size=(17, 16) (--image-size 17x16)."
        )
        return spectra[None], {}, (note,)
    rows, columns = n // width, width
    note = (
        f"The file states no image size; {rows} x {columns} pixels (y, x) were chosen because neighbors then "
        "look alike. "
        "If that is wrong, say image_size=(ROWS, COLUMNS) (--image-size ROWSxCOLUMNS)."
    )
    return spectra.reshape(rows, columns, n_channels), {}, (note,)


def likely_columns(spectra: NDArray[np.float32]) -> int | None:
    """Return the width of the image that spectra in reading order make, where one alone is likely.

    Pixels above each other must differ little: clearly less than for every other width, and no more
    than twice as much as those beside each other (mean squares of the strongest three principal components).
    """
    n = len(spectra)
    widths = [w for w in range(2, n // 2 + 1) if n % w == 0]
    if len(widths) < 2 or not np.isfinite(spectra).all():
        return None
    centered = spectra - spectra.mean(axis=0, dtype=np.float64)
    images = _strongest(centered)
    beside = float(np.square(np.diff(images, axis=0)).mean())
    above = {w: float(np.square(images[w:] - images[:-w]).mean()) for w in widths}
    best, second = sorted(above, key=above.__getitem__)[:2]
    if above[best] < 0.7 * above[second] and above[best] < 2 * beside:
        return best
    return None


def _strongest(centered: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores (spectrum, 3) of the strongest principal components."""
    if len(centered) > centered.shape[1]:
        axes: NDArray[np.float64] = np.linalg.eigh(centered.T @ centered)[1][:, -3:]
        return centered @ axes
    power, scores = np.linalg.eigh(centered @ centered.T)
    strongest: NDArray[np.float64] = scores[:, -3:] * np.sqrt(np.maximum(power[-3:], 0))
    return strongest


def _log(data: bytearray) -> tuple[int, dict[str, str]]:
    """Return where the log is, or 0, and what it says, ``key = value`` a line."""
    offset = struct.unpack_from("<I", data, _LOG_OFFSET)[0]
    if not _HEADER <= offset <= len(data) - 64:
        return 0, {}
    size, _, text_offset = struct.unpack_from("<III", data, offset)
    text = bytes(data[offset + text_offset : offset + size]).split(b"\0")[0].decode("latin-1")
    pairs = (line.partition("=") for line in text.splitlines())
    return offset, {key.strip().upper(): value.strip() for key, mark, value in pairs if mark}


def _metadata(header: Any, log: dict[str, str]) -> tuple[dict[str, Any], float | None]:
    date = header.fdate
    dwell, frames = _number(log.get("ACQ. TIME (S)")), _number(log.get("ACCUMULATIONS")) or 1
    found = {
        "title": log.get("TITLE") or bytes(header.fcmnt).decode("latin-1").strip(),
        "instrument": log.get("INSTRUMENT"),
        "software": bytes(header.fsource).decode("latin-1").strip(),
        "intensity_unit": _INTENSITIES.get(str(header.fytype)),
        "laser_power": log.get("LASER POWER"),
        "dwell_time_s": dwell * frames if dwell else None,
        "z_um": _number(log.get("Z (µM)")),
    }
    if 1980 <= date.year <= 2200 and 1 <= date.month <= 12 and 1 <= date.day <= 31:
        found["date"] = (
            f"{date.year:04}-{date.month:02}-{date.day:02}T{date.hour:02}:{date.min:02}:00"
        )
    return known(found), laser_line(_number(log.get("LASER (NM)")))


def _number(text: str | None) -> float | None:
    found = re.match(r"\s*[-+]?\d+(\.\d*)?", text or "")
    return float(found[0]) if found else None
