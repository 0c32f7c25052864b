"""Detectors that look at the feature maps of another detector's encoder, trained here on healthy scans."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sanum.core.errors import ConfigError, ModelFileError, ScanError
from sanum.core.records import AnomalyMap, Prepared
from sanum.detectors.base import Detector, State
from sanum.detectors.slicewise import require_at_least, shown_slices, windows_of
from sanum.detectors.smoothing import smooth_within
from sanum.detectors.stored import from_nested, nested, obtain
from sanum.training.run import Run

PREFIX = "encoder."
"""Names of the encoder's arrays in a state begin so."""

LEAST_SPREAD = 1e-6
"""A feature that spreads less over healthy patches is dead and is left as it is."""


@runtime_checkable
class Encoder(Protocol):
    """What a detector offers whose network others can look into.

    Attributes:
        context: slices that it sees on each side of its target.
        step: slices are extended by their edge to a multiple of this.
    """

    context: int

    @property
    def step(self) -> int: ...  # noqa: D102

    def levels(self, windows: Tensor) -> list[Tensor]:
        """Feature maps (N, F, h, w), finest first, of windows (N, C, 2·context + 1, I, J)."""


@dataclass(frozen=True)
class EncodedConfig:
    """Settings that all detectors on an encoder share.

    Attributes:
        encoder: path of a model file (.safetensors) of `cae`, `vae`, `dae` or `restore`, which becomes part of
            this model; or the name of a recipe of these, which is trained first.
        levels: which of the encoder's feature maps, 0 is the finest and -1 the coarsest; brought to the size of the
            finest of them and joined. A dense bottleneck is one place for the whole slice.
        smoothing_mm: standard deviation of a Gaussian over the score, in mm (pixels in an image).
    """

    encoder: str = "cae"
    levels: tuple[int, ...] = (1, 2)
    smoothing_mm: float = 2.0

    def __post_init__(self) -> None:
        if not self.levels:
            raise ValueError("levels: expected one or more numbers of feature maps")
        require_at_least(0, "smoothing_mm", self.smoothing_mm)


@dataclass(frozen=True, eq=False)
class Patches:
    """Feature vectors of one slice.

    Attributes:
        case: number of the case.
        k: of the slice.
        features: (h, w, F) float32, standardised by healthy mean and spread once those are known.
        inside: (h, w), patches that hold any of the mask.
    """

    case: int
    k: int
    features: NDArray[np.float32]
    inside: NDArray[np.bool_]


