"""Every kind of synthetic lesion by name, and whether detectors train on it or are tested on it: never both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sanum.core.config import did_you_mean
from sanum.core.errors import ConfigError
from sanum.synthesis import paints, shapes

Purpose = Literal["training", "evaluation"]


@dataclass(frozen=True)
class Kind:
    """One kind of synthetic lesion.

    Attributes:
        name: unique.
        purpose: "training" kinds teach detectors; "evaluation" kinds test them and are never trained on.
        shape: where it lies.
        paint: what it looks like.
        swelling: how far it pushes the tissue around it away, as a share of its radius.
    """

    name: str
    purpose: Purpose
    shape: shapes.Shape
    paint: paints.Paint
    swelling: float = 0.0


TRAINING_SHAPES: tuple[tuple[shapes.Shape, float], ...] = (
    (shapes.rough_ball, 0.30),
    (shapes.spots, 0.15),
    (shapes.territory, 0.25),
    (shapes.infiltrate, 0.15),
    (shapes.ribbon, 0.15),
)
"""Shapes that detectors train on, and how often."""

TRAINING_PAINTS: tuple[tuple[paints.Paint, float], ...] = (
    (paints.shift, 0.35),
    (paints.level, 0.20),
    (paints.graft, 0.20),
    (paints.oedema, 0.15),
    (paints.cored, 0.10),
)
"""Paints that detectors train on, and how often; drawn independently of the shape."""

EVALUATION_KINDS: tuple[Kind, ...] = (
    Kind("ball", "evaluation", shapes.ball, paints.plain),
    Kind("haemorrhage", "evaluation", shapes.egg, paints.clot),
    Kind("resection", "evaluation", shapes.surface_ball, paints.fluid),
    Kind("tumour", "evaluation", shapes.egg, paints.patchy, swelling=0.35),
)
"""Kinds held out: no shape and no paint of theirs is in the training kinds."""

KINDS: tuple[Kind, ...] = (
    *(
        Kind(f"{shape.__name__}-{paint.__name__}".replace("_", "-"), "training", shape, paint)
        for shape, _ in TRAINING_SHAPES
        for paint, _ in TRAINING_PAINTS
    ),
    *EVALUATION_KINDS,
)


def find_kind(name: str) -> Kind:
    """Look up a kind.

    Raises:
        ConfigError: no kind of that name.
    """
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise ConfigError(f"unknown kind of lesion {name!r}; {did_you_mean(name, (k.name for k in KINDS))}")
