"""What named lesions are drawn on, and the layers that they are drawn by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from sanum.synthesis.boxes import Box, coarse
from sanum.synthesis.substances import Palette
from sanum.synthesis.tissues import TISSUES

OUTSHINES = 1.25
"""Highest level of a lesion; healthy brain fills [0, 1]."""

MARKED = 0.35
"""Share of a voxel that a lesion fills, from which it counts as lesion: soft borders are seen to change before half."""


class Layer(NamedTuple):
    """A substance within the box of a part.

    Attributes:
        soft: (I, J, K) membership in [0, 1].
        level: of the substance: a number, or one a voxel.
        opacity: share of the healthy tissue that it replaces.
    """

    soft: Tensor
    level: Tensor | float
    opacity: float


class Part(NamedTuple):
    """One focus of a lesion: layers in a box, each painted over those before."""

    box: Box
    layers: tuple[Layer, ...]


@dataclass(frozen=True, eq=False)
class Ground:
    """The volume that a lesion is drawn on.

    Attributes:
        memberships: (T, I, J, K), see `sanum.synthesis.tissues`.
        brain: (I, J, K) in {0, 1}.
        palette: levels of the volume's tissues and of what may lie in it.
    """

    memberships: Tensor
    brain: Tensor
    palette: Palette

    @cached_property
    def _sparse(self) -> Tensor:
        return coarse(self.memberships) * coarse(self.brain)

    def sparse(self, *names: str) -> Tensor:
        """Sum of some tissues at the voxels among which places are drawn."""
        return self._sparse[[TISSUES.index(name) for name in names]].sum(0)

    def within(self, box: Box, *names: str) -> Tensor:
        """Sum of some tissues in a box."""
        return torch.stack([self.memberships[TISSUES.index(name)][box] for name in names]).sum(0)

    def solid(self, box: Box) -> Tensor:
        """What is not fluid, in a box."""
        return (1.0 - self.within(box, "ventricle", "csf")).clamp(0.0, 1.0)


def edge(distance: Tensor, radius: Tensor | float, width: float = 1.0) -> Tensor:
    """Membership of what lies nearer than `radius`, with a border of `width` voxels."""
    return ((radius - distance) / width + 0.5).clamp(0.0, 1.0)


def paint(image: Tensor, marked: Tensor, brain: Tensor, part: Part) -> None:
    """Paint a part into an image (I, J, K), and mark it where its layers together fill more than `MARKED`."""
    values, inside = image[part.box], brain[part.box]
    spared = torch.ones_like(values)
    for layer in part.layers:
        soft = layer.soft * inside
        level = torch.as_tensor(layer.level, dtype=values.dtype)
        values = torch.lerp(values, level.expand_as(values), layer.opacity * soft)
        spared = spared * (1.0 - soft)
    image[part.box] = values.clamp(0.0, OUTSHINES)
    marked[part.box] = torch.maximum(marked[part.box], (spared < 1.0 - MARKED).float())
