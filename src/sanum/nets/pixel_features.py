"""Fixed features of pixels at several scales, for a judge that shall learn from few scans in little time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 2
"""Side of the pixel blocks that are averaged before features are taken."""

OCTAVES = 4
"""Neighbourhoods of 2, 4, 8 and 16 blocks; each doubles the one before."""


def pixel_features(views: Tensor, maps: Tensor, places: Tensor) -> Tensor:
    """Features (N, F, H/2, W/2), sides rounded up.

    Of every channel: its value, its means over growing neighbourhoods, and two differences of these. Of a view
    besides: its spread within two neighbourhoods, its difference from the mirror image along H at two scales, and
    its place within the values of its own slice, in standard deviations. And the position.

    Args:
        views: channels that show tissue, (N, V, H, W), 0 outside the head.
        maps: further channels, (N, P, H, W).
        places: each pixel's position, (N, 2, H, W).
    """
    views, maps, places = (
        functional.avg_pool2d(part, BLOCK, ceil_mode=True) for part in (views, maps, places)
    )
    every, shown = torch.cat([views, maps], dim=1), views.shape[1]
    means, squares = _means(every), _means(views.square())
    contrasts = [means[1] - means[3], means[2] - means[4]]
    spreads = [(squares[n] - means[n][:, :shown].square()).clamp_min(0.0).sqrt() for n in (2, 3)]
    mirrored = [part - part.flip(2) for part in (means[1][:, :shown], means[3][:, :shown])]
    inside = (views.amax(1, keepdim=True) > 0).float()
    size = inside.sum((2, 3), keepdim=True).clamp_min(1.0)
    middle = (views * inside).sum((2, 3), keepdim=True) / size
    wide = (((views - middle) * inside).square().sum((2, 3), keepdim=True) / size).sqrt().clamp_min(1e-3)
    ranked = [(part[:, :shown] - middle) / wide for part in (means[1], means[2])]
    return torch.cat([*means, *contrasts, *spreads, *mirrored, *ranked, places], dim=1)


def _means(channels: Tensor) -> list[Tensor]:
    """The channels, and their means over each neighbourhood, enlarged again: halved and halved."""
    size, coarse, found = channels.shape[2:], channels, [channels]
    for _ in range(OCTAVES):
        coarse = functional.avg_pool2d(coarse, 2, ceil_mode=True, count_include_pad=False)
        found.append(functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False))
    return found
