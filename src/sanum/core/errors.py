"""Every error that sanum raises on purpose. Each message says what was wrong and what to do."""

from __future__ import annotations


class SanumError(Exception):
    """Base of all errors that a user can mend.

    >>> try:
    ...     sanum.load("sanum-t1-restor")
    ... except sanum.SanumError as error:
    ...     print(error)
    sanum-t1-restor: no such model file, and no model of this name comes with sanum (did you mean 'sanum-t1-restore'?)
    """


class ScanError(SanumError):
    """A file that can't be read as a scan, or holds nothing that can be judged."""


class GeometryError(ScanError):
    """Grids that do not fit each other, or an affine that is no geometry."""


class PreparationError(ScanError):
    """A readable scan that can't be brought onto the model grid."""


class CohortError(SanumError):
    """A cohort table or a prepared store that is wrong or incomplete."""


class ConfigError(SanumError):
    """An unknown setting, or a value that a setting does not take."""


class NotFittedError(SanumError):
    """A detector that is asked to score before it was trained."""


class TrainingError(SanumError):
    """Training that can't start, or that diverged."""


class CalibrationError(SanumError):
    """A decision rule that the healthy scores at hand can't support."""


class ModelFileError(SanumError):
    """A model file that is damaged, foreign, or made for something else."""


class StorageError(SanumError):
    """Output that can't be written: disk full, no permission, path in the way."""
