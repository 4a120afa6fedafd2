"""Errors that a user can act on: what was wrong, where, and what to do."""


class DeeperError(ValueError):
    """An expected failure whose text is fit to be shown to the user as it is."""


class CubeError(DeeperError):
    """The intensities are not a usable cube."""


class AxisError(DeeperError):
    """The wavenumber axis is missing, unsorted, in another unit, or out of range."""


class ParameterError(DeeperError):
    """A setting is unknown or out of bounds."""


class FileError(DeeperError):
    """A file cannot be read or written."""


class CheckpointError(DeeperError):
    """A weights file does not hold the network that it should."""


class TrainingError(DeeperError):
    """A training run cannot start or go on."""


class PatchError(DeeperError):
    """A patch does not fit its cube, or a set of patches is not a usable one."""


class Cancelled(Exception):  # noqa: N818 - a request of the user's, not an error
    """The user cancelled the run."""
