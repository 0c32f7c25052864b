"""What a lesion looks like. A paint turns healthy stacks into diseased ones, given where the lesion lies.

Every paint takes healthy stacks (N, C, K, I, J) in [0, 1], a soft membership (N, 1, K, I, J) in [0, 1], and a
`Brush`, and gives stacks of the same shape, not clipped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from sanum.synthesis.draws import Draws, spread
from sanum.synthesis.fields import Size, blurred, smooth_field


@dataclass(frozen=True, eq=False)
class Brush:
    """How a batch is painted.

    Attributes:
        draws: source of randomness.
        sign: (N, C), +1 where the lesion is brighter than its surroundings, −1 where darker.
        severity: (N,) in (0, 1], from hardly visible to glaring.
        others: healthy stacks (M, C, K, I, J) whose tissue may be grafted, M ≥ 1.
    """

    draws: Draws
    sign: Tensor
    severity: Tensor
    others: Tensor

    def part(self, rows: Tensor) -> Brush:
        """The brush for some stacks of the batch."""
        return Brush(self.draws, self.sign[rows], self.severity[rows], self.others)


Paint = Callable[[Tensor, Tensor, Brush], Tensor]

FAINTEST, STRONGEST = 0.06, 0.5
"""Change of intensity at severity 0 and 1, of a scan whose brain fills [0, 1]: noise level to pure fluid."""


def shift(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """Tissue becomes brighter or darker and keeps its structure; fluid is mostly spared."""
    draws, count = brush.draws, len(healthy)
    spared = spread(draws.chance(0.7, count).float())
    tissue = 1.0 - spared * (1.0 - _tissue(healthy, draws))
    texture = 1.0 + spread(draws.uniform(0.0, 0.5, count)) * _texture(healthy, draws, 8, 40)
    return healthy + spread(brush.sign * _change(brush)) * soft * tissue * texture


def level(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """Tissue gives way to a substance of its own intensity and texture."""
    draws, count = brush.draws, len(healthy)
    texture = spread(draws.uniform(0.0, 0.12, count)) * _texture(healthy, draws, 8, 50)
    substance = spread(_level(brush, bright=(0.75, 1.15), dark=(0.0, 0.5))) + texture
    return torch.lerp(healthy, substance, soft * spread(_opacity(brush)))


def graft(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """Healthy tissue of another place or person (foreign patches, Tan et al. 2020)."""
    draws, others = brush.draws, brush.others
    donor = others[draws.order(len(others))[: len(healthy)]]
    if len(donor) < len(healthy):
        donor = others[draws.choose(torch.ones(len(others), device=others.device), len(healthy))]
    if draws.integer(0, 1):
        donor = donor.flip(-1)
    steps = [draws.integer(-side // 3, side // 3) for side in healthy.shape[-2:]]
    return torch.lerp(healthy, donor.roll(steps, (-2, -1)), soft * spread(_opacity(brush)))


def oedema(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """Structure is washed out and the whole region brighter or darker."""
    washed = blurred(blurred(healthy, 5), 5)
    share = spread(brush.draws.uniform(0.3, 1.0, len(healthy)))
    return healthy + soft * (share * (washed - healthy) + spread(brush.sign * _change(brush)))


def cored(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """A core and a rim of different intensity."""
    draws, count = brush.draws, len(healthy)
    core = ((soft - spread(draws.uniform(0.55, 0.85, count))) * 8.0).clamp(0.0, 1.0)
    rim_level = spread(_level(brush, bright=(0.75, 1.15), dark=(0.0, 0.5)))
    core_level = spread(draws.uniform(0.0, 1.0, *brush.sign.shape))
    substance = torch.lerp(rim_level, core_level, core) + 0.06 * _texture(healthy, draws, 20, 20)
    return torch.lerp(healthy, substance, soft * spread(_opacity(brush)))


def plain(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """One even intensity, without texture."""
    substance = spread(torch.where(brush.sign > 0, 1.0, 0.15))
    return torch.lerp(healthy, substance.expand_as(healthy), soft * spread(brush.severity))


def fluid(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """A cavity: the fluid level of each stack, whatever the sign (a resection, an old infarct)."""
    hollow = (2.0 * soft).clamp(0.0, 1.0)
    floor = spread(_fluid_level(healthy)).expand_as(healthy)
    return torch.lerp(healthy, floor, hollow * spread(brush.severity))


def clot(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """An even bright core within a dark border, whatever the sign (a haemorrhage of days to weeks on T1)."""
    core = ((soft - 0.5) * 6.0).clamp(0.0, 1.0)
    border = (soft * 4.0).clamp(0.0, 1.0)
    substance = (0.15 + 0.83 * core).expand_as(healthy)
    return torch.lerp(healthy, substance, border * spread(brush.severity))


def patchy(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """A mixture of bright, dark and cystic parts (a tumour)."""
    field = _texture(healthy, brush.draws, 14, 20)
    parts = 0.5 + 0.25 * spread(brush.sign) + 0.35 * torch.tanh(2.0 * field)
    return torch.lerp(healthy, parts, soft * spread(brush.severity))


def _change(brush: Brush) -> Tensor:
    """(N, 1) amplitude of the change of intensity: each magnitude is as likely as severity is even."""
    return FAINTEST * (STRONGEST / FAINTEST) ** brush.severity[:, None]


def _opacity(brush: Brush) -> Tensor:
    """(N, 1) share of the healthy tissue that is replaced."""
    return 0.25 + 0.75 * brush.severity[:, None]


def _level(brush: Brush, bright: tuple[float, float], dark: tuple[float, float]) -> Tensor:
    """(N, C) intensity from one of two ranges, by sign."""
    shape = brush.sign.shape
    return torch.where(
        brush.sign > 0, brush.draws.uniform(*bright, *shape), brush.draws.uniform(*dark, *shape)
    )


def _tissue(healthy: Tensor, draws: Draws) -> Tensor:
    """1 in tissue, falling to 0 in fluid, which is dark in the scans this holds for (T1, FLAIR)."""
    count = len(healthy)
    edge, width = spread(draws.uniform(0.2, 0.45, count)), spread(draws.uniform(0.04, 0.12, count))
    return torch.sigmoid((healthy - edge) / width)


def _texture(like: Tensor, draws: Draws, coarsest: int, finest: int) -> Tensor:
    size = cast(Size, tuple(like.shape[2:]))
    return smooth_field(len(like), size, draws.integer(coarsest, finest), draws)


def _fluid_level(stacks: Tensor) -> Tensor:
    """(N, C) the 3 % quantile of what is not empty, from every third voxel of each slice: fluid."""
    sample = stacks[..., ::3, ::3].flatten(2).float()
    return torch.where(sample > 0.0, sample, torch.nan).nanquantile(0.03, dim=2).nan_to_num(0.0)
