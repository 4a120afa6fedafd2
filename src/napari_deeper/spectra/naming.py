"""Short names for results, which carry the name of their input and then what was done to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

LONG_START, KEPT_START = 14, 8


def without_common_start(names: Sequence[str]) -> list[str]:
    """Shorten a long start that all names share, which tells them apart from nothing.

    What counts a name, such as ``2: ``, is kept.
    """
    heads = [re.match(r"(\d+: )?", name) for name in names]
    markers = [head.group() if head else "" for head in heads]
    bare = [name[len(marker) :] for name, marker in zip(names, markers, strict=True)]
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*set(bare), strict=False))
    n_same = sum(1 for _ in same) if len(set(bare)) > 1 else 0
    if n_same <= LONG_START:
        return list(names)
    kept = f"{bare[0][:KEPT_START].rstrip()}… "
    short = [kept + name[n_same:].lstrip() if len(name) > n_same else name for name in bare]
    return [marker + name for marker, name in zip(markers, short, strict=True)]
