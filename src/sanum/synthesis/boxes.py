"""Where a lesion lies in a volume (I, J, K): a place drawn by weight, the box around it, distances and noise within."""

from __future__ import annotations

import torch
from torch import Tensor

from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import smooth_field

Box = tuple[slice, slice, slice]

EVERY = 3
"""Places are drawn among every so many voxels along each axis, then moved by up to half of that."""


def coarse(volumes: Tensor) -> Tensor:
    """The voxels (..., I, J, K) among which a place is drawn."""
    return volumes[..., 1::EVERY, 1::EVERY, 1::EVERY]


def place(weight: Tensor, draws: Draws) -> Tensor:
    """(3,) a voxel drawn in proportion to `weight` (I, J, K), of every third along each axis."""
    return coarse_place(coarse(weight), draws)


def coarse_place(weight: Tensor, draws: Draws) -> Tensor:
    """(3,) a voxel, drawn in proportion to a weight that is `coarse` already."""
    flat = int(draws.choose(weight.flatten() + 1e-9, 1))
    index = torch.stack(torch.unravel_index(torch.tensor(flat), weight.shape))
    return EVERY * index + 1.0 + draws.uniform(-EVERY / 2, EVERY / 2, 3)


def box_around(centre: Tensor, reach: float, shape: torch.Size) -> Box:
    """The part of the volume within `reach` voxels of a place along each axis; at least 4 voxels a side."""
    i, j, k = (
        slice(int(min(max(middle - reach, 0), side - 4)), int(max(min(middle + reach + 1, side), 4)))
        for middle, side in zip(centre.tolist(), shape, strict=True)
    )
    return i, j, k


def offsets(box: Box, centre: Tensor, device: torch.device) -> Tensor:
    """(3, I, J, K) position of each voxel of the box relative to `centre`."""
    axes = [torch.arange(part.start, part.stop, dtype=torch.float32, device=device) for part in box]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")) - centre[:, None, None, None]


def stretched(offset: Tensor, most: float, draws: Draws) -> Tensor:
    """(I, J, K) length of offsets (3, I, J, K) in a random frame, its axes stretched up to `most` times."""
    return in_frame(offset, most, draws).square().sum(0).sqrt()


def in_frame(offset: Tensor, most: float, draws: Draws) -> Tensor:
    """Offsets (3, I, J, K) along the axes of a random frame, stretched up to `most` times."""
    frame = torch.linalg.qr(draws.normal(3, 3)).Q / draws.log_uniform(most**-0.5, most**0.5, 3, 1)
    return torch.einsum("de,eijk->dijk", frame, offset)


def roughness(like: Tensor, draws: Draws, *, coarsest: int, finest: int) -> Tensor:
    """(I, J, K) smooth noise of about unit variance, `coarsest` to `finest` cells along the longest side of `like`."""
    i, j, k = like.shape[1:]
    return smooth_field(1, (i, j, k), draws.integer(coarsest, finest), draws, octaves=2)[0, 0]
