"""Networks that are kept between cubes: whoever runs many says where, and each is read from disk once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# A place of the caller's, for the time of one run; nothing is kept where nobody asks for it.
_place: ContextVar[dict[Any, Any] | None] = ContextVar("kept_networks", default=None)


@contextmanager
def keeping(place: dict[Any, Any]) -> Iterator[None]:
    """Keep the checkpoints that are loaded inside in ``place``, and take them from there.

    They are for running only: one who trains a network must load his own.
    """
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


def kept() -> dict[Any, Any] | None:
    """Return where checkpoints are kept now, if anywhere."""
    return _place.get()
