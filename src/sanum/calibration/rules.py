"""Decision rules over the scores of held-out healthy subjects."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.calibration.conformal import subjects_needed
from sanum.calibration.groups import NOBODY, Person, ReferenceGroup, reference_group
from sanum.core.errors import CalibrationError
from sanum.core.records import Calibration, Rule

MIN_SCORES = 2
"""A standard deviation needs two healthy subjects; fewer give no rule at all."""


@dataclass(frozen=True)
class Decision:
    """A score beside the rule's threshold and its conformal p-value.

    Attributes:
        abnormal: whether the score lies above the threshold.
        threshold: of the rule over the healthy subjects of the case's group.
        p_value: against the same subjects.
        healthy_group: their group; empty where the calibration has no groups.
        warning: why the guarantee does not hold for this case, else empty.
        healthy_count: how many healthy subjects the score was compared with.
        healthy_as_high: how many of them score as high.
    """

    abnormal: bool
    threshold: float
    p_value: float
    healthy_group: str = ""
    warning: str = ""
    healthy_count: int = 0
    healthy_as_high: int = 0


def decide(score: float, calibration: Calibration, person: Person = NOBODY) -> Decision:
    """Decide on one case: abnormal when its score lies above the rule's threshold.

    Args:
        score: of the case, by the calibration's summary.
        calibration: healthy scores and the rule.
        person: site, age and sex of the case, where the calibration has groups.

    Raises:
        CalibrationError: the score is not finite, the rule asks more than the healthy scores support, or the
            case's group is too small and not to be merged.
    """
    return decide_within(score, reference_group(calibration, person))


def decide_within(score: float, healthy: ReferenceGroup) -> Decision:
    """Decide on one case beside the healthy subjects of its group.

    Raises:
        CalibrationError: see `decide`.
    """
    if not math.isfinite(score):
        raise CalibrationError(f"score {score} is not finite, so nothing can be decided")
    scores = healthy.calibration.scores
    limit = threshold(scores, healthy.calibration.rule)
    as_high = int(np.count_nonzero(scores >= score))
    p = p_value(score, scores)
    return Decision(score > limit, limit, p, healthy.name, healthy.warning, len(scores), as_high)


def p_value(score: float, scores: NDArray[np.float64]) -> float:
    """Split-conformal p-value (1 + #{s_cal >= s}) / (n + 1), in (0, 1].

    Under exchangeability with the healthy scores, P(p <= a) <= a (Vovk, Gammerman, Shafer 2005).
    """
    return float((1 + np.count_nonzero(scores >= score)) / (len(scores) + 1))


def smallest_level(count: int) -> float:
    """The smallest false-alarm level that `count` healthy scores can guarantee, 1 / (n + 1)."""
    return 1.0 / (count + 1)


def threshold(scores: NDArray[np.float64], rule: Rule) -> float:
    """The score above which a case is abnormal.

    Args:
        scores: (n,) healthy scores.
        rule: the decision rule.

    Raises:
        CalibrationError: too few scores, or a level outside the rule's range.
    """
    if len(scores) < MIN_SCORES:
        raise CalibrationError(
            f"{len(scores)} healthy subject(s) can't calibrate; give at least {MIN_SCORES}"
        )
    if not np.isfinite(scores).all():
        raise CalibrationError("a healthy score is not finite; the detector failed on a calibration case")
    return _RULES[rule.name](np.sort(scores), rule.level)


def _mean_plus_std(scores: NDArray[np.float64], level: float) -> float:
    if not 0 <= level < math.inf:
        raise CalibrationError(f"rule mean+3std: level {level} standard deviations; expected 0 or more")
    return float(scores.mean() + level * scores.std())


def _quantile(scores: NDArray[np.float64], level: float) -> float:
    if not 0 < level < 1:
        raise CalibrationError(
            f"rule quantile: level {level}; expected a share between 0 and 1, such as 0.95"
        )
    return float(np.quantile(scores, level, method="higher"))


def _conformal(scores: NDArray[np.float64], level: float) -> float:
    """p <= level exactly when the score lies above the (n - m)-th healthy score, m = floor(level (n+1)) - 1."""
    count = len(scores)
    if not 0 < level < 1:
        raise CalibrationError(
            f"rule conformal: level {level}; expected a share between 0 and 1, such as 0.05"
        )
    allowed = math.floor(level * (count + 1) + 1e-9) - 1
    if allowed < 0:
        raise CalibrationError(
            f"rule conformal: level {level:g} can't be guaranteed with {count} healthy subjects; "
            f"the smallest is {smallest_level(count):.3f}. Give {subjects_needed(level)} subjects or a higher level"
        )
    return float(scores[count - allowed - 1]) if allowed < count else -math.inf


_RULES = {"mean+3std": _mean_plus_std, "quantile": _quantile, "conformal": _conformal}

DEFAULT_LEVELS = {"mean+3std": 3.0, "quantile": 0.95, "conformal": 0.05}
"""Level of each rule where none is given."""
