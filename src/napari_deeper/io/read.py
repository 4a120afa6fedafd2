"""Read a cube from a file: one suffix, one function."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_deeper.io.contents import Contents
from napari_deeper.io.envi import read_envi
from napari_deeper.io.galactic import read_spc
from napari_deeper.io.hdf5 import read_hdf5
from napari_deeper.io.hyperspy import read_hspy, read_zspy
from napari_deeper.io.layout import Asked
from napari_deeper.io.matlab import read_mat
from napari_deeper.io.numpy_files import read_npy, read_npz
from napari_deeper.io.part import Rectangle, check_whole, cut, read_part
from napari_deeper.io.renishaw import read_wdf
from napari_deeper.io.rosetta import read_labspec_xml, read_tvf
from napari_deeper.io.spectra_folder import read_folder
from napari_deeper.io.text import read_text
from napari_deeper.io.text_stream import PACKED, TEXT
from napari_deeper.io.tiff import read_tiff
from napari_deeper.io.witec_project import read_wip
from napari_deeper.io.zarr_levels import open_levels
from napari_deeper.io.zarr_store import read_zarr
from napari_deeper.spectra.axis import Axis, describe, looks_like_nm, wavenumber_from_nm
from napari_deeper.spectra.cube import Pair, RamanCube
from napari_deeper.spectra.errors import (
    AmbiguousFile,
    AxisError,
    CubeError,
    DeeperError,
    FileError,
    ParameterError,
)
from napari_deeper.spectra.provenance import Step

Reader = Callable[[Path, str | None], Contents]
AskedReader = Callable[[Path, Asked], Contents]

# A new format is one function (path, variable) -> Contents, and one line here.
_READERS: dict[str, Reader] = {
    ".hdr": read_envi,
    ".hspy": read_hspy,
    ".img": read_envi,
    ".tvf": read_tvf,
    ".wdf": read_wdf,
    ".wid": read_wip,
    ".wip": read_wip,
    ".xml": read_labspec_xml,
    ".zspy": read_zspy,
}
# Formats that do not say how their numbers are arranged: their readers also take what the caller says.
_ASKED_READERS: dict[str, AskedReader] = {
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".mat": read_mat,
    ".npy": read_npy,
    ".npz": read_npz,
    ".spc": read_spc,
    ".tif": read_tiff,
    ".tiff": read_tiff,
    ".zarr": read_zarr,
    **dict.fromkeys(TEXT, read_text),
    **dict.fromkeys((t + packed for t in TEXT for packed in PACKED), read_text),
}
_FOLDERS = (".zarr", ".zspy")


@dataclass(frozen=True)
class _Given:
    """What the caller states; it goes before what the file says."""

    wavenumber: ArrayLike | None
    pixel_size: float | Pair | None
    excitation_nm: float | None

    @property
    def is_any(self) -> bool:
        """Whether anything is stated."""
        return any(v is not None for v in (self.wavenumber, self.pixel_size, self.excitation_nm))

    def notes(self, cube: RamanCube) -> tuple[str, ...]:
        """Say which facts are the caller's word, not the file's."""
        stated = (
            (self.wavenumber, f"axis, {describe(cube.wavenumber)},"),
            (self.pixel_size, f"pixel size, {cube.pixel_size} um,"),
            (self.excitation_nm, f"laser line, {cube.excitation_nm} nm,"),
        )
        return tuple(f"The {w} was given by the user." for value, w in stated if value is not None)


def readable_suffixes() -> tuple[str, ...]:
    """Return the suffixes that `read` knows, for example ``(".csv", ".csv.gz", ".mat", ...)``."""
    return tuple(sorted(_READERS | _ASKED_READERS))


def read(
    path: str | PathLike[str],
    *,
    wavenumber: ArrayLike | None = None,
    pixel_size: float | Pair | None = None,
    excitation_nm: float | None = None,
    variable: str | None = None,
    layout: str | None = None,
    image_size: tuple[int, int] | None = None,
    crop: Rectangle | None = None,
) -> RamanCube:
    """Read a cube from a file or a folder.

    Parameters
    ----------
    path
        .npz, .npy, .mat (WITec export or plain arrays), .h5, .zarr, .tif, a table of text (.csv, .txt, ...; also
        packed as .xz or .gz), a folder with one spectrum in each of its text files, or a file of an
        instrument: .wdf, .wip, .wid, .spc, .xml (LabSpec), .tvf, .hdr or .img (ENVI), .hspy, .zspy.
    wavenumber
        (channel,) in cm-1, or two numbers: the first and last channel of an even axis. Needed where
        the file states no axis; where it does, this replaces it.
    pixel_size
        (dy, dx) in um, or one number for both; replaces what the file says.
    excitation_nm
        Laser wavelength in nm; needed where the axis of the file is in nm and the file does not say it.
    variable
        Which array to read where a file holds several.
    layout
        How a foreign array or table is arranged, where the file leaves it open: the axes from the slowest
        to the fastest, ``"yxc"``, ``"cyx"``, ... For a table of text, ``"yxc"`` has one spectrum per
        row, ``"cyx"`` one per column, and ``"long"`` one intensity per row.
    image_size
        (rows, columns) of the image that a list of spectra without places, such as a .spc map, unfolds to.
    crop
        ((first row, end), (first column, end)) in pixels: this part alone, the ends left out. Of a .zarr store
        of our own nothing else is read, so that it may be larger than memory.

    Returns
    -------
    RamanCube
        With a rising axis: a falling one is reversed together with the intensities. A cube without
        a history begins one with the step ``"read"``; a history in the file is kept.

    Raises
    ------
    AmbiguousFile
        If the file can be understood in several ways; it carries them, each with the keywords that
        choose it.
    FileError
        If the file is missing, unknown, damaged, or too large for this machine.
    ParameterError
        If `crop` does not lie within the cube.
    AxisError
        If the wavenumbers are missing, in another unit, unsorted or repeated.
    CubeError
        If the array is not a cube of real numbers.
    """
    path = Path(path)
    reader = _reader_for(path)
    try:
        with np.errstate(all="ignore"):  # damaged files hold numbers beyond all bounds
            given = _Given(wavenumber, pixel_size, excitation_nm)
            stored = open_levels(path) if suffix_of(path) == ".zarr" else None
            if stored is not None and crop is not None and not given.is_any:
                return read_part(stored, crop)
            if stored is not None:
                check_whole(stored)
            contents = reader(path, Asked(variable, layout, image_size, _n_channels(wavenumber)))
            cube = _make_cube(path, contents, given)
            return cube if crop is None else cut(cube, crop)
    except AmbiguousFile as error:
        raise error.named(path.name) from error
    except DeeperError as error:
        raise type(error)(f"{path.name}: {error}") from error
    except MemoryError as error:
        raise FileError(f"{path.name}: this machine has too little memory to read it.") from error
    except Exception as error:  # parsers raise anything on damaged input; the user gets one kind
        raise FileError(_damaged(path, error)) from error


def suffix_of(path: Path) -> str:
    """Return the suffix that tells the format, for example ``.csv.xz`` of a packed table."""
    suffix = path.suffix.lower()
    inner = Path(path.stem).suffix.lower()
    return inner + suffix if suffix in PACKED else suffix


def stem_of(path: Path) -> str:
    """Return the name without the suffix that tells the format."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def _n_channels(wavenumber: ArrayLike | None) -> int | None:
    """Return how many channels the caller's axis has; its two ends leave that open."""
    size = 0 if wavenumber is None else np.size(wavenumber)
    return size if size > 2 else None


