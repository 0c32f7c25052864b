"""Whole volumes to learn from: a healthy head, moved, aged, shown in some contrast, spoilt by a lesion and a scanner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from sanum.core.config import formerly, later
from sanum.synthesis.contrasts import FREE, SEQUENCES, bright_share, rendered, tissue_levels
from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import Size, box_maximum, box_mean, smooth_field
from sanum.synthesis.local_lesions import Lesions, plant_lesions
from sanum.synthesis.named_lesions import plant_named_lesions
from sanum.synthesis.tissues import BRAIN_TISSUES, TISSUES

UNTOLD = "untold"
"""In place of a sequence's name where the network is not told it."""

ENDS, MIDDLE = (0.005, 0.5, 0.995), 0.5
"""Quantiles within the brain that become 0, `MIDDLE` and 1, as the template preset has it."""

WIDE_VENTRICLES = 0.6
"""Share of the aged volumes whose ventricles are wider by far than their sulci."""

PURE = 0.95
"""Membership from which a voxel's level is that of the tissue alone."""


@dataclass(frozen=True)
class VolumeAugmentation:
    """How heads and scanners differ, as `Augmentation` has it for slices; 0 leaves a property as it is.

    Attributes:
        rotation: standard deviation of rotation and shear, radians.
        scale: greatest relative change of size along each axis.
        shift: standard deviation of translation, as a share of half the volume.
        warp: greatest smooth displacement, as a share of half the volume.
        atrophy: share of the volumes whose fluid spaces widen.
        caps: share of the volumes with a rim around the ventricles: dark on T1w, else bright.
        residue: share of the volumes whose brain mask is off: too wide, too narrow, or cut.
        gamma: standard deviation of the logarithm of the exponent.
        bias: greatest depth of the coil's field.
        noise: greatest standard deviation of noise.
        blur: share of the volumes that lose resolution evenly.
        thick: share of the volumes scanned in slices of 2 to 4 voxels along one axis.
        texture: greatest share of the scan's own detail in a made contrast.
    """

    rotation: float = 0.04
    scale: float = 0.06
    shift: float = 0.02
    warp: float = 0.03
    atrophy: float = 0.5
    caps: float = 0.4
    residue: float = 0.3
    gamma: float = 0.12
    bias: float = 0.25
    noise: float = 0.045
    blur: float = 0.35
    thick: float = 0.3
    texture: float = 0.7


@dataclass(frozen=True)
class Mix:
    """Which contrasts are taught, as weights.

    Attributes:
        scanned: T1w as it was scanned, where the head has a scan.
        made: of T1w, T2w, FLAIR, PDw, in the order of `SEQUENCES`.
        free: contrasts of no sequence.
        told: share of the volumes whose sequence the network is told.
    """

    scanned: float = 0.28
    made: tuple[float, ...] = (0.14, 0.17, 0.27, 0.05)
    free: float = 0.09
    told: float = 0.85


@dataclass(frozen=True)
class Plan:
    """All that made volumes are made by.

    Attributes:
        lesions: what they are planted with.
        augmentation: how heads and scanners differ.
        mix: which contrasts.
        named: share of the volumes whose lesions are those of `sanum.synthesis.named_lesions`.
    """

    lesions: Lesions = field(default_factory=Lesions)
    augmentation: VolumeAugmentation = formerly("scanning", factory=VolumeAugmentation)
    mix: Mix = field(default_factory=Mix)
    named: float = later(0.0)


@dataclass(frozen=True, eq=False)
class MadeVolume:
    """One volume to learn from, all (I, J, K).

    Attributes:
        image: what the network sees, 0 outside the brain.
        lesion: in {0, 1}.
        healthy: the same without lesion and noise.
        brain: in {0, 1}.
        sequence: its name, or `UNTOLD`.
    """

    image: Tensor
    lesion: Tensor
    healthy: Tensor
    brain: Tensor
    sequence: str


Plant = Callable[[Tensor, Tensor, Tensor, str, Draws], tuple[Tensor, Tensor]]
"""Plants lesions, given an image, memberships, brain, contrast and randomness: the image with them, and their mask."""


