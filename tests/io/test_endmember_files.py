"""Endmembers in files: ours come back unchanged, those of others are read or refused in words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_deeper import Endmembers
from napari_deeper.io.endmembers import read_endmembers, write_endmembers
from napari_deeper.spectra.errors import FileError

FLOATS = st.floats(-(2.0**99), 2.0**99, width=32)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(
    str.strip
)


@st.composite
def endmembers(draw):
    n, n_channels = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    spectra = draw(hnp.arrays(np.float32, (n, n_channels), elements=FLOATS))
    steps = draw(hnp.arrays(np.float64, n_channels, elements=st.floats(0.5, 300)))
    names = draw(st.lists(NAMES, min_size=n, max_size=n, unique=True))
    colors = tuple(f"#{draw(st.integers(0, 0xFFFFFF)):06x}" for _ in range(n))
    return Endmembers(spectra, np.cumsum(steps), tuple(names), colors, draw(st.text(max_size=20)))


@settings(deadline=None, max_examples=60)
@given(endmembers())
def test_what_is_written_is_read_back_unchanged(tmp_path_factory, made):
    path = tmp_path_factory.mktemp("e") / "made.csv"
    assert write_endmembers(made, path) == path
    back = read_endmembers(path)
    np.testing.assert_array_equal(back.spectra, made.spectra)
    np.testing.assert_array_equal(back.wavenumber, made.wavenumber)
    assert (back.names, back.colors) == (made.names, made.colors)
    assert back.source == (made.source or "made.csv")


def test_an_existing_file_is_kept(tmp_path):
    two = Endmembers(np.eye(2), [600, 700])
    path = write_endmembers(two, tmp_path / "two")
    assert path.name == "two.csv"
    with pytest.raises(FileError, match="already exists"):
        write_endmembers(two, path)
    assert write_endmembers(two, path, overwrite=True) == path
    with pytest.raises(FileError, match="does not exist"):
        write_endmembers(two, tmp_path / "absent" / "two.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["two.csv"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("shift,a,b\n600,1,4\n700.5,2,5\n800,3,6\n", ("a", "b")),
        ("shift;a;b\n600;1,0;4\n700,5;2;5,0\n800;3;6\n", ("a", "b")),
        ("shift\ta\tb\r\n600\t1\t4\r\n700.5\t2\t5\r\n800\t3\t6\r\n", ("a", "b")),
        ("600\t1,0\t4\n700,5\t2\t5\n800\t3\t6", ("Component 1", "Component 2")),
        ("\ufeff# exported\n\n600,1,4\n700.5,2,5\n800,3,6\n", ("Component 1", "Component 2")),
        ("% by X\nwn,a,b\n800,3,6\n700.5,2,5\n600,1,4\n", ("a", "b")),
        ('"cm-1";"a; b";""\n600;1;4\n700.5;2;5\n800;3;6\n', ("a; b", "Component 2")),
    ],
)
def test_tables_of_other_programs_are_read(tmp_path, text, names):
    path = tmp_path / "other.txt"
    path.write_text(text, encoding="utf-8")
    read = read_endmembers(path)
    assert read.names == names
    np.testing.assert_array_equal(read.wavenumber, [600, 700.5, 800])
    np.testing.assert_array_equal(read.spectra, [[1, 2, 3], [4, 5, 6]])
    assert read.source == "other.txt"


def test_names_in_an_old_encoding_are_read(tmp_path):
    path = tmp_path / "old.csv"
    path.write_bytes("cm-1,Fettsäure\n600,1\n700,2\n".encode("latin-1"))
    assert read_endmembers(path).names == ("Fettsäure",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "two columns"),
        ("just words\n", "two columns"),
        ("600\n700\n800\n", "two columns"),
        ("cm-1,a\n", "names and no numbers"),
        ("cm-1,a\n600,1\n700,x\n", "row 2 of the numbers holds 'x'"),
        ("cm-1,a\n600,1\n700,\n", "row 2 of the numbers holds ''"),
        ("cm-1,a\n600,1\n700,2,3\n", "row 2 of the numbers has 3 cells"),
        ("cm-1,a,b\n600,1\n700,2\n", "3 names for 2 columns"),
        ("cm-1,a,cm-1,b\n600,1,610,2\n", "more than once"),
        ("cm-1,a\n600,nan\n700,2\n", "NaN"),
        ("cm-1,a\n600,1\n600,2\n", "same wavenumber"),
        ("cm-1,a,a\n600,1,2\n700,1,2\n", "different names"),
    ],
)
def test_what_is_no_such_table_says_so(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileError, match=said) as caught:
        read_endmembers(path)
    assert "bad.csv" in str(caught.value)


def test_reference_archives_are_read_and_others_refused(tmp_path):
    path = tmp_path / "library.npz"
    np.savez(path, spectra=np.eye(2, 3), wavenumber=[600, 700, 800], names=["a", "b"])
    assert read_endmembers(path).names == ("a", "b")
    np.savez(path, spectra=np.eye(2, 3))
    with pytest.raises(FileError, match="'wavenumber'"):
        read_endmembers(path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(FileError, match="cannot be read"):
        read_endmembers(path)
    with pytest.raises(FileError, match="no file"):
        read_endmembers(tmp_path / "absent.csv")
