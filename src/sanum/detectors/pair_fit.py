"""Two modalities of one head: whether they are of one head, which of them is at odds, and where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ModelFileError, TrainingError
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.units import Volume
from sanum.detectors.base import Detector, Incomplete, State
from sanum.detectors.boosted import Boosted
from sanum.detectors.pair_artefacts import scan_features
from sanum.detectors.pair_evidence import place_features
from sanum.detectors.pair_expectation import Pair, belonging, enlarged
from sanum.detectors.pair_lessons import Lessons, taught
from sanum.detectors.pair_zones import ZONES, fine, surprise_by_zone, tables_by_zone, tops_by_zone, zones_of
from sanum.detectors.surprise import fused, slice_table, surprise
from sanum.training.data import split_subjects
from sanum.training.run import Run

BELONGING = ("unexplained", "mirrored", "displaced")
"""What is asked of a pair as a whole, in the order of `pair_expectation.belonging`."""

MISPAIRED, AT_ODDS, ARTEFACT = "pair: mispaired", "at odds", "artefact"

RIDGE = 0.2
"""Share of the mean variance added to the covariance of scans' features."""


@dataclass(frozen=True)
class Config:
    """Settings of teaching and of scoring.

    Attributes:
        lessons: how the judge is taught.
        windows: width of the narrow window in which faint faults are painted, of a modality's range, by name.
        validation_share: part of the training subjects against which healthy values are measured.
        smoothing_mm: standard deviation of a Gaussian over the judge's answer, in mm (pixels in an image).
        weights: of each kind of score in the fusion.
    """

    lessons: Lessons = field(default_factory=Lessons)
    windows: Mapping[str, float] = field(default_factory=lambda: {"CT": 0.1, "CT:bone": 0.021})
    validation_share: float = 0.25
    smoothing_mm: float = 3.0
    weights: Mapping[str, float] = field(
        default_factory=lambda: {AT_ODDS: 1.0, ARTEFACT: 0.5, "mispaired": 1.0}
    )

    def __post_init__(self) -> None:
        if not 0.0 <= self.validation_share < 1.0:
            raise ValueError(f"validation_share: expected 0 to below 1, got {self.validation_share}")
        if self.lessons.rounds < 1:
            raise ValueError(f"lessons.rounds: expected 1 or more, got {self.lessons.rounds}")
        if set(self.weights) != {AT_ODDS, ARTEFACT, "mispaired"} or min(self.weights.values()) <= 0.0:
            raise ValueError("weights: expected numbers above 0 for 'at odds', 'artefact' and 'mispaired'")


@dataclass(frozen=True, eq=False)
class _Noise:
    """Features (F,) of healthy scans of one modality, and the inverse root of their covariance (F, F)."""

    mean: NDArray[np.float64]
    root: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.float64]) -> Self:
        width = rows.shape[1]
        if len(rows) < 2:
            return cls(rows.sum(0), np.eye(width))
        covariance = np.cov(rows, rowvar=False)
        covariance += (RIDGE * np.trace(covariance) / width + 1e-6) * np.eye(width)
        return cls(rows.mean(0), np.linalg.inv(np.linalg.cholesky(covariance)))

    @classmethod
    def departures(cls, rows: NDArray[np.float64]) -> list[float]:
        """Distance of each scan from all others: from itself among them it would be too small."""
        return [cls.of(np.delete(rows, row, axis=0)).departure(rows[row]) for row in range(len(rows))]

    def departure(self, features: NDArray[np.float64]) -> float:
        """Distance of a scan (F,) from healthy ones, root mean square, in standard deviations."""
        return float(np.sqrt((((features - self.mean) @ self.root.T) ** 2).mean()))


