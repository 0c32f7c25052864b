"""Any recipe over plain arrays, with scikit-learn's conventions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Prepared
from sanum.detectors import detector_class
from sanum.detectors.base import Detector
from sanum.detectors.recipes import resolve_recipe

CHANNEL = ("array",)
"""Name of the one channel that arrays have."""


class AnomalyDetector(OutlierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learn arrays of normal cases, all prepared alike, and score others: higher is more normal, as in scikit-learn.

    Scans in files are better trained on by `sanum.train`, which prepares them and calibrates on held-out subjects.

    Args:
        recipe: name of a recipe, or path of a TOML file.
        settings: overrides of the recipe's config.
        contamination: share of the training cases that `predict` calls outliers, above 0 and up to 0.5.
        random_state: seed of everything random.

    Attributes:
        detector_: the fitted detector.
        offset_: scores below it are outliers.
        range_: lowest and highest training value; arrays are scaled by them to [0, 1] and not cut off.
        n_features_in_: length of the second axis.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> healthy = rng.normal(100.0, 5.0, (40, 16, 16))
    >>> spotted = healthy[:1].copy()
    >>> spotted[0, 4:9, 4:9] = 200.0
    >>> AnomalyDetector("atlas", {"smoothing_mm": 1.0}).fit(healthy).predict(spotted)
    array([-1])
    """

    def __init__(
        self,
        recipe: str = "atlas",
        settings: Mapping[str, Any] | None = None,
        contamination: float = 0.1,
        random_state: Any = 0,
    ) -> None:
        self.recipe = recipe
        self.settings = settings
        self.contamination = contamination
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn normal cases.

        Args:
            X: (n, rows, columns), (n, I, J, K), or (n, features); one channel.
            y: ignored.

        Raises:
            ValueError: X is no array of finite numbers, or contamination is out of range.
            ConfigError: unknown recipe or setting.
        """
        del y
        if not 0.0 < self.contamination <= 0.5:
            raise ValueError(f"contamination: expected above 0 and up to 0.5, got {self.contamination}")
        arrays = self._checked(X, reset=True)
        self.range_ = (float(arrays.min()), float(arrays.max()))
        self.shape_ = arrays.shape[1:]
        plan = resolve_recipe(self.recipe, self.settings or {})
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        made: Detector = detector_class(plan.detector)(plan.config, CHANNEL)
        self.summary_ = plan.summary
        self.detector_ = made.fit(self._cases(arrays), seed=seed)
        self.offset_ = float(np.percentile(self.score_samples(X), 100.0 * self.contamination))
        return self

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """(n,) how normal each case is: minus the summary of its anomaly map.

        Raises:
            NotFittedError: before `fit`.
            ValueError: X has other axes than the training cases.
        """
        return np.array([-found.summary(self.summary_) for found in self._maps(X)], np.float64)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """(n,) `score_samples` above the offset; negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """(n,) 1 for normal cases and -1 for outliers."""
        return np.where(self.decision_function(X) < 0.0, -1, 1)

    def anomaly_maps(self, X: Any) -> NDArray[np.float32]:
        """Anomaly at each place, in the shape of X; higher is more anomalous.

        Raises:
            NotFittedError, ValueError: see `score_samples`.
        """
        return np.stack([found.values.reshape(self.shape_) for found in self._maps(X)])

    def _maps(self, X: Any) -> list[AnomalyMap]:
        check_is_fitted(self)
        return [self.detector_.score(case) for case in self._cases(self._checked(X, reset=False))]

    def _checked(self, X: Any, *, reset: bool) -> NDArray[np.float64]:
        arrays: NDArray[np.float64] = validate_data(
            self, X, reset=reset, allow_nd=True, dtype=np.float64, ensure_min_samples=2 if reset else 1
        )
        if arrays.ndim > 4:
            raise ValueError(f"X: expected 2 to 4 axes, got shape {arrays.shape}")
        if not reset and arrays.shape[1:] != self.shape_:
            raise ValueError(f"X: expected cases of shape {self.shape_} as in fit, got {arrays.shape[1:]}")
        return arrays

    def _cases(self, arrays: NDArray[np.float64]) -> list[Prepared]:
        low, high = self.range_
        scaled = ((arrays - low) / ((high - low) or 1.0)).astype(np.float32)
        first, second, third = (*arrays.shape[1:], 1, 1)[:3]
        grid = Grid((first, second, third), np.eye(4))
        return [
            Prepared(
                case=str(number),
                subject=str(number),
                voxels=values.reshape(1, *grid.shape),
                mask=np.ones(grid.shape, bool),
                grid=grid,
                modalities=CHANNEL,
                preparation="",
                native=grid,
                to_model=np.eye(4),
                is_image=third == 1,
            )
            for number, values in enumerate(scaled)
        ]