@torch.no_grad()
def make_volumes(
    plan: Plan,
    head: Tensor,
    brain: Tensor,
    lesions: Lesions,
    count: int,
    draws: Draws,
    plant: Plant | None = None,
) -> list[MadeVolume]:
    """Several volumes of one head in one pose, each in a contrast and with lesions of its own.

    Args:
        plan: how.
        head: (1 + T, I, J, K) in [0, 1]: the T1w scan, 0 where there is none, and the memberships.
        brain: (I, J, K) in {0, 1}.
        lesions: as in `plan`, or easier ones at first.
        count: how many.
        draws: source of randomness.
        plant: in place of `lesions` and what the plan says of them.
    """
    plant = plant or _planter(plan, lesions)
    scan, tissues, brain = posed(head, brain, plan.augmentation, draws)
    scan, tissues = aged(scan, tissues, brain, plan.augmentation, draws)
    return [_made(scan, tissues, brain, plan, plant, draws) for _ in range(count)]


def _planter(plan: Plan, lesions: Lesions) -> Plant:
    """Lesions of the plan: those that have a name in its share of the volumes, else any form of any substance."""

    def plant(
        image: Tensor, tissues: Tensor, brain: Tensor, contrast: str, draws: Draws
    ) -> tuple[Tensor, Tensor]:
        if plan.named > 0.0 and draws.happens(plan.named):
            return plant_named_lesions(image, tissues, brain, lesions, contrast, draws)
        return plant_lesions(image, tissues, brain, lesions, bright_share(contrast), draws)

    return plant


def _made(
    scan: Tensor | None, tissues: Tensor, brain: Tensor, plan: Plan, plant: Plant, draws: Draws
) -> MadeVolume:
    contrast, image = _contrast(scan, tissues, plan, draws)
    image = _capped(image, tissues, contrast, plan.augmentation, draws)
    shown = _masked(brain, plan.augmentation, draws)
    inside = ((brain * shown) > 0.5).float()
    ill, lesion = plant(image, tissues, inside, contrast, draws)
    seen, healthy = _scanned(torch.stack([ill, image])[:, None], shown, plan.augmentation, draws)
    told = contrast != FREE and draws.happens(plan.mix.told)
    return MadeVolume(seen, lesion, healthy, shown, contrast if told else UNTOLD)


def posed(
    head: Tensor, brain: Tensor, how: VolumeAugmentation, draws: Draws
) -> tuple[Tensor | None, Tensor, Tensor]:
    """Another pose and form; half of the heads are mirrored along I."""
    skew = how.rotation * draws.normal(3, 3)
    turn = torch.matrix_exp((skew - skew.T) / 2**0.5) * draws.log_uniform(
        1.0 - how.scale, 1.0 + how.scale, 3, 1
    )
    pose = torch.cat([turn, how.shift * draws.normal(3, 1)], dim=1)[None]
    size = cast(Size, tuple(brain.shape))
    places = functional.affine_grid(pose, [1, 1, *size], align_corners=False)
    warp = torch.cat([smooth_field(1, size, draws.integer(3, 6), draws, octaves=1) for _ in range(3)], dim=1)
    places = places + (draws.number(0.0, how.warp) * warp).movedim(1, -1)
    if draws.happens(0.5):
        places = places * torch.tensor([1.0, 1.0, -1.0])
    first = 0 if bool(head[0].any()) else 1
    moved = functional.grid_sample(torch.cat([head[first:], brain[None]])[None], places, align_corners=False)[
        0
    ]
    inside = (moved[-1] > 0.5).float()
    return (moved[0] if first == 0 else None), moved[1 - first : -1], inside


