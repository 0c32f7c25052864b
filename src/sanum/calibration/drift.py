"""Whether incoming scans still look like those the model was calibrated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CalibrationError

ALARM = 100.0
"""Evidence at which drift is called: without drift it is ever reached with probability 1 % at most (Ville)."""

WATCH = 20.0
"""Evidence at which a person should look: without drift ever reached with probability 5 % at most."""

BETS = np.array([-1.0, 0.0, 1.0])
"""Experts: scores rise, nothing happens, scores fall."""

JUMP = 0.01
"""Share of the wealth that is redistributed between experts at each scan, so that a late change is seen."""


@dataclass(frozen=True, eq=False)
class Drift:
    """A running test that scores of presumed-healthy scans are exchangeable with the calibration's.

    Attributes:
        p_values: (m,) of each incoming scan among all before it, in (0, 1]; uniform without drift.
        evidence: (m,) wealth of the martingale after each scan; it starts at 1.
        first_alarm: number of scans after which `ALARM` was reached, or None.
        rising: whether the scans since calibration score higher than before (else lower).
    """

    p_values: NDArray[np.float64]
    evidence: NDArray[np.float64]
    first_alarm: int | None
    rising: bool

    @property
    def state(self) -> str:
        """ "alarm", "watch" or "quiet", by the highest evidence so far."""
        highest = float(self.evidence.max())
        return "alarm" if highest >= ALARM else "watch" if highest >= WATCH else "quiet"

    def sentence(self) -> str:
        """What to make of it, in plain words."""
        count, highest = len(self.evidence), float(self.evidence.max())
        way = "higher" if self.rising else "lower"
        if self.first_alarm is not None:
            return (
                f"DRIFT: after {self.first_alarm} scans it was clear that scores are {way} than at calibration "
                f"(evidence {highest:.3g}; by chance 1 in {ALARM:g} or less). The guaranteed false-alarm rate no "
                "longer holds: look at the scans (scanner, sequence, patients), then calibrate again on local "
                "healthy scans (`sanum calibrate --site`)."
            )
        if self.state == "watch":
            return (
                f"Watch: scores of {count} scans seem {way} than at calibration (evidence {highest:.3g} of "
                f"{ALARM:g}). Not proven; look at the latest scans and go on counting."
            )
        return f"No sign of drift in {count} scans (evidence at most {highest:.3g}; alarm at {ALARM:g})."


def watch_drift(healthy: NDArray[np.float64], incoming: Sequence[float], *, seed: int = 0) -> Drift:
    """Test incoming scores, in their order of arrival, against the calibration's.

    Each scan's p-value is its smoothed rank among the calibration and all scans before it, so that p-values
    are independent and uniform without drift, for any number of calibration subjects (Vovk, Gammerman,
    Shafer 2005). The Simple Jumper bets on them with 1 + e (p - 1/2) (Vovk, Petej, Nouretdinov, Ahlberg,
    Carlsson, Gammerman 2021, "Retrain or not retrain").

    Args:
        healthy: (n,) calibration scores.
        incoming: presumed-healthy scores.
        seed: of the tie-breaking.

    Raises:
        CalibrationError: nothing incoming, or a score that is not finite.
    """
    scores = np.asarray(incoming, float)
    if scores.size == 0:
        raise CalibrationError("no incoming score to watch; give detections of presumed-healthy scans")
    if not np.isfinite(scores).all():
        raise CalibrationError("an incoming score is not finite; leave refused cases out and count them")
    rng = np.random.default_rng(seed)
    past = np.concatenate([healthy, scores])
    p_values = np.array([_rank(past[: len(healthy) + t], score, rng) for t, score in enumerate(scores)])
    evidence = _simple_jumper(p_values)
    reached = np.flatnonzero(evidence >= ALARM)
    return Drift(
        p_values,
        evidence,
        int(reached[0]) + 1 if reached.size else None,
        rising=bool(p_values.mean() < 0.5),
    )


def _rank(past: NDArray[np.float64], score: float, rng: np.random.Generator) -> float:
    higher, equal = np.count_nonzero(past > score), 1 + np.count_nonzero(past == score)
    return float((higher + (1.0 - rng.random()) * equal) / (len(past) + 1))


def _simple_jumper(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    wealth = np.full(len(BETS), 1.0 / len(BETS))
    evidence = np.empty(len(p_values))
    for number, p in enumerate(p_values):
        wealth = (1.0 - JUMP) * wealth + JUMP * wealth.sum() / len(BETS)
        wealth *= 1.0 + BETS * (p - 0.5)
        evidence[number] = wealth.sum()
    return evidence
