"""How the channels of a scan are shown to a network: as they are, and through a narrow window where that helps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LEVELS = 200
"""Bins of the histogram over [0, 1] in which the commonest tissue is looked for: 0.005 each."""

LOWEST = 0.1
"""Intensity below which nothing counts as tissue: air and background of a scan that fills [0, 1]."""


def tissue_level(images: Tensor) -> Tensor:
    """The commonest intensity (N,) of images (N, H, W) in [0, 1]: on CT, brain.

    The mode of a smoothed histogram, background left out; 0.5 where nothing is shown.
    """
    count = len(images)
    flat = images.detach().flatten(1).float().clamp(0.0, 1.0)
    bins = (flat * LEVELS).long().clamp_max(LEVELS - 1)
    histogram = torch.zeros((count, LEVELS), device=images.device)
    histogram.scatter_add_(1, bins, (flat > LOWEST).float())
    smooth = torch.nn.functional.avg_pool1d(histogram[:, None], 5, 1, 2)[:, 0]
    level = (smooth.argmax(1).float() + 0.5) / LEVELS
    return torch.where(histogram.sum(1) > 0, level, 0.5)


def windowed(images: Tensor, width: float) -> Tensor:
    """Images (N, H, W) through a window of `width` around their tissue level: 0.5 there, clipped to [0, 1]."""
    level = tissue_level(images)[:, None, None]
    return ((images - level) / width + 0.5).clamp(0.0, 1.0)


def views(images: Tensor, windows: Sequence[float]) -> list[Tensor]:
    """What a network sees of each channel: (N, 1, H, W), or (N, 2, H, W) with the window's view.

    Args:
        images: (N, C, H, W) in [0, 1].
        windows: width of each channel's window; 0 for none.
    """
    shown = []
    for channel, width in zip(images.unbind(1), windows, strict=True):
        each = [channel] if width <= 0.0 else [channel, windowed(channel, width)]
        shown.append(torch.stack(each, dim=1))
    return shown
