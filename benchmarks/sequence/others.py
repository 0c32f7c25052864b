"""Images without the structure of a head: field and phase maps, masks, noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def structureless(
    places: NDArray[np.float64], shown: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float32]:
    """A field map, a phase map, a mask or plain noise.

    Args:
        places: (S, *SIZE, 3) mm.
        shown: (S, *SIZE), the head.
        rng: of the draw.
    """
    kind = str(rng.choice(["field", "phase", "mask", "noise", "smooth"], p=[0.35, 0.35, 0.1, 0.1, 0.1]))
    smooth = _smooth(places, rng)
    noise = rng.standard_normal(shown.shape)
    if kind == "field":
        bag = rng.uniform(0.5, 3) * smooth + rng.uniform(0, 0.2) * noise
        around = rng.uniform(0, 3) * noise if rng.random() < 0.5 else np.zeros_like(bag)
        bag = np.where(shown, bag, around)
        return np.asarray(bag + (4 if rng.random() < 0.3 else 0), np.float32)
    if kind == "phase":
        turns = rng.uniform(1, 8) * smooth + rng.uniform(0, 0.5) * noise
        around = rng.uniform(-np.pi, np.pi, shown.shape) if rng.random() < 0.7 else np.zeros(shown.shape)
        wrapped = np.where(shown, np.angle(np.exp(1j * turns)), around)
        return np.asarray(wrapped + (np.pi if rng.random() < 0.5 else 0), np.float32)
    if kind == "mask":
        return np.asarray(shown, np.float32)
    if kind == "noise":
        bag = ndimage.gaussian_filter(noise, (0, *[rng.uniform(0, 2)] * 2))
        bag = np.abs(bag) if rng.random() < 0.5 else bag
        return np.asarray(bag * (shown if rng.random() < 0.5 else 1), np.float32)
    return np.asarray((smooth - smooth.min()) * shown, np.float32)


def _smooth(places: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    total = np.zeros(places.shape[:-1])
    for _ in range(4):
        way = rng.standard_normal(3)
        way *= 2 * np.pi / rng.uniform(50, 250) / np.linalg.norm(way)
        total += np.cos(places @ way + rng.uniform(0, 2 * np.pi))
    centre = np.array([0, rng.uniform(20, 60), rng.uniform(-100, -70)])
    near = np.exp(-((np.linalg.norm(places - centre, axis=-1) / rng.uniform(15, 40)) ** 2))
    return total / 2 + rng.uniform(-4, 4) * near
