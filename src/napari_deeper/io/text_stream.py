"""Lines of a text file, plain or packed as .xz or .gz, with bounds on what they may take of memory."""

from __future__ import annotations

import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from napari_deeper.spectra.errors import FileError

TEXT = (".asc", ".csv", ".dat", ".dpt", ".tsv", ".txt")
PACKED = (".xz", ".gz")
_BLOCK = 2**20
_LONGEST_LINE = 64 * 2**20
_XZ_MEMORY = 256 * 2**20
# No table of numbers packs better than this; a file that claims to is made to fill the memory.
_UNQUESTIONED = 64 * 2**20
_PACKED_AT_MOST = 300
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class _Unpacked(io.RawIOBase):
    """The bytes of a packed file, as many as are asked for, until they are too many to be true."""

    def __init__(self, stream: IO[bytes], suffix: str, n_packed: int) -> None:
        self._stream, self._suffix = stream, suffix
        self._most = max(_UNQUESTIONED, _PACKED_AT_MOST * n_packed)
        self._count = 0
        self._inner = self._new()
        self._left = b""

    def _new(self) -> Any:
        if self._suffix == ".xz":
            return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        return zlib.decompressobj(wbits=31)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._some(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        if self._count > self._most:
            raise FileError(
                f"it unpacks to more than {self._most >> 20} MiB, which no table of its size does; it is "
                "damaged, or made to fill the memory."
            )
        return len(data)

    def _some(self, n_bytes: int) -> bytes:
        """Return up to `n_bytes`, and none only at the end of the file."""
        while True:
            if self._inner.eof:
                self._left = self._inner.unused_data
                packed = self._left or self._stream.read(_BLOCK)
                if not packed:
                    return b""
                self._inner = self._new()
            else:
                packed = self._left or self._stream.read(_BLOCK) if self._is_hungry() else b""
                if not packed and self._is_hungry():
                    raise FileError(
                        "it is cut short: the packed bytes end too early. Copy it again."
                    )
            self._left = b""
            data: bytes = self._inner.decompress(packed, n_bytes)
            if self._suffix == ".gz":
                self._left = self._inner.unconsumed_tail
            if data:
                return data

    def _is_hungry(self) -> bool:
        return self._inner.needs_input if self._suffix == ".xz" else True


@contextmanager
def open_lines(path: Path) -> Iterator[Iterator[str]]:
    """Give the lines of a text file without their ends.

    Raises
    ------
    FileError
        If it is no text, is cut short, or has lines or a size that no table has.
    """
    suffix = path.suffix.lower()
    with path.open("rb") as stream:
        raw: Any = stream
        if suffix in PACKED:
            raw = io.BufferedReader(_Unpacked(stream, suffix, path.stat().st_size), _BLOCK)
        start = raw.peek(4096)[:4096]
        encoding = _MARKS.get(start[:2], "utf-8-sig")
        if encoding == "utf-8-sig" and b"\0" in start:
            raise FileError("it is no text: its beginning holds zero bytes.")
        # an odd byte, as the micro sign of an old code page, must not stop a table of numbers
        text = io.TextIOWrapper(raw, encoding, errors="replace")
        try:
            yield _lines(text)
        finally:
            text.detach()


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise FileError(f"a line is longer than {_LONGEST_LINE >> 20} MiB, so it is no table.")
        yield line.rstrip("\n")
