"""All figures of one model on one test set, computed from what was kept of each case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CohortError
from sanum.evaluation.cases import CaseFigures
from sanum.evaluation.froc import froc
from sanum.evaluation.metrics import Estimate
from sanum.evaluation.pixels import (
    PixelCounts,
    average_precision_bounds,
    average_precisions,
    best_dices,
    pixel_auroc,
)
from sanum.evaluation.rates import Rate, rate, uniformity
from sanum.evaluation.resample import case_weights, interval, weighted_auroc, weighted_mean
from sanum.evaluation.strata import strata


@dataclass(frozen=True, eq=False)
class Decided:
    """One decision rule applied to every test case.

    Attributes:
        rule: its name, such as "conformal 0.05".
        abnormal: (cases,) decisions.
    """

    rule: str
    abnormal: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Outcome:
    """A test set after scoring.

    Attributes:
        cases: one a case.
        scores: (cases,) case scores by the name of their summary; "model" is the model's own.
        p_values: (cases,) conformal p-values of the model's own score.
        decided: decision rules, the model's own first.
        calibration_subjects: healthy subjects behind the p-values.
        edges: of the pixel bins.
        sweep: thresholds of the lesion-wise curve.
        is_image: sizes are pixels.
        latent_distances: (cases,) to held-out healthy cases in the model's latent space; None where it has none.
    """

    cases: Sequence[CaseFigures]
    scores: dict[str, NDArray[np.float64]]
    p_values: NDArray[np.float64]
    decided: Sequence[Decided]
    calibration_subjects: int
    edges: NDArray[np.float32]
    sweep: NDArray[np.float64]
    is_image: bool
    latent_distances: NDArray[np.float64] | None = None

    @property
    def lesion(self) -> NDArray[np.bool_]:
        """(cases,) labelled as a lesion case."""
        return np.array([case.subject.lesion for case in self.cases])

    @property
    def subjects(self) -> list[str]:
        """Subject of each case."""
        return [case.subject.subject for case in self.cases]

    def pixel_counts(self) -> PixelCounts:
        """Counts of all cases in the bins."""
        return PixelCounts(
            self.edges,
            np.stack([case.lesion_counts for case in self.cases]),
            np.stack([case.healthy_counts for case in self.cases]),
        )


@dataclass(frozen=True)
class DecisionFigures:
    """What one rule, fixed by healthy scans alone, does on the test cases.

    Attributes:
        rule: name and level.
        false_alarms: share of healthy cases called abnormal; None without healthy cases.
        sensitivity: share of lesion cases called abnormal; None without lesion cases.
        false_alarms_by_site: the first, site by site.
    """

    rule: str
    false_alarms: Rate | None
    sensitivity: Rate | None
    false_alarms_by_site: dict[str, Rate]


@dataclass(frozen=True)
class PixelFigures:
    """Figures over voxels inside the masks.

    Attributes:
        prevalence: share of marked voxels, the average precision of chance.
        ap: pooled average precision, with its interval.
        ap_bounds: between which the exact pooled figure lies, whatever the order within bins.
        auroc: pooled.
        subject_ap: mean over lesion cases of their own average precision.
        subject_ap_std: its standard deviation over cases.
        dice: mean over lesion cases at each level fixed by healthy scans alone.
        dice_std: its standard deviation over cases.
        flagged: share of unmarked voxels above each such level.
        best_dice: pooled, at the threshold that suits the test lesions best: not attainable without labels.
    """

    prevalence: float
    ap: Estimate
    ap_bounds: tuple[float, float]
    auroc: Estimate | None
    subject_ap: Estimate
    subject_ap_std: float
    dice: dict[str, Estimate]
    dice_std: dict[str, float]
    flagged: dict[str, float]
    best_dice: Estimate


@dataclass(frozen=True)
class LesionFigures:
    """Lesion by lesion.

    Attributes:
        lesions: number of separate lesions.
        sensitivity: share of lesions that any finding overlaps, at so many false findings a case.
        sensitivity_iou: the same for an IoU of 0.1 or more.
        curve: (false findings a case, sensitivity, strict sensitivity) along the sweep of thresholds.
    """

    lesions: int
    sensitivity: dict[str, Estimate]
    sensitivity_iou: dict[str, Estimate]
    curve: list[tuple[float, float, float]]


@dataclass(frozen=True)
class StratumFigures:
    """Figures of a part of the cases; None where the part has no answer.

    Attributes:
        by: what the cases are parted by, such as site.
        name: of the part.
        healthy: number of healthy cases.
        lesion: number of lesion cases.
        false_alarms: share of healthy cases called abnormal by the model's own rule.
        sensitivity: share of lesion cases called abnormal by it.
        auroc: of cases by the model's own score.
        subject_ap: mean over lesion cases of their own average precision.
    """

    by: str
    name: str
    healthy: int
    lesion: int
    false_alarms: Rate | None
    sensitivity: Rate | None
    auroc: Estimate | None
    subject_ap: Estimate | None


@dataclass(frozen=True)
class Evaluation:
    """Figures of one model on one test split.

    Attributes:
        healthy: number of healthy cases.
        lesion: number of lesion cases.
        subjects: number of subjects.
        decisions: at thresholds from healthy scans alone; the model's own rule first.
        case_auroc: AUROC of cases by case summary, and by latent distance where the model has a latent space.
        slice_auroc: AUROC of axial slices by slice summary; empty for images, whose cases are slices.
        pixels: None where no voxel is marked.
        lesions: None where no voxel is marked.
        strata: parts of the test set.
        healthy_p_values: of the healthy cases, ascending; they should look uniform.
        uniformity: p-value of a test that they do; None below two healthy cases.
        calibration_subjects: healthy subjects behind the p-values.
        draws: bootstrap samples over subjects behind each interval.
        seed: of the bootstrap.
        facts: what was run on what: hashes, versions, seconds, memory, leaks that were left out.
    """

    healthy: int
    lesion: int
    subjects: int
    decisions: list[DecisionFigures]
    case_auroc: dict[str, Estimate]
    slice_auroc: dict[str, Estimate]
    pixels: PixelFigures | None
    lesions: LesionFigures | None
    strata: list[StratumFigures]
    healthy_p_values: list[float]
    uniformity: float | None
    calibration_subjects: int
    draws: int
    seed: int
    facts: dict[str, str | float | int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The figures as sentences, thresholds from healthy scans first, best-possible ones last and marked."""
        said = [f"test split: {self.healthy} healthy, {self.lesion} lesion cases, {self.subjects} subjects"]
        for one in self.decisions:
            parts = [
                f"{name} {value}"
                for name, value in (("false-alarm rate", one.false_alarms), ("sensitivity", one.sensitivity))
                if value is not None
            ]
            said.append(f"rule {one.rule} (healthy scans only): " + ", ".join(parts))
        if self.pixels is not None:
            said += [
                f"Dice at {name} (healthy scans only): {value}, SD {self.pixels.dice_std[name]:.3f}"
                for name, value in self.pixels.dice.items()
            ]
        said += [f"case AUROC, score {name}: {value}" for name, value in self.case_auroc.items()]
        said += [f"slice AUROC, score {name}: {value}" for name, value in self.slice_auroc.items()]
        said += self._pixel_lines() + self._lesion_lines()
        if self.uniformity is not None:
            said.append(f"p-values of healthy cases uniform: p = {self.uniformity:.3f} (small is suspicious)")
        alike = self.facts.get("lookalikes_across_splits")
        if alike:
            said.append(f"CAUTION, pairs across splits that may show one head, look at them: {alike}")
        said.append(f"intervals: 95 %, {self.draws} bootstraps over subjects, seed {self.seed}; rates exact")
        return said

    def _pixel_lines(self) -> list[str]:
        if self.pixels is None:
            return []
        low, high = self.pixels.ap_bounds
        return [
            f"pixel AP in the brain, pooled: {self.pixels.ap} (prevalence {self.pixels.prevalence:.4f}; "
            f"exact value between {low:.4f} and {high:.4f})",
            f"pixel AP per lesion case, mean: {self.pixels.subject_ap}, SD {self.pixels.subject_ap_std:.3f}",
            f"best-possible pooled Dice (threshold chosen on the test lesions): {self.pixels.best_dice}",
        ]

    def _lesion_lines(self) -> list[str]:
        if self.lesions is None:
            return []
        return [
            f"{self.lesions.lesions} lesions; found at {limit} false findings a case (threshold read on the test "
            f"cases): {any_overlap}; with IoU of 0.1 or more: {self.lesions.sensitivity_iou[limit]}"
            for limit, any_overlap in self.lesions.sensitivity.items()
        ]