def _reader_for(path: Path) -> AskedReader:
    suffix = suffix_of(path)
    known = f"Known: {', '.join(readable_suffixes())}"
    if not path.exists():
        raise FileError(f"{path} does not exist. Check the name and the folder.")
    if path.is_dir() and suffix not in _FOLDERS:
        return read_folder
    if suffix not in readable_suffixes():
        what = f"napari-deeper cannot read '{suffix}' files" if suffix else "the name has no suffix"
        raise FileError(f"{path.name}: {what}. {known}.")
    if path.is_file() and suffix in _FOLDERS:
        raise FileError(f"{path.name} is a file; a {suffix} store is a folder.")
    if path.is_file() and path.stat().st_size == 0:
        raise FileError(f"{path.name} is empty (0 bytes). Copy or export it again.")
    if suffix in _ASKED_READERS:
        return _ASKED_READERS[suffix]
    plain = _READERS[suffix]
    return lambda found, asked: plain(found, asked.variable)


def _damaged(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"{path} may not be read: permission denied."
    reason = str(error).strip().splitlines()
    said = reason[0].rstrip(".") if reason else type(error).__name__
    return (
        f"{path.name} cannot be read as {suffix_of(path)} ({said}): it is damaged, cut short, "
        "or of another kind. Copy or export it again."
    )


def _make_cube(path: Path, contents: Contents, given: _Given) -> RamanCube:
    header = dict(contents.header)
    name = path.name if path.is_dir() and suffix_of(path) not in _FOLDERS else stem_of(path)
    header["metadata"] = {"name": name} | dict(header.get("metadata", {}))
    if given.pixel_size is not None:
        size = np.atleast_1d(given.pixel_size).tolist()
        header["pixel_size"] = size * 2 if len(size) == 1 else size
    if given.excitation_nm is not None:
        header["excitation_nm"] = _check_excitation(given.excitation_nm)
    intensity, trust = contents.intensity, _checked_trust(contents)
    axis, notes = _axis(contents, given, intensity.shape)
    if axis.ndim == 1 and axis.size > 1 and (np.diff(axis) < 0).all():
        axis, intensity = axis[::-1], intensity[..., ::-1]
        if "uncertainty" in trust:
            trust["uncertainty"] = trust["uncertainty"][..., ::-1]
        notes = (*notes, "The axis fell; it was reversed together with the intensities.")
    if contents.axis_unit == "cm-1" and given.wavenumber is None and looks_like_nm(axis):
        header["metadata"]["axis_unit"] = "cm-1"
        notes = (*notes, "The axis looks like one in nm; the file says that it is in cm-1.")
    header["wavenumber"] = axis
    cube = RamanCube.from_header(intensity, header, **trust)
    notes = (*contents.notes, *notes, *given.notes(cube))
    return _with_history(cube, path, contents.format, notes)


def _checked_trust(contents: Contents) -> dict[str, NDArray[Any]]:
    """Return the uncertainty and the flags of a file, each of the type that it must be."""
    trust = dict(contents.trust)
    flagged = trust.get("flagged")
    if flagged is None:
        return trust
    # MATLAB files hold truth values as bytes
    is_truth = flagged.dtype == bool or (
        flagged.dtype.kind in "iu" and np.isin(flagged, (0, 1)).all()
    )
    if not is_truth:
        raise CubeError(
            f"its array 'flagged' is of type {flagged.dtype}; it must hold one truth value (0 or 1) "
            "for each pixel. Write the file again, or remove that array."
        )
    return trust | {"flagged": flagged.astype(bool)}


def _axis(
    contents: Contents, given: _Given, shape: tuple[int, ...]
) -> tuple[Axis, tuple[str, ...]]:
    """Return the axis in cm-1, possibly falling, and what was done to get it."""
    n_channels = shape[-1] if shape else 0
    if given.wavenumber is not None:
        values = _real(given.wavenumber)
        even = values.shape == (2,) and n_channels != 2
        return (np.linspace(values[0], values[1], n_channels) if even else values), ()
    if "wavenumber" not in contents.header:
        raise AxisError(_no_axis(contents, n_channels))
    values = _real(contents.header["wavenumber"])
    # a cube with a history was checked when it was first read
    is_stated = contents.axis_unit == "cm-1" or bool(contents.header.get("provenance"))
    is_nm = contents.axis_unit == "nm"
    if not (is_nm or (not is_stated and looks_like_nm(np.sort(values.reshape(-1))))):
        return values, ()
    # What merely looks like nm is not converted with a laser line that nobody gave for it.
    stated = contents.header.get("excitation_nm") if contents.axis_unit == "nm" else None
    laser = stated if given.excitation_nm is None else given.excitation_nm
    if laser is None:
        raise AxisError(
            f"the axis is in nm ({values.min():.1f}-{values.max():.1f}), and the laser line is not "
            "stated. Pass it, for example excitation_nm=532 (--excitation 532), or export in cm-1."
        )
    note = "The axis was converted from nm."
    if given.excitation_nm is None:
        note = f"The axis was converted from nm with the laser line that the file states, {laser:.6g} nm."
    return wavenumber_from_nm(values, _check_excitation(laser)), (note,)


def _real(values: ArrayLike) -> Axis:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise AxisError(f"the wavenumbers are of type {array.dtype}; they must be real numbers.")
    return array.astype(np.float64)


def _no_axis(contents: Contents, n_channels: int) -> str:
    text = (
        "it states no wavenumber axis. Pass wavenumber= with the cm-1 of its "
        f"{n_channels} channels, or the first and the last of an even axis, for example "
        "wavenumber=(600, 1800) (--wavenumbers 600:1800)."
    )
    return f"{text} {contents.remark}".strip()


def _check_excitation(value: float) -> float:
    number = float(value)
    if not (math.isfinite(number) and 200 <= number <= 2000):
        raise ParameterError(f"excitation_nm is {value}; a laser line is 200-2000 nm.")
    return number


def _with_history(
    cube: RamanCube, path: Path, file_format: str, notes: tuple[str, ...]
) -> RamanCube:
    """Add a step where the file has no history, or where reading changed what the file says."""
    if cube.provenance and not notes:
        return cube
    step = Step("read", {"path": path.name, "format": file_format}, notes)
    return dataclasses.replace(cube, provenance=(*cube.provenance, step))
