"""A whole volume scored by a network of slices across several axes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sanum.core.units import Mask
from sanum.nets.plane_restorer import PlaneRestorer, windows_along

NEVER = -12.0
"""Log-odds of a lesion at the ends of I that training leaves out: no brain on the template reaches there."""

AT_ONCE = 8
"""Slices that are scored together."""


def scored_volume(
    net: PlaneRestorer, volume: Tensor, mask: Mask, told: Tensor, planes: tuple[int, ...], margin: int
) -> tuple[Tensor, Tensor]:
    """Log-odds of a lesion and the restored volume, each (I, J, K), the mean over the planes.

    Args:
        net: trained.
        volume: (I, J, K) in [0, 1].
        mask: (I, J, K); slices without any of it are left out.
        told: (sequences,), see `windows_along`.
        planes: axes across which slices are cut.
        margin: voxels at both ends of I that training leaves out.
    """
    inner = slice(margin, volume.shape[0] - margin)
    log_odds, healthy = torch.full_like(volume, NEVER), volume.clone()
    total = [torch.zeros_like(volume[inner]), torch.zeros_like(volume[inner])]
    for axis in planes:
        others = tuple(other for other in range(3) if other != axis)
        slices = torch.from_numpy(np.flatnonzero(mask[inner].any(axis=others)))
        for which in torch.split(slices, AT_ONCE):
            found = net(windows_along(volume[inner], axis, which, told))
            for whole, mapped in zip(total, found, strict=True):
                whole.movedim(axis, 0)[which] += mapped[:, 0] / len(planes)
    log_odds[inner], healthy[inner] = total
    return log_odds, healthy
