from napari_deeper.spectra.naming import without_common_start


def test_a_long_start_shared_by_all_is_left_out():
    names = ["3D THP1 map 001 L5 · denoised (auto)", "3D THP1 map 001 L5 · 2x (bicubic)"]
    assert without_common_start(names) == ["3D THP1… denoised (auto)", "3D THP1… 2x (bicubic)"]


def test_the_input_itself_keeps_its_name_and_numbers_stay():
    names = ["1: 3D THP1 map 001 L5", "2: 3D THP1 map 001 L5 · 2x"]
    assert without_common_start(names) == ["1: 3D THP1 map 001 L5", "2: 3D THP1… · 2x"]


def test_short_starts_and_single_names_stay():
    assert without_common_start(["cell a", "cell b"]) == ["cell a", "cell b"]
    assert (
        without_common_start(["a very long name of one cube"] * 2)
        == ["a very long name of one cube"] * 2
    )
    assert without_common_start([]) == []
