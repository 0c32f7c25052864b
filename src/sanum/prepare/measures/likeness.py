"""Whether a scan that nothing registered looks like a head the right way up: a fit of moments, tried in 12 ways."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid
from sanum.core.units import Mask, Volume
from sanum.prepare.measures.lattice import every, steps_of
from sanum.prepare.template import icbm152

LATTICE_MM = 4.0
BINS = 24
PURE = 0.8
"""Share from which a template voxel counts as one tissue."""

UPRIGHT = ((0, 0, 0), (40, 0, 0), (-40, 0, 0))
"""Degrees about the world's axes in which heads lie in scanners: chins go up and down."""

TURNED = (
    (180, 0, 0),
    (0, 180, 0),
    (0, 0, 180),
    (90, 0, 0),
    (-90, 0, 0),
    (0, 90, 0),
    (0, -90, 0),
    (0, 0, 90),
    (0, 0, -90),
)
"""Ways in which only a wrong header lays a head."""

SURELY_BETTER = (0.02, 1.2)
"""By how much Dice, and by what factor mutual information, must be better turned than upright. Of 16 upright scans
none came near on both: the Dice of all was higher upright."""

MIN_INFORMATION = 0.02
"""Least mutual information (nats) with the template of anything brain-like. Upright heads have .04 to .19, wrongly
turned ones .02 to .06, shapes filled with noise less than .005."""


@dataclass(frozen=True)
class Likeness:
    """The best upright fit, and the turn that would fit better, if any.

    Attributes:
        overlap: Dice with the template's brain.
        mutual_information: in nats, within both brains.
        white_to_grey: ratio of medians at the template's tissues; None where it is not known.
        turn: degrees about x, y, z by which the head lies wrong; None where it lies upright.
        best_information: highest mutual information of all ways.
    """

    overlap: float
    mutual_information: float
    white_to_grey: float | None
    turn: tuple[int, int, int] | None
    best_information: float

    def flags(self) -> list[str]:
        """What a person should look at."""
        if self.best_information < MIN_INFORMATION:
            return [
                f"does not look like a head in any way up (mutual information {self.best_information:.3f}, heads have "
                f"{MIN_INFORMATION} or more)"
            ]
        if self.turn is not None:
            turned = ", ".join(
                f"{degrees}° about {axis}" for degrees, axis in zip(self.turn, "xyz", strict=True) if degrees
            )
            return [
                f"the head lies turned by {turned} against what the header says: upside down or back to front"
            ]
        return []


@dataclass(frozen=True, eq=False)
class _Fit:
    overlap: float
    information: float
    white_to_grey: float | None


def likeness(voxels: Volume, brain: Mask, grid: Grid) -> Likeness | None:
    """Lay the template on the brain, centre on centre and spread on spread, upright and turned.

    Args:
        voxels: (I, J, K), a volume in scanner units.
        brain: (I, J, K).
        grid: where they lie.

    Returns:
        None where the brain is too small or too flat to fit anything to.
    """
    steps = steps_of(grid, LATTICE_MM)
    index = np.argwhere(brain[every(steps)]) * steps
    if len(index) < 100 or (np.ptp(index, axis=0) == 0).any():
        return None
    places = grid.to_world(index)
    volume = len(index) * float(np.prod(steps)) * grid.voxel_ml
    ends = np.percentile(voxels[tuple(index.T)], (1.0, 99.0))
    upright = [_fit(voxels, brain, grid, places, volume, ends, turn) for turn in UPRIGHT]
    turned = [_fit(voxels, brain, grid, places, volume, ends, turn) for turn in TURNED]
    best = max(upright, key=lambda fit: fit.information)
    other = max(turned, key=lambda fit: fit.information)
    dice, factor = SURELY_BETTER
    wrong = other.overlap > best.overlap + dice and other.information > factor * best.information
    return Likeness(
        overlap=best.overlap,
        mutual_information=best.information,
        white_to_grey=best.white_to_grey,
        turn=TURNED[turned.index(other)] if wrong else None,
        best_information=max(best.information, other.information),
    )


def _fit(
    voxels: Volume,
    brain: Mask,
    grid: Grid,
    places: NDArray[np.float64],
    volume: float,
    ends: NDArray[np.float64],
    turn: tuple[int, int, int],
) -> _Fit:
    from scipy.spatial.transform import Rotation

    fixed, values, white, grey, cell = _template_points()
    rotation = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    centre, middle = places.mean(axis=0), fixed.mean(axis=0)
    zoom = ((places - centre) @ rotation).std(axis=0) / fixed.std(axis=0)
    there = ((fixed - middle) * zoom) @ rotation.T + centre
    index = np.rint(grid.to_voxel(there)).astype(int)
    inside = np.asarray(((index >= 0) & (index < grid.shape)).all(axis=1))
    inside[inside] = brain[tuple(index[inside].T)]
    looked_up = voxels[tuple(index[inside].T)]
    overlap = 2.0 * float(inside.sum()) / (volume / float(np.prod(zoom)) / cell + len(fixed))
    if not inside.any() or ends[1] <= ends[0]:
        return _Fit(overlap, 0.0, None)
    level = np.clip((looked_up - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0)
    tissue = [looked_up[part[inside]] for part in (white, grey)]
    medians = [float(np.median(one)) if one.size else 0.0 for one in tissue]
    ratio = medians[0] / medians[1] if min(medians) > 0 else None
    return _Fit(overlap, _mutual_information(level, values[inside]), ratio)


@cache
def _template_points() -> tuple[
    NDArray[np.float64], NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_], float
]:
    """Places in mm (n, 3), T1w values, pure white, pure grey (n,) of the template's brain; ml a point."""
    template = icbm152()
    steps = steps_of(template.grid, LATTICE_MM)
    part = every(steps)
    shown = template.brain[part]
    places = template.grid.to_world(np.argwhere(shown) * steps)
    cell = template.grid.voxel_ml * float(np.prod(steps))
    white, grey = template.white[part][shown] >= PURE, template.grey[part][shown] >= PURE
    return places, template.t1[part][shown].astype(np.float32), white, grey, cell


def _mutual_information(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """In nats, of values in [0, 1]."""
    joint, _, _ = np.histogram2d(one, other, bins=BINS, range=((0, 1), (0, 1)))
    share = joint / joint.sum()
    apart = np.outer(share.sum(axis=1), share.sum(axis=0))
    seen = share > 0
    return float((share[seen] * np.log(share[seen] / apart[seen])).sum())
