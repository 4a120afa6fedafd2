"""A table of numbers in a text file: its separator, decimal mark, header lines and columns.

Known limits: one table a file; thousands are not set apart; cells in quotes hold no line breaks.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_deeper.io.text_stream import open_lines
from napari_deeper.spectra.errors import FileError, NoTableError

Cells = tuple[str, ...]

_COMMENTS = ("#", "%", "//", "!")
_SAMPLE_LINES, _SAMPLE_CHARACTERS = 64, 4 * 2**20
_MOST_COMMENTS = 1000
_NUMBER = re.compile(
    r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf|infinity)", re.IGNORECASE
)
_MISSING = re.compile(r"(?<![\w./-])(?:NA|N/A|null|none|--?)(?![\w./-])", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<![\d.])[-+]?\d*,\d+([eE][-+]?\d+)?(?![\d.,])")


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Parameters
    ----------
    comments
        The lines before it that are marked as comments, without their mark, and those that have another
        number of cells than the table.
    headers
        The lines above the numbers, each with one cell for each column of `values`.
    values
        (row, column) float64; NaN where a cell is empty.
    left_out
        The headers of the columns that are no numbers.
    is_comma_decimal
        Whether the numbers have a decimal comma.
    """

    comments: tuple[str, ...]
    headers: tuple[Cells, ...]
    values: NDArray[np.float64]
    left_out: tuple[str, ...] = ()
    is_comma_decimal: bool = False

    @property
    def names(self) -> Cells:
        """The header with the most words: one name for each column, or none."""
        return self.headers[0] if self.headers else ()


@dataclass(frozen=True)
class _Dialect:
    separator: str | None  # None: blanks
    is_comma_decimal: bool

    @property
    def has_plain_commas(self) -> bool:
        """Whether each comma of a line without quotes is a decimal mark."""
        return self.is_comma_decimal and self.separator != ","

    def cells(self, line: str) -> Cells:
        if self.separator is None:
            return tuple(line.split())
        if '"' in line:
            (cells,) = csv.reader([line], delimiter=self.separator)
        else:
            cells = line.split(self.separator)
        return tuple(cell.strip() for cell in cells)

    def number(self, cell: str) -> bool:
        return bool(_NUMBER.fullmatch(self.plain(cell)) or _MISSING.fullmatch(cell))

    def plain(self, cell: str) -> str:
        return cell.replace(",", ".") if self.is_comma_decimal else cell


def read_table(path: Path) -> Table:
    """Read the table of a text file.

    Raises
    ------
    FileError
        If there is none, its rows differ in length, or its numbers are written in more than one way.
    """
    with open_lines(path) as lines:
        return _parse(_until_end(lines))


def _until_end(lines: Iterator[str]) -> Iterator[str]:
    """Yield the lines up to what JCAMP and JASCO write below a table, which begins with ``##``."""
    has_begun = False
    for line in lines:
        if has_begun and line.startswith("##"):
            return
        has_begun = has_begun or bool(line.strip() and not line.strip().startswith(_COMMENTS))
        yield line


