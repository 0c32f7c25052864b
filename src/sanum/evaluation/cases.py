"""What an evaluation keeps of one test case after its map was seen: figures and counts, no pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.records import AnomalyMap
from sanum.core.units import Mask
from sanum.evaluation.froc import Regions, regions
from sanum.evaluation.metrics import average_precision
from sanum.evaluation.pixels import count_pixels, dice

MIN_REGION_ML = 0.1
MIN_REGION_PX = 10
"""A smaller region is no finding; the same sizes as the findings of a detection."""


@dataclass(frozen=True)
class Subject:
    """Whom a case shows, and what is known of it.

    Attributes:
        case: unique name.
        subject: unit of every interval.
        lesion: whether the case is labelled as one with a lesion.
        site: scanner or centre, if known.
        age: years, if known.
        sex: if known.
    """

    case: str
    subject: str
    lesion: bool
    site: str | None = None
    age: float | None = None
    sex: str | None = None


@dataclass(frozen=True, eq=False)
class Levels:
    """Where maps are cut, the same for all cases.

    Attributes:
        edges: of the pixel bins, see `pixels.choose_edges`.
        normals: map values fixed by healthy scans alone, by name; Dice is taken at each.
        sweep: (T,) ascending thresholds of the lesion-wise curve.
    """

    edges: NDArray[np.float32]
    normals: dict[str, float]
    sweep: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CaseFigures:
    """One case, measured.

    Attributes:
        subject: whom it shows.
        lesion_size: marked volume inside the mask, in ml (pixels in an image).
        pixels: voxels inside the mask.
        lesion_counts: (B,) marked voxels in each bin.
        healthy_counts: (B,) the others.
        average_precision: of this case's own voxels, exact; NaN without marked voxels.
        dices: Dice at each level of `Levels.normals`; NaN without marked voxels.
        flagged: share of the unmarked voxels above each level of `Levels.normals`.
        regions: lesions and findings along the sweep.
        slices: (S, 3) score by mean, score by top 0.5 %, and whether marked (1 or 0), of each axial slice.
    """

    subject: Subject
    lesion_size: float
    pixels: int
    lesion_counts: NDArray[np.float32]
    healthy_counts: NDArray[np.float32]
    average_precision: float
    dices: dict[str, float]
    flagged: dict[str, float]
    regions: Regions
    slices: NDArray[np.float64]


def measure(
    subject: Subject, found: AnomalyMap, marked: Mask, levels: Levels, *, is_image: bool
) -> CaseFigures:
    """Measure one case; its map can be dropped afterwards.

    Args:
        subject: whom it shows.
        found: map on the model grid, NaN outside the mask.
        marked: lesion on the same grid; voxels outside the mask don't count.
        levels: where to cut.
        is_image: sizes are pixels instead of millilitres.
    """
    inside = ~np.isnan(found.values)
    scores, truth = found.values[inside], marked[inside]
    lesion, healthy = count_pixels(scores, truth, levels.edges)
    voxel_size = 1.0 if is_image else found.grid.voxel_ml
    smallest = MIN_REGION_PX if is_image else max(1, int(np.ceil(MIN_REGION_ML / voxel_size)))
    any_marked = bool(truth.any())
    normal = scores[~truth]
    return CaseFigures(
        subject=subject,
        lesion_size=float(truth.sum()) * voxel_size,
        pixels=int(inside.sum()),
        lesion_counts=lesion,
        healthy_counts=healthy,
        average_precision=average_precision(scores, truth) if any_marked else np.nan,
        dices={
            name: dice(scores > level, truth) if any_marked else np.nan
            for name, level in levels.normals.items()
        },
        flagged={
            name: float((normal > level).mean()) if normal.size else np.nan
            for name, level in levels.normals.items()
        },
        regions=regions(found.values, marked, levels.sweep, smallest),
        slices=_slices(found, marked & inside),
    )


TOP_SHARE = 0.005
"""Share of a slice's voxels whose mean is its score, the same as the default summary of a case."""


def _slices(found: AnomalyMap, marked: Mask) -> NDArray[np.float64]:
    means = found.slice_means()
    rows = []
    for k in np.flatnonzero(~np.isnan(means)):
        values = found.values[:, :, k]
        values = values[~np.isnan(values)]
        count = max(1, round(TOP_SHARE * values.size))
        top = np.partition(values, values.size - count)[-count:].mean(dtype=np.float64)
        rows.append((means[k], top, marked[:, :, k].any()))
    return np.array(rows, dtype=np.float64).reshape(-1, 3)
