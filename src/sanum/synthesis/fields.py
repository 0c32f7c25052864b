"""Smooth random fields and coordinates over stacks of slices (N, C, K, I, J)."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional

from sanum.synthesis.draws import Draws

Size = tuple[int, int, int]
"""Voxels of a stack along K, I and J."""

INTERPOLATED_STD = 0.65
"""Standard deviation that linear enlargement leaves of unit white noise, averaged over a cell in 2D to 3D."""


def smooth_field(
    count: int, size: Size, cells: int, draws: Draws, *, octaves: int = 3, fall: float = 0.55
) -> Tensor:
    """Random fields (count, 1, K, I, J) of about unit variance: value noise, coarse numbers enlarged.

    Args:
        count: how many.
        size: voxels along K, I and J.
        cells: coarse numbers along the longest side; fewer = smoother.
        draws: source of randomness.
        octaves: layers, each twice as fine as the one before.
        fall: amplitude of a layer relative to the one before.
    """
    total = torch.zeros((count, 1, *size), device=draws.device)
    for octave in range(octaves):
        fine = cells * 2**octave
        coarse = [min(side, max(2, round(fine * side / max(size)))) for side in size]
        layer = functional.interpolate(draws.normal(count, 1, *coarse), size=size, mode="trilinear")
        total += fall**octave * layer
    power = sum(fall ** (2 * octave) for octave in range(octaves))
    return total / (INTERPOLATED_STD * math.sqrt(power))


def positions(size: Size, device: torch.device | str = "cpu") -> Tensor:
    """Voxel positions (3, K, I, J) relative to the middle of the stack."""
    axes = [torch.arange(side, dtype=torch.float32, device=device) - (side - 1) / 2 for side in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def blurred(stacks: Tensor, width: int) -> Tensor:
    """Mean over `width` x `width` voxels of each slice; the rim is averaged over what is there."""
    slices = functional.avg_pool2d(
        stacks.flatten(0, 2)[:, None], width, 1, width // 2, count_include_pad=False
    )
    return slices.view_as(stacks)


def darkest_neighbour(stacks: Tensor) -> Tensor:
    """Minimum over 3 x 3 voxels of each slice: grey-scale erosion."""
    slices = -functional.max_pool2d(-stacks.flatten(0, 2)[:, None], 3, 1, 1)
    return slices.view_as(stacks)


def box_mean(volume: Tensor, width: int) -> Tensor:
    """Mean over `width`³ voxels of (..., I, J, K), one axis after the other: a tenth of the time of pooling in 3D.

    Beyond the ends the last voxel is repeated.
    """
    for axis in (-3, -2, -1):
        volume = functools.reduce(torch.add, _shifts(volume, width, axis)) / width
    return volume


def box_maximum(volume: Tensor, width: int) -> Tensor:
    """Maximum over `width`³ voxels of (..., I, J, K), one axis after the other."""
    for axis in (-3, -2, -1):
        volume = functools.reduce(torch.maximum, _shifts(volume, width, axis))
    return volume


def _shifts(volume: Tensor, width: int, axis: int) -> list[Tensor]:
    """The volume moved by each step of a window along an axis."""
    half, size = width // 2, volume.shape[axis]
    first, last = volume.narrow(axis, 0, 1), volume.narrow(axis, size - 1, 1)
    ends = [
        side.expand(*(half if n == axis % volume.dim() else s for n, s in enumerate(volume.shape)))
        for side in (first, last)
    ]
    padded = torch.cat([ends[0], volume, ends[1]], dim=axis)
    return [padded.narrow(axis, step, size) for step in range(width)]
