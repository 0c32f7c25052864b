"""Levels of a head's tissues, drawn anew for each person: Hounsfield units on CT, and what lies outside the brain on MRI.

Labels are FreeSurfer's within the brain and those of whole-head maps above 500 (Puonti et al. 2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.units import Volume
from sanum.synthesis.contrasts import tissue_levels
from sanum.synthesis.draws import Draws
from sanum.synthesis.tissues import TISSUES, memberships_of_labels

AIR_HU = -1000.0

FAT_OR_MUSCLE, SKIN, CORTICAL, CANCELLOUS = 507, 511, 515, 516
FLUID, VEIN, THIRD_VENTRICLE = 24, 514, 14
PLEXUS = (30, 31, 62, 63, 136, 137, 163, 164)
BONE = (CORTICAL, CANCELLOUS)

GREY, WHITE, BASAL = (
    (3, 17, 18, 42, 53, 54),
    (2, 25, 41, 57, 85),
    (10, 11, 12, 13, 26, 28, 49, 50, 51, 52, 58, 60),
)
VENTRICLES = (4, 5, 14, 15, 43, 44, 72)

Level = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """Labels that share a level: its mean over people and its standard deviation, in Hounsfield units."""

    labels: tuple[int, ...]
    hu: Level


PARTS: tuple[Part, ...] = (
    Part(VENTRICLES, (7.0, 2.0)),
    Part((FLUID,), (11.0, 2.5)),
    Part(GREY, (37.0, 1.8)),
    Part(WHITE, (29.0, 1.5)),
    Part(BASAL, (38.0, 1.8)),
    Part((8, 47), (37.0, 1.8)),
    Part((7, 46), (31.0, 1.6)),
    Part((16,), (31.0, 1.6)),
    Part(PLEXUS, (40.0, 5.0)),
    Part((502,), (45.0, 4.0)),
    Part((VEIN,), (55.0, 6.0)),
    Part((506,), (12.0, 3.0)),
    Part((508,), (55.0, 5.0)),
    Part((509,), (45.0, 8.0)),
    Part((512, 530), (34.0, 3.0)),
    Part((SKIN,), (25.0, 25.0)),
    Part((CORTICAL,), (1300.0, 130.0)),
    Part((CANCELLOUS,), (560.0, 120.0)),
)
"""Means of textbooks; bone such that, blurred by a scanner, it agrees with real CT (see docs/synthesis.md)."""

FAT_HU, MUSCLE_HU = -95.0, 55.0

OUTSIDE_MR: Mapping[str, Mapping[int, Level]] = {
    "T1w": {
        502: (0.2, 0.5),
        VEIN: (0.1, 0.5),
        506: (0.1, 0.2),
        508: (0.3, 0.5),
        509: (0.4, 0.7),
        SKIN: (0.4, 0.9),
    },
    "T2w": {
        502: (0.0, 0.2),
        VEIN: (0.0, 0.5),
        506: (0.9, 1.2),
        508: (0.2, 0.4),
        509: (0.7, 1.1),
        SKIN: (0.2, 0.5),
    },
    "FLAIR": {
        502: (0.0, 0.2),
        VEIN: (0.1, 0.4),
        506: (0.0, 0.2),
        508: (0.3, 0.5),
        509: (0.5, 0.9),
        SKIN: (0.3, 0.6),
    },
}
"""Ranges on MRI, brain about in [0, 1]; the lowest is a vessel's flow void."""

FAT_MR: Mapping[str, Level] = {"T1w": (0.85, 1.25), "T2w": (0.4, 0.8), "FLAIR": (0.4, 0.9)}
MUSCLE_MR: Mapping[str, Level] = {"T1w": (0.3, 0.5), "T2w": (0.1, 0.25), "FLAIR": (0.2, 0.4)}
CORTICAL_MR = (0.0, 0.06)
MARROW = (0.5, 0.9)
"""Signal of diploe as a share of fat's."""

HIGHEST = 600


def hounsfield_levels(rng: np.random.Generator) -> NDArray[np.float32]:
    """(600,) Hounsfield units of each label for one person; what has none is air."""
    levels = np.full(HIGHEST, AIR_HU, np.float32)
    for part in PARTS:
        levels[list(part.labels)] = rng.normal(*part.hu)
    levels[FAT_OR_MUSCLE] = MUSCLE_HU
    return levels


def mr_levels(sequence: str, fat: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(600,) level of each label on one sequence, T1w, T2w or FLAIR, brain about in [0, 1]."""
    inside = tissue_levels(sequence, Draws(int(rng.integers(2**31)))).numpy()
    levels = np.zeros(HIGHEST, np.float32)
    numbers = np.array([number for part in PARTS for number in part.labels])
    members = memberships_of_labels(numbers[:, None, None])[:, :, 0, 0]
    brain = len(TISSUES) - 2
    levels[numbers] = inside[:brain] @ members[:brain]
    for label, ends in OUTSIDE_MR[sequence].items():
        levels[label] = rng.uniform(*ends)
    levels[[512, 530]] = levels[2]
    levels[FAT_OR_MUSCLE] = rng.uniform(*MUSCLE_MR[sequence])
    levels[CORTICAL] = rng.uniform(*CORTICAL_MR)
    levels[CANCELLOUS] = fat * rng.uniform(*MARROW)
    return levels


def fat_share(labels: NDArray[np.integer], noise: Volume) -> Volume:
    """Share of fat, not muscle, in each voxel of soft tissue (I, J, K): layers of either, by a smooth field."""
    share = 1.0 / (1.0 + np.exp(-6.0 * (noise + 0.3)))
    return np.where(labels == FAT_OR_MUSCLE, share, 0.0).astype(np.float32)
