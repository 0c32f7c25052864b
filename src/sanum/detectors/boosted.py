"""Boosted trees as plain arrays: fitted by scikit-learn, kept without pickle, answered in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ModelFileError, TrainingError

FIELDS = ("feature", "threshold", "left", "right", "value")
"""Arrays of an ensemble, each (trees, nodes)."""

SAME = 1e-4
"""Greatest difference between scikit-learn's answer and that of the arrays taken out of it."""


@dataclass(frozen=True)
class BoostSettings:
    """How trees are boosted (Friedman 2001; histograms as in Ke et al. 2017).

    Attributes:
        trees: how many.
        leaves: of each, at most.
        learning_rate: share of each tree's answer that is taken.
        least_leaf: samples in a leaf, at least.
    """

    trees: int = 120
    leaves: int = 16
    learning_rate: float = 0.12
    least_leaf: int = 30


@dataclass(frozen=True, eq=False)
class Boosted:
    """Log-odds as the sum of trees.

    Attributes:
        feature: (T, L) column that a node asks; −1 in a leaf.
        threshold: (T, L); a value up to it goes left.
        left: (T, L) node on the left.
        right: (T, L).
        value: (T, L) answer of a leaf.
        start: log-odds before any tree.
    """

    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int16]
    right: NDArray[np.int16]
    value: NDArray[np.float32]
    start: float

    @classmethod
    def fit(
        cls,
        samples: NDArray[np.float32],
        truth: NDArray[np.bool_],
        how: BoostSettings,
        *,
        seed: int,
        ridge: float = 0.0,
    ) -> Self:
        """Learn to tell true samples (n, F) from the others; constant where only one class is given.

        `ridge` is added to the curvature in each leaf, so that a leaf without doubt answers within bounds.

        Raises:
            TrainingError: scikit-learn keeps its trees otherwise than this version knows.
        """
        if truth.all() or not truth.any():
            return cls.constant(8.0 if truth.size and truth.all() else -8.0)
        from sklearn.ensemble import HistGradientBoostingClassifier

        fitted = HistGradientBoostingClassifier(
            max_iter=how.trees,
            max_leaf_nodes=how.leaves,
            learning_rate=how.learning_rate,
            min_samples_leaf=how.least_leaf,
            l2_regularization=ridge,
            early_stopping=False,
            random_state=seed,
        ).fit(samples, truth)
        try:
            made = cls._of_nodes(
                [one[0].nodes for one in fitted._predictors], float(fitted._baseline_prediction.item())
            )
        except (AttributeError, KeyError, ValueError) as error:
            raise TrainingError(
                f"this version of scikit-learn keeps boosted trees otherwise ({error})"
            ) from error
        some = samples[:: max(1, len(samples) // 2000)]
        if np.abs(made.log_odds(some) - fitted.decision_function(some)).max() > SAME:
            raise TrainingError("boosted trees do not answer alike outside this version of scikit-learn")
        return made

    @classmethod
    def constant(cls, log_odds: float) -> Self:
        """The same answer to everything."""
        leaf = np.full((1, 1), -1, np.int16)
        none = np.zeros((1, 1), np.float32)
        return cls(leaf, none, leaf, leaf, none, log_odds)

    @classmethod
    def _of_nodes(cls, trees: list[NDArray[Any]], start: float) -> Self:
        size = (len(trees), max(len(nodes) for nodes in trees))
        feature, left, right = (np.full(size, -1, np.int16) for _ in range(3))
        threshold, value = (np.zeros(size, np.float32) for _ in range(2))
        for number, nodes in enumerate(trees):
            here = slice(0, len(nodes))
            inner = nodes["is_leaf"] == 0
            feature[number, here] = np.where(inner, nodes["feature_idx"], -1)
            left[number, here] = np.where(inner, nodes["left"], -1)
            right[number, here] = np.where(inner, nodes["right"], -1)
            threshold[number, here] = np.where(inner, _below(nodes["num_threshold"]), 0.0)
            value[number, here] = np.where(inner, 0.0, nodes["value"])
        return cls(feature, threshold, left, right, value, start)

    def log_odds(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n,) answers to samples (n, F)."""
        columns = np.ascontiguousarray(samples.T)
        total = np.full(len(samples), self.start, np.float32)
        everyone = np.arange(len(samples))
        for tree in range(len(self.feature)):
            feature, threshold = self.feature[tree], self.threshold[tree]
            waiting = [(0, everyone)]
            while waiting:
                node, who = waiting.pop()
                if feature[node] < 0:
                    total[who] += self.value[tree, node]
                    continue
                lower = columns[feature[node]][who] <= threshold[node]
                for child, part in ((self.left, who[lower]), (self.right, who[~lower])):
                    if len(part):
                        waiting.append((int(child[tree, node]), part))
        return total

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All as named arrays, copied."""
        return {name: getattr(self, name).copy() for name in FIELDS} | {"start": np.array([self.start])}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `arrays`.

        Raises:
            ModelFileError: one is missing.
        """
        try:
            feature, threshold, left, right, value = (arrays[name] for name in FIELDS)
            return cls(feature, threshold, left, right, value, float(arrays["start"][0]))
        except KeyError as error:
            raise ModelFileError(f"boosted trees: {error} is missing; the model file is damaged") from error


def _below(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The greatest float32 not above each threshold, so that float32 samples take the same way."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
