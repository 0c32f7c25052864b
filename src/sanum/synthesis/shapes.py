"""Where a lesion lies. A shape is a level: the lower, the deeper inside; its size decides the level it is cut at.

Every shape takes the brain (N, 1, K, I, J) in {0, 1}, a radius (N,) in voxels, which sets the scale of its
form, and the source of randomness, and gives the level (N, 1, K, I, J), about in voxels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from sanum.synthesis.draws import Draws, spread
from sanum.synthesis.fields import Size, positions, smooth_field

Shape = Callable[[Tensor, Tensor, Draws], Tensor]

OUTSIDE = 1e6
"""Level outside the brain."""


def ball(brain: Tensor, radius: Tensor, draws: Draws) -> Tensor:
    """A smooth ball."""
    del radius
    return _distance(_size(brain), _centres(brain, draws), draws, stretch=1.0)


def egg(brain: Tensor, radius: Tensor, draws: Draws) -> Tensor:
    """A smooth stretched ball."""
    del radius
    return _distance(_size(brain), _centres(brain, draws), draws, stretch=2.0)


def rough_ball(brain: Tensor, radius: Tensor, draws: Draws) -> Tensor:
    """A stretched ball with an irregular border."""
    size, count = _size(brain), len(brain)
    rough = smooth_field(count, size, draws.integer(4, 13), draws)
    depth = spread(draws.uniform(0.1, 0.7, count) * radius)
    return _distance(size, _centres(brain, draws), draws, stretch=3.0) + depth * rough


def spots(brain: Tensor, radius: Tensor, draws: Draws) -> Tensor:
    """Several small foci, strewn over the brain or in one neighbourhood."""
    size, count = _size(brain), len(brain)
    home, strewn = _centres(brain, draws), draws.chance(0.5, count, 1)
    level = torch.full((), OUTSIDE, device=brain.device)
    for _ in range(draws.integer(2, 6)):
        near = home + 2.5 * radius[:, None] * draws.normal(count, 3)
        centre = torch.where(strewn, _centres(brain, draws), near)
        each = _distance(size, centre, draws, stretch=2.0) * spread(draws.log_uniform(0.6, 2.0, count))
        level = torch.minimum(level, each)
    return level + spread(draws.uniform(0.0, 0.3, count) * radius) * smooth_field(count, size, 12, draws)


def territory(brain: Tensor, radius: Tensor, draws: Draws) -> Tensor:
    """A sector that opens from near the middle to the surface, like the bed of one artery."""
    size, count = _size(brain), len(brain)
    apex = draws.normal(count, 3) * 0.08 * torch.tensor(size, device=brain.device)
    axis = _centres(brain, draws) - apex
    length = axis.norm(dim=1).clamp_min(4.0)
    offset = positions(size, brain.device)[None] - apex[:, :, None, None, None]
    along = (offset * (axis / length[:, None])[:, :, None, None, None]).sum(1, keepdim=True)
    out = offset.square().sum(1, keepdim=True).sqrt()
    across = (out.square() - along.square()).clamp_min(0.0).sqrt()
    sector = torch.atan2(across, along) * out.clamp_min(5.0)
    inner = 1.5 * (spread(draws.uniform(0.1, 0.8, count) * length) - out) + spread(radius)
    depth = spread(draws.uniform(0.15, 0.6, count) * radius)
    return torch.maximum(sector, inner) + depth * smooth_field(count, size, draws.integer(4, 9), draws)


def infiltrate(brain: Tensor, radius: Tensor, draws: Draws) -> Tensor:
    """A ragged region with islands and fingers."""
    size, count = _size(brain), len(brain)
    ragged = smooth_field(count, size, draws.integer(5, 11), draws, fall=0.6)
    depth = spread(draws.uniform(0.3, 1.0, count) * radius)
    return _distance(size, _centres(brain, draws), draws, stretch=2.5) + depth * ragged


def ribbon(brain: Tensor, radius: Tensor, draws: Draws) -> Tensor:
    """A stretch of the cortex."""
    size, count = _size(brain), len(brain)
    inside = _depth(brain)
    centres = _centres(brain * (inside < 0.93) + 1e-4 * brain, draws)
    rough = spread(draws.uniform(0.1, 0.5, count) * radius) * smooth_field(count, size, 10, draws)
    pull = spread((2.5 * radius + 6.0) * draws.uniform(0.3, 1.5, count))
    return 0.6 * _distance(size, centres, draws, stretch=2.0) + pull * inside + rough


def surface_ball(brain: Tensor, radius: Tensor, draws: Draws) -> Tensor:
    """A smooth ball that touches the surface of the brain."""
    del radius
    near_surface = brain * (_depth(brain) < 0.9) + 1e-4 * brain
    return _distance(_size(brain), _centres(near_surface, draws), draws, stretch=1.3)


def cut(level: Tensor, brain: Tensor, count: Tensor, edge: Tensor) -> tuple[Tensor, Tensor]:
    """Cut a level so that `count` voxels of the brain lie inside.

    Args:
        level: (N, 1, K, I, J), lower = deeper inside.
        brain: (N, 1, K, I, J) in {0, 1}.
        count: (N,) voxels wanted.
        edge: (N,) in (0, 1): the soft border reaches from (1 − edge)·count to (1 + edge)·count voxels.

    Returns:
        Soft membership (N, 1, K, I, J) in [0, 1], one half at the border; and the mask, in {0, 1}.
    """
    inside = level.masked_fill(brain < 0.5, OUTSIDE)
    step = [1 if side < 4 else 2 for side in _size(brain)]
    sample = inside[:, 0, :: step[0], :: step[1], :: step[2]].flatten(1).sort(dim=1).values
    last = (sample < OUTSIDE / 2).sum(1).clamp_min(1) - 1
    share = 1.0 / (step[0] * step[1] * step[2])

    def level_of(voxels: Tensor) -> Tensor:
        rank = (voxels * share).long().clamp_min(0).minimum(last)
        return spread(sample.gather(1, rank[:, None])[:, 0])

    border = level_of(count)
    within = (border - level_of(count * (1.0 - edge))).clamp_min(0.4)
    beyond = (level_of(count * (1.0 + edge)) - border).clamp_min(0.4)
    soft = 0.5 + 0.5 * torch.where(inside <= border, (border - inside) / within, (border - inside) / beyond)
    return soft.clamp(0.0, 1.0) * brain, ((inside <= border) & (brain > 0.5)).float()


def _size(brain: Tensor) -> Size:
    return cast(Size, tuple(brain.shape[2:]))


def _centres(weight: Tensor, draws: Draws) -> Tensor:
    """One position (N, 3) a stack, drawn in proportion to `weight`, relative to the middle of the stack."""
    step = [4 if side >= 32 else 2 if side >= 4 else 1 for side in _size(weight)]
    low = weight[:, 0, step[0] // 2 :: step[0], step[1] // 2 :: step[1], step[2] // 2 :: step[2]]
    flat = draws.choose(low.flatten(1) + 1e-9, 1)[:, 0]
    index = torch.stack(torch.unravel_index(flat, low.shape[1:]), dim=1)
    steps = torch.tensor(step, device=weight.device)
    middle = (torch.tensor(_size(weight), device=weight.device) - 1) / 2
    return index * steps + steps // 2 - middle + (draws.uniform(-0.5, 0.5, len(weight), 3) * steps)


def _distance(size: Size, centres: Tensor, draws: Draws, *, stretch: float) -> Tensor:
    """Distance from each centre (N, 3) in voxels, in a random frame stretched up to `stretch` times."""
    count = len(centres)
    frame = torch.linalg.qr(draws.normal(count, 3, 3).cpu()).Q.to(centres.device)
    if stretch > 1.0:
        frame = frame / draws.log_uniform(stretch**-0.5, stretch**0.5, count, 3, 1)
    offset = positions(size, centres.device)[None] - centres[:, :, None, None, None]
    turned = torch.einsum("nde,nekij->ndkij", frame, offset)
    return turned.square().sum(1, keepdim=True).sqrt()


def _depth(brain: Tensor) -> Tensor:
    """How far inside the brain's outline a voxel lies within its slice: 1 deep inside, about 0.5 at the rim."""
    slices = brain.flatten(0, 2)[:, None]
    for _ in range(2):
        slices = functional.avg_pool2d(slices, 9, 1, 4)
    return slices.view_as(brain)
