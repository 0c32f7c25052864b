"""Frames to one volume: their order, the affine, and the repair of gaps and uneven spacing.

The affine is that of DICOM PS3.3 C.7.6.2.1.1, turned from LPS to RAS+.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ScanError
from sanum.core.units import SAME_GRID_MM, Affine
from sanum.formats.dicom.frames import Frame

SAME_PLACE_MM = 0.01
"""Closer slices lie at one place: scanners write positions to a thousandth."""

SAME_DIRECTION = 1e-3
"""Largest difference of direction cosines within a series; some scanners round them to four digits."""

MAX_TILT_DEG = 31.0
"""CT gantries tilt by 30 degrees at most; more is a fault of the header."""

VISIBLE_TILT_DEG = 0.1

GAP = 1.5
"""A step of more than so many slice widths leaves something out."""

MAX_GAP = 2.1
"""A step of more can't be filled: it leaves out more than one slice in a row."""

MAX_FILLED = 0.05
"""Largest share of slices that are filled in."""


@dataclass(frozen=True, eq=False)
class Stack:
    """How frames make a volume.

    Attributes:
        shape: voxels along I (columns), J (rows), K (slices).
        affine: voxel index to RAS+ mm.
        below: (K,) index of the frame at or below each slice of the volume, in the order of `frames`.
        share: (K,) weight of the next frame, 0 where a frame lies on the slice.
        frames: in order along the slice normal.
        notes: what was repaired.
    """

    shape: tuple[int, int, int]
    affine: Affine
    below: NDArray[np.intp]
    share: NDArray[np.float64]
    frames: tuple[Frame, ...]
    notes: tuple[str, ...]


def stack_of(frames: Sequence[Frame]) -> Stack:
    """Put the frames of one volume in order.

    Raises:
        ScanError: they are no volume; the message says why, without the file.
    """
    first = frames[0]
    _check_alike(frames)
    spacing, along = np.array(first.spacing), np.array(first.along).reshape(2, 3)
    normal = np.cross(along[0], along[1])
    positions = np.array([frame.position for frame in frames])
    order = np.argsort(positions @ normal, kind="stable")
    positions, height = positions[order], (positions @ normal)[order]
    steps = np.diff(height)
    if len(frames) < 2 or height[-1] - height[0] < SAME_PLACE_MM:
        raise ScanError("one slice, no volume")
    if (steps < SAME_PLACE_MM).any():
        raise ScanError(f"{int((steps < SAME_PLACE_MM).sum())} slices at the place of another")
    direction = (positions[-1] - positions[0]) / (height[-1] - height[0])
    tilt = _tilt(positions, height, direction)
    widths = np.array([frames[index].thickness for index in order])
    step, below, share, repaired = _even(height, steps, widths)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([along[0] * spacing[0], along[1] * spacing[1], direction * step])
    affine[:3, 3] = positions[0]
    return Stack(
        (*first.shape, len(below)),
        np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine),
        below,
        share,
        tuple(frames[index] for index in order),
        (*tilt, *repaired),
    )


def _check_alike(frames: Sequence[Frame]) -> None:
    """All frames must have places, and the same size, spacing and directions."""
    for frame in frames:
        if frame.position is None or frame.along is None or frame.spacing is None:
            raise ScanError("no position, orientation or pixel spacing")
        if not min(frame.spacing) > 0 or min(frame.shape) < 1:
            raise ScanError("pixel spacing or size not above 0; the header is damaged")
    if len({frame.shape for frame in frames}) > 1:
        raise ScanError("slices of different sizes")
    along = _spread([frame.along for frame in frames])
    cosines = np.array(frames[0].along).reshape(2, 3)
    if np.abs(cosines @ cosines.T - np.eye(2)).max() > 10 * SAME_DIRECTION:
        raise ScanError("row and column directions that are not at right angles; the header is damaged")
    if not along <= SAME_DIRECTION:
        raise ScanError("slices of different orientations")
    if not _spread([frame.spacing for frame in frames]) <= SAME_DIRECTION:
        raise ScanError("slices of different pixel spacings")


def _spread(values: Sequence[Any]) -> float:
    return float(np.ptp(np.array(values, dtype=np.float64), axis=0).max())


def _tilt(
    positions: NDArray[np.float64], height: NDArray[np.float64], direction: NDArray[np.float64]
) -> tuple[str, ...]:
    """A note where slices are stacked aslant, as by a tilted gantry; the affine is then sheared."""
    line = positions[0] + np.outer(height - height[0], direction)
    stray = float(np.abs(positions - line).max())
    if not stray <= SAME_GRID_MM:
        raise ScanError(f"slices stray by up to {stray:.1f} mm from a straight stack")
    degrees = float(np.degrees(np.arccos(min(1.0, 1.0 / float(np.linalg.norm(direction))))))
    if degrees > MAX_TILT_DEG:
        raise ScanError(f"slices are stacked aslant by {degrees:.0f} degrees, more than a gantry tilts")
    if degrees < VISIBLE_TILT_DEG:
        return ()
    return (f"gantry tilt of {degrees:.1f} degrees, kept exactly in a sheared affine",)


def _even(
    height: NDArray[np.float64], steps: NDArray[np.float64], widths: NDArray[np.float64]
) -> tuple[float, NDArray[np.intp], NDArray[np.float64], tuple[str, ...]]:
    """Step in mm, frame below and weight of the next for each slice, and notes."""
    count = len(height)
    mean = (height[-1] - height[0]) / (count - 1)
    if np.abs(height - height[0] - mean * np.arange(count)).max() <= SAME_GRID_MM:
        return float(mean), np.arange(count), np.zeros(count), ()
    step = float(np.median(steps))
    missing = _check_gaps(steps, np.maximum(np.maximum(widths[1:], widths[:-1]), step))
    wanted = np.arange(height[0], height[-1] + SAME_GRID_MM, step)
    below = np.clip(np.searchsorted(height, wanted + SAME_GRID_MM, side="right") - 1, 0, count - 2)
    share = np.clip((wanted - height[below]) / steps[below], 0.0, 1.0)
    share[np.abs(wanted - height[below]) <= SAME_GRID_MM] = 0.0
    share[np.abs(wanted - height[below + 1]) <= SAME_GRID_MM] = 1.0
    multiple = np.abs(steps / step - np.rint(steps / step)).max() * step <= SAME_GRID_MM
    if missing > 0 and multiple:
        note = f"slices missing: {missing} of {count + missing}; interpolated from both neighbours"
    else:
        note = (
            f"uneven slice spacing, {steps.min():.2f} to {steps.max():.2f} mm; "
            f"interpolated linearly to even {step:.2f} mm"
        )
    return step, below, share, (note,)


def _check_gaps(steps: NDArray[np.float64], widths: NDArray[np.float64]) -> int:
    """How many slices are missing; refuses what can't be filled."""
    relative = steps / widths
    gaps = int((relative > GAP).sum())
    if relative.max() > MAX_GAP or gaps > max(1, MAX_FILLED * (len(steps) + 1)):
        raise ScanError(
            f"slices are missing: {gaps} gaps, the widest {steps.max():.1f} mm where slices are {widths.min():.1f} mm "
            "apart; export the whole series"
        )
    return gaps
