"""Which component rules each pixel, and how far two maps agree on that."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.abundances import unmix
from napari_deeper.processing.vca import PureSpectra, find_endmembers
from napari_deeper.spectra.errors import CubeError, ParameterError

Classes = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class ClassMap:
    """The classes of a target, and the endmembers to classify other maps of the field with.

    Parameters
    ----------
    endmembers
        Found on the target alone.
    classes
        (pixel,) index of the endmember with the largest abundance.
    """

    endmembers: PureSpectra
    classes: Classes

    @property
    def n_classes(self) -> int:
        """How many endmembers there are; a class may have no pixel."""
        return len(self.endmembers.spectra)


def classify(spectra: NDArray[np.floating], endmembers: NDArray[np.floating]) -> Classes:
    """Return the index of the endmember with the largest abundance in each pixel.

    Abundances count in units of the endmembers as they are, so each endmember's own pixel counts as
    one part of it however bright it is.

    Parameters
    ----------
    spectra, endmembers
        As in `abundances.unmix`.

    Returns
    -------
    NDArray[np.intp]
        (pixel,).
    """
    return np.asarray(unmix(spectra, endmembers).argmax(axis=-1).ravel())


def class_map(
    target: NDArray[np.floating], n_endmembers: int, seed: int = 0, *, unit_length: bool = False
) -> ClassMap:
    """Find endmembers on a target, and its classes; fewer endmembers where it holds no more.

    Parameters
    ----------
    target
        (..., channel), finite.
    n_endmembers
        At most how many, at least 2; the paper took 4 or 5.
    seed
        Of the search.
    unit_length
        Give all endmembers one length, so that the class is the component that most of a pixel's light
        comes from; else they stay as bright as found, and it is the one that the pixel is most like.

    Raises
    ------
    CubeError
        If the target does not hold two independent spectra, or holds NaN.
    ParameterError
        If fewer than two endmembers are asked for.

    References
    ----------
    Horgan et al. 2021, doi 10.1021/acs.analchem.1c02178.
    """
    if n_endmembers < 2:
        raise ParameterError(f"n_endmembers is {n_endmembers}; classes need at least 2.")
    spectra = target.reshape(-1, target.shape[-1])
    for n in range(min(n_endmembers, *spectra.shape), 1, -1):
        try:
            found = find_endmembers(spectra, n, seed)
        except CubeError:
            if not np.isfinite(spectra).all() or n == 2:
                raise
        else:
            if unit_length:
                lengths = np.linalg.norm(found.spectra, axis=1, keepdims=True)
                found = replace(found, spectra=found.spectra / lengths)
            return ClassMap(found, classify(spectra, found.spectra))
    raise CubeError("The target holds one pixel or channel: there are no classes in it.")


def accuracy(found: Classes, target: Classes) -> float:
    """Return the part of the pixels that have the target's class.

    Parameters
    ----------
    found, target
        (pixel,) class indices.
    """
    _check_lengths(found, target)
    return float(np.mean(found == target))


def balanced_accuracy(found: Classes, target: Classes) -> float:
    """Return the mean, over the target's classes, of the part of a class that was found.

    A class of few pixels counts as much as the background.

    Parameters
    ----------
    found, target
        (pixel,) class indices.

    References
    ----------
    Brodersen et al. 2010, doi 10.1109/ICPR.2010.764.
    """
    _check_lengths(found, target)
    return float(np.mean([np.mean(found[target == c] == c) for c in np.unique(target)]))


def _check_lengths(found: Classes, target: Classes) -> None:
    if found.shape != target.shape or not target.size:
        raise ParameterError(f"The classes are {found.shape} and {target.shape}: not one for each.")
