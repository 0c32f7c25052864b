"""What features are normal at each place: one Gaussian for every patch position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import TrainingError
from sanum.core.records import Prepared
from sanum.detectors.base import State
from sanum.detectors.encoders import Encoded, EncodedConfig, Patches
from sanum.detectors.slicewise import require_at_least
from sanum.training.run import Run


@dataclass(frozen=True)
class Config(EncodedConfig):
    """Settings of the Gaussians.

    Attributes:
        dimensions: features drawn at random from all; drawn ones do as well as principal components.
        bands: parts of a volume along K, each with Gaussians of its own; a picture has one.
        prior: every place starts from the healthy patches of all places, as if that many slices had shown them.
    """

    dimensions: int = 32
    bands: int = 4
    prior: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("dimensions", "bands"):
            require_at_least(1, name, getattr(self, name))
        if not self.prior > 0.0:
            raise ValueError(f"prior: expected above 0, got {self.prior}")


class Padim(Encoded):
    """Mahalanobis distance from the healthy patches at the same place (PaDiM, Defard et al. 2021).

    Where the paper adds a constant to each covariance, each place shrinks towards the Gaussian of all places by
    a prior's weight, so that places seen in few slices are judged as the average place is.

    Attributes:
        drawn_: (D,) numbers of the features that are looked at.
        centre_: (B, h, w, D) mean at each place.
        whiten_: (B, h, w, D, D) matrix that makes differences from the mean independent, of unit variance.
    """

    name = "padim"
    Config = Config

    drawn_: NDArray[np.int64] | None = None
    centre_: NDArray[np.float32] | None = None
    whiten_: NDArray[np.float32] | None = None

    def _learn(self, cases: Sequence[Prepared], *, seed: int, run: Run) -> None:
        del run
        settings: Config = self.config
        features = len(self._scale()[0])
        count = min(settings.dimensions, features)
        drawn = np.sort(np.random.default_rng(seed).permutation(features)[:count])
        bands = min(settings.bands, max(case.grid.shape[2] for case in cases))
        moments: _Moments | None = None
        for patches in self._patches(cases):
            if moments is None:
                moments = _Moments((bands, *patches.features.shape[:2]), count)
            if patches.features.shape[:2] != moments.count.shape[1:]:
                raise TrainingError(f"{cases[patches.case].case}: its slices differ in size from the others'")
            band = _band(patches.k, cases[patches.case], bands)
            moments.add(band, patches.features[..., drawn], patches.inside)
        assert moments is not None
        self.drawn_ = drawn
        self.centre_, self.whiten_ = moments.gaussians(settings.prior)

    def _score_patches(self, patches: Patches, case: Prepared) -> NDArray[np.float32]:
        drawn, centre, whiten = self._gaussians()
        self._require_size(patches, centre.shape[1:3], case)
        band = _band(patches.k, case, len(centre))
        offset = patches.features[..., drawn] - centre[band]
        distance: NDArray[np.float32] = np.linalg.norm(
            np.einsum("hwde,hwe->hwd", whiten[band], offset), axis=2
        )
        return distance

    def _learned(self) -> State:
        drawn, centre, whiten = self._gaussians()
        return {"drawn": drawn, "centre": centre, "whiten": whiten}

    def _load_learned(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.drawn_, self.centre_, self.whiten_ = (
            arrays[name].copy() for name in ("drawn", "centre", "whiten")
        )

    def _gaussians(self) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        if self.drawn_ is None or self.centre_ is None or self.whiten_ is None:
            raise self._not_fitted()
        return self.drawn_, self.centre_, self.whiten_


class _Moments:
    """Count, sum and products of the features at each place; one slice in memory at a time."""

    def __init__(self, places: tuple[int, int, int], dimensions: int) -> None:
        self.count = np.zeros(places)
        self._sum = np.zeros((*places, dimensions))
        self._products = np.zeros((*places, dimensions, dimensions))

    def add(self, band: int, features: NDArray[np.float32], inside: NDArray[np.bool_]) -> None:
        values = features[inside].astype(np.float64)
        self.count[band][inside] += 1.0
        self._sum[band][inside] += values
        self._products[band][inside] += values[:, :, None] * values[:, None, :]

    def gaussians(self, prior: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and whitening matrix of each place, drawn to those of all places by `prior` slices."""
        space = (0, 1, 2)
        total = self.count.sum()
        everywhere = self._sum.sum(space) / total
        spread = self._products.sum(space) / total - np.outer(everywhere, everywhere)
        spread += 1e-3 * np.eye(len(everywhere))
        weight = (self.count + prior)[..., None]
        centre = (self._sum + prior * everywhere) / weight
        known = prior * (spread + np.outer(everywhere, everywhere))
        covariance = (self._products + known) / weight[..., None] - centre[..., :, None] * centre[
            ..., None, :
        ]
        whiten = np.linalg.inv(np.linalg.cholesky(covariance))
        return centre.astype(np.float32), whiten.astype(np.float32)


def _band(k: int, case: Prepared, bands: int) -> int:
    return min(bands - 1, k * bands // case.grid.shape[2])
