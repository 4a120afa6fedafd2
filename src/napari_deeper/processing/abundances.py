"""How much of each endmember a pixel holds: least squares within bounds."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_deeper.processing.active_set import solve
from napari_deeper.processing.map_spectra import project
from napari_deeper.spectra.errors import CubeError, ParameterError

Array = NDArray[np.float64]
Spectra = NDArray[np.floating]
Solver = Literal["nnls", "fcls", "ucls", "pysptools-nnls", "pysptools-fcls", "pysptools-ucls"]

SOLVERS: tuple[Solver, ...] = (
    "nnls",
    "fcls",
    "ucls",
    "pysptools-nnls",
    "pysptools-fcls",
    "pysptools-ucls",
)
_CHUNK = 8192
_MIN_CONDITION = 1e-7


def unmix(spectra: Spectra, endmembers: Spectra, solver: Solver = "nnls") -> NDArray[np.float32]:
    """Return the abundances whose mixtures come closest to the spectra.

    Parameters
    ----------
    spectra
        (..., channel), finite.
    endmembers
        (endmember, channel), finite and linearly independent.
    solver
        ``nnls``: not negative; they do not sum to one, the brightness of a pixel is in them.
        ``fcls``: not negative, and they sum to one, so all pixels are taken to be equally bright.
        ``ucls``: any numbers. The first two are solved by an active-set method on all pixels at once.

        ``pysptools-nnls``, ``pysptools-fcls`` and ``pysptools-ucls`` are that package's, for cross-checks.
        Its NNLS solves the normal equations within the bound, which is another problem than least
        squares wherever an abundance is zero. Its FCLS needs the package cvxopt.

    Returns
    -------
    NDArray[np.float32]
        (..., endmember).

    Raises
    ------
    CubeError
        If the spectra or endmembers hold NaN, or an endmember is a mixture of the others.
    ParameterError
        If the channels differ, there are more endmembers than channels, or the solver is unknown or
        not installed.

    References
    ----------
    Lawson & Hanson 1974, doi 10.1137/1.9781611971217; Van Benthem & Keenan 2004, doi
    10.1002/cem.889; Heinz & Chang 2001 (FCLS), doi 10.1109/36.911111.
    """
    if solver not in SOLVERS:
        raise ParameterError(f"Unknown solver '{solver}'. There are: {', '.join(SOLVERS)}.")
    _check(spectra, endmembers)
    step = _step(endmembers.astype(np.float64), solver)
    flat = spectra.reshape(-1, spectra.shape[-1])
    out = np.empty((len(flat), len(endmembers)), np.float32)
    for start in range(0, len(flat), _CHUNK):
        out[start : start + _CHUNK] = step(flat[start : start + _CHUNK])
    return out.reshape(*spectra.shape[:-1], len(endmembers))


def conditioning(endmembers: Spectra) -> float:
    """Return how far the endmembers are from being mixtures of each other: 1 is orthogonal, 0 not at all.

    Parameters
    ----------
    endmembers
        (endmember, channel).
    """
    sizes = np.linalg.norm(endmembers.astype(np.float64), axis=1)
    if not (sizes > 0).all():
        return 0.0
    values = np.linalg.svd(endmembers / sizes[:, None], compute_uv=False)
    return float(values[-1] / values[0])


def kkt_residual(
    spectra: Spectra, endmembers: Spectra, abundances: Spectra, solver: Solver = "nnls"
) -> NDArray[np.float64]:
    """Return how far abundances are from solving their problem exactly, pixel by pixel.

    A solution has (Karush, Kuhn, Tucker) no amount below zero, no slope of the misfit along an
    endmember in use, and none downhill along one not in use; with amounts that sum to one, slopes
    count from their mean over those in use. The largest violation is returned, slopes as a part of
    the lengths of the spectrum and the endmember, amounts below zero or a sum other than one as
    parts of one.

    Parameters
    ----------
    spectra
        (..., channel).
    endmembers
        (endmember, channel).
    abundances
        (..., endmember).
    solver
        Whose problem: one of `SOLVERS`.

    Returns
    -------
    NDArray[np.float64]
        (...,); below 1e-6 is exact to the precision of float32.
    """
    if solver not in SOLVERS:
        raise ParameterError(f"Unknown solver '{solver}'. There are: {', '.join(SOLVERS)}.")
    out = np.empty(abundances.shape[:-1])
    flat, amounts = spectra.reshape(-1, spectra.shape[-1]), abundances.reshape(-1, len(endmembers))
    members = endmembers.astype(np.float64)
    for start in range(0, len(flat), _CHUNK):
        part = slice(start, start + _CHUNK)
        violated = _violation(
            flat[part].astype(float), members, amounts[part].astype(float), solver
        )
        out.reshape(-1)[part] = violated
    return out


def _violation(spectra: Array, endmembers: Array, amounts: Array, solver: Solver) -> Array:
    mixed = amounts @ endmembers
    slope = (spectra - mixed) @ endmembers.T
    size = np.linalg.norm(spectra, axis=1, keepdims=True)
    length = np.linalg.norm(endmembers, axis=1)
    used = amounts > 0
    wrong = np.zeros(len(amounts))
    if solver.endswith("ucls"):
        used = np.ones_like(used)
    else:
        total = np.maximum(np.abs(amounts).sum(axis=1), np.finfo(float).tiny)
        wrong = np.maximum(-amounts.min(axis=1), 0) / total
    if solver.endswith("fcls"):
        wrong = np.maximum(wrong, np.abs(amounts.sum(axis=1) - 1))
        n_used = np.maximum(used.sum(axis=1, keepdims=True), 1)
        slope = slope - np.where(used, slope, 0).sum(axis=1, keepdims=True) / n_used
        size, length = (
            size + np.linalg.norm(mixed, axis=1, keepdims=True),
            length.max(keepdims=True),
        )
    relative = slope / np.maximum(size * length, np.finfo(float).tiny)
    violated = np.where(used, np.abs(relative), np.maximum(relative, 0))
    return np.asarray(np.maximum(wrong, violated.max(axis=1)))


def _step(endmembers: Array, solver: Solver) -> Callable[[Spectra], Array]:
    """Return what takes (pixel, channel) to (pixel, endmember)."""
    if solver.startswith("pysptools"):
        return _by_pysptools(endmembers, solver)
    # endmembers of one length keep a dark one from looking dependent; those whose amounts sum to one
    # must keep their lengths
    size = np.linalg.norm(endmembers, axis=1)
    if solver == "fcls":
        size = np.full_like(size, size.max())
    # |E.T a - s| and |r a - q.T s| differ by what no mixture can reach, so k numbers will do
    basis, corner = np.linalg.qr((endmembers / size[:, None]).T)
    if solver == "ucls":
        inverse = np.linalg.pinv(corner)
        return lambda part: _along(part, basis) @ inverse.T / size
    if solver == "fcls":
        return lambda part: solve(_along(part, basis) / size[0], corner, sum_to_one=True)
    return lambda part: solve(_along(part, basis), corner) / size


def _along(spectra: Spectra, basis: Array) -> Array:
    """Return the (pixel, endmember) products with a basis, or say that a pixel is missing."""
    # in float64: float32 is off by a millionth, which is as much as a solution may be
    out = project(spectra, basis)
    # what is missing in one channel is missing in all products
    _check_finite(out)
    return out


def _by_pysptools(endmembers: Array, solver: Solver) -> Callable[[Spectra], Array]:
    # imported here: it takes matplotlib with it
    from pysptools.abundance_maps import amaps

    if solver == "pysptools-fcls" and importlib.util.find_spec("cvxopt") is None:
        raise ParameterError(
            "The FCLS of pysptools needs the package cvxopt, which is not installed: `pip install "
            "cvxopt`, or choose the solver 'fcls', which is exact and needs nothing."
        )
    name = solver.removeprefix("pysptools-").upper()

    def solve_part(part: Spectra) -> Array:
        _check_finite(part)
        return np.asarray(getattr(amaps, name)(part.astype(np.float64), endmembers))

    return solve_part


def _check_finite(spectra: Spectra) -> None:
    if not np.isfinite(spectra).all():
        raise CubeError("The spectra hold NaN or infinity: leave those pixels out first.")


def _check(spectra: Spectra, endmembers: Spectra) -> None:
    if endmembers.ndim != 2 or not len(endmembers):
        raise ParameterError(f"Endmembers must be (endmember, channel), not {endmembers.shape}.")
    if spectra.ndim < 1 or spectra.shape[-1] != endmembers.shape[1]:
        raise ParameterError(
            f"The spectra are {spectra.shape} and the endmembers {endmembers.shape}: the number of "
            "channels, the last of both, must be the same."
        )
    if len(endmembers) > endmembers.shape[1]:
        raise ParameterError(
            f"There are {len(endmembers)} endmembers of {endmembers.shape[1]} channels: more "
            "endmembers than channels cannot be told apart."
        )
    if not np.isfinite(endmembers).all():
        raise CubeError("The endmembers hold NaN or infinity: leave those out first.")
    if not conditioning(endmembers) > _MIN_CONDITION:
        raise CubeError(
            "The endmembers are not independent: one is zero, the same as another, or a mixture of "
            "others. Leave it out."
        )
