"""Several detectors as one: how surprising each finds a voxel among healthy ones, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sanum.core.config import later
from sanum.core.errors import ConfigError, ModelFileError
from sanum.core.records import MAP_QUANTILES, AnomalyMap, MemberMap, Prepared
from sanum.core.units import Volume
from sanum.detectors.base import Detector, Opinion, State
from sanum.detectors.stored import from_nested, names_model, nested, obtain
from sanum.training.data import split_subjects
from sanum.training.run import Run

EVIDENCE = -np.log10(1.0 - np.array(MAP_QUANTILES))
"""-log10 of the p-value of a voxel at each of `MAP_QUANTILES`."""

FINDING_LEVEL = MAP_QUANTILES.index(0.9999)
"""Where among `MAP_QUANTILES` lies the level above which a member alone takes a voxel for a finding, as cases do."""

SAMPLE = 100_000
"""Voxels of a held-out case that place the healthy levels of a member trained here."""


@dataclass(frozen=True)
class Config:
    """Settings of the ensemble.

    Attributes:
        members: path of a calibrated model file (.safetensors), or name of a recipe that is trained first; each
            becomes part of this model.
        held_out: share of the training subjects that a member trained here does not see; they give its healthy
            levels.
        combine: "mean" of the members' evidence, or the "least": what some member finds ordinary is ordinary.
    """

    members: tuple[str, ...] = ()
    held_out: float = 0.2
    combine: Literal["mean", "least"] = later("mean")

    def __post_init__(self) -> None:
        if not 0.0 <= self.held_out < 1.0:
            raise ValueError(f"held_out: expected 0 to below 1, got {self.held_out}")


class Ensemble(Detector):
    """Mean, or least, over the members of -log10 p, where p is the share of healthy voxels that score as high.

    The mean is Fisher's combination of p-values with equal weights; the least is the test of the largest p-value
    (Wilkinson 1951), for members that see the same things and err in different places. The healthy voxels of a model
    file are those it was calibrated with, kept as seven quantiles; between them the evidence is interpolated, beyond the
    last it goes on with the last slope, so that no score saturates.

    Attributes:
        members_: fitted detectors.
        levels_: (members, quantiles) healthy voxel values of each.
    """

    name = "ensemble"
    Config = Config

    members_: tuple[Detector, ...] = ()
    levels_: NDArray[np.float64] | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Read the members, or train them; seeds of members trained here count up from `seed`.

        Raises:
            ConfigError: no member, one of other modalities or another preparation, or one not calibrated.
        """
        self._check_training_cases(cases)
        if not self.config.members:
            raise ConfigError(
                "ensemble: no members; name calibrated model files or recipes, such as "
                """--set 'members=["a.safetensors", "b.safetensors"]'"""
            )
        training, held_out = split_subjects(cases, self.config.held_out, seed)
        members, levels = [], []
        for number, source in enumerate(self.config.members):
            found = obtain(source, self.modalities, training, seed=seed + number, run=run)
            members.append(found.detector)
            if found.map_levels is not None:
                levels.append(found.map_levels)
            elif names_model(source):
                raise ConfigError(
                    f"{source}: not calibrated, so its scores have no p-values; run `sanum calibrate`"
                )
            else:
                levels.append(_healthy_levels(found.detector, held_out or training))
        self.members_, self.levels_ = tuple(members), np.array(levels)
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """Evidence of the members together at each voxel."""
        return self.judge(case).map

    def judge(self, case: Prepared, *, reconstruct: bool = True) -> Opinion:
        """Evidence of the members together, and the map of each by itself, named by what it was made of."""
        del reconstruct
        levels = self._fitted()
        self._check_case(case)
        least = self.config.combine == "least"
        together = np.full(case.grid.shape, np.inf if least else 0.0)
        maps = []
        for source, member, healthy in zip(self.config.members, self.members_, levels, strict=True):
            found = member.score(case)
            each = evidence(found.values, healthy)
            together = np.minimum(together, each) if least else together + each / len(self.members_)
            maps.append(MemberMap(Path(source).stem, found, float(healthy[FINDING_LEVEL])))
        return Opinion(self._map(case, together), tuple(maps))

    def state(self) -> State:
        """The members' states and healthy levels."""
        arrays: State = {"levels": self._fitted().copy()}
        for number, member in enumerate(self.members_):
            arrays |= nested(member, f"member{number}.")
        return arrays

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up saved members."""
        count = len(self.config.members)
        levels = arrays.get("levels")
        if levels is None or count == 0 or levels.shape != (count, len(MAP_QUANTILES)):
            raise ModelFileError(
                f"ensemble: expected healthy levels of {count} members; the model file is damaged"
            )
        members = tuple(from_nested(arrays, f"member{number}.", "ensemble") for number in range(count))
        if any(member.modalities != self.modalities for member in members):
            raise ModelFileError("ensemble: a member takes other modalities; the model file is damaged")
        self.members_, self.levels_ = members, levels.copy()
        return self

    def _fitted(self) -> NDArray[np.float64]:
        if self.levels_ is None:
            raise self._not_fitted()
        return self.levels_


def evidence(values: Volume, healthy: NDArray[np.float64]) -> NDArray[np.float64]:
    """-log10 of the share of healthy voxels that score at least as high, by straight pieces; NaN stays NaN.

    Args:
        values: any shape.
        healthy: voxel values at `MAP_QUANTILES`, ascending.
    """
    rising = np.append(np.diff(healthy) > 0.0, True)
    known, found = healthy[rising], EVIDENCE[rising]
    if len(known) == 1:
        return np.where(np.isnan(values), np.nan, np.where(values > known[0], found[0], 0.0))
    within = np.interp(values, known, found)
    below = found[0] + (values - known[0]) * (found[1] - found[0]) / (known[1] - known[0])
    above = found[-1] + (values - known[-1]) * (found[-1] - found[-2]) / (known[-1] - known[-2])
    pieced = np.where(values < known[0], np.maximum(below, 0.0), np.where(values > known[-1], above, within))
    return np.where(np.isnan(values), np.nan, pieced)


def _healthy_levels(detector: Detector, cases: Sequence[Prepared]) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    sampled = []
    for case in cases:
        inside = detector.score(case).inside()
        sampled.append(inside if inside.size <= SAMPLE else inside[rng.integers(0, inside.size, SAMPLE)])
    return np.quantile(np.concatenate(sampled).astype(np.float64), MAP_QUANTILES)
