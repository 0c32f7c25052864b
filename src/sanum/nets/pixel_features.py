"""Fixed features of pixels at several scales, for a judge that shall learn from few scans in little time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 2
"""Side of the pixel blocks that are averaged before features are taken."""

OCTAVES = 4
"""Neighbourhoods of 2, 4, 8 and 16 blocks; each doubles the one before."""

BESIDE = ((2, 4), (3, 8))
"""Neighbourhoods (doublings) that are also looked at so many blocks away."""


def pixel_features(views: Tensor, maps: Tensor, places: Tensor) -> Tensor:
    """Features (N, F, H/2, W/2), sides rounded up.

    Of every channel, and of the head's outline: its value, its means over growing neighbourhoods, and three differences
    of these. Of a view besides: its spread within three neighbourhoods, its difference from the mirror image along H at
    three scales, its place within the values of its own slice, in standard deviations, and what lies some way off in
    four directions. And the position.

    Args:
        views: channels that show tissue, (N, V, H, W), 0 outside the head.
        maps: further channels, (N, P, H, W).
        places: each pixel's position, (N, 2, H, W).
    """
    views, maps, places = (
        functional.avg_pool2d(part, BLOCK, ceil_mode=True) for part in (views, maps, places)
    )
    inside = (views.amax(1, keepdim=True) > 0).float()
    every, shown = torch.cat([views, maps, inside], dim=1), views.shape[1]
    means, squares = _means(every), _means(views.square())
    own = [part[:, :shown] for part in means]
    contrasts = [means[n] - means[n + 2] for n in (0, 1, 2)]
    spreads = [(squares[n] - own[n].square()).clamp_min(0.0).sqrt() for n in (1, 2, 3)]
    mirrored = [own[n] - own[n].flip(2) for n in (1, 2, 3)]
    size = inside.sum((2, 3), keepdim=True).clamp_min(1.0)
    middle = (views * inside).sum((2, 3), keepdim=True) / size
    wide = (((views - middle) * inside).square().sum((2, 3), keepdim=True) / size).sqrt().clamp_min(1e-3)
    ranked = [(own[n] - middle) / wide for n in (1, 2)]
    beside = [
        _from(own[scale], way, axis) for scale, step in BESIDE for axis in (2, 3) for way in (-step, step)
    ]
    return torch.cat([*means, *contrasts, *spreads, *mirrored, *ranked, *beside, places], dim=1)


def _from(channels: Tensor, way: int, axis: int) -> Tensor:
    """What lies `way` blocks further along an axis; 0 beyond the slice."""
    steps = min(abs(way), channels.shape[axis])
    kept = channels.narrow(axis, steps if way > 0 else 0, channels.shape[axis] - steps)
    beyond = torch.zeros_like(channels.narrow(axis, 0, steps))
    return torch.cat([kept, beyond] if way > 0 else [beyond, kept], dim=axis)


def _means(channels: Tensor) -> list[Tensor]:
    """The channels, and their means over each neighbourhood, enlarged again: halved and halved."""
    size, coarse, found = channels.shape[2:], channels, [channels]
    for _ in range(OCTAVES):
        coarse = functional.avg_pool2d(coarse, 2, ceil_mode=True, count_include_pad=False)
        found.append(functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False))
    return found
