"""The small networks that tell sequences apart by measures of slices; numpy is enough for them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FARTHEST = 4.0
"""Standard deviations beyond which a measure is cut off: what was never seen shall not be shouted about."""


@dataclass(frozen=True, eq=False)
class Network:
    """Two dense layers.

    Attributes:
        weights: (measures, hidden) and (hidden, sequences).
        biases: (hidden,) and (sequences,).
    """

    weights: tuple[NDArray[np.float32], NDArray[np.float32]]
    biases: tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Judges:
    """Networks whose mean opinion counts.

    Attributes:
        mean, spread: of each measure over what taught them.
        warmth: by what logits are divided, so that shares are honest.
        networks: at least one.
    """

    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    warmth: float
    networks: Sequence[Network]

    def shares(self, measures: NDArray[np.floating]) -> NDArray[np.float64]:
        """Shares of the sequences, summing to 1: (..., measures) to (..., sequences)."""
        scaled = ((measures - self.mean) / self.spread).clip(-FARTHEST, FARTHEST)
        (first, first_bias), (second, second_bias) = self._together
        hidden = np.maximum(scaled @ first + first_bias, 0)
        apart = hidden.reshape(*hidden.shape[:-1], len(self.networks), 1, -1)
        logits = ((apart @ second)[..., 0, :] + second_bias) / self.warmth
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        found: NDArray[np.float64] = (powers / powers.sum(axis=-1, keepdims=True)).mean(axis=-2)
        return found

    @functools.cached_property
    def _together(self) -> Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Weights and biases of each layer of all networks, of the first one beside the other: one product for all."""
        weights, biases = (
            [
                np.stack([getattr(one, kind)[layer] for one in self.networks]).astype(np.float64)
                for layer in (0, 1)
            ]
            for kind in ("weights", "biases")
        )
        beside = weights[0].swapaxes(0, 1).reshape(weights[0].shape[1], -1)
        return (np.ascontiguousarray(beside), biases[0].ravel()), (weights[1], biases[1])


def arrays_of(judges: Judges) -> Mapping[str, NDArray[np.float32]]:
    """What `read_judges` reads, as named arrays."""
    found = {
        "mean": judges.mean,
        "spread": judges.spread,
        "warmth": np.array([judges.warmth], np.float32),
    }
    for number, network in enumerate(judges.networks):
        for layer in (0, 1):
            found[f"{number}.weight{layer}"] = network.weights[layer]
            found[f"{number}.bias{layer}"] = network.biases[layer]
    return {name: np.ascontiguousarray(array, np.float32) for name, array in found.items()}


def read_judges(path: Path) -> Judges:
    """Networks from a `.safetensors` file."""
    from safetensors.numpy import load_file

    arrays = load_file(path)
    count = sum(name.endswith(".weight0") for name in arrays)
    networks = [
        Network(
            (arrays[f"{number}.weight0"], arrays[f"{number}.weight1"]),
            (arrays[f"{number}.bias0"], arrays[f"{number}.bias1"]),
        )
        for number in range(count)
    ]
    return Judges(arrays["mean"], arrays["spread"], float(arrays["warmth"][0]), networks)
