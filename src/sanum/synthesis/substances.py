"""What named lesions are made of: the level of water, scar, pus, blood and so on beside the healthy tissue of a volume.

A substance has no level of its own, since every made contrast has others. It lies between two levels of the volume at
hand, which are measured in it: oedema on T2w some way from white matter toward fluid, old blood near to no signal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from sanum.core.modalities import MRI_SEQUENCES
from sanum.synthesis.boxes import coarse
from sanum.synthesis.contrasts import FREE
from sanum.synthesis.draws import Draws
from sanum.synthesis.tissues import TISSUES

Anchor = Literal["none", "fluid", "grey", "white", "bright"]

BRIGHT = 1.15
"""Level of what outshines healthy brain, which fills [0, 1]."""

NEARLY_PURE = 0.8
"""Membership from which voxels tell the level of a tissue."""


@dataclass(frozen=True)
class Between:
    """A level `least` to `most` of the way from one level of the volume to another."""

    start: Anchor
    end: Anchor
    least: float
    most: float


SUBSTANCES: Mapping[str, tuple[Between, Between, Between, Between]] = {
    "fluid": (
        Between("fluid", "grey", 0.0, 0.06),
        Between("fluid", "grey", 0.0, 0.06),
        Between("fluid", "grey", 0.0, 0.06),
        Between("fluid", "grey", 0.0, 0.06),
    ),
    "protein": (
        Between("fluid", "grey", 0.05, 0.45),
        Between("white", "fluid", 0.85, 1.05),
        Between("fluid", "grey", 0.05, 0.9),
        Between("fluid", "bright", 0.1, 0.6),
    ),
    "pus": (
        Between("fluid", "grey", 0.2, 0.6),
        Between("white", "fluid", 0.7, 1.05),
        Between("fluid", "bright", 0.35, 0.9),
        Between("white", "bright", 0.35, 0.8),
    ),
    "capsule": (
        Between("white", "bright", 0.05, 0.4),
        Between("white", "none", 0.2, 0.6),
        Between("white", "none", 0.0, 0.35),
        Between("white", "none", 0.1, 0.4),
    ),
    "oedema": (
        Between("white", "fluid", 0.15, 0.45),
        Between("white", "fluid", 0.3, 0.75),
        Between("white", "bright", 0.35, 0.85),
        Between("white", "bright", 0.3, 0.7),
    ),
    "scar": (
        Between("white", "fluid", 0.15, 0.55),
        Between("white", "fluid", 0.4, 0.9),
        Between("white", "bright", 0.4, 1.0),
        Between("white", "bright", 0.3, 0.8),
    ),
    "plaque": (
        Between("white", "fluid", 0.15, 0.7),
        Between("white", "fluid", 0.35, 0.9),
        Between("white", "bright", 0.4, 1.0),
        Between("white", "bright", 0.35, 0.9),
    ),
    "cortical plaque": (
        Between("grey", "fluid", 0.12, 0.4),
        Between("grey", "fluid", 0.2, 0.6),
        Between("grey", "bright", 0.2, 0.7),
        Between("grey", "bright", 0.2, 0.6),
    ),
    "iron": (
        Between("grey", "none", 0.15, 0.4),
        Between("grey", "none", 0.75, 1.0),
        Between("grey", "none", 0.35, 0.8),
        Between("grey", "none", 0.3, 0.7),
    ),
    "fresh blood": (
        Between("grey", "none", 0.05, 0.3),
        Between("grey", "none", 0.5, 0.9),
        Between("grey", "none", 0.2, 0.6),
        Between("grey", "none", 0.15, 0.5),
    ),
    "blood of days": (
        Between("white", "bright", 0.5, 1.0),
        Between("grey", "none", 0.3, 0.8),
        Between("white", "bright", 0.0, 0.6),
        Between("white", "bright", 0.0, 0.5),
    ),
    "blood of weeks": (
        Between("white", "bright", 0.5, 1.0),
        Between("white", "fluid", 0.6, 1.05),
        Between("white", "bright", 0.6, 1.0),
        Between("white", "bright", 0.5, 1.0),
    ),
}
"""On T1w, T2w, FLAIR and PDw, in the order of `MRI_SEQUENCES`; from textbooks of neuroradiology, in our own ranges."""


class Palette:
    """Levels of a volume, and of what may lie in it.

    Args:
        image: (I, J, K), brain about in [0, 1].
        memberships: (T, I, J, K), see `sanum.synthesis.tissues`.
        contrast: one of `MRI_SEQUENCES`, or `FREE`: then each lesion looks as on one of them.
        draws: source of randomness.
    """

    def __init__(self, image: Tensor, memberships: Tensor, contrast: str, draws: Draws) -> None:
        names = tuple(MRI_SEQUENCES)
        self._row = draws.integer(0, len(names) - 1) if contrast == FREE else names.index(contrast)
        self._draws = draws
        seen, tissues = coarse(image), coarse(memberships)
        parts = {
            "fluid": tissues[0] + tissues[1],
            "grey": tissues[TISSUES.index("cortex")],
            "white": tissues[TISSUES.index("white")],
        }
        self.levels = {"none": 0.0, "bright": BRIGHT}
        self.levels |= {name: _level(seen, part) for name, part in parts.items()}

    def level(self, substance: str) -> float:
        """A level of the substance, drawn anew."""
        way = SUBSTANCES[substance][self._row]
        start, end = self.levels[way.start], self.levels[way.end]
        return max(start + self._draws.number(way.least, way.most) * (end - start), 0.0)


def _level(image: Tensor, part: Tensor) -> float:
    weight = (part - NEARLY_PURE).clamp_min(0.0) + 1e-6 * part + 1e-9
    return float((image * weight).sum() / weight.sum())