class Encoded(Detector):
    """A detector that scores the patches of an encoder's feature maps; linear enlargement makes a map of them.

    Attributes:
        encoder_: a fitted detector.
        mean_: (F,) healthy mean of each feature.
        spread_: (F,) healthy standard deviation.
    """

    encoder_: Detector | None = None
    mean_: NDArray[np.float32] | None = None
    spread_: NDArray[np.float32] | None = None

    @abstractmethod
    def _learn(self, cases: Sequence[Prepared], *, seed: int, run: Run) -> None:
        """Learn from patches; encoder, mean and spread are there."""

    @abstractmethod
    def _score_patches(self, patches: Patches, case: Prepared) -> NDArray[np.float32]:
        """Score (h, w) of one slice's patches."""

    @abstractmethod
    def _learned(self) -> State:
        """What `_learn` learned.

        Raises:
            NotFittedError: before `fit` or `load_state`.
        """

    @abstractmethod
    def _load_learned(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Inverse of `_learned`."""

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Read or train the encoder, then learn what its features are in healthy patches.

        Raises:
            ConfigError: the encoder is none, or has no such level.
        """
        self._check_training_cases(cases)
        run = run or Run()
        found = obtain(self.config.encoder, self.modalities, cases, seed=seed, run=run).detector
        if not isinstance(found, Encoder):
            raise ConfigError(
                f"{self.name}: encoder {self.config.encoder!r} is a {found.name}, which has no feature maps; "
                "take a cae, vae, dae or restore"
            )
        self.encoder_, self.mean_, self.spread_ = found, None, None
        self.mean_, self.spread_ = _moments(self._patches(cases))
        self._learn(cases, seed=seed, run=run)
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """Score the patches of each slice, enlarge linearly, smooth."""
        self._learned()
        self._check_case(case)
        values = np.zeros(case.grid.shape, dtype=np.float32)
        for patches in self._patches([case]):
            values[..., patches.k] = self._enlarged(self._score_patches(patches, case), case)
        return self._map(case, smooth_within(values, case.mask, case.grid, self.config.smoothing_mm))

    def state(self) -> State:
        """The encoder's state, mean and spread of the features, and what was learned of them."""
        learned = self._learned()
        mean, spread = self._scale()
        return {
            **nested(self._encoder_detector(), PREFIX),
            "mean": mean.copy(),
            "spread": spread.copy(),
            **{f"learned.{name}": array.copy() for name, array in learned.items()},
        }

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up a saved encoder and what was learned with it."""
        encoder = from_nested(arrays, PREFIX, self.name)
        if not isinstance(encoder, Encoder) or encoder.modalities != self.modalities:
            raise ModelFileError(
                f"{self.name}: the encoder in the model file is of another kind or modalities"
            )
        learned = {
            name.removeprefix("learned."): array
            for name, array in arrays.items()
            if name.startswith("learned.")
        }
        try:
            self.mean_, self.spread_ = arrays["mean"].copy(), arrays["spread"].copy()
            self.encoder_ = encoder
            self._load_learned(learned)
        except KeyError as error:
            raise ModelFileError(
                f"{self.name}: array {error} is missing; the model file is damaged"
            ) from error
        return self

    def _patches(self, cases: Sequence[Prepared]) -> Iterator[Patches]:
        """Patches of every slice with any mask, one in memory: so no other slice can change a slice's score."""
        for number, case in enumerate(cases):
            for which in shown_slices(case, 1):
                features = self._features(windows_of(case, which, self._encoder().context))[0]
                inside = self._inside(case, int(which[0]), features.shape[1:])
                yield Patches(number, int(which[0]), np.moveaxis(features.numpy(), 0, 2), inside)

    @torch.no_grad()
    def _features(self, windows: Tensor) -> Tensor:
        """Feature maps (N, F, h, w) of the chosen levels at the size of the finest, standardised."""
        levels = self._encoder().levels(windows)
        try:
            chosen = [levels[number].float() for number in self.config.levels]
        except IndexError as error:
            raise ConfigError(
                f"{self.name}: levels {self.config.levels}, but the encoder has {len(levels)}"
            ) from error
        size = max((maps.shape[2:] for maps in chosen), key=lambda size: size[0] * size[1])
        chosen = [
            maps if maps.shape[2:] == size else functional.interpolate(maps, size=size, mode="bilinear")
            for maps in chosen
        ]
        features = torch.cat([self._neighbourhood(maps) for maps in chosen], dim=1)
        if self.mean_ is None or self.spread_ is None:
            return features
        mean, spread = (torch.from_numpy(array)[:, None, None] for array in (self.mean_, self.spread_))
        return (features - mean) / spread

    def _neighbourhood(self, maps: Tensor) -> Tensor:
        """What is taken of each place; a subclass may look around."""
        return maps

    def _inside(self, case: Prepared, k: int, size: torch.Size) -> NDArray[np.bool_]:
        mask = torch.from_numpy(case.mask[..., k].astype(np.float32))[None]
        padded = functional.pad(mask, self._margins(case))
        inside: NDArray[np.bool_] = functional.adaptive_max_pool2d(padded, list(size))[0].numpy() > 0
        return inside

    def _enlarged(self, scores: NDArray[np.float32], case: Prepared) -> NDArray[np.float32]:
        height, width = case.grid.shape[:2]
        _, right, _, below = self._margins(case)
        patches = torch.from_numpy(np.ascontiguousarray(scores, dtype=np.float32))[None, None]
        whole = functional.interpolate(patches, size=(height + below, width + right), mode="bilinear")
        return whole[0, 0, :height, :width].numpy()

    def _margins(self, case: Prepared) -> tuple[int, int, int, int]:
        """By how much the encoder extends a slice, as `functional.pad` wants it."""
        height, width = case.grid.shape[:2]
        step = self._encoder().step
        return (0, -width % step, 0, -height % step)

    def _encoder(self) -> Encoder:
        found = self._encoder_detector()
        assert isinstance(found, Encoder)
        return found

    def _encoder_detector(self) -> Detector:
        if self.encoder_ is None:
            raise self._not_fitted()
        return self.encoder_

    def _scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if self.mean_ is None or self.spread_ is None:
            raise self._not_fitted()
        return self.mean_, self.spread_

    def _require_size(self, patches: Patches, expected: tuple[int, ...], case: Prepared) -> None:
        if patches.features.shape[:2] != expected:
            raise ScanError(
                f"{case.case}: its slices are {case.grid.shape[:2]}, of another size than those learned; "
                "prepare it as the model says"
            )


def _moments(patches: Iterator[Patches]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and standard deviation of each feature over the patches inside the mask."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for one in patches:
        values = one.features[one.inside].astype(np.float64)
        count, total, squares = count + len(values), total + values.sum(0), squares + np.square(values).sum(0)
    mean = total / count
    spread = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    return mean.astype(np.float32), np.where(spread > LEAST_SPREAD, spread, 1.0).astype(np.float32)
