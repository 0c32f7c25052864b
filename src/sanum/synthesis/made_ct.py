"""CT of made heads to learn from: what lies inside the skull, in Hounsfield units, with blood and other lesions or none.

As `sanum.synthesis.made_volumes` for MRI, from the same heads. Hounsfield units are the same everywhere, so little is
left to chance in the levels; what makes false alarms on CT is made as health: dense folds of the dura, venous sinuses,
vessels, calcified plexus and pineal, bone that shines into the brain, bands between the petrous bones, leaking masks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from sanum.core.config import later
from sanum.synthesis.blood import plant_blood
from sanum.synthesis.ct_scanner import CtScans, ct_view, scanned
from sanum.synthesis.dense_places import DENSE, dense_places
from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import Size, box_mean, smooth_field
from sanum.synthesis.infarcts import plant_infarcts
from sanum.synthesis.local_lesions import Lesions, plant_lesions
from sanum.synthesis.made_volumes import MadeVolume, VolumeAugmentation, aged, posed
from sanum.synthesis.tissues import BRAIN_TISSUES, TISSUES

Range = tuple[float, float]

UNIT_HU = 80.0
"""Hounsfield units that count as 1 while lesions are planted, as the painters of MRI have the brain in [0, 1]."""

LEVELS_HU: tuple[Range, ...] = (
    (2.0, 14.0),
    (4.0, 16.0),
    (33.0, 42.0),
    (-11.0, -5.0),
    (-2.0, 4.0),
    (-3.0, 2.0),
    (-9.0, -3.0),
    (25.0, 50.0),
)
"""Level of each of `BRAIN_TISSUES`, uniform; from white matter to brainstem relative to the cortex."""

RELATIVE = ("white", "deep-grey", "cerebellar-cortex", "brainstem")

BRIGHT = 0.4
"""Share of the lesions of `local_lesions` that are denser than their surroundings: tumours, bleeds, calcium."""

WIDE = 5
"""Voxels over which the brain is spread to find the fluid between it and a skull that no map shows."""


@dataclass(frozen=True)
class CtPlan:
    """All that made CT volumes are made by.

    Attributes:
        lesions: those that MRI is taught with, too.
        blood: share of the ill volumes with blood on the brain, in its furrows or ventricles.
        infarcts: share of them with infarcts.
        augmentation: how heads differ; of the scanner only what bends no levels is used.
        scans: how CT scanners differ.
    """

    lesions: Lesions = field(default_factory=lambda: Lesions(mildest=0.0))
    blood: float = 0.5
    infarcts: float = later(0.0)
    augmentation: VolumeAugmentation = field(default_factory=VolumeAugmentation)
    scans: CtScans = field(default_factory=CtScans)


@torch.no_grad()
def make_ct_volumes(
    plan: CtPlan, head: Tensor, brain: Tensor, lesions: Lesions, count: int, draws: Draws
) -> list[MadeVolume]:
    """Several CT volumes of one head in one pose, each of another scanner and with lesions of its own.

    Args:
        plan: how.
        head: (1 + T, I, J, K) in [0, 1]: a T1w scan, which is not used, and the memberships.
        brain: (I, J, K) in {0, 1}.
        lesions: as in `plan`, or easier ones at first.
        count: how many.
        draws: source of randomness.
    """
    channels = torch.cat([torch.zeros_like(head[:1]), head[1:], dense_places(head[1:], brain)])
    _, moved, brain = posed(channels, brain, plan.augmentation, draws)
    tissues, dense = moved[: len(TISSUES)], moved[len(TISSUES) :]
    _, tissues = aged(None, tissues, brain, plan.augmentation, draws)
    inside = _inside_skull(tissues, brain, draws)
    inner = tissues[: len(BRAIN_TISSUES)] * inside
    inner[1] += (1.0 - inner.sum(0)).clamp_min(0.0) * inside
    return [_made(inner, dense, inside, plan, lesions, draws) for _ in range(count)]


def _made(
    tissues: Tensor, dense: Tensor, inside: Tensor, plan: CtPlan, lesions: Lesions, draws: Draws
) -> MadeVolume:
    image = _hounsfield(tissues, dense, inside, draws) / UNIT_HU
    ill, lesion = image, torch.zeros_like(inside)
    if not draws.happens(lesions.healthy):
        chosen = draws.number()
        if chosen < plan.blood:
            ill, lesion = plant_blood(image, tissues, inside, lesions, draws)
        elif chosen < plan.blood + plan.infarcts:
            ill, lesion = plant_infarcts(image, tissues, inside, lesions, draws)
        if chosen >= plan.blood + plan.infarcts or draws.happens(0.4):
            ill, other = plant_lesions(ill, tissues, inside, lesions, BRIGHT, draws)
            lesion = torch.maximum(lesion, other)
    both = UNIT_HU * torch.stack([ill, image])[:, None]
    seen, healthy, shown = scanned(both, inside, plan.scans, plan.augmentation, draws)
    return MadeVolume(ct_view(seen) * shown, lesion * shown, ct_view(healthy) * shown, shown, "CT")


def _inside_skull(tissues: Tensor, brain: Tensor, draws: Draws) -> Tensor:
    """(I, J, K) in {0, 1}: the brain and the fluid around it, up to bone where the head has some."""
    size = cast(Size, tuple(brain.shape))
    spread = box_mean(box_mean(brain, WIDE), 3)
    limit = 0.25 + 0.12 * smooth_field(1, size, 4, draws, octaves=1)[0, 0]
    outside = tissues[len(BRAIN_TISSUES) :].sum(0) > 0.5
    return torch.maximum(brain, ((spread > limit.clamp(0.05, 0.48)) & ~outside).float())


def _hounsfield(tissues: Tensor, dense: Tensor, inside: Tensor, draws: Draws) -> Tensor:
    size = cast(Size, tuple(inside.shape))
    level = torch.stack([draws.uniform(*ends, 1)[0] for ends in LEVELS_HU])
    for name in RELATIVE:
        level[TISSUES.index(name)] += level[TISSUES.index("cortex")]
    image = torch.einsum("t,tijk->ijk", level, tissues)
    image = image + draws.number(0.0, 1.5) * smooth_field(1, size, 24, draws, octaves=2)[0, 0]
    image = image - _pale_white_matter(tissues, draws)
    for place, kind in zip(dense, DENSE, strict=True):
        if draws.happens(kind.share):
            uneven = (1.0 + 0.5 * smooth_field(1, size, 12, draws, octaves=2)[0, 0]).clamp(0.0, 1.5)
            soft = (place * draws.number(*kind.opacity) * uneven).clamp(0.0, 1.0)
            image = torch.lerp(image, torch.full_like(image, draws.number(*kind.hu)), soft)
    image = _speckled(image, tissues[1], (42.0, 62.0), 0.9, draws)
    return _speckled(image, tissues[TISSUES.index("plexus")], (60.0, 400.0), 0.6, draws)


def _pale_white_matter(tissues: Tensor, draws: Draws) -> Tensor:
    """What most people above sixty have around their ventricles, up to 8 HU less: health, not a lesion."""
    if not draws.happens(0.4):
        return torch.zeros_like(tissues[0])
    near = box_mean(box_mean(tissues[0], 9), 5) * tissues[TISSUES.index("white")]
    return near * draws.number(0.0, 25.0)


def _speckled(image: Tensor, where: Tensor, hu: Range, share: float, draws: Draws) -> Tensor:
    """Small dense spots within some tissue: vessels between the furrows, lime in the plexus."""
    if not draws.happens(share):
        return image
    size = cast(Size, tuple(image.shape))
    spots = ((smooth_field(1, size, 48, draws, octaves=1)[0, 0] - draws.number(1.0, 2.2)) * 3.0).clamp(
        0.0, 1.0
    )
    return torch.lerp(image, torch.full_like(image, draws.number(*hu)), spots * where)
