"""A judge of pixels: fixed features of several scales, and a small perceptron over them.

Where training data and time are short, fixed features learn in hundreds of steps what a network of free filters
needs tens of thousands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

COARSE = 2
"""Side of the pixel blocks that are averaged before features are taken."""

SCALES = (2, 4, 8, 16)
"""Widths of the neighbourhoods that features average over, in blocks; each doubles the one before."""

RARE = -3.0
"""First guess of the log-odds: about 5 %."""


class Judge(nn.Module):
    """Views (N, V, H, W) and maps (N, P, H, W) to log-odds (N, outputs, H, W).

    Of every channel: its value and its mean over `SCALES`. Of a view besides: its spread over two of them, the
    difference from its mirror image along H, and its mean and spread over the whole slice. And the place.

    Args:
        views: channels that show tissue.
        maps: further channels.
        outputs: log-odds a pixel.
        hidden: widths of the perceptron's hidden layers.
    """

    def __init__(self, views: int, maps: int, outputs: int, hidden: Sequence[int]) -> None:
        super().__init__()
        features = (views + maps) * (1 + len(SCALES)) + views * (2 + 2 + 2) + 2
        widths = (features, *hidden)
        layers: list[nn.Module] = [nn.BatchNorm2d(features, affine=False)]
        for before, width in pairwise(widths):
            layers += [nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        self.perceptron = nn.Sequential(*layers, nn.Conv2d(widths[-1], outputs, 1))
        last = self.perceptron[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.trunc_normal_(last.weight, std=0.01)
        assert last.bias is not None
        nn.init.constant_(last.bias, RARE)

    def forward(self, views: Tensor, maps: Tensor, places: Tensor) -> Tensor:
        """Judge a batch; `places` (N, 2, H, W) is each pixel's position, −1 to 1."""
        size = views.shape[2:]
        small = [functional.avg_pool2d(part, COARSE, ceil_mode=True) for part in (views, maps, places)]
        log_odds = self.perceptron(torch.cat(_features(*small), dim=1)).float()
        return functional.interpolate(log_odds, size=size, mode="bilinear", align_corners=False)


def _features(views: Tensor, maps: Tensor, places: Tensor) -> list[Tensor]:
    every, shown = torch.cat([views, maps], dim=1), views.shape[1]
    pyramid = _means(every)
    squares = _means(views.square())
    spreads = [(squares[n] - pyramid[n][:, :shown].square()).clamp_min(1e-6).sqrt() for n in (2, 3)]
    mirrored = [part - part.flip(2) for part in (pyramid[1][:, :shown], pyramid[3][:, :shown])]
    inside = (views.amax(1, keepdim=True) > 0).float()
    size = inside.sum((2, 3), keepdim=True).clamp_min(1.0)
    middle = (views * inside).sum((2, 3), keepdim=True) / size
    wide = (((views - middle) * inside).square().sum((2, 3), keepdim=True) / size).sqrt()
    whole = [part.expand_as(views) for part in (middle, wide)]
    return [*pyramid, *spreads, *mirrored, *whole, places]


def _means(channels: Tensor) -> list[Tensor]:
    """The channels, and their means over each of `SCALES`, enlarged again: halved and halved."""
    size, coarse, found = channels.shape[2:], channels, [channels]
    for _ in SCALES:
        coarse = functional.avg_pool2d(coarse, 2, ceil_mode=True, count_include_pad=False)
        found.append(functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False))
    return found