def summarize(tested: Outcome, *, draws: int, seed: int) -> Evaluation:
    """Compute every figure that the test set has an answer to.

    Raises:
        CohortError: no case.
    """
    if not tested.cases:
        raise CohortError("no test case to evaluate")
    lesion = tested.lesion
    weights = case_weights(tested.subjects, draws, seed)
    healthy_p = np.sort(tested.p_values[~lesion])
    marked = any(case.lesion_size > 0 for case in tested.cases)
    return Evaluation(
        healthy=int((~lesion).sum()),
        lesion=int(lesion.sum()),
        subjects=len(set(tested.subjects)),
        decisions=[_decision(tested, one) for one in tested.decided],
        case_auroc={
            name: value
            for name, scores in _case_scores(tested).items()
            if (value := _auroc(scores, lesion, weights)) is not None
        },
        slice_auroc={} if tested.is_image else _slice_auroc(tested, weights),
        pixels=_pixels(tested, weights) if marked else None,
        lesions=_lesions(tested, weights) if marked else None,
        strata=_strata(tested, weights),
        healthy_p_values=healthy_p.tolist(),
        uniformity=uniformity(healthy_p, tested.calibration_subjects) if len(healthy_p) > 1 else None,
        calibration_subjects=tested.calibration_subjects,
        draws=draws,
        seed=seed,
    )


