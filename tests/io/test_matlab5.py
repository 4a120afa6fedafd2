"""Variables of MATLAB version 5, against SciPy's reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import loadmat, savemat

from napari_deeper.io.matlab5 import list_variables
from napari_deeper.spectra.errors import FileError

_dtypes = st.sampled_from(
    ["f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "c16", ">f4", ">i2"]
)
_arrays = hnp.arrays(_dtypes, hnp.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=4))
_texts = st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), min_size=1).map(
    lambda text: "a" + text.strip() + "z"
)
_values = st.recursive(
    _arrays | _texts,
    lambda inner: st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,30}", fullmatch=True), inner, min_size=1, max_size=3
    ),
    max_leaves=4,
)


def assert_same(ours: Any, scipys: Any) -> None:
    if isinstance(ours, dict):
        assert scipys.dtype.names == tuple(ours)
        for name, value in ours.items():
            assert_same(value, scipys[name][0, 0])
    elif isinstance(ours, str):
        assert ours == str(scipys[0])
    elif ours.dtype == object:
        assert ours.shape == scipys.shape
        for left, right in zip(ours.ravel(), scipys.ravel(), strict=True):
            assert_same(left, right)
    else:
        np.testing.assert_array_equal(ours, scipys, strict=ours.dtype.kind != "c")


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=_values, second=_values, compress=st.booleans())
def test_the_same_as_scipy(tmp_path: Path, first: Any, second: Any, compress: bool) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"first": first, "second": second}, do_compression=compress)
    found, expected = list_variables(path), loadmat(path)
    assert list(found) == ["first", "second"]
    for name, variable in found.items():
        assert variable.shape == expected[name].shape or variable.kind == "char"
        assert_same(variable.load(), expected[name])


def test_cells_texts_and_what_is_passed_over(tmp_path: Path) -> None:
    from scipy.sparse import csc_matrix

    cell = np.array([[np.eye(2), "µm"], ["", np.empty((0, 0))]], dtype=object)
    rows = np.array(["ab", "cd", "ef"])
    content = {"cell": cell, "rows": rows, "sparse": csc_matrix(np.eye(3)), "last": np.arange(3.0)}
    path = tmp_path / "a.mat"
    savemat(path, content | {"inner": {"sparse": csc_matrix(np.eye(3)), "after": 7}})
    found = {name: variable.load() for name, variable in list_variables(path).items()}
    assert found["cell"][0, 1] == "µm"
    assert found["cell"][1, 0] == ""
    np.testing.assert_array_equal(found["cell"][0, 0], np.eye(2))
    assert found["rows"] == "ab\ncd\nef"
    assert found["sparse"] is None
    assert found["inner"]["after"] == 7
    np.testing.assert_array_equal(found["last"].ravel(), [0, 1, 2])


def test_a_wrong_checksum_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"a": np.arange(100.0)}, do_compression=True)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(Exception, match="incorrect data check"):
        list_variables(path)["a"].load()


def test_nesting_without_end(tmp_path: Path) -> None:
    deep: Any = np.eye(2)
    for _ in range(20):
        deep = {"a": deep}
    savemat(tmp_path / "a.mat", {"deep": deep})
    with pytest.raises(FileError, match="without end"):
        list_variables(tmp_path / "a.mat")["deep"].load()
