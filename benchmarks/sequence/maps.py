"""Bags of what is no modality but shows a head: diffusion, perfusion and spin labelling; and what shows none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.sequence import levels
from benchmarks.sequence.levels import Draw
from benchmarks.sequence.make import Bag, Points, Sources, any_head, points_of, tissues_of, waves, worn
from benchmarks.sequence.others import structureless

KINDS = {
    "b0": 0.2,
    "diffusion": 0.12,
    "spin labelling": 0.15,
    "flow": 0.15,
    "diffusivity": 0.06,
    "anisotropy": 0.06,
    "structureless": 0.26,
}
"""How often each is drawn."""

DRAWN: Mapping[str, Draw] = {
    "b0": levels.echo_planar,
    "diffusion": levels.diffusion,
    "spin labelling": levels.spin_labelling,
    "flow": levels.perfusion,
    "diffusivity": levels.diffusivity,
    "anisotropy": levels.anisotropy,
}

ECHO_PLANAR = ("b0", "diffusion", "spin labelling")
"""Whole heads, bent and with holes where air is near."""


def make_other(sources: Sources, rng: np.random.Generator) -> Bag:
    """One bag of what is none of the modalities."""
    kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
    places = points_of(rng)
    head = any_head(sources, rng)
    origin = np.array([head.centre[0], head.centre[1], head.top_head])
    if kind == "structureless":
        shown = tissues_of(head, places, origin, 2.0, rng.random() < 0.5, rng) > 0
        return structureless(places, shown.mean(0) > 0.5, rng)
    bent = places + waves(places, rng, 1, rng.uniform(1, 6), (25, 80)) * [0, 1, 0]
    alone = kind not in ECHO_PLANAR or rng.random() < 0.3
    tissue = tissues_of(head, bent, origin, rng.uniform(3, 7), alone, rng)
    bag = DRAWN[kind](rng)[tissue].mean(0)
    outside = (tissue == 0).mean(0) > 0.5 if alone else np.zeros(bag.shape, np.bool_)
    if kind == "flow":
        return _flow(bag, outside, rng)
    if kind in ECHO_PLANAR:
        bag = _echo_planar(bag, places, rng)
    return worn(bag, places, outside, rng)


def _echo_planar(bag: Bag, places: Points, rng: np.random.Generator) -> Bag:
    """Holes where air is near, and little resolution."""
    near = np.maximum(waves(places, rng, 1, 1.0, (40, 90))[..., 0] + rng.uniform(1.2, 2.5), 0)
    return np.asarray(
        ndimage.gaussian_filter(bag * (1 - np.exp(-3 * near)), (0, *[rng.uniform(0.5, 1.1)] * 2))
    )


def _flow(bag: Bag, outside: NDArray[np.bool_], rng: np.random.Generator) -> Bag:
    """A map of blood flow: blurred, noisy, with values below 0."""
    bag = ndimage.gaussian_filter(bag, (0, *[rng.uniform(0.6, 1.6)] * 2))
    noise = ndimage.gaussian_filter(rng.standard_normal(bag.shape, np.float32), (0, 0.7, 0.7))
    bag = bag + rng.uniform(0.05, 1.0) * noise * 2
    bag = np.where(outside & (rng.random() < 0.6), 0.0, bag)
    return np.asarray(np.maximum(bag, 0) if rng.random() < 0.5 else bag, np.float32)
