"""Noise as coarse as a lesion, for networks that learn to remove it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sanum.synthesis.draws import Draws

BLOBS = 6
"""Blobs that fall into each channel of a slice."""


def coarse_noise(images: Tensor, cells: int, strength: float, draws: Draws) -> Tensor:
    """White noise on `cells` x `cells` pixels, enlarged linearly (Kascenas et al. 2022), shape of `images`.

    The grid of the coarse pixels is shifted at random, so that its knots lie nowhere in particular.

    Args:
        images: (N, C, I, J), for their shape.
        cells: coarse pixels along each side.
        strength: standard deviation of the coarse noise.
        draws: source of randomness.
    """
    count, channels, *plane = images.shape
    noise = functional.interpolate(
        strength * draws.normal(count, channels, cells, cells), size=plane, mode="bilinear"
    )
    return noise.roll((draws.integer(0, plane[0] - 1), draws.integer(0, plane[1] - 1)), dims=(2, 3))


def blob_noise(images: Tensor, strength: float, draws: Draws) -> Tensor:
    """A few Gaussian blobs of either sign and of 2 to 15 % of the side, shape of `images`.

    Args:
        images: (N, C, I, J), for their shape.
        strength: standard deviation of the blobs' height.
        draws: source of randomness.
    """
    count, channels, *plane = images.shape
    width = draws.log_uniform(0.02, 0.15, count, channels, BLOBS)
    height = strength * draws.normal(count, channels, BLOBS)
    bells = []
    for side in plane:
        axis = torch.linspace(0.0, 1.0, side, device=images.device)
        offset = axis - draws.uniform(0.0, 1.0, count, channels, BLOBS, 1)
        bells.append((-0.5 * (offset / width[..., None]).square()).exp())
    return torch.einsum("ncb,ncbi,ncbj->ncij", height, *bells)
