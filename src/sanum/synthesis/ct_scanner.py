"""What a CT scanner makes of the inside of a skull on the model grid, and the grey scale in which it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import Size, box_maximum, box_mean, smooth_field
from sanum.synthesis.made_volumes import VolumeAugmentation, coarse

LOWEST_HU, BRAIN_HU, HIGHEST_HU = -20.0, 80.0, 180.0
BRAIN_SHARE = 0.8
"""Part of the grey scale that the brain's window has; what is denser shares the rest."""

BONE_HU = 1000.0


@dataclass(frozen=True)
class CtScans:
    """How CT scanners differ, in Hounsfield units on the model grid.

    Attributes:
        noise: greatest standard deviation of noise; most scans have a third of it or less.
        offset: standard deviation of an error of the whole scale.
        cupping: greatest depth of a smooth field.
        shine: greatest brightening below thick bone.
        bands: greatest depth of bands across the base.
        leak: share of the volumes whose mask holds something else: air cells, muscle, eyes.
    """

    noise: float = 9.0
    offset: float = 1.5
    cupping: float = 3.0
    shine: float = 25.0
    bands: float = 8.0
    leak: float = 0.4


def ct_view(hounsfield: Tensor) -> Tensor:
    """Hounsfield units as the network sees them, in [0, 1]: the brain's window fills most of the scale."""
    brain = ((hounsfield - LOWEST_HU) / (BRAIN_HU - LOWEST_HU)).clamp(0.0, 1.0)
    dense = ((hounsfield - BRAIN_HU) / (HIGHEST_HU - BRAIN_HU)).clamp(0.0, 1.0)
    return BRAIN_SHARE * brain + (1.0 - BRAIN_SHARE) * dense


def hounsfield_of(view: Tensor) -> Tensor:
    """Inverse of `ct_view`, from `LOWEST_HU` to `HIGHEST_HU`."""
    brain = LOWEST_HU + (view / BRAIN_SHARE).clamp(0.0, 1.0) * (BRAIN_HU - LOWEST_HU)
    dense = ((view - BRAIN_SHARE) / (1.0 - BRAIN_SHARE)).clamp(0.0, 1.0)
    return brain + dense * (HIGHEST_HU - BRAIN_HU)


def scanned(
    both: Tensor, inside: Tensor, how: CtScans, shape: VolumeAugmentation, draws: Draws
) -> tuple[Tensor, Tensor, Tensor]:
    """Bone around the brain, resolution, faults and noise.

    Args:
        both: (2, 1, I, J, K) in HU, with and without lesion; both undergo the same, but for noise.
        inside: (I, J, K) in {0, 1}, the room within the skull.
        how: the scanner.
        shape: of it the resolution is used.
        draws: source of randomness.

    Returns:
        The first with noise, the second, and the mask that a tool would give; each (I, J, K).
    """
    size = cast(Size, tuple(inside.shape))
    outside = 1.0 - inside
    both = both * inside + outside * draws.number(0.5, 1.5) * BONE_HU
    if draws.happens(how.leak):
        both = _leaking(both, outside, draws)
    both = coarse(box_mean(both, 3) * 0.5 + 0.5 * both, shape, draws)
    room = _mask(both[1, 0], inside, draws)
    both = both + _faults(outside, how, draws) * (both < 200.0)
    noise = draws.normal(*size)
    if draws.happens(0.7):
        noise = 2.2 * box_mean(noise, 3)
    path = 0.6 + 0.8 * box_mean(box_mean(inside, 15), 9)
    return both[0, 0] + how.noise * draws.number() ** 2 * path * noise, both[1, 0], room


def _leaking(both: Tensor, outside: Tensor, draws: Draws) -> Tensor:
    """Soft tissue or air in place of bone here and there, next to the brain."""
    size = cast(Size, tuple(outside.shape))
    patch = (
        smooth_field(1, size, draws.integer(5, 12), draws, octaves=2)[0, 0] > draws.number(1.0, 2.0)
    ).float()
    other = draws.number(-60.0, 90.0) + 15.0 * smooth_field(1, size, 30, draws, octaves=2)[0, 0]
    return torch.lerp(both, other.expand_as(both), (patch * outside).expand_as(both))


def _mask(healthy: Tensor, inside: Tensor, draws: Draws) -> Tensor:
    """Soft voxels inside, and a little beyond where there is no bone."""
    soft = (healthy < draws.number(90.0, 150.0)) & (healthy > -40.0)
    near = box_maximum(inside, 2 * draws.integer(0, 2) + 1)
    mask = torch.maximum(near * soft, (box_mean(inside, 3) > 0.99).float())
    if draws.happens(0.15):
        cut = draws.integer(2, mask.shape[2] // 6)
        mask = mask.clone()
        mask[..., -cut:] = 0.0
    return mask


def _faults(outside: Tensor, how: CtScans, draws: Draws) -> Tensor:
    """Hounsfield units that are wrong: bright near bone, cupped, banded across the base."""
    size = cast(Size, tuple(outside.shape))
    found = (
        how.offset * draws.normal(1)
        + draws.number(0.0, how.cupping) * smooth_field(1, size, 3, draws, octaves=1)[0, 0]
    )
    near = box_mean(box_mean(outside, 7), 5)
    found = found + draws.number() ** 2 * how.shine * near.square()
    if draws.happens(0.6):
        lines = box_mean(draws.normal(1, size[1], size[2]), 3)
        low = 1.0 - torch.linspace(0.0, 2.2, size[2])
        found = found + draws.number() ** 2 * how.bands * 3.0 * lines * low.clamp_min(0.0)
    return found
