"""How healthy scans differ: pose, form, age, contrast, coil, resolution, noise. What a detector must not flag.

All functions take stacks of slices (N, C, K, I, J) in [0, 1] and the brain (N, 1, K, I, J) in {0, 1}.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from sanum.core.config import formerly, later
from sanum.synthesis.draws import Draws, spread
from sanum.synthesis.fields import Size, blurred, darkest_neighbour, smooth_field

KNOTS = (0.0, 0.25, 0.47, 0.75, 1.0)
"""Where a random contrast bends: about fluid, grey and white matter of a prepared T1 scan, and the ends."""

FREEDOM = (0.3, 1.0, 1.0, 1.0, 0.7)
"""How far each knot may move, as a share of the contrast setting: the ends are fixed by preparation."""


@dataclass(frozen=True)
class Augmentation:
    """How much made healthy scans differ from the one they are made of. 0 leaves a property as it is.

    Attributes:
        rotation: standard deviation of rotation and shear, radians.
        scale: greatest relative change of size along each axis.
        shift: standard deviation of translation, as a share of half the slice.
        warp: greatest smooth displacement, as a share of half the slice.
        atrophy: share of the stacks whose fluid spaces widen.
        widening: most voxels by which they widen on each side.
        random_contrast: share of the stacks whose tissues get levels of any order, as if of another sequence.
        contrast: half range of the level of each tissue.
        gamma: standard deviation of the logarithm of the exponent.
        bias: greatest depth of the coil's field.
        noise: greatest standard deviation of noise.
        blur: share of the stacks that lose resolution.
    """

    rotation: float = formerly("turn", 0.12)
    scale: float = 0.10
    shift: float = 0.04
    warp: float = 0.02
    atrophy: float = formerly("ageing", 0.0)
    contrast: float = 0.0
    gamma: float = 0.18
    bias: float = 0.25
    noise: float = 0.05
    blur: float = formerly("coarseness", 0.35)
    widening: int = later(3)
    random_contrast: float = later(0.0, former="foreign")


def moved(stacks: Tensor, brain: Tensor, augmentation: Augmentation, draws: Draws) -> tuple[Tensor, Tensor]:
    """Another pose and form, the same in all slices of a stack; half of the stacks are mirrored along I."""
    count, channels, depth, *plane = stacks.shape
    skew = augmentation.rotation * draws.normal(count, 2, 2)
    turn = torch.matrix_exp((skew - skew.transpose(1, 2)) / 2**0.5)
    scale = draws.log_uniform(1.0 - augmentation.scale, 1.0 + augmentation.scale, count, 2, 1)
    shift = augmentation.shift * draws.normal(count, 2, 1)
    pose = torch.cat([turn * scale, shift], dim=2)
    flat = torch.cat([stacks.flatten(1, 2), brain.flatten(1, 2)], dim=1)
    places = functional.affine_grid(pose, [count, 1, *plane], align_corners=False)
    size = (1, plane[0], plane[1])
    warp = [smooth_field(count, size, draws.integer(3, 7), draws, octaves=1) for _ in range(2)]
    strength = spread(draws.uniform(0.0, augmentation.warp, count))
    places = places + (torch.cat(warp, dim=1) * strength)[:, :, 0].movedim(1, -1)
    flat = functional.grid_sample(flat, places, padding_mode="zeros", align_corners=False)
    flat = torch.where(draws.chance(0.5, count)[:, None, None, None], flat.flip(2), flat)
    inside = (flat[:, channels * depth :] > 0.5).float().view_as(brain)
    return flat[:, : channels * depth].reshape_as(stacks) * inside, inside


def aged(stacks: Tensor, brain: Tensor, augmentation: Augmentation, draws: Draws) -> Tensor:
    """Wider ventricles and sulci: grey-scale erosion wherever fluid, dark on T1 and FLAIR, is next door."""
    rows = torch.nonzero(draws.chance(augmentation.atrophy, len(stacks)))[:, 0]
    if len(rows) == 0:
        return stacks
    count, size = len(rows), cast(Size, tuple(stacks.shape[2:]))
    inside = brain[rows] > 0.5
    old = torch.where(inside, stacks[rows], 1.0)
    fluid = spread(draws.uniform(0.2, 0.38, count))
    strength = spread(draws.uniform(0.2, 1.2, count)) + 0.5 * smooth_field(count, size, 4, draws, octaves=1)
    for _ in range(draws.integer(1, augmentation.widening)):
        darkest = darkest_neighbour(old)
        wet = torch.sigmoid((fluid - darkest) / 0.04)
        old = torch.lerp(old, darkest, (strength * wet).clamp(0.0, 1.0))
    return stacks.index_put((rows,), old * inside)


def recontrasted(stacks: Tensor, augmentation: Augmentation, draws: Draws) -> Tensor:
    """A random monotone map of intensity, in straight pieces between `KNOTS`; one for each stack."""
    knots = torch.tensor(KNOTS, device=stacks.device)
    freedom = augmentation.contrast * torch.tensor(FREEDOM, device=stacks.device)
    levels = (knots + freedom * draws.uniform(-1.0, 1.0, len(stacks), len(KNOTS))).sort(dim=1).values
    return _bent(stacks, levels)


def of_another_sequence(stacks: Tensor, augmentation: Augmentation, draws: Draws) -> Tensor:
    """Fluid, grey and white matter of some stacks at levels of any order (in the manner of SynthSeg, Billot et al. 2023).

    The stacks are T1w, where intensity tells tissues apart; lesions are planted after this, not before.
    """
    if augmentation.random_contrast == 0.0:
        return stacks
    rows = torch.nonzero(draws.chance(augmentation.random_contrast, len(stacks)))[:, 0]
    fluid, grey, white = draws.uniform(0.0, 1.0, 3, len(rows))
    levels = torch.stack([fluid, fluid, grey, white, white], dim=1)
    lowest, highest = levels.amin(1, keepdim=True), levels.amax(1, keepdim=True)
    low, high = draws.uniform(0.05, 0.35, len(rows), 1), draws.uniform(0.5, 0.9, len(rows), 1)
    levels = torch.lerp(low, high, (levels - lowest) / (highest - lowest).clamp_min(1e-6))
    return stacks.index_put((rows,), _bent(stacks[rows], levels).clamp_min(0.02) * (stacks[rows] > 0.0))


def _bent(stacks: Tensor, levels: Tensor) -> Tensor:
    """Intensity at `KNOTS` moved to `levels` (N, knots), in straight pieces between."""
    mapped = spread(levels[:, 0])
    for low, high, start, end in zip(KNOTS, KNOTS[1:], levels.T, levels.T[1:], strict=False):
        slope = spread((end - start) / (high - low))
        mapped = mapped + slope * (stacks - low).clamp(0.0, high - low)
    return mapped


def imaged(
    stacks: Tensor, restored: Tensor, brain: Tensor, augmentation: Augmentation, draws: Draws
) -> tuple[Tensor, Tensor]:
    """Another scanner: gamma, coil field, resolution, gain and noise.

    Args:
        stacks: what is scanned.
        restored: the same person without the lesion: it undergoes the same, but for noise.
        brain: what is not background.
        augmentation: how much.
        draws: source of randomness.
    """
    count, channels = stacks.shape[:2]
    both = torch.cat([stacks, restored], dim=1).clamp_min(1e-4)
    both = both.pow(spread((augmentation.gamma * draws.normal(count)).exp()))
    size = cast(Size, tuple(stacks.shape[2:]))
    coil = smooth_field(count, size, 3, draws, octaves=1)
    both = both * (spread(draws.uniform(0.0, augmentation.bias, count)) * 0.7 * coil).exp()
    both = _coarser(both, augmentation, draws)
    both = both * spread(draws.uniform(0.85, 1.1, count)) + spread(draws.uniform(-0.06, 0.06, count))
    noisy = both[:, :channels] + _noise(stacks, augmentation, draws)
    return noisy.clamp(0.0, 1.2) * brain, both[:, channels:].clamp(0.0, 1.2) * brain


def _coarser(stacks: Tensor, augmentation: Augmentation, draws: Draws) -> Tensor:
    rows = torch.nonzero(draws.chance(augmentation.blur, len(stacks)))[:, 0]
    if len(rows) == 0:
        return stacks
    share = spread(draws.uniform(0.0, 1.0, len(rows)))
    return stacks.index_put((rows,), torch.lerp(stacks[rows], blurred(stacks[rows], 3), share))


def _noise(stacks: Tensor, augmentation: Augmentation, draws: Draws) -> Tensor:
    """White noise, or in half of the stacks noise as wide as two voxels."""
    count = len(stacks)
    fine = draws.normal(*stacks.shape)
    coarse = 2.5 * blurred(fine, 3)
    kind = torch.where(spread(draws.chance(0.5, count).float()) > 0.0, fine, coarse)
    return kind * spread(augmentation.noise * draws.uniform(0.0, 1.0, count).square())
