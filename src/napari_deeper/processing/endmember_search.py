"""The searches for endmembers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from napari_deeper.processing.map_spectra import MapSpectra, Spectra
from napari_deeper.processing.n_findr import n_findr
from napari_deeper.processing.nmf import nmf
from napari_deeper.processing.pixel_purity import pixel_purity
from napari_deeper.processing.vca import PureSpectra, find_endmembers, vca
from napari_deeper.spectra.errors import ParameterError

Search = Callable[[Spectra | MapSpectra, int, int], PureSpectra]

# ``vca`` is the best of 50 draws; ``vca-once`` the single draw that was published.
SEARCHES: Mapping[str, Search] = MappingProxyType(
    {
        "vca": find_endmembers,
        "vca-once": vca,
        "n-findr": n_findr,
        "ppi": pixel_purity,
        "nmf": nmf,
    }
)


def search(
    spectra: Spectra | MapSpectra, n_endmembers: int, method: str = "vca", seed: int = 0
) -> PureSpectra:
    """Find endmembers by one of the searches.

    Parameters
    ----------
    spectra
        (pixel, channel), finite, or a map that lies elsewhere.
    n_endmembers
        How many to find, at least 1.
    method
        One of `SEARCHES`.
    seed
        Of whatever the search draws at random.

    Raises
    ------
    CubeError
        If the spectra hold NaN, or fewer independent spectra than endmembers were asked for.
    ParameterError
        If the method is unknown, or there are more endmembers than pixels or channels.
    """
    if method not in SEARCHES:
        raise ParameterError(
            f"Unknown method '{method}' to find endmembers. There are: {', '.join(SEARCHES)}."
        )
    if isinstance(n_endmembers, bool) or not isinstance(n_endmembers, (int, np.integer)):
        raise ParameterError(f"n_endmembers is {n_endmembers!r}; it must be a whole number.")
    return SEARCHES[method](spectra, int(n_endmembers), seed)
