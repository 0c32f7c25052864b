"""Held-out faults of a whole modality: exchanged, slipped, moved, somebody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.errors import ConfigError
from sanum.core.units import Mask, Volume
from sanum.synthesis.artefacts import ghosting, motion

SLIP_PX, SLIP_DEGREES = 0.06, 7.0
"""Misregistration: shift as a share of the field of view (about 14 mm), and turn."""

ARTEFACT_SEVERITY = 0.8
"""Of motion and ghosting."""

LEVEL_SHIFT_MM = 15.0
"""How far along the head the slices of one modality are displaced."""

SYMMETRIC = 0.85
"""Least overlap of a head with its mirror image for left and right to lie in the plane, which a sagittal slice fails."""


@dataclass(frozen=True, eq=False)
class Original:
    """What a whole modality is replaced by, is made of.

    Attributes:
        voxels: (I, J, K), the modality as it was.
        mask: (I, J, K).
        donor: the same modality of somebody else, where there is one.
        spacing: mm from slice to slice.
        rng: source of randomness.
    """

    voxels: Volume
    mask: Mask
    donor: Volume | None
    spacing: float
    rng: np.random.Generator


Whole = Callable[[Original], NDArray[np.floating]]


def swapped(was: Original) -> NDArray[np.floating]:
    """Left and right exchanged, about the middle of the mask."""
    turned = _mirrored(was.mask, was.mask)
    overlap = float((turned & was.mask).sum() / max(1, (turned | was.mask).sum()))
    if overlap < SYMMETRIC:
        raise ConfigError(
            f"left-right-swap: the head covers its mirror image by {overlap:.0%} only, so that left and right don't "
            "lie in this plane"
        )
    return _mirrored(was.voxels, was.mask)


def foreign(was: Original) -> NDArray[np.floating]:
    """The same modality of somebody else; of a volume with another number of slices those at the same heights."""
    if was.donor is None or was.donor.shape[:2] != was.voxels.shape[:2]:
        raise ConfigError("foreign-slice: needs another case whose slices have the same shape")
    count, wanted = was.donor.shape[2], was.voxels.shape[2]
    return was.donor[..., np.linspace(0, count - 1, wanted).round().astype(int)]


def slipped(was: Original) -> NDArray[np.floating]:
    """Registration that failed: shifted and turned."""
    turn = np.deg2rad(SLIP_DEGREES * was.rng.choice([-1.0, 1.0]))
    angle = was.rng.uniform(0.0, 2 * np.pi)
    shift = SLIP_PX * was.voxels.shape[0] * np.array([np.cos(angle), np.sin(angle), 0.0])
    matrix = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    middle = (np.array(was.voxels.shape) - 1) / 2
    return ndimage.affine_transform(was.voxels, matrix, middle - matrix @ (middle + shift), order=1)


def levelled(was: Original) -> NDArray[np.floating]:
    """Slices of another level of the same head."""
    count = was.voxels.shape[2]
    if count < 2:
        raise ConfigError("level-shift: needs a volume; a picture has one level only")
    steps = max(1, round(LEVEL_SHIFT_MM / was.spacing)) * int(was.rng.choice([-1, 1]))
    return was.voxels[..., (np.arange(count) + steps).clip(0, count - 1)]


def shaken(was: Original) -> NDArray[np.floating]:
    """The head moved; see `artefacts.motion`."""
    return motion(was.voxels, ARTEFACT_SEVERITY, was.rng)


def ghosted(was: Original) -> NDArray[np.floating]:
    """Pulsation; see `artefacts.ghosting`."""
    return ghosting(was.voxels, ARTEFACT_SEVERITY, was.rng)


def _mirrored(values: NDArray[Any], mask: Mask) -> NDArray[Any]:
    shown = np.flatnonzero(mask.any(axis=(1, 2)))
    return np.roll(values[::-1], int(shown[0] + shown[-1]) - (values.shape[0] - 1), axis=0)
