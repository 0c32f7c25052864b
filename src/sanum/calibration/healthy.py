"""Collect what healthy maps look like: scores of subjects, slices and findings, and the voxel levels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sanum.calibration.findings import FINDING_QUANTILE, find_regions
from sanum.calibration.groups import NOBODY, Person, group_name
from sanum.calibration.rules import MIN_SCORES, threshold
from sanum.core.errors import CalibrationError
from sanum.core.grid import Grid
from sanum.core.records import (
    MAP_QUANTILES,
    PLACE_BLOCK,
    PLACE_STEP,
    AnomalyMap,
    Calibration,
    FindingControl,
    Grouping,
    Rule,
    Summary,
)
from sanum.core.units import Volume


@dataclass(frozen=True, eq=False)
class HealthyMap:
    """One held-out healthy case.

    Attributes:
        subject: whom it shows.
        scored: its map on the model grid.
        native: the same on the scan's own grid, where findings are looked for; None takes `scored`.
        person: what groups ask for.
        is_image: findings are counted in pixels.
    """

    subject: str
    scored: AnomalyMap
    native: AnomalyMap | None = None
    person: Person = NOBODY
    is_image: bool = False


@dataclass(frozen=True)
class Guarantees:
    """What a calibration shall guarantee besides the decision on a case."""

    grouping: Grouping | None = None
    control: FindingControl = "family-wise"


def calibration_from_maps(
    maps: Iterable[HealthyMap | tuple[str, AnomalyMap]],
    summary: Summary,
    rule: Rule,
    *,
    detector: str,
    preparation: str,
    guarantees: Guarantees | None = None,
) -> Calibration:
    """Calibrate on the maps of held-out healthy cases, one at a time, in bounded memory.

    The unit is the subject: of a subject with several cases the first counts.

    Args:
        maps: healthy cases, or bare (subject, map) pairs.
        summary: how a map becomes a score.
        rule: when a score is abnormal.
        detector: SHA-256 of the detector's state.
        preparation: SHA-256 of the preparation config.
        guarantees: groups and the control of findings; one group and family-wise by default.

    Raises:
        CalibrationError: fewer than two subjects, or a rule they can't support.
    """
    wanted = guarantees or Guarantees()
    places = _Places()
    with tempfile.TemporaryDirectory(prefix="sanum-maps-") as folder:
        subjects = _subjects(maps, summary, places, Path(folder))
        ordered = sorted(subjects, key=lambda subject: subject.score)
        scores = np.array([subject.score for subject in ordered])
        threshold(scores, rule)
        levels = np.array([subject.levels for subject in ordered])
        found = _finding_scores(ordered, levels)
    grouping = wanted.grouping
    place_mean, place_std = places.mean_and_std()
    common = place_mean is not None
    return Calibration(
        scores,
        summary,
        rule,
        levels.mean(axis=0),
        detector,
        preparation,
        grouping=grouping,
        groups=() if grouping is None else tuple(group_name(grouping, one.person) for one in ordered),
        slice_scores=_padded([subject.slices for subject in ordered]),
        finding_scores=_padded(found),
        control=wanted.control,
        place_mean=None if place_mean is None else _half(place_mean),
        place_std=None if place_std is None else _half(place_std),
        place_peaks=_half(np.stack([subject.blocks for subject in ordered])) if common else None,
    )


def infinite_part(calibration: Calibration) -> str:
    """Name of the first array of a calibration that holds an infinity, "" where none does; NaN only pads."""
    arrays = ((name, value) for name, value in vars(calibration).items() if isinstance(value, np.ndarray))
    return next((name for name, array in arrays if np.isinf(array).any()), "")


@dataclass(frozen=True, eq=False)
class _Subject:
    score: float
    levels: NDArray[np.float64]
    slices: NDArray[np.float64]
    native: _KeptMap
    blocks: NDArray[np.float32]
    person: Person

    @staticmethod
    def of(case: HealthyMap, summary: Summary, path: Path) -> _Subject:
        means = case.scored.slice_means()
        native = case.scored if case.native is None else case.native
        return _Subject(
            case.scored.summary(summary),
            np.quantile(case.scored.inside(), MAP_QUANTILES),
            means[~np.isnan(means)],
            _KeptMap.of(native, case.is_image, path),
            _block_peaks(case.scored.values),
            case.person,
        )


def _subjects(
    maps: Iterable[HealthyMap | tuple[str, AnomalyMap]], summary: Summary, places: _Places, folder: Path
) -> list[_Subject]:
    """The first map of each subject, measured; its voxels wait in `folder`."""
    subjects: dict[str, _Subject] = {}
    for entry in maps:
        case = entry if isinstance(entry, HealthyMap) else HealthyMap(*entry)
        if case.subject not in subjects:
            subjects[case.subject] = _Subject.of(case, summary, folder / f"{len(subjects)}.npy")
            places.add(case.scored)
    if len(subjects) < MIN_SCORES:
        raise CalibrationError(
            f"{len(subjects)} held-out healthy subject(s); calibration needs at least {MIN_SCORES} "
            "(rows with split 'calibration' and label 'healthy')"
        )
    return list(subjects.values())


@dataclass(frozen=True, eq=False)
class _KeptMap:
    """A map on disk until the finding level is known, which takes all maps: a wild one may lie largely above it."""

    path: Path
    grid: Grid
    is_image: bool

    @staticmethod
    def of(found: AnomalyMap, is_image: bool, path: Path) -> _KeptMap:
        known = ~np.isnan(found.values)
        with path.open("wb") as stream:
            np.save(stream, np.packbits(known))
            np.save(stream, found.values[known])
        return _KeptMap(path, found.grid, is_image)

    def excesses(self, level: float) -> NDArray[np.float64]:
        """Excess of each finding above a level."""
        values = np.full(self.grid.shape, np.nan, np.float32)
        with self.path.open("rb") as stream:
            known = np.unpackbits(np.load(stream), count=values.size).astype(np.bool_)
            values.ravel()[known] = np.load(stream)
        found = find_regions(AnomalyMap("", values, self.grid, ""), level, is_image=self.is_image).findings
        return np.array([one.excess for one in found], float)


class _Places:
    """Mean and spread of healthy maps at each place of a common grid (Welford 1962), one map in memory."""

    def __init__(self) -> None:
        self._grid: Grid | None = None
        self._common = True
        self._count: NDArray[np.int32] = np.empty(0, np.int32)
        self._mean: NDArray[np.float32] = np.empty(0, np.float32)
        self._squares: NDArray[np.float32] = np.empty(0, np.float32)

    def add(self, found: AnomalyMap) -> None:
        """Take one more subject's map, while all lie on one grid."""
        if self._grid is None:
            self._grid = found.grid
            self._count = np.zeros(found.grid.shape, np.int32)
            self._mean, self._squares = np.zeros((2, *found.grid.shape), np.float32)
        self._common = self._common and found.grid.same_as(self._grid)
        if not self._common:
            return
        known = ~np.isnan(found.values)
        self._count += known
        offset = np.where(known, found.values - self._mean, np.float32(0.0))
        self._mean += offset / np.maximum(self._count, 1)
        self._squares += offset * np.where(known, found.values - self._mean, np.float32(0.0))

    def mean_and_std(self) -> tuple[Volume | None, Volume | None]:
        """Both at every `PLACE_STEP`-th voxel, NaN where fewer than two subjects have a value; None without a common
        grid."""
        if not self._common:
            return None, None
        kept = (slice(None, None, PLACE_STEP),) * 3
        count = self._count[kept]
        spread = np.sqrt(self._squares[kept] / np.maximum(count - 1, 1))
        known, nothing = count >= 2, np.float32(np.nan)
        mean = np.where(known, self._mean[kept], nothing)
        return mean.astype(np.float32), np.where(known, spread, nothing).astype(np.float32)


