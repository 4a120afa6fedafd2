"""The variables of a MATLAB version 5 file (saved with -v6 or -v7).

A file is a 128-byte header and a chain of elements, each a tag (type, length) and its bytes; arrays
nest and may be compressed. SciPy also reads these, but trusts the tags: a damaged file can crash
the whole program there, and one that was cut short may be read in part. Here each length is checked
first, except that of an array around others, which WITec writes too small.

Known limits: sparse arrays, functions, newer objects and structs of several entries come as None.

References
----------
"MAT-File Format", The MathWorks, chapter 1, "Level 5 MAT-File Format".
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.contents import Shape, check_memory
from napari_deeper.spectra.errors import FileError

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15
_NUMBER = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_CELL, _STRUCT, _OBJECT, _CHAR = 1, 2, 3, 4
_NUMERIC = range(6, 16)
_IS_COMPLEX = 0x0800
_PREFIX_BYTES = 4096  # more than the flags, sizes and name of any variable need
_DEFLATE_LIMIT = 1100  # zlib cannot make a stream longer than 1032 times what it was made from
_DEEPEST = 16


@dataclass(frozen=True)
class Variable:
    """One variable of the file: what it is, and how to load it."""

    path: Path
    order: str
    start: int
    n_bytes: int
    kind: str
    shape: Shape

    def load(self) -> Any:
        """Return numbers as an array, text as str, a cell as an object array, a struct as dict."""
        with self.path.open("rb") as stream:
            stream.seek(self.start)
            body = _body(stream, self.n_bytes, self.order)
        return _Chain(body, self.order).array(len(body))


def list_variables(path: Path) -> dict[str, Variable]:
    """Return the variables by name, having read no more than their beginnings.

    Raises
    ------
    FileError
        If the file ends before its last variable does, or is damaged.
    """
    size = path.stat().st_size
    found = {}
    with path.open("rb") as stream:
        order = ">" if stream.read(_HEADER_BYTES)[126:] == b"MI" else "<"
        position = _HEADER_BYTES
        while position < size:
            stream.seek(position)
            tag = stream.read(8)
            n_bytes = struct.unpack(order + "II", tag)[1] if len(tag) == 8 else 0
            if position + 8 + n_bytes > size:
                raise FileError(
                    f"it is cut short: {size} bytes are there, at least {position + 8 + n_bytes} "
                    "are needed. Copy or export it again."
                )
            stream.seek(position)
            head = _Chain(_body(stream, 8 + n_bytes, order, _PREFIX_BYTES), order).head()
            variable = Variable(path, order, position, 8 + n_bytes, head.kind, head.shape)
            found[head.name] = variable
            position += 8 + n_bytes
    return found


def _body(stream: IO[bytes], n_bytes: int, order: str, limit: int | None = None) -> bytes:
    """Return the bytes of a variable without its tag, inflated, or the first `limit` of them."""
    kind, length = struct.unpack(order + "II", stream.read(8))
    stored = stream.read(n_bytes - 8 if limit is None else min(n_bytes - 8, limit))
    if kind == _MATRIX:
        return stored
    if kind != _COMPRESSED:
        raise FileError(f"it is damaged: {kind} is no type of variable.")
    inflater = zlib.decompressobj()
    tag = inflater.decompress(stored, 8)
    kind, declared = struct.unpack(order + "II", tag) if len(tag) == 8 else (0, 0)
    if kind != _MATRIX or declared > _DEFLATE_LIMIT * (length + 1):
        raise FileError("it is damaged: a compressed variable is not what its tag says.")
    wanted = declared if limit is None else min(declared, limit)
    check_memory((wanted,), 1, length)
    # Zero would mean no limit to zlib.
    body = inflater.decompress(inflater.unconsumed_tail, wanted) if wanted else b""
    # One byte more makes zlib read on to its checksum.
    if limit is None and (inflater.decompress(inflater.unconsumed_tail, 1) or not inflater.eof):
        raise FileError(f"it is damaged: a variable is not the {declared} bytes that it declares.")
    return body


@dataclass(frozen=True)
class _Head:
    """What the beginning of an array says."""

    name: str
    code: int
    shape: Shape
    is_complex: bool

    @property
    def kind(self) -> str:
        if self.code in _NUMERIC:
            return "numeric"
        return {_CHAR: "char", _STRUCT: "struct", _OBJECT: "struct"}.get(self.code, "other")


class _Chain:
    """The elements of one variable, read one after another."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data = memoryview(data)
        self.order = order
        self.position = 0

    def tag(self) -> tuple[int, int, int]:
        """Return type, length and padding of the next element, and move to its bytes."""
        if self.position + 8 > len(self.data):
            raise FileError("it is damaged: an array ends too early.")
        kind, n_bytes = struct.unpack_from(self.order + "II", self.data, self.position)
        if kind >> 16:  # up to four bytes lie within the tag itself
            self.position += 4
            return kind & 0xFFFF, min(kind >> 16, 4), 4 - min(kind >> 16, 4)
        self.position += 8
        return kind, n_bytes, -n_bytes % 8

    def take(self) -> tuple[int, memoryview]:
        """Return type and bytes of the next element."""
        kind, n_bytes, padding = self.tag()
        start = self.position
        if start + n_bytes > len(self.data):
            raise FileError("it is damaged: an element declares bytes that are not there.")
        self.position = start + n_bytes + padding
        return kind, self.data[start : start + n_bytes]

    def numbers(self) -> NDArray[Any]:
        """Return the next element as numbers."""
        kind, data = self.take()
        if kind not in _NUMBER:
            raise FileError(f"it is damaged: {kind} is no type of number.")
        dtype = np.dtype(self.order + _NUMBER[kind])
        if len(data) % dtype.itemsize:
            raise FileError("it is damaged: an element ends within a number.")
        return np.frombuffer(data, dtype)

    def head(self) -> _Head:
        """Read flags, sizes and name."""
        flags = int(self.numbers()[0])
        shape = tuple(int(n) for n in self.numbers())
        if len(shape) < 2 or any(n < 0 for n in shape):
            raise FileError(f"it is damaged: an array declares the shape {shape}.")
        name = bytes(self.take()[1]).decode("latin-1")
        return _Head(name, flags & 0xFF, shape, bool(flags & _IS_COMPLEX))

    def array(self, n_bytes: int, depth: int = 0) -> Any:
        """Read one array of that length."""
        stop = self.position + n_bytes
        if not n_bytes:
            return np.empty((0, 0))
        if depth > _DEEPEST:
            raise FileError("it is damaged: its arrays nest without end.")
        head = self.head()
        value = self._value(head, depth)
        if value is None:
            self.position = stop
        return value

    def _value(self, head: _Head, depth: int) -> Any:
        if head.code in _NUMERIC:
            real = self._shaped(self.numbers(), head.shape)
            if not head.is_complex:
                return real
            value = np.empty(head.shape, np.result_type(real, np.complex64))
            # Not real + 1j * imaginary, which makes NaN of infinity.
            value.real, value.imag = real, self._shaped(self.numbers(), head.shape)
            return value
        if head.code == _CHAR:
            return self._text(head.shape)
        if head.code == _CELL:
            cells = np.empty(self._count(head.shape), dtype=object)
            for i in range(cells.size):
                cells[i] = self._inner(depth)
            return cells.reshape(head.shape, order="F")
        if head.code in (_STRUCT, _OBJECT):
            return self._struct(head, depth)
        return None

    def _struct(self, head: _Head, depth: int) -> dict[str, Any] | None:
        if head.code == _OBJECT:
            self.take()  # the name of its class
        length = int(self.numbers()[0])
        names = bytes(self.take()[1])
        if length < 1 or len(names) % length:
            raise FileError("it is damaged: the fields of a struct have no names.")
        if math.prod(head.shape) != 1:
            return None
        cut = [names[i : i + length] for i in range(0, len(names), length)]
        return {name.split(b"\0")[0].decode("latin-1"): self._inner(depth) for name in cut}

    def _inner(self, depth: int) -> Any:
        kind, n_bytes, _ = self.tag()
        if kind != _MATRIX:
            raise FileError(f"it is damaged: type {kind} stands where an array should.")
        return self.array(n_bytes, depth + 1)

    def _text(self, shape: Shape) -> str:
        kind, data = self.take()
        order = "be" if self.order == ">" else "le"
        codec = {4: f"utf-16-{order}", 17: f"utf-16-{order}", 18: f"utf-32-{order}"}.get(
            kind, "utf-8"
        )
        text = bytes(data).decode(codec, errors="replace")
        n_rows = shape[0]  # the rows run fastest
        return text if n_rows <= 1 else "\n".join(text[i::n_rows] for i in range(n_rows))

    def _count(self, shape: Shape) -> int:
        """Return how many arrays a cell holds; each takes eight bytes at least."""
        count = math.prod(shape)
        if count > len(self.data) // 8:
            raise FileError(f"it is damaged: a cell of shape {shape} is not there.")
        return count

    @staticmethod
    def _shaped(numbers: NDArray[Any], shape: Shape) -> NDArray[Any]:
        if numbers.size != math.prod(shape):
            raise FileError(
                f"it is damaged: an array of shape {shape} has {numbers.size} numbers, not "
                f"{math.prod(shape)}."
            )
        return numbers.reshape(shape, order="F")
