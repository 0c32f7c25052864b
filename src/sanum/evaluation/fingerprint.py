"""Whether two cases are the same picture: byte for byte, or to the eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.records import Prepared

SIZE = 64
"""Cells along each in-plane axis of a fingerprint."""

DEPTHS = 3
"""Axial positions of a volume that a fingerprint looks at."""

SAME = 0.97
"""Likeness from which two cases count as one picture. Measured: copies that were made noisy, blurred, coarsened to
30 grey levels or given another contrast 0.986 and more; different heads at most 0.946 (95 T1w volumes on the
template) and 0.74 (1,112 axial FLAIR slices)."""

ALIKE = 0.75
"""Likeness from which two images should be looked at: in those slices every pair above was one head scanned twice
under two subject names. Volumes on a template all look alike to this degree."""


@dataclass(frozen=True)
class Fingerprint:
    """One case's identity for leak checks.

    Attributes:
        case: unique name.
        split: where it stands.
        sources: SHA-256 of each scan file.
        look: small picture with mean 0 and length 1, fine structure only.
    """

    case: str
    split: str
    sources: tuple[str, ...]
    look: NDArray[np.float32]


@dataclass(frozen=True)
class Duplicate:
    """Two cases of different splits that are one picture.

    Attributes:
        first: a case.
        second: another.
        how: "same file", "looks the same" or "looks the same turned or mirrored".
        likeness: correlation of their looks.
    """

    first: str
    second: str
    how: str
    likeness: float


def look(case: Prepared) -> NDArray[np.float32]:
    """A perceptual hash: the first channel around its mask, shrunk, without its coarse part, as a unit vector.

    The coarse part (the shape that all heads share) is taken off so that different heads differ.
    """
    depths = np.flatnonzero(case.mask.any(axis=(0, 1)))
    chosen = depths[np.linspace(0, len(depths) - 1, DEPTHS + 2).round().astype(int)[1:-1]]
    cells = [_shrunk(case.voxels[0, :, :, k], case.mask[:, :, k]) for k in dict.fromkeys(chosen)]
    picture = np.stack([cells[min(number, len(cells) - 1)] for number in range(DEPTHS)])
    fine = picture - ndimage.gaussian_filter(picture, (0, 2.0, 2.0))
    vector = (fine - fine.mean()).ravel()
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / (length if length > 0 else 1.0), dtype=np.float32)


def _shrunk(picture: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return np.zeros((SIZE, SIZE))
    box = np.where(mask, picture, 0.0)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(
        np.float64
    )
    box = ndimage.gaussian_filter(box, [max(0.0, 0.4 * side / SIZE) for side in box.shape])
    places = [np.linspace(0, side - 1, SIZE) for side in box.shape]
    grid = np.meshgrid(*places, indexing="ij")
    return np.asarray(ndimage.map_coordinates(box, grid, order=1))


def duplicates(prints: Sequence[Fingerprint], same: float = SAME) -> list[Duplicate]:
    """Pairs of different splits that share a scan file, or that look the same.

    Copies that were mirrored or turned by a quarter are found too, from a likeness of `SAME` on. Not found are copies
    that were turned by a degree or more, resampled coarsely, cut, or masked anew.
    """
    found: dict[tuple[str, str], Duplicate] = {}
    owner: dict[str, list[int]] = {}
    looks = np.stack([one.look for one in prints]) if prints else np.empty((0, 1), np.float32)
    for index, one in enumerate(prints):
        for source in one.sources:
            for other in owner.setdefault(source, []):
                _add(found, prints[other], one, "same file", looks[other] @ looks[index])
            owner[source].append(index)
    for index, one in enumerate(prints):
        likeness = looks[:index] @ _ways(looks[index]).T
        for alike in np.flatnonzero(likeness[:, 0] >= same).tolist():
            _add(found, prints[alike], one, "looks the same", likeness[alike, 0])
        turned = likeness.max(axis=1)
        for alike in np.flatnonzero(turned >= max(same, SAME)).tolist():
            _add(found, prints[alike], one, "looks the same turned or mirrored", turned[alike])
    return list(found.values())


def _ways(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The eight ways to lay a look down, its own first: (8, length)."""
    picture = vector.reshape(DEPTHS, SIZE, SIZE)
    quarters = [np.rot90(picture, times, (1, 2)) for times in range(4)]
    return np.stack([way.ravel() for way in (*quarters, *(one[:, ::-1] for one in quarters))])


def _add(
    found: dict[tuple[str, str], Duplicate],
    first: Fingerprint,
    second: Fingerprint,
    how: str,
    likeness: float,
) -> None:
    if first.split != second.split:
        found.setdefault((first.case, second.case), Duplicate(first.case, second.case, how, float(likeness)))


def seen_before(sources: Mapping[str, Sequence[str]], known: Sequence[str]) -> list[str]:
    """Cases one of whose scan files is among `known` hashes.

    Args:
        sources: SHA-256 hashes of each case's scans.
        known: hashes a model was trained or calibrated on.
    """
    wanted = set(known)
    return [case for case, hashes in sources.items() if wanted.intersection(hashes)]
