"""Where the brain is: as given, or as an extracted scan shows by itself; and facts about any brain mask."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import GeometryError, PreparationError
from sanum.core.grid import Grid
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

USUAL_ML = (1000.0, 1900.0)
"""Volumes with ventricles that nearly all adult brains have."""

USUAL_BORDER = 0.01
"""Share of the outline on the field's border that a cut brainstem explains."""

ADVICE = "give a brain mask with it, or extract the brain first"
"""For people at a command line, in a browser and in Python alike: each has its own place for the mask."""


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
    """The brain of a scan that shows nothing else, as `find_extracted` sees it.

    Raises:
        PreparationError: the scan is not brain-extracted.
    """
    brain = find_extracted(scan)
    if brain is None and scan.is_image:
        raise PreparationError(
            f"{scan.source.path}: no brain mask given and the picture has no clear background; {ADVICE}"
        )
    if brain is None:
        shown = float((scan.voxels != _background(scan.voxels)[0]).sum()) * scan.grid.voxel_ml
        raise PreparationError(
            f"{scan.source.path}: no brain mask given and the scan is not brain-extracted "
            f"(non-zero region {shown:.0f} ml); {ADVICE}"
        )
    return brain


def find_extracted(scan: Scan) -> Mask | None:
    """The largest piece of a scan that shows a brain and nothing else, with enclosed holes filled; else None.

    Raises:
        PreparationError: a picture that shows nothing.
    """
    background, clear = _background(scan.voxels)
    tissue = scan.voxels != background
    if scan.is_image:
        return _image_brain(scan, tissue, clear)
    shown_ml = float(tissue.sum()) * scan.grid.voxel_ml
    if clear < CLEAR_BORDER or not BRAIN_ML[0] / 2 <= shown_ml <= BRAIN_ML[1]:
        return None
    largest, share = largest_piece(tissue)
    brain = filled(largest)
    brain_ml = float(brain.sum()) * scan.grid.voxel_ml
    return brain if share >= ONE_PIECE and BRAIN_ML[0] <= brain_ml <= BRAIN_ML[1] else None


def evidence_of_extraction(scan: Scan, brain: Mask) -> dict[str, Any]:
    """Why a scan is taken for an extracted brain, for a person to check.

    Returns:
        The background value, the share of the field's outer voxels that hold exactly it, and the share of all other
        voxels that lies within the brain's one piece.
    """
    background, clear = _background(scan.voxels)
    tissue = scan.voxels != background
    within = float((tissue & brain).sum() / max(int(tissue.sum()), 1))
    return {
        "background": round(background, 4),
        "clear_border": round(clear, 4),
        "one_piece": round(within, 4),
    }


def facts_of_mask(mask: Mask, grid: Grid) -> dict[str, Any]:
    """Volume in ml, share of the outline on the field's border, and `flags` that a person should look at."""
    ml, border = float(mask.sum()) * grid.voxel_ml, border_share(mask, grid)
    flags = []
    if not USUAL_ML[0] <= ml <= USUAL_ML[1]:
        flags.append(
            f"{ml:.0f} ml is no usual volume of an adult brain ({USUAL_ML[0]:.0f} to {USUAL_ML[1]:.0f})"
        )
    if border > USUAL_BORDER:
        flags.append(
            f"{border:.1%} of the outline lies on the border of the field: part of it may be cut off"
        )
    return {"ml": round(ml, 1), "border": round(border, 4), "flags": flags}


def border_share(mask: Mask, grid: Grid) -> float:
    """Share of a mask's surface (mm², along voxel faces) that lies on the border of the field; 0 when empty."""
    outside, total = 0.0, 0.0
    for axis in range(3):
        area = grid.voxel_ml / grid.spacing[axis]
        ends = float(sum(int(face.sum()) for face in _ends_of(mask, axis))) * area
        outside += ends
        total += ends + float(np.diff(mask, axis=axis).sum()) * area
    return outside / total if total > 0 else 0.0


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


def _image_brain(scan: Scan, tissue: Mask, clear: float) -> Mask | None:
    background = 1.0 - float(tissue.mean())
    if background > 1.0 - IMAGE_TISSUE:
        raise PreparationError(f"{scan.source.path}: the picture is empty ({background:.1%} background)")
    return None if background < IMAGE_BACKGROUND or clear < CLEAR_BORDER else filled(tissue)


def _background(voxels: NDArray[Any]) -> tuple[float, float]:
    """Most common value on the outer faces, and its share there; the faces of an axis of length 1 don't count."""
    faces = [face for axis in range(3) if voxels.shape[axis] > 1 for face in _ends_of(voxels, axis)]
    outer = np.concatenate([face.ravel() for face in faces])
    middle = np.partition(outer, outer.size // 2)[outer.size // 2]
    share = float((outer == middle).mean())
    if share > 0.5:  # what more than half of them hold is their median too, which needs no sorting
        return float(middle), share
    values, counts = np.unique(outer, return_counts=True)
    most = int(counts.argmax())
    return float(values[most]), float(counts[most] / counts.sum())


def _ends_of(voxels: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """First and last face across an axis, as views: `np.take` would copy a volume that lies in Fortran's order."""
    along = np.moveaxis(voxels, axis, 0)
    return along[0], along[-1]


def largest_piece(mask: Mask) -> tuple[Mask, float]:
    """The largest piece connected by faces, and its share of the mask; the mask must hold a voxel."""
    cc3d = importlib.import_module("cc3d")
    pieces = cc3d.connected_components(mask, connectivity=6)
    sizes = np.bincount(pieces.ravel(order="K"))
    sizes[0] = 0
    largest = int(sizes.argmax())
    return pieces == largest, float(sizes[largest] / sizes.sum())


def filled(mask: Mask) -> Mask:
    """The mask with every hole that has no way to the border; one labelling, where dilations take seconds."""
    from scipy import ndimage

    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    holes, count = ndimage.label(~mask[box])
    open_ = np.zeros(count + 1, np.bool_)
    for axis in range(3):
        if mask.shape[axis] > 1:
            for face in _ends_of(holes, axis):
                open_[face.ravel()] = True
    filled = mask.copy()
    filled[box] |= ~open_[holes] & (holes > 0)
    return filled
