"""Blood where only blood lies: between brain and skull, in the furrows and cisterns, in the ventricles."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor

from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import Size, box_mean, smooth_field
from sanum.synthesis.local_lesions import Lesions

PLACES: tuple[tuple[str, float], ...] = (("layer", 0.45), ("furrows", 0.35), ("ventricles", 0.2))

ACUTE, OLD = (0.58, 1.15), (0.2, 0.5)
"""Level of fresh and of old blood, in 80 HU."""

FRESH = 0.75
"""Share of the layers that are fresh."""


def plant_blood(
    image: Tensor, tissues: Tensor, inside: Tensor, lesions: Lesions, draws: Draws
) -> tuple[Tensor, Tensor]:
    """One or two bleeds.

    Args:
        image: (I, J, K) in units of 80 HU.
        tissues: (T, I, J, K) memberships.
        inside: (I, J, K) in {0, 1}, the room within the skull.
        lesions: sizes.
        draws: source of randomness.

    Returns:
        The image with blood, and where it is (I, J, K) in {0, 1}.
    """
    marked = torch.zeros_like(inside)
    for _ in range(draws.integer(1, 2)):
        place = draws.pick(PLACES)
        voxels = float(draws.log_uniform(lesions.smallest, lesions.largest, 1))
        if place == "layer":
            soft = _layer(inside, voxels, draws)
        else:
            fluid = tissues[1] if place == "furrows" else tissues[0]
            soft = fluid * _region(fluid, voxels, draws)
        ends = ACUTE if place != "layer" or draws.happens(FRESH) else OLD
        size = cast(Size, tuple(image.shape))
        level = draws.number(*ends) + draws.number(0.0, 0.1) * smooth_field(1, size, 16, draws)[0, 0]
        if place != "layer":
            soft = soft * draws.number(0.4, 1.0)
        image = torch.lerp(image, level, soft)
        marked = torch.maximum(marked, (soft > 0.25).float())
    return image, marked


def _layer(inside: Tensor, voxels: float, draws: Draws) -> Tensor:
    """A crescent or lens along the skull: thick in its middle, thin at its ends."""
    depth = _depth(inside)
    rim = ((depth > 0.0) & (depth < 2.0)).float()
    centre = _place(rim, draws)
    offset = _offset(inside, centre)
    thick = draws.number(1.5, 4.0) * (voxels / 3000.0) ** (1 / 3)
    reach = max(math.sqrt(voxels / (0.6 * thick * math.pi)), 3.0)
    size = cast(Size, tuple(inside.shape))
    uneven = (1.0 + 0.2 * smooth_field(1, size, 8, draws, octaves=1)[0, 0]).clamp_min(0.4)
    away = offset.square().sum(0).sqrt() / (reach * uneven)
    border = thick * (1.0 - away.square()).clamp_min(0.0)
    soft: Tensor = (border - depth + 0.5).clamp(0.0, 1.0) * inside * (away < 1.0)
    return soft


def _region(fluid: Tensor, voxels: float, draws: Draws) -> Tensor:
    """A ragged ball that holds about `voxels` of fluid."""
    offset = _offset(fluid, _place(fluid, draws))
    away = offset.square().sum(0).sqrt()
    size = cast(Size, tuple(fluid.shape))
    away = away + draws.number(0.5, 4.0) * smooth_field(1, size, 8, draws, octaves=2)[0, 0]
    flat = away[::2, ::2, ::2].flatten().argsort()
    held = fluid[::2, ::2, ::2].flatten()[flat].cumsum(0) * 8.0
    last = int((held < voxels).sum().clamp_max(len(flat) - 1))
    border = float(away[::2, ::2, ::2].flatten()[flat[last]])
    return ((border - away) / 2.0 + 0.5).clamp(0.0, 1.0)


def _depth(inside: Tensor) -> Tensor:
    """Voxels below the border of a mask, up to about seven: by means over growing neighbourhoods."""
    depth, layer = torch.zeros_like(inside), inside
    for _ in range(7):
        layer = (box_mean(layer, 3) > 0.85).float() * layer
        depth = depth + layer
    return depth + inside


def _place(weight: Tensor, draws: Draws) -> Tensor:
    low = weight[1::3, 1::3, 1::3]
    flat = int(draws.choose(low.flatten() + 1e-9, 1))
    return 3.0 * torch.stack(torch.unravel_index(torch.tensor(flat), low.shape)) + 1.0


def _offset(like: Tensor, centre: Tensor) -> Tensor:
    axes = [torch.arange(side, dtype=torch.float32) for side in like.shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")) - centre[:, None, None, None]
