"""Where the brain is: as given, or as an extracted scan shows by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import GeometryError, PreparationError
from sanum.core.records import Scan
from sanum.core.units import BRAIN_ML, Mask

ONE_PIECE = 0.98
"""Least share of the non-background voxels that lie in the largest piece of an extracted brain."""

IMAGE_BACKGROUND = 0.15
"""Least share of exact background in a picture of an extracted brain."""

IMAGE_TISSUE = 0.005
"""Least share of a picture that shows anything: even the vertex fills a hundredth of a slice."""

CLEAR_BORDER = 0.5
"""Least share of the outer voxels that hold exactly the background value."""

ADVICE = "give a `brain` column with a brain mask, or extract the brain first"


def given_brain(mask: Scan, scan: Scan) -> Mask:
    """The mask scan as booleans: any value above 0 is brain.

    Raises:
        GeometryError: mask and scan lie on different grids.
        PreparationError: the mask is empty, or no brain in size.
    """
    require_same_grid("brain mask", mask, scan)
    brain = mask.voxels > 0
    if not brain.any():
        raise PreparationError(f"{mask.source.path}: the brain mask is empty")
    ml = float(brain.sum()) * scan.grid.voxel_ml
    if not scan.is_image and not BRAIN_ML[0] <= ml <= BRAIN_ML[1]:
        raise PreparationError(
            f"{mask.source.path}: the brain mask holds {ml:.0f} ml, expected {BRAIN_ML[0]:.0f} to "
            f"{BRAIN_ML[1]:.0f}; is it a brain mask of this scan?"
        )
    return brain


def extracted_brain(scan: Scan) -> Mask:
    """The brain of a scan that shows nothing else: its largest piece, with enclosed holes filled.

    Raises:
        PreparationError: the scan is not brain-extracted.
    """
    background, clear = _background(scan.voxels)
    tissue = scan.voxels != background
    if scan.is_image:
        return _image_brain(scan, tissue, clear)
    shown_ml = float(tissue.sum()) * scan.grid.voxel_ml
    if clear >= CLEAR_BORDER and BRAIN_ML[0] / 2 <= shown_ml <= BRAIN_ML[1]:
        largest, share = _largest_piece(tissue)
        brain = _filled(largest)
        if share >= ONE_PIECE and BRAIN_ML[0] <= float(brain.sum()) * scan.grid.voxel_ml <= BRAIN_ML[1]:
            return brain
    raise PreparationError(
        f"{scan.source.path}: no brain mask given and the scan is not brain-extracted "
        f"(non-zero region {shown_ml:.0f} ml); {ADVICE}"
    )


def require_same_grid(name: str, mask: Scan, scan: Scan) -> None:
    """Refuse a mask that does not lie on the grid of its scan.

    Raises:
        GeometryError: names both files and grids.
    """
    if not mask.grid.same_as(scan.grid):
        raise GeometryError(
            f"{mask.source.path}: {name} on {mask.grid}, but {scan.source.path} on {scan.grid}; "
            "resample the mask to the scan"
        )


def _image_brain(scan: Scan, tissue: Mask, clear: float) -> Mask:
    background = 1.0 - float(tissue.mean())
    if background > 1.0 - IMAGE_TISSUE:
        raise PreparationError(f"{scan.source.path}: the picture is empty ({background:.1%} background)")
    if background < IMAGE_BACKGROUND or clear < CLEAR_BORDER:
        raise PreparationError(
            f"{scan.source.path}: no brain mask given and the picture has no clear background "
            f"({background:.0%} of its pixels, {clear:.0%} of its border); {ADVICE}"
        )
    return _filled(tissue)


def _background(voxels: NDArray[Any]) -> tuple[float, float]:
    """Most common value on the outer faces, and its share there; the faces of an axis of length 1 don't count."""
    faces = [np.take(voxels, end, axis) for axis in range(3) if voxels.shape[axis] > 1 for end in (0, -1)]
    values, counts = np.unique(np.concatenate([face.ravel() for face in faces]), return_counts=True)
    most = int(counts.argmax())
    return float(values[most]), float(counts[most] / counts.sum())


def _largest_piece(mask: Mask) -> tuple[Mask, float]:
    from scipy import ndimage

    pieces, _ = ndimage.label(mask)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest = int(sizes.argmax())
    return pieces == largest, float(sizes[largest] / sizes.sum())


def _filled(mask: Mask) -> Mask:
    """The mask with every hole that has no way to the border; one labelling, where dilations take seconds."""
    from scipy import ndimage

    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    holes, count = ndimage.label(~mask[box])
    open_ = np.zeros(count + 1, np.bool_)
    for axis in range(3):
        if mask.shape[axis] > 1:
            open_[np.take(holes, [0, -1], axis).ravel()] = True
    filled = mask.copy()
    filled[box] |= ~open_[holes] & (holes > 0)
    return filled
