"""Contrasts that were never scanned: tissues at the levels of a sequence, drawn anew for each volume.

In the manner of SynthSeg (Billot et al. 2023): a network that is taught on levels of any order crosses scanners and
sequences. Levels are about those of prepared scans, brain in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sanum.core.modalities import MRI_SEQUENCES
from sanum.synthesis.draws import Draws
from sanum.synthesis.tissues import TISSUES

Range = tuple[float, float]


@dataclass(frozen=True)
class Sequence:
    """What a sequence shows, each range uniform.

    Attributes:
        fluid: level of fluid.
        grey: level of cortex.
        white: of white matter above cortex.
        deep: of deep grey matter, as a share of the way from cortex to white matter.
        bright: share of the lesions that are brighter than their surroundings.
    """

    fluid: Range
    grey: Range
    white: Range
    deep: Range
    bright: float


_ROWS = (
    Sequence((0.0, 0.14), (0.38, 0.60), (0.10, 0.36), (0.1, 0.95), 0.25),
    Sequence((0.80, 1.20), (0.42, 0.65), (-0.28, -0.04), (-0.1, 1.2), 0.85),
    Sequence((0.0, 0.15), (0.50, 0.68), (-0.20, 0.02), (-0.3, 1.1), 0.92),
    Sequence((0.40, 1.00), (0.60, 0.82), (-0.25, -0.03), (-0.2, 1.1), 0.85),
)

SEQUENCES: Mapping[str, Sequence] = dict(zip(MRI_SEQUENCES, _ROWS, strict=True))
"""From textbook contrasts of 1.5 and 3 T scanners, widened by about half."""

FREE = "free"
"""A contrast of no sequence: every tissue has a level of its own."""

BRIGHT_IN_FREE = 0.5


def tissue_levels(contrast: str, draws: Draws) -> Tensor:
    """(T,) level of each tissue of `TISSUES`.

    Args:
        contrast: one of `SEQUENCES`, or `FREE`.
        draws: source of randomness.
    """
    levels = draws.uniform(0.0, 1.0, len(TISSUES))
    if contrast != FREE:
        row = SEQUENCES[contrast]
        fluid, grey, white, deep = (
            float(draws.uniform(*ends, 1)) for ends in (row.fluid, row.grey, row.white, row.deep)
        )
        near = 0.03 * draws.normal(3)
        levels[:7] = torch.tensor(
            [
                fluid,
                fluid + float(near[0]),
                grey,
                grey + white,
                grey + deep * white,
                grey + float(near[1]),
                grey + white + float(near[2]),
            ]
        )
    levels[TISSUES.index("bone")] *= 0.3
    return levels


def rendered(memberships: Tensor, levels: Tensor) -> Tensor:
    """The image (I, J, K) of memberships (T, I, J, K) at levels (T,)."""
    return torch.einsum("t,tijk->ijk", levels, memberships)


def bright_share(contrast: str) -> float:
    """Share of the lesions that are brighter than their surroundings."""
    return BRIGHT_IN_FREE if contrast == FREE else SEQUENCES[contrast].bright
