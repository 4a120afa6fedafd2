"""Which map stands where: rows, columns, their sizes in mm, and the color bars that maps share."""

from __future__ import annotations

import math

from napari_deeper.engine.figure_parts import MapPanel

GAP, STRIP = 1.6, 14.0
NARROWEST, LARGEST_HEIGHT = 14.0, 225.0


class Grid:
    """Which map stands in which row and column, and whether heads and row labels name them."""

    def __init__(self, maps: tuple[MapPanel, ...], n_columns: int, most: int) -> None:
        titles = list(dict.fromkeys(m.title for m in maps))
        columns = list(dict.fromkeys(m.column for m in maps))
        places = {(m.title, m.column) for m in maps}
        self.is_table = (
            n_columns == 0
            and 2 <= len(columns) <= most
            and len(titles) > 1
            and len(places) == len(maps)
            # a table of holes would tell less than rows of maps
            and len(maps) >= 0.75 * len(titles) * len(columns)
        )
        if self.is_table:
            self.cells = [(titles.index(m.title), columns.index(m.column)) for m in maps]
            self.heads, self.labels = columns, titles
        else:
            wanted = n_columns or math.ceil(len(maps) / math.ceil(len(maps) / most))
            n = max(1, min(wanted, len(maps)))
            self.cells = [divmod(i, n) for i in range(len(maps))]
            self.heads, self.labels = [], []
        # what all maps show is said once
        self.caption = columns[0] if len(columns) == 1 and not self.is_table else ""
        self.n_rows = 1 + max(row for row, _ in self.cells)
        self.n_columns = 1 + max(column for _, column in self.cells)

    def color_bars(self, maps: tuple[MapPanel, ...]) -> list[tuple[int, int, int, int]]:
        """Return ``(column, first row, last row, map)`` of the bars: one for each group that shares one.

        Where maps of another group stand between those of a group, each run of maps has its own, so that
        one need not look for it.
        """
        at = dict(zip(self.cells, maps, strict=True))
        found = []
        for group in dict.fromkeys(m.scale_group for m in maps if m.scale_group):
            runs: list[tuple[int, int, int]] = []
            for column in range(self.n_columns):
                for row in range(self.n_rows):
                    here = at.get((row, column))
                    beside = at.get((row, column + 1))
                    if here is None or here.scale_group != group:
                        continue
                    if beside is not None and beside.scale_group == group:
                        continue
                    if runs and runs[-1][0] == column and runs[-1][2] == row - 1:
                        runs[-1] = (column, runs[-1][1], row)
                    else:
                        runs.append((column, row, row))
            together = self._stand_together([m.scale_group == group for m in maps])
            drawn = [max(runs, key=lambda run: (run[2] - run[1], run[0]))] if together else runs
            found += [(c, first, last, self.cells.index((first, c))) for c, first, last in drawn]
        return found

    def _stand_together(self, members: list[bool]) -> bool:
        """Tell whether no other map stands between these: in reading order, or down a column of a table."""
        cells = sorted(
            (cell[::-1] if self.is_table else cell, own)
            for cell, own in zip(self.cells, members, strict=True)
        )
        own = [i for i, (_, mine) in enumerate(cells) if mine]
        return own[-1] - own[0] + 1 == len(own)


def scales_of(
    maps: tuple[MapPanel, ...], side: float, n_rows: int, head: float
) -> dict[str, float]:
    """Return mm on the page per unit of length: one for all maps in um, one for all in pixels."""
    scales = {}
    highest = (LARGEST_HEIGHT - 60.0) / n_rows - head
    for unit in {m.unit for m in maps}:
        h = max(m.size[0] for m in maps if m.unit == unit)
        w = max(m.size[1] for m in maps if m.unit == unit)
        scales[unit] = min(side / w, min(1.3 * side, max(highest, 15.0)) / h)
    return scales


def rows_of(grid: Grid, heights: list[float], top: float, head: float) -> tuple[list[float], float]:
    """Return the top of the images of each row, and the bottom of the last."""
    tops, y = [], top
    for row in range(grid.n_rows):
        y += head
        tops.append(y)
        y += max(h for h, cell in zip(heights, grid.cells, strict=True) if cell[0] == row) + 0.6
    return tops, y


def widths_of(grid: Grid, widths: list[float], side: float, with_strip: set[int]) -> list[float]:
    """Return the width of each column with what stands at its right."""
    found = []
    for column in range(grid.n_columns):
        widest = max(w for w, cell in zip(widths, grid.cells, strict=True) if cell[1] == column)
        widest = min(max(widest, NARROWEST), side)
        strip = STRIP if column in with_strip else 0.0
        gap = GAP if column < grid.n_columns - 1 else 0.0
        found.append(widest + strip + gap)
    return found
