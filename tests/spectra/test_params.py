"""Params, progress and provenance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from napari_deeper.spectra.errors import Cancelled, ParameterError
from napari_deeper.spectra.params import make, options, to_json
from napari_deeper.spectra.progress import Progress


@dataclass(frozen=True)
class Example:
    method: Annotated[str, {"label": "Method", "choices": ("a", "b")}] = "a"
    size: Annotated[int, {"min": 1, "max": 9}] = 3


def test_make_joins_params_and_settings():
    assert make(Example, Example(method="b"), {"size": 4}) == Example("b", 4)
    assert to_json(make(Example, None, {})) == {"method": "a", "size": 3}
    assert options(Example, "method")["label"] == "Method"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "c"}, "method is 'c'; it must be one of: a, b"),
        ({"size": 10}, "size is 10; it must be from 1 to 9"),
        ({"size": "3"}, "must be a number"),
        ({"size": True}, "must be a number"),
        ({"colour": 1}, "Unknown setting 'colour'. Known: method, size"),
    ],
)
def test_a_wrong_setting_is_told(settings, words):
    with pytest.raises(ParameterError, match=words):
        make(Example, None, settings)


def test_parts_of_a_progress_fill_the_whole():
    seen: list[float] = []
    whole = Progress(lambda fraction, _: seen.append(fraction))
    whole.part(0.5, 1.0).part(0.0, 0.5).update(1.0, "there")
    assert seen == [0.75]
    whole.cancel.set()
    with pytest.raises(Cancelled):
        whole.part(0, 0.1).update(0, "no more")
