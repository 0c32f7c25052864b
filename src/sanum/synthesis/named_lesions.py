"""Lesions that have a name: lacunes, microbleeds, abscesses, contusions, surgical cavities, cysts, cortical plaques.

Each is drawn from what textbooks of neuroradiology say of its place, its size, its parts and how each sequence shows
them, in words and numbers of our own. `local_lesions` draws place, form and matter apart, so that no combination is
missing; here they belong together. Sizes are in voxels of 1.5 mm. None pushes the tissue around it away, none is an
even ball or egg, and none is cut to a size: those are the marks of the kinds that detectors are tested on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from sanum.synthesis.boxes import box_around, coarse, coarse_place, in_frame, offsets, roughness, stretched
from sanum.synthesis.diffuse_lesions import hydrocephalus, lobar_atrophy
from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import box_mean
from sanum.synthesis.lesion_parts import Ground, Layer, Part, edge, paint
from sanum.synthesis.local_lesions import Lesions
from sanum.synthesis.substances import Palette

Draw = Callable[[Ground, float, Draws], list[Part]]
"""Parts of one lesion on a ground, by severity from 0 to 1; none where the head has no room for it."""

MOST = 3
"""Most named lesions a volume; some have several foci."""


def plant_named_lesions(
    image: Tensor, memberships: Tensor, brain: Tensor, lesions: Lesions, contrast: str, draws: Draws
) -> tuple[Tensor, Tensor]:
    """Plant one to three named lesions in a volume; as `local_lesions.plant_lesions`, which see.

    Args:
        image: (I, J, K), brain about in [0, 1].
        memberships: (T, I, J, K), see `sanum.synthesis.tissues`.
        brain: (I, J, K) in {0, 1}.
        lesions: how often there is none, and how mild they may be; each kind has sizes of its own.
        contrast: of the image, one of `contrasts.SEQUENCES` or `contrasts.FREE`.
        draws: source of randomness.

    Returns:
        The image with lesions, and the lesion mask (I, J, K) in {0, 1}.
    """
    ill, marked = image, torch.zeros_like(brain)
    if draws.happens(lesions.healthy):
        return ill, marked
    for _ in range(draws.integer(1, MOST)):
        severity = draws.number(lesions.mildest, 1.0)
        ill, mask = plant_named(
            ill, memberships, brain, draws.pick(SHARES), contrast, severity=severity, draws=draws
        )
        marked = torch.maximum(marked, mask)
    return ill, marked


def plant_named(
    image: Tensor,
    memberships: Tensor,
    brain: Tensor,
    kind: str,
    contrast: str,
    *,
    severity: float,
    draws: Draws,
) -> tuple[Tensor, Tensor]:
    """Plant one lesion of a kind of `NAMED`, of one or several foci; arguments and result as above."""
    ground = Ground(memberships, brain, Palette(image, memberships, contrast, draws))
    ill, marked = image.clone(), torch.zeros_like(brain)
    for part in NAMED[kind](ground, severity, draws):
        paint(ill, marked, brain, part)
    return ill, marked


def _lacunes(ground: Ground, severity: float, draws: Draws) -> list[Part]:
    """Small cavities of fluid in deep tissue, 4 to 14 mm, most with a rim of scar."""
    deep = ground.sparse("deep-grey") + 0.4 * ground.sparse("brainstem") + 0.2 * _deep_white(ground)
    parts = []
    for _ in range(draws.integer(1, 3)):
        centre, radius = coarse_place(deep, draws), float(draws.log_uniform(1.3, 4.5, 1))
        box = box_around(centre, 1.6 * radius + 4.0, ground.brain.shape)
        offset = offsets(box, centre, ground.brain.device)
        rough = roughness(offset, draws, coarsest=2, finest=3)
        away, solid = stretched(offset, 2.0, draws) + 0.15 * radius * rough, ground.solid(box)
        rim = edge(away, radius + draws.number(0.5, 1.8)) * (0.8 + 0.5 * rough).clamp(0.0, 1.0) * solid
        scar = Layer(rim, ground.palette.level("scar"), 0.3 + 0.7 * severity)
        cavity = Layer(edge(away, radius) * solid, ground.palette.level("fluid"), 0.8 + 0.2 * severity)
        parts.append(Part(box, (scar, cavity)))
    return parts


def _microbleeds(ground: Ground, severity: float, draws: Draws) -> list[Part]:
    """Round dots of old blood, 3 to 8 mm, all at the border of the cortex or all deep."""
    lobar = draws.happens(0.5)
    weight = _border_of_cortex(ground) if lobar else ground.sparse("deep-grey", "brainstem")
    parts = []
    for _ in range(draws.integer(1, 10)):
        centre, radius = coarse_place(weight, draws), float(draws.log_uniform(1.0, 2.6, 1))
        box = box_around(centre, 1.3 * radius + 2.0, ground.brain.shape)
        away = stretched(offsets(box, centre, ground.brain.device), 1.3, draws)
        iron = ground.palette.level("iron")
        parts.append(Part(box, (Layer(edge(away, radius) * ground.solid(box), iron, 0.5 + 0.5 * severity),)))
    return parts


def _abscess(ground: Ground, severity: float, draws: Draws) -> list[Part]:
    """A core of pus in a thin capsule, within oedema that follows white matter, 12 to 33 mm."""
    centre, radius = coarse_place(_border_of_cortex(ground), draws), float(draws.log_uniform(4.0, 11.0, 1))
    swollen = radius * draws.number(1.5, 2.4)
    box = box_around(centre, 1.2 * swollen + 4.0, ground.brain.shape)
    offset = offsets(box, centre, ground.brain.device)
    lobed, ragged = (roughness(offset, draws, coarsest=3, finest=most) for most in (5, 7))
    away, solid = stretched(offset, 1.6, draws) + 0.15 * radius * lobed, ground.solid(box)
    water = edge(away + 0.35 * radius * ragged, swollen, 3.0) * ground.within(box, "white", "deep-grey")
    thin, palette = draws.number(0.8, 2.0), ground.palette
    return [
        Part(
            box,
            (
                Layer(water, palette.level("oedema"), 0.4 + 0.6 * severity),
                Layer(edge(away, radius) * solid, palette.level("capsule"), 0.5 + 0.5 * severity),
                Layer(edge(away, radius - thin) * solid, palette.level("pus"), 0.6 + 0.4 * severity),
            ),
        )
    ]


def _contusion(ground: Ground, severity: float, draws: Draws) -> list[Part]:
    """Bruised cortex below forehead and temples: specks of blood of one age in oedema, 12 to 33 mm."""
    weight, blood = ground.sparse("cortex") * (0.05 + _exposed(ground)), draws.pick(AGES_OF_BLOOD)
    parts = []
    for _ in range(draws.integer(1, 2)):
        centre, radius = coarse_place(weight, draws), float(draws.log_uniform(4.0, 11.0, 1))
        box = box_around(centre, 1.5 * radius + 4.0, ground.brain.shape)
        offset = offsets(box, centre, ground.brain.device)
        ragged = roughness(offset, draws, coarsest=3, finest=6)
        specks = roughness(offset, draws, coarsest=7, finest=11)
        away, solid = stretched(offset, 2.0, draws) + 0.3 * radius * ragged, ground.solid(box)
        clots = edge(away, 0.85 * radius, 2.0) * (3.0 * (specks + draws.number(-0.2, 0.8))).clamp(0.0, 1.0)
        water = Layer(edge(away, radius, 2.0) * solid, ground.palette.level("oedema"), 0.4 + 0.6 * severity)
        uneven = ground.palette.level(blood) * (1.0 + 0.06 * ragged)
        parts.append(Part(box, (water, Layer(clots * solid, uneven, 0.5 + 0.5 * severity))))
    return parts


def _surgical_cavity(ground: Ground, severity: float, draws: Draws) -> list[Part]:
    """A ragged block cut out from the surface on, 18 to 42 mm, full of fluid, its walls scarred, often rusty."""
    surface = ground.sparse("cortex") * (box_mean(coarse(ground.brain), 3) < 0.97)
    centre, radius = coarse_place(surface, draws), float(draws.log_uniform(6.0, 14.0, 1))
    box = box_around(centre, 1.7 * radius + 5.0, ground.brain.shape)
    offset = offsets(box, centre, ground.brain.device)
    corners = draws.number(3.0, 7.0)
    block = in_frame(offset, 1.8, draws).abs().pow(corners).sum(0).pow(1.0 / corners)
    rough = roughness(offset, draws, coarsest=4, finest=9)
    away, solid = block + draws.number(0.08, 0.22) * radius * rough, ground.solid(box)
    wall = edge(away, radius + draws.number(1.0, 3.5) * (1.0 + 0.5 * rough).clamp(0.2, 2.0), 1.5) * solid
    palette = ground.palette
    layers = [Layer(wall, palette.level("scar"), 0.3 + 0.7 * severity)]
    if draws.happens(0.4):
        rust = edge(away, radius + 0.9) * (0.5 + rough).clamp(0.0, 1.0) * solid
        layers.append(Layer(rust, palette.level("iron"), 0.4 + 0.6 * severity))
    layers.append(Layer(edge(away, radius), palette.level("fluid"), 0.85 + 0.15 * severity))
    return [Part(box, tuple(layers))]


def _cyst(ground: Ground, severity: float, draws: Draws) -> list[Part]:
    """A bunch of two to six chambers with thin walls between, in white matter, of fluid or of one with protein."""
    centre, radius = coarse_place(_deep_white(ground), draws), float(draws.log_uniform(2.5, 7.0, 1))
    box = box_around(centre, 2.6 * radius + 4.0, ground.brain.shape)
    offset = offsets(box, centre, ground.brain.device)
    depths = []
    for _ in range(draws.integer(2, 6)):
        apart = (0.8 * radius * draws.normal(3).clamp(-1.6, 1.6))[:, None, None, None]
        depths.append(radius * draws.number(0.5, 1.0) - stretched(offset - apart, 1.6, draws))
    first, second = torch.stack(depths).topk(2, dim=0).values
    wall = edge((first - second).abs(), draws.number(0.6, 1.4)) * edge(-second, 0.0)
    chambers = edge(-first, 0.0) * (1.0 - draws.number(0.4, 1.0) * wall) * ground.solid(box)
    matter = draws.pick((("fluid", 0.5), ("protein", 0.5)))
    return [Part(box, (Layer(chambers, ground.palette.level(matter), 0.7 + 0.3 * severity),))]


def _cortical_plaques(ground: Ground, severity: float, draws: Draws) -> list[Part]:
    """Foci of 4 to 11 mm right below the cortex, within it, or across its border, where they are fainter."""
    weight, opacity = _border_of_cortex(ground), 0.4 + 0.6 * severity
    parts = []
    for _ in range(draws.integer(2, 8)):
        centre, radius = coarse_place(weight, draws), float(draws.log_uniform(1.3, 3.8, 1))
        box = box_around(centre, 1.6 * radius + 3.0, ground.brain.shape)
        offset = offsets(box, centre, ground.brain.device)
        rough = roughness(offset, draws, coarsest=2, finest=3)
        soft = edge(stretched(offset, 2.2, draws) + 0.2 * radius * rough, radius)
        below = Layer(soft * ground.within(box, "white"), ground.palette.level("plaque"), opacity)
        grey = soft * ground.within(box, "cortex")
        inside = Layer(grey, ground.palette.level("cortical plaque"), opacity)
        layers = {"below": (below,), "inside": (inside,), "across": (below, inside)}
        parts.append(Part(box, layers[draws.pick((("below", 0.5), ("inside", 0.15), ("across", 0.35)))]))
    return parts


def _border_of_cortex(ground: Ground) -> Tensor:
    """Where cortex and white matter meet."""
    return box_mean(ground.sparse("cortex"), 3) * box_mean(ground.sparse("white"), 3)


def _deep_white(ground: Ground) -> Tensor:
    """White matter away from the cortex."""
    white: Tensor = ground.sparse("white") * (1.0 - box_mean(ground.sparse("cortex", "csf"), 3)).square()
    return white


def _exposed(ground: Ground) -> Tensor:
    """Low in front and low at the sides, where the brain strikes the skull: I to the right, J ahead, K up."""
    brain = coarse(ground.brain)
    axes = [torch.linspace(-1.0, 1.0, side, device=brain.device) for side in brain.shape]
    right, ahead, up = torch.meshgrid(*axes, indexing="ij")
    front, side = (ahead > 0.35) & (up < 0.0), (right.abs() > 0.45) & (up < -0.1) & (ahead > -0.3)
    return (front | side).float()


AGES_OF_BLOOD = (("fresh blood", 0.35), ("blood of days", 0.35), ("blood of weeks", 0.3))

NAMED: Mapping[str, Draw] = {
    "lacunes": _lacunes,
    "microbleeds": _microbleeds,
    "abscess": _abscess,
    "contusion": _contusion,
    "surgical-cavity": _surgical_cavity,
    "cyst": _cyst,
    "cortical-plaques": _cortical_plaques,
    "hydrocephalus": hydrocephalus,
    "lobar-atrophy": lobar_atrophy,
}

SHARES: tuple[tuple[str, float], ...] = (
    ("lacunes", 0.15),
    ("microbleeds", 0.13),
    ("abscess", 0.13),
    ("contusion", 0.13),
    ("surgical-cavity", 0.10),
    ("cyst", 0.08),
    ("cortical-plaques", 0.18),
    ("hydrocephalus", 0.05),
    ("lobar-atrophy", 0.05),
)
"""How often each is drawn."""