class PairFit(Detector):
    """Fused surprise, in decades, of two registered modalities: of places, of whole scans, and of the pair.

    First it asks whether the pair is one head: how much of each modality the other explains, by a table read off this
    pair, and whether it would explain more if one were mirrored or displaced. Then boosted trees, taught on one-sided
    synthetic faults, say from fixed features which modality is at odds and where. And the unrest of each scan beside
    what the partner explains, the lines of its spectrum and the place of its edges tell a moved, ghosted or noisy one.
    Each becomes a surprise, -log10 of its tail among healthy validation cases, a place's within its own part of the head
    (`pair_zones`); the map is the weighted harmonic mean of those p-values.

    A case with one modality only is judged by trees taught for that and by its noise, against healthy values of its own.

    Attributes:
        trees_: by mode ("" for both modalities, else the one present), then by modality.
        noise_: healthy statistics of scans, likewise.
        tables_: healthy values of each score, by mode.
    """

    name = "pair-fit"
    Config = Config

    trees_: Mapping[str, Mapping[str, Boosted]] | None = None
    noise_: Mapping[str, Mapping[str, _Noise]] | None = None
    tables_: Mapping[str, Mapping[str, NDArray[np.float32]]] | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Teach the judge on faults planted in healthy pairs, and learn what healthy pairs score."""
        self._check_training_cases(cases)
        if len(self.modalities) > 2:
            raise TrainingError(f"pair-fit: takes one or two channels, got {', '.join(self.modalities)}")
        settings: Config = self.config
        learned, held_out = split_subjects(cases, settings.validation_share, seed)
        del run
        self.trees_ = taught(learned, self.modalities, settings.windows, settings.lessons, seed=seed)
        self._learn_healthy(held_out or list(cases), cases)
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """Fused surprise at each voxel; `parts` hold the surprise of each score, those of a whole case constant."""
        if self.tables_ is None:
            raise self._not_fitted()
        self._check_case(case)
        mode = self._mode(case)
        pair = Pair.of(case)
        places, wholes = self._places(case, pair), self._wholes(case, pair)
        tables, zones = self.tables_[mode], fine(zones_of(pair), case.grid.shape)
        parts: dict[str, NDArray[np.float32]] = {
            name: surprise_by_zone(values, zones, tables[name]) for name, values in places.items()
        }
        everywhere = np.ones(case.grid.shape, np.float32)
        parts |= {
            name: everywhere * float(surprise(np.array(value), tables[name]))
            for name, value in wholes.items()
        }
        weights: Mapping[str, float] = self.config.weights
        for name in case.modalities:
            own = {part: parts[part] for part in (f"{name}: {AT_ODDS}", f"{name}: {ARTEFACT}")}
            parts[f"{name}: fused"] = fused(own, {part: weights[_kind(part)] for part in own})
        if len(pair.views) > 1:
            parts |= {name: everywhere * value for name, value in self._of_pair(pair).items()}
        counted = {name: parts[name] for name in parts if _kind(name) in weights}
        found = self._map(case, fused(counted, {name: weights[_kind(name)] for name in counted}))
        return replace(found, parts={name: self._map(case, values).values for name, values in parts.items()})

    def of_the_pair(self, case: Prepared) -> dict[str, float]:
        """Surprise, in decades, of the scores that ask whether a case of both modalities is one head.

        Those of `score`, in a fifth of the time; only the fused one is measured against healthy pairs' once more, so
        that of healthy pairs one in 10^d lies above d. (In files made before it was kept, that is not so.)
        """
        if self.tables_ is None:
            raise self._not_fitted()
        self._check_case(case)
        found, healthy = self._of_pair(Pair.of(case)), self.tables_[""].get(MISPAIRED)
        if healthy is not None:
            found[MISPAIRED] = float(surprise(np.array(found[MISPAIRED]), healthy))
        return found

    def _of_pair(self, pair: Pair) -> dict[str, float]:
        assert self.tables_ is not None
        found = _surprises(belonging(pair), self.tables_[""])
        return {name: float(value) for name, value in found.items()}

    @property
    def incomplete(self) -> Incomplete:
        """A modality whose others are missing is judged alone."""
        return "alone"

    def state(self) -> State:
        """Trees, statistics of noise, and the healthy table of each score."""
        if self.trees_ is None or self.noise_ is None or self.tables_ is None:
            raise self._not_fitted()
        arrays: State = {}
        for mode, answers in self.trees_.items():
            for name, trees in answers.items():
                arrays |= {f"trees|{mode}|{name}|{part}": array for part, array in trees.arrays().items()}
        for mode, noises in self.noise_.items():
            for name, noise in noises.items():
                arrays[f"noise|{mode}|{name}|mean"] = noise.mean.copy()
                arrays[f"noise|{mode}|{name}|root"] = noise.root.copy()
        for mode, tables in self.tables_.items():
            arrays |= {f"table|{mode}|{name}|": table.copy() for name, table in tables.items()}
        return arrays

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up saved trees and healthy values."""
        parts: dict[str, dict[str, dict[str, dict[str, NDArray[Any]]]]] = {}
        for path, array in arrays.items():
            kind, mode, name, part = (*path.split("|"), "", "", "")[:4]
            parts.setdefault(kind, {}).setdefault(mode, {}).setdefault(name, {})[part] = array
        wanted = {mode: self._present(mode) for mode in self._modes()}
        known = {mode: tuple(names) for mode, names in parts.get("trees", {}).items()}
        if {mode: set(names) for mode, names in known.items()} != {m: set(n) for m, n in wanted.items()}:
            raise ModelFileError(
                "pair-fit: trees are missing or of other modalities; the file is damaged: train again"
            )
        try:
            self.trees_ = {
                mode: {name: Boosted.of_arrays(each) for name, each in answers.items()}
                for mode, answers in parts["trees"].items()
            }
            self.noise_ = {
                mode: {name: _Noise(each["mean"], each["root"]) for name, each in noises.items()}
                for mode, noises in parts["noise"].items()
            }
            self.tables_ = {
                mode: {name: each[""] for name, each in tables.items()}
                for mode, tables in parts["table"].items()
            }
        except KeyError as error:
            raise ModelFileError(f"pair-fit: {error} is missing; the model file is damaged") from error
        places = [
            table for tables in self.tables_.values() for name, table in tables.items() if AT_ODDS in name
        ]
        if any(table.ndim != 2 or len(table) != len(ZONES) for table in places):
            raise ModelFileError(
                "pair-fit: the file keeps no healthy values by part of the head, as it was made before these were told "
                "apart: train again"
            )
        return self

    def _check_case(self, case: Prepared) -> None:
        alone = len(case.modalities) == 1 and case.modalities[0] in self.modalities
        super()._check_case(case if not alone else replace(case, modalities=self.modalities))

    def _learn_healthy(self, held_out: Sequence[Prepared], everyone: Sequence[Prepared]) -> None:
        """Healthy values: of the judge, who was taught on the others, from held-out cases; of all else from everyone."""
        rows: dict[str, dict[str, NDArray[np.float64]]] = {}
        for mode in self._modes():
            shown = [(case, Pair.of(case)) for case in (_alone(case, mode) for case in everyone)]
            rows[mode] = {
                name: np.stack([scan_features(case, pair, number) for case, pair in shown])
                for number, name in enumerate(self._present(mode))
            }
        self.noise_ = {
            mode: {name: _Noise.of(each) for name, each in scans.items()} for mode, scans in rows.items()
        }
        self.tables_ = {
            mode: self._healthy_places(mode, held_out)
            | {
                f"{name}: {ARTEFACT}": slice_table(np.array(_Noise.departures(each)))
                for name, each in rows[mode].items()
            }
            | ({} if mode or len(self.modalities) < 2 else _healthy_pairs(everyone))
            for mode in self._modes()
        }

    def _healthy_places(self, mode: str, held_out: Sequence[Prepared]) -> dict[str, NDArray[np.float32]]:
        tops: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
        for case in (_alone(case, mode) for case in held_out):
            pair = Pair.of(case)
            zones = fine(zones_of(pair), case.grid.shape)
            for name, found in self._places(case, pair).items():
                for zone, values in tops_by_zone(found, case.mask, zones).items():
                    tops.setdefault(name, {}).setdefault(zone, []).append(values)
        return {
            name: tables_by_zone({zone: np.concatenate(each) for zone, each in zones.items()})
            for name, zones in tops.items()
        }

    def _places(self, case: Prepared, pair: Pair) -> dict[str, Volume]:
        """Log-odds of a fault at each voxel (I, J, K) over the case's median, by modality."""
        assert self.trees_ is not None
        features, places = place_features(pair), {}
        for name, trees in self.trees_[self._mode(case)].items():
            answer = trees.log_odds(features)
            values = np.zeros(pair.mask.shape, np.float32)
            values[pair.mask] = answer - np.median(answer)
            smooth = pair.smoothed(values, self.config.smoothing_mm)
            places[f"{name}: {AT_ODDS}"] = enlarged(smooth, case.grid.shape) * case.mask
        return places

    def _wholes(self, case: Prepared, pair: Pair) -> dict[str, float]:
        """Scores of each scan's noise."""
        assert self.noise_ is not None
        noise = self.noise_[self._mode(case)]
        return {
            f"{name}: {ARTEFACT}": noise[name].departure(scan_features(case, pair, number))
            for number, name in enumerate(case.modalities)
        }

    def _mode(self, case: Prepared) -> str:
        return "" if case.modalities == self.modalities else case.modalities[0]

    def _modes(self) -> tuple[str, ...]:
        return ("", *self.modalities) if len(self.modalities) > 1 else ("",)

    def _present(self, mode: str) -> Iterable[str]:
        return (mode,) if mode else self.modalities


def _kind(name: str) -> str:
    return name.partition(": ")[2]


def _alone(case: Prepared, mode: str) -> Prepared:
    """The case as it is, or with one modality only."""
    if not mode:
        return case
    channel = case.modalities.index(mode)
    return replace(case, voxels=case.voxels[channel : channel + 1], modalities=(mode,))


def _healthy_pairs(cases: Sequence[Prepared]) -> dict[str, NDArray[np.float32]]:
    """Healthy values of what is asked of a pair, and of the answers fused."""
    values = np.stack([belonging(Pair.of(case)) for case in cases]).T
    tables = {f"pair: {kind}": slice_table(each) for kind, each in zip(BELONGING, values, strict=True)}
    return tables | {MISPAIRED: slice_table(_surprises(values, tables)[MISPAIRED])}


def _surprises(
    answers: NDArray[np.float64], tables: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Surprise of the answers (3, …) to `BELONGING`, and of them fused."""
    names = [f"pair: {kind}" for kind in BELONGING]
    found = {name: surprise(values, tables[name]) for name, values in zip(names, answers, strict=True)}
    return found | {MISPAIRED: fused(found, dict.fromkeys(names, 1.0))}
