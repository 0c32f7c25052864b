"""Checks that hold for every format."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from sanum.core.errors import ScanError
from sanum.core.units import MAX_VOXELS, Volume


def check_size(path: Path, shape: tuple[int, ...], limit: int = MAX_VOXELS) -> None:
    """Refuse sizes that are no sizes, or more elements than `limit`, before anything is read.

    Raises:
        ScanError: see above.
    """
    if min(shape) < 1:
        raise ScanError(f"{path}: expected sizes of 1 or more, got {shape}; the header is damaged")
    if math.prod(shape) > limit:
        raise ScanError(
            f"{path}: the header declares {shape}, more than the {limit:,} elements that are read; "
            "the header is damaged, or the scan must be resampled first"
        )


def check_finite(path: Path, voxels: Volume) -> None:
    """Refuse NaN and infinity.

    Raises:
        ScanError: with the count.
    """
    bad = voxels.size - int(np.count_nonzero(np.isfinite(voxels)))
    if bad > 0:
        raise ScanError(
            f"{path}: {bad:,} of {voxels.size:,} voxels ({bad / voxels.size:.2%}) are NaN or infinite; "
            "set them to the background's value, usually 0, and save the scan again"
        )


def check_contrast(path: Path, voxels: Volume) -> None:
    """Refuse a volume whose voxels are all alike.

    Raises:
        ScanError: with the one value.
    """
    lowest = float(voxels.min())
    if lowest == float(voxels.max()):
        raise ScanError(f"{path}: holds no contrast, every voxel is {lowest:g}; export the scan again")
