"""What the chunks of a Zarr store may unpack to, found before any is unpacked.

A decompressor takes the memory that a chunk declares. So each chunk is asked first: what it declares, or, where it
declares nothing, what it unpacks to in steps, must be the chunk that the array describes.
"""

from __future__ import annotations

import bz2
import json
import lzma
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from napari_deeper.io.contents import check_memory
from napari_deeper.spectra.errors import FileError

_LARGEST_CHUNK = 512 * 2**20
_LONGEST_JSON = 64 * 2**20
_JSON_NAMES = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")
_UNPACKED_IN_STEPS = {"gzip": lambda: zlib.decompressobj(31), "zlib": zlib.decompressobj, "bz2": bz2.BZ2Decompressor,
                      "lzma": lzma.LZMADecompressor}  # fmt: skip
_PLAIN = ("bytes", "transpose", "crc32", "adler32", "shuffle", "delta")
# Bytes that a codec may add to a chunk: checksums, and the tail of a frame.
_SLACK = 64
_ZSTD_BLOCK = 128 * 2**10


def check_store(path: Path) -> None:
    """Raise `FileError` if a store leads out of its folder or describes itself at absurd length."""
    root = path.resolve()
    for folder, folders, files in os.walk(path, followlinks=False):
        for name in (*folders, *files):
            place = Path(folder) / name
            if place.is_symlink() and not place.resolve().is_relative_to(root):
                raise FileError(
                    f"'{place.relative_to(path)}' of the Zarr store is a link to another place, which is not followed. "
                    "Copy what it stands for into the store."
                )
            if name in _JSON_NAMES and place.is_file() and place.stat().st_size > _LONGEST_JSON:
                raise FileError(
                    f"'{place.relative_to(path)}' of the Zarr store is too long to be true."
                )


