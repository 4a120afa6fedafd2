"""Horiba LabSpec .xml and TriVista .tvf, by RosettaSciIO (GPL-3, extra ``gpl``: the base knows nothing of it).

Known limits: LabSpec's own .l5 and .l6 are not read. TriVista files state no laser line where the software was
not told: it must be given. A rotated LabSpec map is shown along its own axes, with a note.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from napari_deeper.io.contents import Contents
from napari_deeper.io.extras import import_extra, quiet
from napari_deeper.io.hyperspy import hyperspy_contents
from napari_deeper.spectra.errors import FileError

_START = 4096
# LabSpec's own rounding of h c; the exact number would shift its axes by 2 cm-1.
_LABSPEC_EV_NM = 1240.0


def read_labspec_xml(path: Path, variable: str | None) -> Contents:
    """Read a .xml file of LabSpec."""
    del variable  # the file holds one measurement
    _check_text(path, b"<LSX", "a LabSpec .xml")
    entry = _read("rsciio.jobinyvon", path)
    for axis in entry["axes"]:
        if axis.get("units") == "eV":
            axis["axis"], axis["units"] = _LABSPEC_EV_NM / axis["axis"], "nm"
    contents = hyperspy_contents(entry, "LabSpec .xml")
    image = entry["metadata"].get("Acquisition_instrument", {}).get("Spectral_image", {})
    if (angle := image.get("rotation_angle")) is None:
        return contents
    note = f"The map is rotated by {angle:.1f} degrees against the stage; it is shown along its own axes."
    return dataclasses.replace(contents, notes=(*contents.notes, note))


def read_tvf(path: Path, variable: str | None) -> Contents:
    """Read a .tvf file of TriVista."""
    del variable  # of a glued measurement the glued spectrum is read
    _check_text(path, b"<XmlMain", "a TriVista .tvf")
    return hyperspy_contents(_read("rsciio.trivista", path), "TriVista .tvf")


def _check_text(path: Path, mark: bytes, what: str) -> None:
    """Refuse what is of another kind, or declares what cannot be, before the library reads it."""
    data = path.read_bytes()
    if mark not in data[:_START]:
        raise FileError(f"it does not begin as {what} does. Was it renamed?")
    if b"!ENTITY" in data or b"!DOCTYPE" in data:
        raise FileError("it defines entities, which no instrument does; it is not read.")
    sizes = (
        int(number) for number in re.findall(rb'(?:Size|Points|Count)\s*=\s*"(\d{1,30})"', data)
    )
    if max(sizes, default=0) > len(data):
        raise FileError("it declares more values than it has bytes; it is cut short or damaged.")


def _read(module: str, path: Path) -> dict[str, Any]:
    reader = import_extra(module, "rosettasciio", "gpl")
    try:
        with quiet("rsciio"):
            entries = reader.file_reader(str(path))
    except (LookupError, TypeError, AttributeError, UnboundLocalError) as error:
        raise FileError(
            f"RosettaSciIO finds something missing that it needs ({error}): the file is cut short, or "
            "of a version that it does not know. Export it as text instead."
        ) from error
    if len(entries) != 1:
        raise FileError(f"it holds {len(entries)} measurements; one is read.")
    entry: dict[str, Any] = entries[0]
    return entry
