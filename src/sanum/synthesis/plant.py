"""Planting lesions: one of a named kind into a case, to evaluate; a random mixture into a batch, to train."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sanum.core.config import later
from sanum.core.errors import ConfigError
from sanum.core.records import Prepared
from sanum.core.units import Channels, Mask
from sanum.synthesis.draws import Draws, spread
from sanum.synthesis.kinds import TRAINING_PAINTS, TRAINING_SHAPES, find_kind
from sanum.synthesis.paints import Brush
from sanum.synthesis.shapes import cut

DARK_LESIONS = ("T1w",)
"""Modalities on which most lesions are darker than brain; on the others they are brighter."""

EDGE = 0.3
"""Softness of the border of a lesion planted for evaluation; see `shapes.cut`."""

BRIGHTEST = 1.2
"""Prepared brains fill [0, 1]; a lesion may outshine them a little."""


def plant(case: Prepared, kind: str, *, size: float, severity: float, seed: int) -> Prepared:
    """Plant one synthetic lesion in a healthy case.

    Args:
        case: any prepared case.
        kind: name of one of `kinds.KINDS`.
        size: of the lesion, in ml (pixels in an image), to within a few per cent.
        severity: above 0 (hardly visible) up to 1 (glaring).
        seed: the same seed plants the same lesion in the same case.

    Returns:
        The case with changed voxels, and its lesion mask.

    Raises:
        ConfigError: unknown kind, or a size or severity out of range.
    """
    chosen = find_kind(kind)
    count = size / (1.0 if case.is_image else case.grid.voxel_ml)
    if not 1.0 <= count <= 0.5 * case.mask.sum():
        unit = "px" if case.is_image else "ml"
        raise ConfigError(
            f"{case.case}: lesion size: expected one voxel to half of the brain, got {size:g} {unit}"
        )
    if not 0.0 < severity <= 1.0:
        raise ConfigError(f"lesion severity: expected above 0 and up to 1, got {severity:g}")
    draws = Draws(seed)
    healthy = torch.from_numpy(np.moveaxis(case.voxels, 3, 1).copy())[None]
    brain = torch.from_numpy(np.moveaxis(case.mask, 2, 0).astype(np.float32))[None, None]
    counts = torch.tensor([count], dtype=torch.float32)
    radius = radius_of(counts, brain)
    soft, lesion = cut(chosen.shape(brain, radius, draws), brain, counts, torch.tensor([EDGE]))
    sign = torch.tensor([[-1.0 if name in DARK_LESIONS else 1.0 for name in case.modalities]])
    if chosen.swelling > 0.0:
        healthy = swollen(healthy, soft, chosen.swelling * radius)
    brush = Brush(draws, sign, torch.tensor([severity]), healthy)
    diseased = _within(chosen.paint(healthy, soft, brush), brain, highest=1.0)
    return replace(case, voxels=_channels(diseased), lesion=_mask(lesion))


@dataclass(frozen=True)
class Mixture:
    """What a batch is planted with for training.

    Attributes:
        healthy: share of the stacks left healthy.
        smallest: least share of the brain in the stack that a lesion takes.
        largest: greatest share; sizes are log-uniform.
        bright: share of the lesions brighter than their surroundings, drawn for each channel.
        mildest: least severity, 0 to 1; severities are uniform from there to 1.
        number: lesions a stack, each drawn by itself; whole volumes teach more with several.
    """

    healthy: float = 0.25
    smallest: float = 0.0015
    largest: float = 0.3
    bright: float = 0.5
    mildest: float = 0.0
    number: int = later(1)


def plant_mixture(healthy: Tensor, brain: Tensor, mixture: Mixture, draws: Draws) -> tuple[Tensor, Tensor]:
    """Plant random lesions of the training kinds in a batch.

    Args:
        healthy: stacks of slices (N, C, K, I, J) in [0, 1].
        brain: (N, 1, K, I, J) in {0, 1}.
        mixture: how often, how large, how visible.
        draws: source of randomness.

    Returns:
        Stacks with lesions, and the lesion masks (N, 1, K, I, J) in {0, 1}.
    """
    diseased, lesion = _planted_once(healthy, brain, mixture, draws)
    for _ in range(mixture.number - 1):
        diseased, further = _planted_once(diseased, brain, mixture, draws)
        lesion = torch.maximum(lesion, further)
    return diseased, lesion


def _planted_once(healthy: Tensor, brain: Tensor, mixture: Mixture, draws: Draws) -> tuple[Tensor, Tensor]:
    count, channels = healthy.shape[:2]
    voxels = draws.log_uniform(mixture.smallest, mixture.largest, count) * brain.flatten(1).sum(1)
    radius, edge = radius_of(voxels, brain), draws.log_uniform(0.05, 0.8, count)
    ill = (~draws.chance(mixture.healthy, count)) & (voxels >= 1.0)
    soft, lesion = torch.zeros_like(brain), torch.zeros_like(brain)
    for (shape, _), rows in zip(TRAINING_SHAPES, dealt(TRAINING_SHAPES, ill, draws), strict=True):
        if len(rows):
            level = shape(brain[rows], radius[rows], draws)
            soft[rows], lesion[rows] = cut(level, brain[rows], voxels[rows], edge[rows])
    brush = Brush(
        draws,
        sign=torch.where(draws.chance(mixture.bright, count, channels), 1.0, -1.0),
        severity=draws.uniform(mixture.mildest, 1.0, count),
        others=healthy,
    )
    diseased = healthy.clone()
    for (paint, _), rows in zip(TRAINING_PAINTS, dealt(TRAINING_PAINTS, ill, draws), strict=True):
        if len(rows):
            diseased[rows] = paint(healthy[rows], soft[rows], brush.part(rows))
    return _within(diseased, brain, highest=BRIGHTEST), lesion


def radius_of(voxels: Tensor, brain: Tensor) -> Tensor:
    """(N,) radius of a ball of so many voxels, or of a cylinder through the stack where that is thinner."""
    thickness = brain.shape[2]
    ball = (3.0 * voxels / (4.0 * math.pi)) ** (1 / 3)
    return torch.maximum(ball, (voxels / (math.pi * thickness)).sqrt())


def swollen(healthy: Tensor, soft: Tensor, reach: Tensor) -> Tensor:
    """Tissue pushed outward from a lesion (mass effect) by up to `reach` (N,) voxels."""
    pressure = _smoothed(soft)
    slope = torch.cat(
        [
            torch.gradient(pressure, dim=axis)[0] if pressure.shape[axis] > 1 else torch.zeros_like(pressure)
            for axis in (2, 3, 4)
        ],
        dim=1,
    )
    steepest = slope.norm(dim=1, keepdim=True).amax(dim=(1, 2, 3, 4), keepdim=True).clamp_min(1e-6)
    inward = slope / steepest * spread(reach)
    size = healthy.shape[2:]
    axes = [torch.arange(side, dtype=torch.float32, device=healthy.device) for side in size]
    source = torch.stack(torch.meshgrid(*axes, indexing="ij"))[None] + inward
    scaled = [2.0 * source[:, axis] / max(size[axis] - 1, 1) - 1.0 for axis in (2, 1, 0)]
    return functional.grid_sample(healthy, torch.stack(scaled, -1), padding_mode="border", align_corners=True)


def _smoothed(soft: Tensor) -> Tensor:
    thick = soft.shape[2] >= 9
    width = (9, 9, 9) if thick else (1, 9, 9)
    padding = cast(tuple[int, int, int], tuple(side // 2 for side in width))
    return functional.avg_pool3d(functional.avg_pool3d(soft, width, 1, padding), width, 1, padding)


def dealt(options: tuple[tuple[object, float], ...], ill: Tensor, draws: Draws) -> list[Tensor]:
    """Deal the stacks that get a lesion to the options by weight: row numbers for each option."""
    weights = torch.tensor([weight for _, weight in options], device=ill.device)
    dealt = draws.choose(weights, len(ill)).masked_fill(~ill, -1)
    return [torch.nonzero(dealt == number)[:, 0] for number in range(len(options))]


def _within(stacks: Tensor, brain: Tensor, highest: float) -> Tensor:
    return stacks.clamp(0.0, highest) * brain


def _channels(stacks: Tensor) -> Channels:
    return np.ascontiguousarray(np.moveaxis(stacks[0].numpy(), 1, 3))


def _mask(lesion: Tensor) -> Mask:
    return np.ascontiguousarray(np.moveaxis(lesion[0, 0].numpy() > 0.5, 0, 2))