def aged(
    scan: Tensor | None, tissues: Tensor, brain: Tensor, how: VolumeAugmentation, draws: Draws
) -> tuple[Tensor | None, Tensor]:
    """Wider ventricles and sulci: fluid spreads over the tissue next to it."""
    if not draws.happens(how.atrophy):
        return scan, tissues
    size = cast(Size, tuple(brain.shape))
    strength = draws.number(0.1, 1.0) + 0.4 * smooth_field(1, size, 4, draws, octaves=1)[0, 0]
    fluid = tissues[:2].clone()
    for _ in range(draws.integer(1, 3)):
        wide = box_maximum(fluid, 3)
        fluid = torch.lerp(fluid, wide, (strength * draws.number(0.3, 1.0)).clamp(0.0, 1.0))
    if draws.happens(WIDE_VENTRICLES):
        fluid[0] = _wider(fluid[0], draws)
    fluid = fluid * brain
    before, after = tissues[:2].sum(0), fluid.sum(0).clamp_max(1.0)
    kept = ((1.0 - after) / (1.0 - before).clamp_min(1e-3)).clamp(0.0, 1.0)
    inner = len(BRAIN_TISSUES)
    tissues = torch.cat([fluid, tissues[2:inner] * kept, tissues[inner:]])
    if scan is not None:
        level = _mean(scan, (before > PURE).float())
        scan = torch.lerp(torch.full_like(scan, level), scan, kept)
    return scan, tissues


def _wider(ventricles: Tensor, draws: Draws) -> Tensor:
    """Ventricles with their walls up to five voxels further out, here more and there less."""
    width = 2 * draws.integer(1, 3) + 1
    near = box_mean(box_mean(ventricles, width), width)
    size = cast(Size, tuple(ventricles.shape))
    uneven = (1.0 + 0.5 * smooth_field(1, size, 4, draws, octaves=1)[0, 0]).clamp(0.3, 2.0)
    limit = float(draws.log_uniform(0.03, 0.4, 1)) * uneven
    return torch.maximum(ventricles, ((near - limit) * width + 0.5).clamp(0.0, 1.0) * (near > 0.01))


def _contrast(scan: Tensor | None, tissues: Tensor, plan: Plan, draws: Draws) -> tuple[str, Tensor]:
    """A contrast by the weights of the mix, and the head in it."""
    mix, names = plan.mix, ("", *SEQUENCES, FREE)
    weights = torch.tensor([mix.scanned if scan is not None else 0.0, *mix.made, mix.free])
    name = names[int(draws.choose(weights, 1))]
    if not name:
        assert scan is not None
        return "T1w", _bent(scan, draws)
    image = rendered(tissues, tissue_levels(name, draws))
    size = cast(Size, tuple(image.shape))
    image = image + draws.number(0.0, 0.03) * smooth_field(1, size, 24, draws, octaves=1)[0, 0]
    if scan is not None:
        inner = tissues[: len(BRAIN_TISSUES)]
        means = torch.stack([torch.tensor(_mean(scan, tissue)) for tissue in inner])
        detail = (scan - rendered(inner, means)) * (inner.sum(0) > 0.5)
        sign = 1.0 if name == "T1w" or draws.happens(0.5) else -1.0
        image = image + sign * draws.number(0.0, plan.augmentation.texture) * detail
    return name, image.clamp_min(0.0)


def _bent(scan: Tensor, draws: Draws) -> Tensor:
    """The scan by a random rising map: as two scanners of one sequence differ."""
    knots = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0])
    levels = (
        (knots + torch.tensor([0.02, 0.07, 0.07, 0.07, 0.04]) * draws.uniform(-1.0, 1.0, 5)).sort().values
    )
    bent = torch.full_like(scan, float(levels[0]))
    for low, start, end in zip(knots.tolist(), levels.tolist(), levels[1:].tolist(), strict=False):
        bent = bent + (end - start) / 0.25 * (scan - low).clamp(0.0, 0.25)
    return bent


def _capped(image: Tensor, tissues: Tensor, contrast: str, how: VolumeAugmentation, draws: Draws) -> Tensor:
    """Rims and caps around the ventricles, as most people have them above sixty: health, not a lesion.

    Dark on T1w, where they are fainter, bright elsewhere.
    """
    if not draws.happens(how.caps):
        return image
    near = box_mean(box_mean(tissues[0], 5), 3) * (1.0 - tissues[0])
    size = cast(Size, tuple(image.shape))
    uneven = (1.0 + 0.7 * smooth_field(1, size, 6, draws, octaves=1)[0, 0]).clamp(0.0, 2.0)
    most = -0.5 if contrast == "T1w" else 0.9
    depth = most * draws.number(0.1, 1.0)
    return image + depth * near * uneven * tissues[TISSUES.index("white")]