def _block_peaks(values: Volume) -> NDArray[np.float32]:
    """Highest value of each block of `PLACE_BLOCK` voxels a side, NaN where the map has none there."""
    padding = [(0, -side % PLACE_BLOCK) for side in values.shape]
    known = np.pad(np.nan_to_num(values, nan=-np.inf), padding, constant_values=-np.inf)
    i, j, k = (side // PLACE_BLOCK for side in known.shape)
    highest = known.reshape(i, PLACE_BLOCK, j, PLACE_BLOCK, k, PLACE_BLOCK).max(axis=(1, 3, 5))
    return np.where(np.isinf(highest), np.nan, highest).astype(np.float32)


def _finding_scores(subjects: list[_Subject], levels: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Findings of each healthy subject above the level of the others.

    Leaving the subject itself out makes it as much a stranger to its level as a new case will be.
    """
    at = levels[:, MAP_QUANTILES.index(FINDING_QUANTILE)]
    of_others = (at.sum() - at) / (len(at) - 1)
    return [subject.native.excesses(float(level)) for subject, level in zip(subjects, of_others, strict=True)]


def _padded(rows: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    table = np.full((len(rows), max(1, *(len(row) for row in rows))), np.nan)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table


def _half(values: NDArray[np.floating]) -> NDArray[np.float16]:
    """In half precision: enough to tell people what is usual at a place, at half the size of the model file."""
    largest = np.finfo(np.float16).max
    return values.clip(-largest, largest).astype(np.float16)