LATENT = "latent distance"
"""Name of the case score by distance in the latent space."""


def _case_scores(tested: Outcome) -> dict[str, NDArray[np.float64]]:
    if tested.latent_distances is None:
        return tested.scores
    return {**tested.scores, LATENT: tested.latent_distances}


def _decision(tested: Outcome, one: Decided) -> DecisionFigures:
    lesion = tested.lesion
    sites = np.array([case.subject.site or "" for case in tested.cases])
    by_site = {
        site: rate(one.abnormal[~lesion & (sites == site)]) for site in sorted(set(sites[~lesion])) if site
    }
    return DecisionFigures(
        one.rule,
        _rate(one.abnormal[~lesion]),
        _rate(one.abnormal[lesion]),
        by_site if len(by_site) > 1 else {},
    )


def _rate(flags: NDArray[np.bool_]) -> Rate | None:
    return rate(flags) if flags.size else None


def _auroc(
    scores: NDArray[np.float64], abnormal: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Estimate | None:
    if abnormal.all() or not abnormal.any():
        return None
    return interval(weighted_auroc(scores, abnormal), weights)


def _slice_auroc(tested: Outcome, weights: NDArray[np.float64]) -> dict[str, Estimate]:
    table = np.concatenate([case.slices for case in tested.cases])
    case_of = np.repeat(np.arange(len(tested.cases)), [len(case.slices) for case in tested.cases])
    figures = {}
    for column, name in enumerate(("mean", "top 0.5 %")):
        value = _auroc(table[:, column], table[:, 2] > 0, weights[:, case_of])
        if value is not None:
            figures[name] = value
    return figures


def _pixels(tested: Outcome, weights: NDArray[np.float64]) -> PixelFigures:
    counts = tested.pixel_counts()
    own = np.array([case.average_precision for case in tested.cases])
    names = list(tested.cases[0].dices)
    dices = {name: np.array([case.dices[name] for case in tested.cases]) for name in names}
    lesion_total, healthy_total = (
        float(counts.lesion.sum(dtype=float)),
        float(counts.healthy.sum(dtype=float)),
    )
    return PixelFigures(
        prevalence=lesion_total / (lesion_total + healthy_total),
        ap=interval(lambda drawn: average_precisions(*counts.drawn(drawn)), weights),
        ap_bounds=average_precision_bounds(counts),
        auroc=interval(lambda drawn: pixel_auroc(*counts.drawn(drawn)), weights) if healthy_total else None,
        subject_ap=interval(weighted_mean(own), weights),
        subject_ap_std=float(np.nanstd(own)),
        dice={name: interval(weighted_mean(values), weights) for name, values in dices.items()},
        dice_std={name: float(np.nanstd(values)) for name, values in dices.items()},
        flagged={name: float(np.nanmean([case.flagged[name] for case in tested.cases])) for name in names},
        best_dice=interval(lambda drawn: best_dices(*counts.drawn(drawn)), weights),
    )


def _lesions(tested: Outcome, weights: NDArray[np.float64]) -> LesionFigures:
    found = froc([case.regions for case in tested.cases], tested.sweep, weights)
    curve = np.stack([found.false_findings, found.sensitivity, found.sensitivity_iou], axis=1)
    return LesionFigures(
        sum(case.regions.lesions for case in tested.cases),
        found.at,
        found.at_iou,
        [(float(a), float(b), float(c)) for a, b, c in curve],
    )


def _strata(tested: Outcome, weights: NDArray[np.float64]) -> list[StratumFigures]:
    lesion, own = tested.lesion, np.array([case.average_precision for case in tested.cases])
    scores, abnormal = tested.scores["model"], tested.decided[0].abnormal
    figures = []
    for part in strata(tested.cases, is_image=tested.is_image):
        inside = np.isin(np.arange(len(lesion)), part.members)
        ill, well = inside & lesion, inside & ~lesion
        against = ill | (well if well.any() else ~lesion)
        figures.append(
            StratumFigures(
                part.by,
                part.name,
                int(well.sum()),
                int(ill.sum()),
                _rate(abnormal[well]),
                _rate(abnormal[ill]),
                _auroc(scores[against], lesion[against], weights[:, against]),
                interval(weighted_mean(own[inside]), weights[:, inside])
                if (~np.isnan(own[inside])).any()
                else None,
            )
        )
    return figures