def _parse(lines: Iterator[str]) -> Table:
    comments, sample = _sample(lines)
    if not sample:
        raise NoTableError("it holds no table of numbers, only blank lines or comments.")
    # the first lines may be titles, and the last one cut
    typical = max(sample[len(sample) // 2 :], key=lambda line: sum(map(str.isdigit, line)))
    dialect = _dialect(typical, sample)
    kinds = tuple(dialect.number(cell) for cell in dialect.cells(typical))
    if not any(kinds):
        raise NoTableError("it holds no table of numbers: its lines are words.")
    titles, above = _headers(sample, dialect, kinds)
    comments = [*comments, *sample[:titles]]
    headers = [dialect.cells(line) for line in sample[titles:above]]
    promoted = _commented_header(comments, dialect, kinds) if not headers else None
    headers = [promoted] if promoted else headers
    columns = [i for i, is_number in enumerate(kinds) if is_number]
    rows = chain(sample[above:], (line for line in lines if line.strip()))
    values = _numbers(rows, dialect, len(kinds), columns, first=above + 1)
    filled = [bool(cell) for cell in dialect.cells(typical)]
    left = [
        i
        for i in range(len(kinds))
        if i not in columns and (filled[i] or (headers and headers[0][i]))
    ]
    return Table(
        tuple(comments),
        tuple(tuple(dialect.plain(cells[i]) for i in columns) for cells in headers),
        values,
        tuple((headers[0][i] if headers else "") or f"column {i + 1}" for i in left),
        dialect.is_comma_decimal,
    )


def _sample(lines: Iterator[str]) -> tuple[list[str], list[str]]:
    """Return the comments at the beginning, without their marks, and the first lines of the table."""
    comments: list[str] = []
    sample: list[str] = []
    n_characters = 0
    for line in lines:
        text = line.strip()
        if text.startswith(_COMMENTS) and not sample:
            comments.append(text.lstrip("#%/! ").strip())
            if len(comments) > _MOST_COMMENTS:
                raise FileError(f"more than {_MOST_COMMENTS} lines of comments, and no table.")
        elif text:
            sample.append(line)
            n_characters += len(line)
        if len(sample) >= _SAMPLE_LINES or (n_characters > _SAMPLE_CHARACTERS and len(sample) > 8):
            break
    return comments, sample


def _dialect(typical: str, sample: Sequence[str]) -> _Dialect:
    for separator in ("\t", ";"):
        if separator in typical:
            return _Dialect(separator, _has_comma_decimals(typical, sample))
    if "," not in typical:
        return _Dialect(None, False)
    words = typical.split()
    if (
        all(_DECIMAL_COMMA.fullmatch(word) or _NUMBER.fullmatch(word) for word in words)
        and len(words) > 1
    ):
        return _Dialect(None, True)
    quoted = re.findall(r'"([^"]*)"', typical)
    return _Dialect(",", any(_DECIMAL_COMMA.fullmatch(cell.strip()) for cell in quoted))


def _has_comma_decimals(typical: str, sample: Sequence[str]) -> bool:
    later = sample[len(sample) // 2 :]
    has_commas = any(_DECIMAL_COMMA.search(line) for line in later)
    if has_commas and any(re.search(r"\d\.\d", line) for line in later):
        raise FileError(
            "some of its numbers have a decimal point and others a decimal comma. Export it again with "
            "one of them, and without marks between thousands."
        )
    return has_commas


def _headers(sample: Sequence[str], dialect: _Dialect, kinds: tuple[bool, ...]) -> tuple[int, int]:
    """Return how many lines are titles of another length, and where the numbers begin."""
    titles = above = 0
    for i, line in enumerate(sample):
        cells = dialect.cells(line)
        if len(cells) != len(kinds):
            if i > above:  # within the numbers: told later, with its line
                break
            titles = above = i + 1
        elif _is_header(cells, kinds, dialect, is_first=i == titles):
            above = i + 1
        elif i == above:
            break
    return titles, above


def _is_header(cells: Cells, kinds: tuple[bool, ...], dialect: _Dialect, *, is_first: bool) -> bool:
    """Tell whether a line has words where the table has numbers.

    The first line may be wavenumbers for the most part; a later one that is numbers for the most part is a row with
    something wrong in it.
    """
    inside = [cell for cell, is_number in zip(cells, kinds, strict=True) if is_number and cell]
    n_words = sum(not dialect.number(cell) for cell in inside)
    if is_first:
        return n_words > 0 or _is_corner(cells, kinds, dialect)
    return n_words > 0 and 2 * n_words >= len(inside)


def _is_corner(cells: Cells, kinds: tuple[bool, ...], dialect: _Dialect) -> bool:
    """Tell whether a first line has nothing where the numbers of places stand, as LabSpec writes it."""
    empty = [not cell for cell in cells]
    n = empty.index(False) if False in empty else len(cells)
    return 0 < n <= 3 and not any(empty[n:]) and all(kinds[:n])


def _commented_header(
    comments: Sequence[str], dialect: _Dialect, kinds: tuple[bool, ...]
) -> Cells | None:
    """Return the last comment if it names the columns, as ``#X  #Y  #Wave  #Intensity`` does."""
    if not comments:
        return None
    named = [cell.lstrip("# ").strip() for cell in dialect.cells(comments[-1])]
    if len(named) != len(kinds):  # blanks or doubled tabs between the names
        words = iter(comments[-1].replace("#", " ").split())
        named = [next(words, "") if is_number else "" for is_number in kinds]
        if not named[-1] or next(words, ""):
            return None
    return tuple(named) if not any("=" in cell or ":" in cell for cell in named) else None


def _numbers(
    rows: Iterable[str], dialect: _Dialect, n_cells: int, columns: Sequence[int], first: int
) -> NDArray[np.float64]:
    checked = _checked(rows, dialect, n_cells, first)
    first_row = next(checked, None)
    if first_row is None:
        raise NoTableError("it holds no table of numbers, only words above one.")
    try:
        block = np.loadtxt(
            chain([first_row], checked),
            delimiter=dialect.separator,
            comments=None,
            usecols=None if len(columns) == n_cells else columns,
            ndmin=2,
        )
    except ValueError as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"a row of its table is not as the others ({error}).") from error
    return np.asarray(block, dtype=np.float64)


def _checked(rows: Iterable[str], dialect: _Dialect, n_cells: int, first: int) -> Iterator[str]:
    """Yield the rows as NumPy reads them, each of the same number of cells."""
    separator = dialect.separator
    for number, line in enumerate(rows, first):
        text = line
        if text.lstrip().startswith(_COMMENTS):
            continue
        if separator is not None and '"' not in text and text.count(separator) + 1 != n_cells:
            raise FileError(
                f"row {number} of its table has {text.count(separator) + 1} cells, the others {n_cells}; it "
                "is cut short or damaged. Copy or export it again."
            )
        if '"' in text:
            text = (separator or " ").join(dialect.plain(c) or "nan" for c in dialect.cells(text))
        if dialect.has_plain_commas:
            text = text.replace(",", ".")
        if _MISSING.search(text):
            text = _MISSING.sub("nan", text)
        if separator is not None and (
            separator * 2 in text or text.startswith(separator) or text.endswith(separator)
        ):
            text = separator.join(cell.strip() or "nan" for cell in text.split(separator))
        yield text