def check_inside(name: str) -> str:
    """Return the path of an array within its group, or raise `FileError` if it leads out of it."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute() or ":" in name:
        raise FileError(f"the path '{name}' of an array leads out of the Zarr store.")
    return name


def check_chunks(folder: Path, array: Any) -> None:
    """Raise `FileError` if a chunk of an array would unpack to more than it should.

    Parameters
    ----------
    folder
        Where the array and its chunks lie.
    array
        The array, not yet read.
    """
    codecs, itemsize = _codecs(folder), array.dtype.itemsize
    outer = array.shards or array.chunks
    for shape in (outer, array.chunks):
        n_bytes = math.prod(shape) * itemsize
        if min(shape, default=1) < 1 or n_bytes > max(
            _LARGEST_CHUNK, 2 * math.prod(array.shape) * itemsize
        ):
            raise FileError(f"the chunks of the Zarr array are of shape {shape}, which cannot be.")
        check_memory(shape, itemsize)
    n_parts = math.prod(-(-o // i) for o, i in zip(outer, array.chunks, strict=True))
    for chunk in _chunk_files(folder):
        _check_chunk(chunk.read_bytes(), codecs, n_bytes, n_parts)


def _codecs(folder: Path) -> list[dict[str, Any]]:
    """Return the codecs in the order of packing, each with name and configuration."""
    if (folder / "zarr.json").is_file():
        found = json.loads((folder / "zarr.json").read_text(encoding="utf-8")).get("codecs", ())
        return [{"name": c} if isinstance(c, str) else c for c in found]
    described = json.loads((folder / ".zarray").read_text(encoding="utf-8"))
    packed = [*(described.get("filters") or ()), described.get("compressor")]
    return [{"name": c["id"], "configuration": c} for c in packed if c]


def _chunk_files(folder: Path) -> Iterator[Path]:
    for place, _, files in os.walk(folder, followlinks=False):
        for name in files:
            if name not in _JSON_NAMES and not name.startswith("."):
                yield Path(place) / name


def _check_chunk(data: bytes, codecs: list[dict[str, Any]], n_bytes: int, n_parts: int) -> None:
    """Follow the codecs from the last to the first, down to the one that packs."""
    for codec in reversed(codecs):
        name = str(codec.get("name", "")).removeprefix("numcodecs.")
        if name == "sharding_indexed":
            _check_shard(data, codec.get("configuration", {}), n_bytes, n_parts)
            return
        if name == "crc32c":
            data = data[:-4]
        elif name not in _PLAIN:
            declared = _declared(name, data, n_bytes)
            if declared > n_bytes + _SLACK:
                raise FileError(
                    f"a chunk of the Zarr store declares {declared} bytes, but chunks have {n_bytes}; it is damaged."
                )
            return


def _declared(name: str, data: bytes, n_bytes: int) -> int:
    """Return how many bytes a packed chunk unpacks to.

    Raises
    ------
    FileError
        If that cannot be told.
    """
    if name == "zstd":
        return zstd_size(data)
    if name == "blosc":
        return int.from_bytes(data[4:8], "little")
    if name == "lz4":
        return int.from_bytes(data[:4], "little")
    if name in _UNPACKED_IN_STEPS:
        return _unpacked(_UNPACKED_IN_STEPS[name], data, n_bytes)
    raise FileError(
        f"its chunks are packed by '{name}', and how large they unpack to cannot be told beforehand. Write it again "
        "with zstd, blosc or gzip."
    )


def _unpacked(new: Callable[[], Any], data: bytes, n_bytes: int) -> int:
    """Unpack in steps until there is more than there should be, and forget it."""
    inner, total = new(), 0
    while total <= n_bytes + _SLACK:
        if inner.eof:
            data = inner.unused_data
            if not data:
                break
            inner = new()
        piece = inner.decompress(data, 2**20)
        total += len(piece)
        data = getattr(inner, "unconsumed_tail", b"")  # the other kinds keep it themselves
        if not piece and not data and not inner.eof:
            break  # it wants bytes that are not there: told when it is read
    return total


def zstd_size(data: bytes) -> int:
    """Return what the frame of a chunk declares, or the least that its blocks must be (RFC 8878, section 3.1.1)."""
    if len(data) < 6 or data[:4] != b"\x28\xb5\x2f\xfd":
        return 0  # no frame: the decompressor refuses it
    flags = data[4]
    is_single, size_code = bool(flags & 0x20), flags >> 6
    start = 5 + (not is_single) + (0, 1, 2, 4)[flags & 3]
    length = (1 if is_single else 0, 2, 4, 8)[size_code]
    size = int.from_bytes(data[start : start + length], "little")
    if length:
        return size + 256 if length == 2 else size
    return _zstd_blocks(data, start)


def _zstd_blocks(data: bytes, start: int) -> int:
    """Return what the blocks of a frame unpack to, if all packed ones but the last are full."""
    total = n_packed = 0
    while start + 3 <= len(data):
        header = int.from_bytes(data[start : start + 3], "little")
        kind, size = header >> 1 & 3, header >> 3
        total += size if kind < 2 else 0
        n_packed += kind >= 2
        start += 3 + (1 if kind == 1 else size)
        if header & 1:
            break
    return total + max(0, n_packed - 1) * _ZSTD_BLOCK


def _check_shard(data: bytes, configuration: dict[str, Any], n_bytes: int, n_parts: int) -> None:
    """Check each chunk of a shard by the index, which tells its place and length."""
    index_codecs = [c.get("name") for c in configuration.get("index_codecs", ())]
    if index_codecs not in (["bytes"], ["bytes", "crc32c"]):
        raise FileError("the chunks of the Zarr array lie in shards of an unknown kind.")
    n_index = 16 * n_parts + 4 * (len(index_codecs) - 1)
    is_first = configuration.get("index_location") == "start"
    index = data[:n_index] if is_first else data[-n_index:]
    for place in range(0, min(16 * n_parts, len(index) - 15), 16):
        offset, length = struct.unpack_from("<QQ", index, place)
        if offset != 2**64 - 1:  # what marks a chunk that is not there
            part = data[offset : offset + length]
            _check_chunk(part, list(configuration.get("codecs", ())), n_bytes, 1)
