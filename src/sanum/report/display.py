"""From voxels to upright pictures: which way a slice lies, which slices matter, how dark black is.

One convention everywhere, the radiological one: the patient's right is on the left of the picture, as seen
from the feet; sagittal pictures look at the patient from the left, so that anterior is on the left. Letters at
the picture's edges always say so. 2D images are shown exactly as they were, without letters, because nothing
tells which side is which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import GeometryError
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Detection, Finding, Scan
from sanum.core.units import Mask

CONVENTION = "Radiological convention: the patient's right is on the left of the picture."
IMAGE_CONVENTION = "Shown as the file has it; an image does not tell which side is the patient's left."
RIGHTWARD = "LP"
"""Directions that run to the right of the picture."""
UPWARD = "SA"
"""Directions that run up the picture."""
OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))
PLANES = {"axial": "SI", "coronal": "AP", "sagittal": "RL"}
"""Each plane, by the letters of the axis it is cut across."""

MAX_AXIAL = 6
SLICES_A_FIGURE = 3
NEAR_MM = 5.0
"""Two axial slices nearer than this show the same thing."""
MARGIN_MM = 12.0
"""Shown around the judged region: enough for the skull, without fields of empty air."""

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Layout:
    """How the two voxel axes of a slice lie on its picture (row 0 on top, column 0 on the left).

    Attributes:
        transpose: the slice's first axis runs along the columns.
        flip_rows: the row axis is reversed.
        flip_columns: the column axis is reversed.
        letters: left, right, top, bottom; empty for an image.
    """

    transpose: bool
    flip_rows: bool
    flip_columns: bool
    letters: str = ""

    def picture(self, plane: NDArray[Any]) -> NDArray[Any]:
        """The slice (A, B) as rows and columns."""
        upright = plane.T if self.transpose else plane
        return upright[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]

    def place(self, index: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
        """Row and column of a voxel, given its index in the slice and the slice's shape."""
        rows_columns = (index, shape) if not self.transpose else (index[::-1], shape[::-1])
        (row, column), (rows, columns) = rows_columns
        return (
            rows - 1 - row if self.flip_rows else row,
            columns - 1 - column if self.flip_columns else column,
        )


IMAGE_LAYOUT = Layout(transpose=True, flip_rows=True, flip_columns=False)
"""Images: I runs left to right, J bottom to top."""


def slice_layout(codes: str) -> Layout:
    """Layout of a slice whose two axes run towards `codes`, two letters of RAS/LPI such as "LA".

    The vertical axis is the head-foot one where there is one, else the front-back one.
    """
    transpose = _height(codes[0]) < _height(codes[1])
    down, across = (codes[1], codes[0]) if transpose else (codes[0], codes[1])
    flip_rows, flip_columns = down in UPWARD, across not in RIGHTWARD
    right = OPPOSITE[across] if flip_columns else across
    top = down if flip_rows else OPPOSITE[down]
    return Layout(transpose, flip_rows, flip_columns, OPPOSITE[right] + right + top + OPPOSITE[top])


def _height(code: str) -> int:
    return next(rank for rank, pair in enumerate(("RL", "AP", "SI")) if code in pair)


@dataclass(frozen=True)
class Cut:
    """A slice of a grid: across which voxel axis (0, 1, 2), and where. `plane` is "image" for an image."""

    plane: str
    axis: int
    index: int


@dataclass(frozen=True, eq=False)
class View:
    """One slice, ready to be drawn.

    Attributes:
        cut: where it was taken.
        scan: (rows, columns), scanner units.
        heat: (rows, columns) map values, NaN outside the mask; None where there is no map.
        reconstruction: (rows, columns), the scan as it would look in health; None where nothing restored it.
        pixel_mm: height and width of a pixel.
        letters: left, right, top, bottom; empty for an image.
        caption: plain words.
        peaks: (row, column, rank) of each finding whose peak lies on this slice.
    """

    cut: Cut
    scan: NDArray[Any]
    heat: NDArray[Any] | None
    pixel_mm: tuple[float, float]
    letters: str
    caption: str
    peaks: tuple[tuple[int, int, int], ...] = ()
    reconstruction: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class Tile:
    """One case of a contact sheet: its channels' pictures in [0, 1], a caption, and whether it lies apart."""

    pictures: tuple[NDArray[Any], ...]
    caption: str
    unusual: bool


def make_views(scan: Scan, detection: Detection, cuts: Sequence[Cut]) -> list[View]:
    """Take slices of a scan and of its map, cropped to what matters, and turn them upright.

    Raises:
        GeometryError: the map is not on the scan's grid.
    """
    heat = detection.anomaly_map
    if heat is not None and not heat.grid.same_as(scan.grid):
        raise GeometryError(
            f"{heat.case}: the map lies on {heat.grid}, the scan on {scan.grid}; bring them together"
        )
    box = display_box(scan, _judged(scan, detection))
    return [_make_view(scan, detection, cut, box) for cut in cuts]


