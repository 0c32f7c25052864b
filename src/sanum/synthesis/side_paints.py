"""What the training faults of pairs look like besides the paints of single scans: foreign substances and artefacts.

As every paint, these take stacks of one modality (N, 1, K, I, J), a soft membership in [0, 1] and a `Brush`, and give
stacks that are not clipped. None knows a disease: levels are those of other tissue of the same head, whatever it is.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor

from sanum.synthesis.draws import Draws, spread
from sanum.synthesis.fields import Size, blurred, positions, smooth_field
from sanum.synthesis.kinds import TRAINING_PAINTS
from sanum.synthesis.paints import Brush, Paint

LIKE = (0.04, 0.25)
"""Half width of the band of intensities that counts as one tissue."""

FAINTEST_ARTEFACT, STRONGEST_ARTEFACT = 0.08, 0.5
"""Amplitude of ripples and grain at severity 0 and 1."""


def borrowed(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """One even intensity: that of some other place of the same slice, or any of its range."""
    draws, count = brush.draws, len(healthy)
    texture = spread(draws.uniform(0.0, 0.08, count)) * _grain(healthy, draws)
    substance = spread(_some_level(healthy, draws)) + texture
    solid = (spread(draws.uniform(1.0, 2.5, count)) * soft).clamp_max(1.0)
    return torch.lerp(healthy, substance, solid * (0.4 + 0.6 * spread(brush.severity)))


def smeared(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """All structure is washed out, over a few pixels or over many."""
    washed = healthy
    for _ in range(brush.draws.integer(2, 6)):
        washed = blurred(washed, 5)
    return torch.lerp(healthy, washed, soft * (0.5 + 0.5 * spread(brush.severity)))


def rippled(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """Waves of one direction and length run through."""
    draws, count = brush.draws, len(healthy)
    size = cast(Size, tuple(healthy.shape[2:]))
    where = positions(size, healthy.device)
    angle, length = draws.uniform(0.0, math.pi, count), draws.log_uniform(3.0, 24.0, count)
    along = spread(angle.cos()) * where[None, 1:2] + spread(angle.sin()) * where[None, 2:3]
    waves = torch.sin(2.0 * math.pi * along / spread(length) + spread(draws.uniform(0.0, 6.3, count)))
    return healthy + spread(_amplitude(brush)) * waves * soft


def grained(healthy: Tensor, soft: Tensor, brush: Brush) -> Tensor:
    """Noise, as fine as pixels or coarser."""
    noise = brush.draws.normal(*healthy.shape)
    for _ in range(brush.draws.integer(0, 2)):
        noise = 2.0 * blurred(noise, 3)
    return healthy + 0.5 * spread(_amplitude(brush)) * noise * soft


PAIR_PAINTS: tuple[tuple[Paint, float], ...] = (
    *((paint, 0.55 * weight) for paint, weight in TRAINING_PAINTS),
    (borrowed, 0.30),
    (smeared, 0.05),
    (rippled, 0.05),
    (grained, 0.05),
)
"""Paints that pairs are taught with, and how often."""


def one_tissue(images: Tensor, soft: Tensor, lesion: Tensor, draws: Draws) -> Tensor:
    """Share (N, 1, K, I, J) in [0, 1] of each voxel that is of one tissue: like a voxel drawn within the lesion."""
    chosen = draws.choose(lesion.flatten(1) + 1e-9, 1)
    seed = images.flatten(1).gather(1, chosen)[:, 0]
    width = spread(draws.log_uniform(*LIKE, len(images)))
    away = (images - spread(seed)).abs() / width
    return (2.0 - 2.0 * away).clamp(0.0, 1.0) * (soft > 0.0)


def _some_level(images: Tensor, draws: Draws) -> Tensor:
    """(N,) intensity: of a voxel of the head, or of its range evenly."""
    count, flat = len(images), images.flatten(1)
    voxel = flat.gather(1, draws.choose((flat != 0.0).float() + 1e-9, 1))[:, 0].clamp(-0.5, 1.5)
    return torch.where(draws.chance(0.5, count), voxel, draws.uniform(0.0, 1.1, count))


def _amplitude(brush: Brush) -> Tensor:
    """(N,), each magnitude as likely as severity is even."""
    return FAINTEST_ARTEFACT * (STRONGEST_ARTEFACT / FAINTEST_ARTEFACT) ** brush.severity


def _grain(like: Tensor, draws: Draws) -> Tensor:
    return smooth_field(len(like), cast(Size, tuple(like.shape[2:])), draws.integer(8, 50), draws)
