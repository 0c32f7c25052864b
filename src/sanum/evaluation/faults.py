"""How well kinds of faults are told from healthy cases, score by score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sanum.evaluation.metrics import Estimate
from sanum.evaluation.resample import case_weights, interval, weighted_auroc, weighted_mean

HEALTHY = ""
"""Kind of a case without a fault."""


@dataclass(frozen=True)
class Judged:
    """One case as all scores see it.

    Attributes:
        case: unique among those of its kind.
        subject: whom it shows; the unit of every interval.
        kind: of the fault; `HEALTHY` for none.
        scores: case score by name.
        precision: average precision of the pixels by name of the score; empty where nothing is marked.
        prevalence: share of the mask that is marked.
        named: the modality that the detector names in the marked place; "" where it names none.
        side: the modality that was changed.
    """

    case: str
    subject: str
    kind: str
    scores: Mapping[str, float]
    precision: Mapping[str, float] = field(default_factory=dict)
    prevalence: float = 0.0
    named: str = ""
    side: str = ""


@dataclass(frozen=True)
class FaultRow:
    """One kind of fault under one score.

    Attributes:
        kind: of the fault.
        score: name of the score.
        auroc: of cases, against all healthy ones.
        precision: mean over the cases of their pixels' average precision; None for faults of a whole modality.
        prevalence: mean share of marked pixels.
        cases: with the fault.
        healthy: without.
        named_right: share of the cases whose changed modality is the one named; None where the score names none.
    """

    kind: str
    score: str
    auroc: Estimate
    precision: Estimate | None
    prevalence: float
    cases: int
    healthy: int
    named_right: float | None


def fault_rows(judged: Sequence[Judged], *, draws: int, seed: int) -> list[FaultRow]:
    """A row for each kind and score; intervals by bootstrap over subjects.

    Raises:
        CohortError: no healthy case.
    """
    healthy = [one for one in judged if one.kind == HEALTHY]
    rows = []
    for kind in dict.fromkeys(one.kind for one in judged if one.kind != HEALTHY):
        ill = [one for one in judged if one.kind == kind]
        together = [*healthy, *ill]
        weights = case_weights([one.subject for one in together], draws, seed)
        truth = np.array([one.kind != HEALTHY for one in together])
        own = case_weights([one.subject for one in ill], draws, seed)
        for score in ill[0].scores:
            values = np.array([one.scores[score] for one in together])
            precision = [one.precision.get(score, np.nan) for one in ill]
            rows.append(
                FaultRow(
                    kind,
                    score,
                    interval(weighted_auroc(values, truth), weights),
                    None if np.isnan(precision).all() else interval(weighted_mean(np.array(precision)), own),
                    float(np.mean([one.prevalence for one in ill])),
                    len(ill),
                    len(healthy),
                    _named_right(ill) if score == next(iter(ill[0].scores)) else None,
                )
            )
    return rows


def _named_right(ill: Sequence[Judged]) -> float | None:
    named = [one.named == one.side for one in ill if one.named and one.side]
    return float(np.mean(named)) if named else None
