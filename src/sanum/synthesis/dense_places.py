"""Where healthy heads are denser on CT than their tissue: folds of the dura, venous sinuses, pineal, calcium."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sanum.synthesis.fields import box_maximum, box_mean
from sanum.synthesis.tissues import TISSUES

Range = tuple[float, float]


@dataclass(frozen=True)
class Dense:
    """One kind of place.

    Attributes:
        name: what it is.
        share: of people in whom it shows.
        hu: Hounsfield units, uniform.
        opacity: share of a voxel that it fills, uniform.
    """

    name: str
    share: float
    hu: Range
    opacity: Range


DENSE: tuple[Dense, ...] = (
    Dense("falx", 0.95, (45.0, 85.0), (0.2, 1.0)),
    Dense("tentorium", 0.9, (45.0, 75.0), (0.2, 0.9)),
    Dense("sinuses", 0.95, (48.0, 75.0), (0.5, 1.0)),
    Dense("pineal", 0.65, (60.0, 350.0), (0.5, 1.0)),
    Dense("pallidum", 0.1, (50.0, 130.0), (0.3, 0.8)),
    Dense("plaques of the dura", 0.15, (100.0, 600.0), (0.4, 1.0)),
)

PINEAL_MM, PALLIDUM_MM = (0.0, -27.0, 0.0), (19.0, -4.0, -1.0)
"""On the template (ICBM152)."""

CENTRE_MM = (0.0, -17.0, 10.0)
"""The middle of the grid of prepared volumes, which is 1.5 mm; see `sanum.prepare.presets.Template`."""

VOXEL_MM = 1.5


def dense_places(memberships: Tensor, brain: Tensor) -> Tensor:
    """(len(DENSE), I, J, K) in [0, 1], for a head on the template, memberships (T, I, J, K), brain (I, J, K)."""
    right, front, up = _millimetres(brain)
    fluid = memberships[1] + (1.0 - memberships[: TISSUES.index("soft")].sum(0)).clamp_min(0.0)
    middle = (-(right / 1.6).square()).exp()
    falx = (
        middle
        * fluid
        * box_maximum(brain, 5)
        * (up > 5.0)
        * ((front + 25.0).abs() + 0.6 * (up - 20.0) > 15.0)
    )
    tentorium = _between(
        memberships[TISSUES.index("cerebellar-cortex")] + 0.7 * memberships[TISSUES.index("brainstem")],
        memberships[TISSUES.index("cortex")] + 0.7 * memberships[TISSUES.index("white")],
    ) * (front < -25.0)
    rim = (box_maximum(brain, 5) - (box_mean(brain, 5) > 0.9).float()).clamp_min(0.0)
    sagittal = (right.abs() < 5.0) & (up + 0.3 * front > -20.0)
    transverse = (up < 5.0) & (box_maximum(tentorium, 5) > 0.3) & (front < -45.0)
    sinuses = rim * (sagittal | transverse)
    pineal = _ball((right, front, up), PINEAL_MM, 3.0)
    pallidum = _ball((right.abs(), front, up), PALLIDUM_MM, 4.0)
    plaques = middle * rim * (up > 20.0)
    return torch.stack([falx, tentorium, sinuses, pineal, pallidum, plaques]).clamp(0.0, 1.0)


def _millimetres(brain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    axes = [
        centre + VOXEL_MM * (torch.arange(side, dtype=torch.float32) - (side - 1) / 2)
        for side, centre in zip(brain.shape, CENTRE_MM, strict=True)
    ]
    right, front, up = torch.meshgrid(*axes, indexing="ij")
    return right, front, up


def _between(one: Tensor, other: Tensor) -> Tensor:
    """A sheet where two regions meet."""
    one, other = box_mean(one, 7), box_mean(other, 7)
    both = one + other
    return (-((one - other) / (0.2 * both.clamp_min(0.05))).square()).exp() * ((both - 0.3) * 4.0).clamp(
        0.0, 1.0
    )


def _ball(at: tuple[Tensor, ...], centre: tuple[float, ...], radius: float) -> Tensor:
    away = sum((axis - middle).square() for axis, middle in zip(at, centre, strict=True))
    assert isinstance(away, Tensor)
    return ((radius - away.sqrt()) / VOXEL_MM + 0.5).clamp(0.0, 1.0)
