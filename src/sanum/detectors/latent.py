"""Outliers among an encoder's feature vectors, by the classic methods of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ModelFileError
from sanum.core.records import Prepared
from sanum.detectors.base import State
from sanum.detectors.encoders import Encoded, EncodedConfig, Patches
from sanum.detectors.reservoir import reservoir
from sanum.detectors.slicewise import require_at_least
from sanum.training.run import Run

Method: TypeAlias = Literal["isolation-forest", "mahalanobis", "knn", "one-class-svm"]

Scorer: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""Vectors (n, F) to scores (n,), higher = more unusual."""

PROBES = 32
"""Kept vectors whose scores are stored, to notice a library that learns otherwise from the same vectors."""


@dataclass(frozen=True)
class Config(EncodedConfig):
    """Settings of the outlier method.

    Attributes:
        method: how unusual a vector is; "knn" is the mean distance to the nearest neighbours.
        vectors: healthy patches that are kept to learn from.
        contamination: share of the healthy patches that the isolation forest calls outliers, which is where its
            score is 0; also the bound of the support vector machine on errors in training.
        trees: of the isolation forest.
        neighbours: of the nearest-neighbour distance.
    """

    levels: tuple[int, ...] = (2,)
    method: Method = "isolation-forest"
    vectors: int = 4000
    contamination: float = 0.05
    trees: int = 200
    neighbours: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("vectors", "trees", "neighbours"):
            require_at_least(1, name, getattr(self, name))
        if not 0.0 < self.contamination <= 0.5:
            raise ValueError(f"contamination: expected above 0 and up to 0.5, got {self.contamination}")


class Latent(Encoded):
    """How unusual each patch's feature vector is among healthy ones.

    Isolation forest (Liu et al. 2008), Mahalanobis distance with shrunk covariance (Ledoit and Wolf 2004), k-NN
    distance (Ramaswamy et al. 2000), one-class support vector machine (Schölkopf et al. 2001). The state holds
    healthy vectors and a seed; the method learns from them again when a model is loaded, and is refused where it
    then scores otherwise than before, as another version of scikit-learn may.

    Attributes:
        vectors_: (n, F) standardised healthy vectors.
        seed_: of the method.
        probe_: scores of the first of them.
    """

    name = "latent"
    Config = Config

    vectors_: NDArray[np.float32] | None = None
    seed_: int = 0
    probe_: NDArray[np.float64] | None = None
    scorer_: Scorer | None = None

    def _learn(self, cases: Sequence[Prepared], *, seed: int, run: Run) -> None:
        del run
        healthy = (patches.features[patches.inside] for patches in self._patches(cases))
        self.vectors_ = reservoir(healthy, self.config.vectors, np.random.default_rng(seed))
        self.seed_ = seed
        self.scorer_ = make_scorer(self.config, self.vectors_, seed)
        self.probe_ = self.scorer_(self.vectors_[:PROBES])

    def _score_patches(self, patches: Patches, case: Prepared) -> NDArray[np.float32]:
        del case
        if self.scorer_ is None:
            raise self._not_fitted()
        scores = np.zeros(patches.inside.shape, dtype=np.float32)
        scores[patches.inside] = self.scorer_(patches.features[patches.inside])
        return scores

    def _learned(self) -> State:
        if self.vectors_ is None or self.probe_ is None:
            raise self._not_fitted()
        return {"vectors": self.vectors_, "seed": np.array([self.seed_]), "probe": self.probe_}

    def _load_learned(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        vectors, probe, seed = arrays["vectors"].copy(), arrays["probe"].copy(), int(arrays["seed"][0])
        scorer = make_scorer(self.config, vectors, seed)
        if not np.allclose(scorer(vectors[:PROBES]), probe, rtol=1e-6, atol=1e-9):
            raise ModelFileError(
                "latent: this scikit-learn learns otherwise from the same vectors than the one that trained the "
                "model; install the version it was trained with, or train it again"
            )
        self.vectors_, self.probe_, self.seed_, self.scorer_ = vectors, probe, seed, scorer


def make_scorer(config: Config, vectors: NDArray[np.float32], seed: int) -> Scorer:
    """Learn a method from healthy vectors (n, F)."""
    if config.method == "isolation-forest":
        return _forest(config, vectors, seed)
    if config.method == "mahalanobis":
        return _mahalanobis(vectors)
    if config.method == "knn":
        return _nearest(config, vectors)
    return _support_vectors(config, vectors)


def _forest(config: Config, vectors: NDArray[np.float32], seed: int) -> Scorer:
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(
        n_estimators=config.trees, contamination=config.contamination, random_state=seed % 2**32
    )
    forest.fit(vectors)
    return lambda asked: -forest.decision_function(asked)


def _mahalanobis(vectors: NDArray[np.float32]) -> Scorer:
    from sklearn.covariance import LedoitWolf

    gaussian = LedoitWolf().fit(vectors.astype(np.float64))
    return lambda asked: np.sqrt(np.maximum(gaussian.mahalanobis(asked.astype(np.float64)), 0.0))


def _nearest(config: Config, vectors: NDArray[np.float32]) -> Scorer:
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=min(config.neighbours, len(vectors)), algorithm="brute")
    index.fit(vectors)
    return lambda asked: index.kneighbors(asked)[0].mean(axis=1)


def _support_vectors(config: Config, vectors: NDArray[np.float32]) -> Scorer:
    from sklearn.svm import OneClassSVM

    machine = OneClassSVM(nu=config.contamination, gamma="scale").fit(vectors)
    return lambda asked: -machine.decision_function(asked)
