"""A memory of healthy patches: a patch unlike all of them is abnormal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances_argmin_min
from torch import Tensor
from torch.nn import functional

from sanum.core.records import Prepared
from sanum.detectors.base import State
from sanum.detectors.encoders import Encoded, EncodedConfig, Patches
from sanum.detectors.reservoir import reservoir
from sanum.detectors.slicewise import require_at_least
from sanum.training.run import Run

PROJECTED = 32
"""Dimensions of the random projection in which the memory is thinned; distances keep their order well enough."""


@dataclass(frozen=True)
class Config(EncodedConfig):
    """Settings of the memory.

    Attributes:
        memory: patches that are kept.
        candidates: patches drawn at random from all healthy ones, of which those are chosen.
    """

    memory: int = 2000
    candidates: int = 40_000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("memory", "candidates"):
            require_at_least(1, name, getattr(self, name))


class PatchCore(Encoded):
    """Distance to the nearest patch of a memory (Roth et al. 2022), each feature averaged over 3 x 3 places.

    The memory is thinned greedily: the next patch kept is the one farthest from those kept before.

    Attributes:
        memory_: (M, F) standardised features of healthy patches.
    """

    name = "patchcore"
    Config = Config

    memory_: NDArray[np.float32] | None = None

    def _learn(self, cases: Sequence[Prepared], *, seed: int, run: Run) -> None:
        del run
        rng = np.random.default_rng(seed)
        healthy = (patches.features[patches.inside] for patches in self._patches(cases))
        candidates = reservoir(healthy, self.config.candidates, rng)
        projection = rng.standard_normal((candidates.shape[1], PROJECTED), np.float32)
        self.memory_ = candidates[_spread_out(candidates @ projection, self.config.memory)]

    def _score_patches(self, patches: Patches, case: Prepared) -> NDArray[np.float32]:
        del case
        scores = np.zeros(patches.inside.shape, dtype=np.float32)
        asked = patches.features[patches.inside]
        scores[patches.inside] = pairwise_distances_argmin_min(asked, self._memory())[1]
        return scores

    def _neighbourhood(self, maps: Tensor) -> Tensor:
        return functional.avg_pool2d(maps, 3, 1, 1, count_include_pad=False)

    def _learned(self) -> State:
        return {"memory": self._memory()}

    def _load_learned(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.memory_ = arrays["memory"].copy()

    def _memory(self) -> NDArray[np.float32]:
        if self.memory_ is None:
            raise self._not_fitted()
        return self.memory_


def _spread_out(points: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """Indices of points that cover the rest: greedy k-centre (Sener and Savarese 2018), from the first point on."""
    count = min(count, len(points))
    chosen = np.zeros(count, dtype=np.int64)
    distance = np.square(points - points[0]).sum(1)
    for number in range(1, count):
        chosen[number] = int(distance.argmax())
        distance = np.minimum(distance, np.square(points - points[chosen[number]]).sum(1))
    return chosen
