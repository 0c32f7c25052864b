"""A small 3D U-Net (Çiçek et al. 2016) that is quick on a CPU."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUP = 8
"""Channels that are normalised together (Wu and He 2018): batches of whole volumes are too small for statistics."""


class UNet3d(nn.Module):
    """Volumes (N, inputs, K, I, J) to (N, outputs, K, I, J), without a final activation.

    One 3 x 3 x 3 convolution at the finest level and two at each coarser one on the way down, one on the way up. A level
    is halved by a strided convolution; on the way up it is projected, enlarged, and added. Any size goes through:
    the volume is extended by its edge values and cropped again.

    Args:
        inputs: channels in.
        outputs: channels out.
        widths: feature maps of each level, finest first; multiples of 8.
    """

    def __init__(self, inputs: int, outputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.step = 2 ** (len(widths) - 1)
        first = nn.Sequential(*_layer(inputs, widths[0]), *_layer(widths[0], widths[0]))
        self.inward = nn.ModuleList([first])
        for before, width in pairwise(widths):
            halve = nn.Conv3d(before, width, 2, stride=2)
            self.inward.append(nn.Sequential(halve, *_layer(width, width), *_layer(width, width)))
        steps = list(zip(widths[1:], widths[:-1], strict=True))[::-1]
        self.project = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for coarse, fine in steps)
        self.outward = nn.ModuleList(nn.Sequential(*_layer(fine, fine)) for _, fine in steps)
        self.head = nn.Conv3d(widths[0], outputs, 1)

    def forward(self, volumes: Tensor) -> Tensor:
        """Map a batch."""
        size = volumes.shape[2:]
        missing = [part for side in reversed(size) for part in (0, -side % self.step)]
        features = functional.pad(volumes, missing, mode="replicate")
        skipped: list[Tensor] = []
        for level in self.inward:
            features = level(features)
            skipped.append(features)
        features = skipped.pop()
        for project, level in zip(self.project, self.outward, strict=True):
            coarse = functional.interpolate(project(features), scale_factor=2.0, mode="nearest")
            features = level(skipped.pop() + coarse)
        mapped: Tensor = self.head(features)
        return mapped[:, :, : size[0], : size[1], : size[2]]


class _Convolution(nn.Conv3d):
    """In float32 where only two slices are left.

    There the bfloat16 gradient of the weights is made of memory that nobody wrote (torch 2.13, CPU), now and then NaN.
    """

    def forward(self, volumes: Tensor) -> Tensor:
        if volumes.shape[2] != 2:
            return super().forward(volumes)
        with torch.autocast(volumes.device.type, enabled=False):
            return super().forward(volumes.float())


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return (
        _Convolution(inputs, outputs, 3, padding=1, bias=False),
        nn.GroupNorm(max(1, outputs // GROUP), outputs),
        nn.SiLU(inplace=True),
    )
