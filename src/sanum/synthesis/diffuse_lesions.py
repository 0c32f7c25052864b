"""Fluid where it should not be so much: ventricles too wide for their sulci, and a lobe that has shrunk."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from sanum.synthesis.boxes import box_around, coarse_place, offsets, roughness, stretched
from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import Size, box_maximum, box_mean
from sanum.synthesis.lesion_parts import Ground, Layer, Part, edge

LEAST_SHARE, MOST_SHARE = 0.36, 0.5
"""Share of the fluid that hydrocephalus has in the ventricles; made healthy heads, the old ones too, stay below .35."""

WIDEST = 0.2
"""Most of the brain that ventricles take; where sulci are so wide that this is too little, there is none."""

TRANSUDES = 0.6
"""Share of the hydrocephalus with water around the ventricles."""

LOBE = (16.0, 28.0)
"""Radius of what shrinks, in voxels."""


def hydrocephalus(ground: Ground, severity: float, draws: Draws) -> list[Part]:
    """Ventricles that hold more of the fluid than in any healthy head; none where sulci are as wide."""
    ventricles, sulci = (ground.memberships[number] * ground.brain for number in (0, 1))
    held, fluid, share = float(ventricles.sum()), float(sulci.sum()), draws.number(LEAST_SHARE, MOST_SHARE)
    wanted = min(share / (1.0 - share) * fluid, WIDEST * float(ground.brain.sum()))
    if wanted < max(1.3 * held, LEAST_SHARE / (1.0 - LEAST_SHARE) * fluid):
        return []
    whole = cast(tuple[slice, slice, slice], tuple(slice(0, side) for side in ventricles.shape))
    room = ground.within(whole, "white", "deep-grey") * ground.brain
    width = 2 * draws.integer(2, 3) + 1
    near, limit = _nearness(ventricles, room, width, wanted - held)
    palette, white = ground.palette, ground.within(whole, "white")
    wide = torch.maximum(_gained(near, limit, width) * room, ventricles)
    layers = [Layer(wide, palette.level("fluid"), 1.0)]
    if draws.happens(TRANSUDES):
        halo = ((near / limit - 0.4) / 0.3).clamp(0.0, 1.0) * white
        layers.insert(0, Layer(halo, palette.level("oedema"), 0.3 + 0.6 * severity))
    return [Part(whole, tuple(layers))]


def _nearness(ventricles: Tensor, room: Tensor, width: int, gain: float) -> tuple[Tensor, float]:
    """How much ventricle there is around each voxel, and from where on `gain` voxels of the room lie nearer."""
    low, free = (functional.avg_pool3d(part[None, None], 2)[0, 0] for part in (ventricles, room))
    near = box_mean(box_mean(low, width), width)
    inside = near[free > 0.5]
    last = len(inside) - min(max(int(gain / 8.0), 1), max(len(inside) - 1, 1))
    limit = float(inside.kthvalue(max(last, 1)).values) if len(inside) else 1.0
    size = cast(Size, tuple(ventricles.shape))
    fine = functional.interpolate(near[None, None], size=size, mode="trilinear", align_corners=False)[0, 0]
    return fine, max(limit, 0.005)


def _gained(near: Tensor, limit: float, width: int) -> Tensor:
    return ((near - limit) * 2.0 * width + 0.5).clamp(0.0, 1.0) * (near > 0.5 * limit)


def lobar_atrophy(ground: Ground, severity: float, draws: Draws) -> list[Part]:
    """Sulci of one region that open far beyond those of the rest, as in frontotemporal or posterior dementia."""
    centre = coarse_place(ground.sparse("cortex"), draws)
    radius = draws.number(*LOBE)
    box = box_around(centre, 1.3 * radius + 4.0, ground.brain.shape)
    offset = offsets(box, centre, ground.brain.device)
    ragged = roughness(offset, draws, coarsest=2, finest=4)
    region = edge(stretched(offset, 1.6, draws) + 0.2 * radius * ragged, radius, 8.0)
    sulci = ((ground.within(box, "csf") - 0.2) / 0.6).clamp(0.0, 1.0)
    wide = box_maximum(sulci, 3)
    if severity > 0.5:
        wide = torch.lerp(wide, box_maximum(wide, 3), 2.0 * severity - 1.0)
    thinned = (ground.within(box, "cortex") + 0.3 * ground.within(box, "white")).clamp(0.0, 1.0)
    soft = region * (wide - sulci) * thinned
    return [Part(box, (Layer(soft, ground.palette.level("fluid"), 0.7 + 0.3 * severity),))]