def _masked(brain: Tensor, how: VolumeAugmentation, draws: Draws) -> Tensor:
    """The mask that a tool would give: off by some voxels here and there, or without the top or the bottom."""
    if not draws.happens(how.residue):
        return brain
    size = cast(Size, tuple(brain.shape))
    wide = box_mean(box_mean(brain, 7), 5)
    limit = 0.45 + 0.2 * smooth_field(1, size, 4, draws, octaves=1)[0, 0]
    mask = (wide > limit.clamp(0.12, 0.8)).float()
    if draws.happens(0.25):
        cut = draws.integer(2, size[2] // 6)
        if draws.happens(0.5):
            mask[..., -cut:] = 0.0
        else:
            mask[..., :cut] = 0.0
    return mask


def _scanned(both: Tensor, brain: Tensor, how: VolumeAugmentation, draws: Draws) -> tuple[Tensor, Tensor]:
    """Gamma, coil, resolution and noise of a scanner, and the scaling of the preparation.

    Args:
        both: (2, 1, I, J, K), the image with and without lesion; both undergo the same, but for noise.
        brain: (I, J, K) in {0, 1}.
        how: how much.
        draws: source of randomness.
    """
    size = cast(Size, tuple(brain.shape))
    both = both.clamp_min(1e-4).pow(float((how.gamma * draws.normal(1)).exp()))
    coil = smooth_field(1, size, 3, draws, octaves=1)
    both = both * (0.7 * draws.number(0.0, how.bias) * coil).exp()
    both = coarse(both, how, draws)
    noise = draws.normal(*size)
    if draws.happens(0.5):
        noise = 2.2 * box_mean(noise, 3)
    seen = both[0, 0] + noise * how.noise * draws.number() ** 2
    low, middle, high = _landmarks(seen, brain)
    scaled = [_scale(volume, low, middle, high) * brain for volume in (seen, both[1, 0])]
    return scaled[0], scaled[1]


def coarse(both: Tensor, how: VolumeAugmentation, draws: Draws) -> Tensor:
    """Lost resolution: thick slices along one axis, or an even blur."""
    if draws.happens(how.thick):
        axis = (2, 2, 0, 1)[draws.integer(0, 3)]
        width = draws.number(1.5, 4.0)
        size = list(both.shape[2:])
        size[axis] = max(4, round(size[axis] / width))
        thick = functional.interpolate(both, size=size, mode="area")
        return functional.interpolate(thick, size=both.shape[2:], mode="trilinear", align_corners=False)
    if draws.happens(how.blur):
        return torch.lerp(both, box_mean(both, 3), draws.number())
    return both


def _landmarks(seen: Tensor, brain: Tensor) -> tuple[float, float, float]:
    sample = seen[::2, ::2, ::2][brain[::2, ::2, ::2] > 0.5]
    if len(sample) < 100:
        return 0.0, 0.5, 1.0
    ordered = sample.sort().values
    low, middle, high = (float(ordered[round(end * (len(ordered) - 1))]) for end in ENDS)
    return low, max(middle, low + 1e-3), max(high, middle + 2e-3)


def _scale(values: Tensor, low: float, middle: float, high: float) -> Tensor:
    """Two lines through the landmarks, clipped to [0, 1]; see `sanum.prepare.steps.scale`."""
    below = (values - low) / (middle - low) * MIDDLE
    above = MIDDLE + (values - middle) / (high - middle) * (1.0 - MIDDLE)
    return torch.where(values <= middle, below, above).clamp(0.0, 1.0)


def _mean(values: Tensor, weight: Tensor) -> float:
    return float((values * weight).sum() / weight.sum().clamp_min(1.0))
