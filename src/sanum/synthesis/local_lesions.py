"""Lesions planted in a volume, each within a box of its own, so that a small one costs little."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sanum.synthesis.boxes import Box, box_around, offsets, place, roughness, stretched
from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import box_maximum, box_mean
from sanum.synthesis.shapes import cut
from sanum.synthesis.tissues import TISSUES

FORMS: tuple[tuple[str, float], ...] = (
    ("rough", 0.35),
    ("infiltrating", 0.18),
    ("territory", 0.19),
    ("cortical", 0.13),
    ("plaques", 0.15),
)
"""Where a lesion lies, and how often."""

SUBSTANCES: tuple[tuple[str, float], ...] = (
    ("shift", 0.35),
    ("level", 0.20),
    ("graft", 0.15),
    ("oedema", 0.18),
    ("cored", 0.12),
)
"""What it looks like, and how often; drawn by itself."""

FAINTEST, STRONGEST = 0.06, 0.5
"""Change of intensity at severity 0 and 1."""


@dataclass(frozen=True)
class Lesions:
    """What a volume is planted with for training.

    Attributes:
        healthy: share of the volumes left healthy.
        most: most lesions a volume; their number is uniform from 1.
        smallest: least size in voxels; sizes are log-uniform.
        largest: greatest size in voxels.
        mildest: least severity, 0 to 1; severities are uniform from there to 1.
    """

    healthy: float = 0.25
    most: int = 5
    smallest: float = 60.0
    largest: float = 30000.0
    mildest: float = 0.1


def plant_lesions(
    image: Tensor, memberships: Tensor, brain: Tensor, lesions: Lesions, bright: float, draws: Draws
) -> tuple[Tensor, Tensor]:
    """Plant random lesions of the training kinds in one volume.

    Args:
        image: (I, J, K), brain about in [0, 1].
        memberships: (T, I, J, K), see `sanum.synthesis.tissues`.
        brain: (I, J, K) in {0, 1}.
        lesions: how often, how large, how visible.
        bright: share of the lesions brighter than their surroundings.
        draws: source of randomness.

    Returns:
        The image with lesions, and the lesion mask (I, J, K) in {0, 1}.
    """
    image, marked = image.clone(), torch.zeros_like(brain)
    if draws.number() < lesions.healthy:
        return image, marked
    for _ in range(draws.integer(1, lesions.most)):
        form = draws.pick(FORMS)
        voxels = float(draws.log_uniform(lesions.smallest, lesions.largest, 1))
        severity = lesions.mildest + (1.0 - lesions.mildest) * draws.number()
        sign = 1.0 if draws.number() < bright else -1.0
        for box, soft, mask in local_shapes(form, voxels, memberships, brain, draws):
            painted = _painted(draws.pick(SUBSTANCES), image, box, soft, sign, severity, memberships, draws)
            image[box] = painted.clamp(0.0, 1.25)
            marked[box] = torch.maximum(marked[box], mask)
    return image, marked


def local_shapes(
    form: str, voxels: float, memberships: Tensor, brain: Tensor, draws: Draws
) -> list[tuple[Box, Tensor, Tensor]]:
    """Where one lesion lies: for each of its parts a box, the soft membership within, and the mask in {0, 1}.

    Args:
        form: one of `FORMS`.
        voxels: its size.
        memberships: (T, I, J, K).
        brain: (I, J, K) in {0, 1}.
        draws: source of randomness.
    """
    if form == "plaques":
        return _plaques(voxels, memberships, brain, draws)
    weight = memberships[TISSUES.index("cortex")] if form == "cortical" else brain
    centre = place(weight * brain, draws)
    radius = (3.0 * voxels / (4.0 * math.pi)) ** (1 / 3)
    box = box_around(centre, 2.6 * radius + 3.0, brain.shape)
    offset = offsets(box, centre, brain.device)
    level = _LEVELS[form](offset, radius, centre, memberships[:, *box], brain, draws)
    return [_cut(level, voxels, box, brain, draws)]


def _rough(
    offset: Tensor, radius: float, centre: Tensor, tissue: Tensor, brain: Tensor, draws: Draws
) -> Tensor:
    """A stretched ball with an irregular border."""
    del centre, tissue, brain
    rough = roughness(offset, draws, coarsest=2, finest=6)
    return stretched(offset, 2.5, draws) + draws.number(0.1, 0.6) * radius * rough


def _infiltrating(
    offset: Tensor, radius: float, centre: Tensor, tissue: Tensor, brain: Tensor, draws: Draws
) -> Tensor:
    """A ragged region that prefers white matter and spares fluid."""
    del centre, brain
    ragged = roughness(offset, draws, coarsest=3, finest=7)
    fluid = tissue[0] + tissue[1]
    grey = tissue[TISSUES.index("cortex")] + tissue[TISSUES.index("deep-grey")]
    pull = radius * (draws.number(0.5, 1.5) * fluid + draws.number(0.0, 0.8) * grey)
    return stretched(offset, 2.2, draws) + draws.number(0.3, 0.9) * radius * ragged + pull


def _territory(
    offset: Tensor, radius: float, centre: Tensor, tissue: Tensor, brain: Tensor, draws: Draws
) -> Tensor:
    """A sector that opens toward the surface, like the bed of one artery."""
    del tissue
    middle = (torch.tensor(brain.shape, dtype=torch.float32) - 1) / 2 + 0.08 * draws.normal(3) * torch.tensor(
        brain.shape
    )
    axis = (centre - middle) / (centre - middle).norm().clamp_min(4.0)
    from_apex = offset + (centre - middle)[:, None, None, None]
    along = (from_apex * axis[:, None, None, None]).sum(0)
    out = from_apex.square().sum(0).sqrt()
    across = (out.square() - along.square()).clamp_min(0.0).sqrt()
    sector = torch.atan2(across, along) * out.clamp_min(5.0)
    reach = float((centre - middle).norm())
    inner = 1.5 * (draws.number(0.1, 0.8) * reach - out) + radius
    rough = roughness(offset, draws, coarsest=2, finest=5)
    return torch.maximum(sector, inner) + draws.number(0.15, 0.5) * radius * rough


def _cortical(
    offset: Tensor, radius: float, centre: Tensor, tissue: Tensor, brain: Tensor, draws: Draws
) -> Tensor:
    """A stretch of cortex and what lies right below it."""
    del centre, brain
    rough = roughness(offset, draws, coarsest=3, finest=6)
    away = 1.0 - tissue[TISSUES.index("cortex")]
    return (
        0.6 * stretched(offset, 2.0, draws)
        + radius * draws.number(0.5, 1.5) * away
        + draws.number(0.1, 0.5) * radius * rough
    )


_LEVELS = {"rough": _rough, "infiltrating": _infiltrating, "territory": _territory, "cortical": _cortical}


def _plaques(
    voxels: float, memberships: Tensor, brain: Tensor, draws: Draws
) -> list[tuple[Box, Tensor, Tensor]]:
    """Some foci of 3 to 12 mm in white matter, half of them around the ventricles."""
    white = memberships[TISSUES.index("white")] * brain
    near = box_maximum(memberships[0], 7) * white
    found = []
    for _ in range(draws.integer(1, 6)):
        around = draws.number() < 0.5 and float(near.sum()) > 1.0
        centre = place(near if around else white + 0.05 * brain, draws)
        size = min(max(voxels / 12.0, 10.0), 200.0) * float(draws.log_uniform(0.5, 2.0, 1))
        radius = (3.0 * size / (4.0 * math.pi)) ** (1 / 3)
        box = box_around(centre, 2.4 * radius + 3.0, brain.shape)
        offset = offsets(box, centre, brain.device)
        rough = roughness(offset, draws, coarsest=2, finest=3)
        level = stretched(offset, 2.2, draws) + draws.number(0.0, 0.3) * radius * rough
        found.append(_cut(level, size, box, brain, draws))
    return found


def _cut(level: Tensor, voxels: float, box: Box, brain: Tensor, draws: Draws) -> tuple[Box, Tensor, Tensor]:
    edge = draws.log_uniform(0.05, 0.8, 1)
    inside = brain[box]
    wanted = torch.tensor([min(voxels, 0.6 * float(inside.sum()))])
    soft, mask = cut(level[None, None], inside[None, None], wanted, edge)
    return box, soft[0, 0], mask[0, 0]


def _painted(
    substance: str,
    image: Tensor,
    box: Box,
    soft: Tensor,
    sign: float,
    severity: float,
    memberships: Tensor,
    draws: Draws,
) -> Tensor:
    healthy = image[box]
    change: float = sign * FAINTEST * (STRONGEST / FAINTEST) ** severity
    opacity = 0.25 + 0.75 * severity
    fluid = memberships[0, *box] + memberships[1, *box]
    spared = 1.0 - fluid.clamp(0.0, 1.0) * float(draws.number() < 0.75)
    texture = roughness(healthy[None], draws, coarsest=3, finest=12)
    if substance == "shift":
        return healthy + change * soft * spared * (1.0 + draws.number(0.0, 0.5) * texture)
    if substance == "oedema":
        washed = box_mean(healthy, 5)
        share = draws.number(0.3, 1.0)
        return healthy + soft * spared * (share * (washed - healthy) + change)
    if substance == "graft":
        return torch.lerp(healthy, _donor(image, box, draws), soft * opacity)
    ends = (0.75, 1.15) if sign > 0 else (0.0, 0.5)
    matter = draws.number(*ends) + draws.number(0.0, 0.12) * texture
    if substance == "cored":
        core = ((soft - draws.number(0.55, 0.85)) * 8.0).clamp(0.0, 1.0)
        matter = torch.lerp(matter, torch.full_like(matter, draws.number()), core)
    return torch.lerp(healthy, matter, soft * opacity)


def _donor(image: Tensor, box: Box, draws: Draws) -> Tensor:
    """The same volume, turned about, at another place (foreign patches, Tan et al. 2020)."""
    source = image.flip(draws.integer(0, 2))
    steps = [draws.integer(-side // 4, side // 4) for side in image.shape]
    starts = [
        min(max(part.start + step, 0), side - (part.stop - part.start))
        for part, step, side in zip(box, steps, image.shape, strict=True)
    ]
    there = tuple(
        slice(start, start + part.stop - part.start) for start, part in zip(starts, box, strict=True)
    )
    return source[there]