def _make_view(scan: Scan, detection: Detection, cut: Cut, box: Box) -> View:
    first, second = (axis for axis in range(3) if axis != cut.axis)
    codes, spacing = scan.grid.axis_codes, scan.grid.spacing
    layout = IMAGE_LAYOUT if scan.is_image else slice_layout(codes[first] + codes[second])
    start = box[first].start, box[second].start
    shape = box[first].stop - start[0], box[second].stop - start[1]
    here = [finding for finding in detection.findings if finding.peak_voxel[cut.axis] == cut.index]
    peaks = []
    for finding in here:
        inside = finding.peak_voxel[first] - start[0], finding.peak_voxel[second] - start[1]
        peaks.append((*layout.place(inside, shape), finding.rank))

    def picture(volume: NDArray[Any]) -> NDArray[Any]:
        plane = np.moveaxis(volume, cut.axis, 0)[cut.index]  # a view; `np.take` would copy the whole volume
        return layout.picture(plane[box[first], box[second]])

    return View(
        cut,
        picture(scan.voxels),
        None if detection.anomaly_map is None else picture(detection.anomaly_map.values),
        (spacing[second], spacing[first]) if layout.transpose else (spacing[first], spacing[second]),
        layout.letters,
        _caption(scan.grid, cut, here),
        tuple(peaks),
        None if detection.restored is None else picture(detection.restored),
    )


def _caption(grid: Grid, cut: Cut, findings: Sequence[Finding]) -> str:
    ranks = ", ".join(str(finding.rank) for finding in findings)
    through = f" (peak of finding {ranks})" if findings else ""
    if cut.plane == "image":
        return "the image"
    return f"{cut.plane} {'IJK'[cut.axis]} = {cut.index} of 0 to {grid.shape[cut.axis] - 1}{through}"


def display_box(scan: Scan, judged: Mask) -> Box:
    """The part worth showing: the extent of `judged` (I, J, K) and a margin. An image stays whole."""
    whole = tuple(slice(0, size) for size in scan.grid.shape)
    if scan.is_image or not judged.any():
        return whole[0], whole[1], whole[2]
    sides = []
    for axis, (size, spacing) in enumerate(zip(scan.grid.shape, scan.grid.spacing, strict=True)):
        low, high = _extent(judged, axis)
        margin = round(MARGIN_MM / spacing)
        sides.append(slice(max(0, low - margin), min(size, high + 1 + margin)))
    return sides[0], sides[1], sides[2]


def _extent(judged: Mask, axis: int) -> tuple[int, int]:
    filled = np.flatnonzero(judged.any(axis=tuple(other for other in range(3) if other != axis)))
    return (int(filled[0]), int(filled[-1])) if filled.size else (0, judged.shape[axis] - 1)


def choose_figures(scan: Scan, detection: Detection) -> list[tuple[Cut, ...]]:
    """Slices that matter, grouped by figure, most telling first.

    With findings in a volume: three planes through the top one, then axial slices through the others.
    Without: evenly spaced axial slices through the judged region. An image is its own only slice.
    """
    if scan.is_image:
        return [(Cut("image", 2, 0),)]
    if not detection.findings:
        return list(_grouped(even_axial_cuts(scan, _judged(scan, detection))))
    top = detection.findings[0].peak_voxel
    planes = [Cut(plane, axis, top[axis]) for plane, axis in _plane_axes(scan.grid)]
    planes = [cut for cut in planes if min(np.delete(scan.grid.shape, cut.axis)) > 1]
    return [tuple(planes), *_grouped(_axial_cuts(scan.grid, detection.findings)[1:])]


def even_axial_cuts(scan: Scan, judged: Mask, count: int = MAX_AXIAL) -> list[Cut]:
    """Up to `count` axial slices, evenly spaced over the extent of `judged` (I, J, K)."""
    axis = dict(_plane_axes(scan.grid))["axial"]
    low, high = _extent(judged, axis)
    places = np.unique(np.linspace(low, high, count + 2)[1:-1].round().astype(int))
    return [Cut("axial", axis, int(place)) for place in places]


def intensity_window(scan: Scan, heat: AnomalyMap | None = None) -> tuple[float, float]:
    """Scanner values shown black and white: the 1st and 99.5th percentile of nonzero voxels.

    Where there is a map, only its voxels count: skin, fat and air would flatten the brain's contrast.
    """
    shown = scan.voxels != 0
    if heat is not None and (shown & ~np.isnan(heat.values)).any():
        shown = shown & ~np.isnan(heat.values)
    if not shown.any():
        return 0.0, 1.0
    low, high = np.percentile(scan.voxels[shown], (1.0, 99.5))
    return float(low), float(high) if high > low else float(low) + 1.0


def _judged(scan: Scan, detection: Detection) -> Mask:
    heat = detection.anomaly_map
    judged: Mask = scan.voxels != 0 if heat is None else ~np.isnan(heat.values)
    return judged


def _plane_axes(grid: Grid) -> list[tuple[str, int]]:
    codes = grid.axis_codes
    return [(plane, next(axis for axis in range(3) if codes[axis] in pair)) for plane, pair in PLANES.items()]


def _axial_cuts(grid: Grid, findings: Sequence[Finding]) -> list[Cut]:
    axis = dict(_plane_axes(grid))["axial"]
    chosen: list[int] = []
    for finding in findings:
        place = finding.peak_voxel[axis]
        if all(abs(place - other) * grid.spacing[axis] >= NEAR_MM for other in chosen):
            chosen.append(place)
    return [Cut("axial", axis, place) for place in chosen[: MAX_AXIAL + 1]]


def _grouped(cuts: Sequence[Cut]) -> Iterator[tuple[Cut, ...]]:
    for start in range(0, len(cuts), SLICES_A_FIGURE):
        yield tuple(cuts[start : start + SLICES_A_FIGURE])
