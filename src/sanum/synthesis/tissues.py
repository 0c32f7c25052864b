"""What a head is made of: tissue memberships, from label maps or from a T1w scan beside tissue priors.

Memberships are (T, I, J, K) float32 in [0, 1], one channel a tissue of `TISSUES`; inside the brain they add up to 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ScanError
from sanum.core.units import Channels, Mask, Volume

TISSUES = (
    "ventricle",
    "csf",
    "cortex",
    "white",
    "deep-grey",
    "cerebellar-cortex",
    "brainstem",
    "plexus",
    "soft",
    "bone",
)
"""Names of the channels. `brainstem` holds the white matter of the cerebellum too, `plexus` also vessels; `soft` and
`bone` lie outside the brain: muscle, fat, eyes and skin, and what is dark there."""

BRAIN_TISSUES = TISSUES[:8]

HEAD_CHANNELS = ("scan", *TISSUES, "brain")
"""What a head is kept as: a prepared T1w scan (0 where there is none), the memberships, the brain mask."""

_LABELS: Mapping[str, tuple[int, ...]] = {
    "ventricle": (4, 5, 14, 15, 43, 44, 72),
    "csf": (24,),
    "cortex": (3, 17, 18, 42, 53, 54),
    "white": (2, 25, 41, 57, 85),
    "deep-grey": (10, 11, 12, 13, 26, 28, 49, 50, 51, 52, 58, 60),
    "cerebellar-cortex": (8, 47),
    "brainstem": (7, 16, 46),
    "plexus": (29, 30, 31, 61, 62, 63, 136, 137, 163, 164),
    "soft": (502, 506, 507, 508, 509, 511, 512, 514, 530),
    "bone": (515, 516),
}
"""FreeSurfer's numbers, and those above 500 of SynthSeg's maps outside the brain (Billot et al. 2023). Of the numbers
136, 137, 163 and 164 the authors say choroid plexus; 25 and 57 are old lesions of white matter. 511 is skin, 515 and 516
are cortical and cancellous bone."""

KNOWN_LABELS = frozenset(number for numbers in _LABELS.values() for number in numbers)

_T1_CLASSES: tuple[tuple[str, ...], ...] = (
    ("ventricle", "csf"),
    ("cortex", "cerebellar-cortex", "plexus"),
    ("deep-grey",),
    ("white", "brainstem"),
)
"""Tissues that share a level on T1w, darkest first."""

_FIRST_LEVELS = (0.08, 0.45, 0.58, 0.72)
"""Where expectation maximisation starts, on a prepared T1w scan."""

_ROUNDS = 12
_LEAST_SPREAD = 0.02
_LEAST_PRIOR = 1e-3


def memberships_of_labels(labels: NDArray[np.integer]) -> Channels:
    """One channel a tissue, 0 or 1, of a label map (I, J, K).

    Raises:
        ScanError: a number that no tissue has.
    """
    strange = sorted(set(np.unique(labels).tolist()) - KNOWN_LABELS - {0})
    if strange:
        raise ScanError(
            f"label map: no tissue is known for {strange[:5]}; expected FreeSurfer's numbers, or SynthSeg's above 500"
        )
    return np.stack([np.isin(labels, _LABELS[name]) for name in TISSUES]).astype(np.float32)


def brain_of_labels(labels: NDArray[np.integer]) -> Mask:
    """The brain (I, J, K) as an extraction shows it: tissue and ventricles with the fluid between them."""
    from scipy import ndimage

    inside = np.isin(labels, [n for name in BRAIN_TISSUES if name != "csf" for n in _LABELS[name]])
    closed = ndimage.binary_closing(np.pad(inside, 8), ndimage.generate_binary_structure(3, 1), iterations=5)
    filled: Mask = ndimage.binary_fill_holes(closed)[8:-8, 8:-8, 8:-8]
    return filled


def memberships_of_t1(voxels: Volume, mask: Mask, priors: Channels) -> Channels:
    """Memberships of a prepared T1w brain by a Gaussian mixture with priors at each place (Ashburner and Friston 2005).

    Tissues that look alike on T1w share a Gaussian and are told apart by their priors alone.

    Args:
        voxels: (I, J, K) in [0, 1], as the template preset gives them.
        mask: (I, J, K), the brain.
        priors: (T, I, J, K), healthy memberships at each place, smooth.
    """
    inside = voxels[mask].astype(np.float64)
    within = np.maximum(priors[: len(BRAIN_TISSUES), mask].astype(np.float64), _LEAST_PRIOR)
    place = np.stack([within[[TISSUES.index(name) for name in names]].sum(0) for names in _T1_CLASSES])
    place /= place.sum(0)
    level, spread = np.array(_FIRST_LEVELS), np.full(len(_T1_CLASSES), 0.1)
    for _ in range(_ROUNDS):
        share = _posterior(inside, place, level, spread)
        weight = share.sum(1) + 1e-9
        level = (share * inside).sum(1) / weight
        spread = np.sqrt((share * (inside - level[:, None]) ** 2).sum(1) / weight).clip(_LEAST_SPREAD)
    share = _posterior(inside, place, level, spread)
    found = np.zeros((len(TISSUES), *voxels.shape), np.float32)
    for names, part in zip(_T1_CLASSES, share, strict=True):
        rows = [TISSUES.index(name) for name in names]
        split = within[rows] / within[rows].sum(0)
        for row, one in zip(rows, split, strict=True):
            found[row][mask] = part * one
    return found


def _posterior(
    values: NDArray[np.float64],
    place: NDArray[np.float64],
    level: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> NDArray[np.float64]:
    z = (values - level[:, None]) / spread[:, None]
    likelihood = place * np.exp(-0.5 * z * z) / spread[:, None] + 1e-30
    found: NDArray[np.float64] = likelihood / likelihood.sum(0)
    return found
