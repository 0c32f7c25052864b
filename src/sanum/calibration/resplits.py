"""Whether the conformal guarantee is kept: false alarms over random re-splits, with sensitivity beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.calibration.conformal import COVERAGE, guarantee, p_values
from sanum.core.errors import CalibrationError


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scores of healthy subjects that a detector never saw, as they are and with planted lesions.

    Attributes:
        healthy: (n,) one score a subject.
        planted: by kind of lesion, (n,) scores of the same subjects with one lesion each.
    """

    healthy: NDArray[np.float64]
    planted: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Resplits:
    """What one level did over all re-splits.

    Attributes:
        level: alpha.
        calibration: healthy subjects that calibrate in each re-split.
        tested: healthy subjects that are tested in each.
        guaranteed: largest multiple of 1 / (calibration + 1) up to alpha, the expected rate where no scores tie.
        alarms: false alarms of each re-split.
        rate: their mean share.
        interval: exact 95 % interval of the share in one re-split whose parts are exchangeable. Both parts are
            random, so it is the beta-binomial one.
        inside: share of re-splits in it.
        binomial: exact 95 % binomial interval of the share at rate alpha. Narrower, as it forgets that the
            calibration is random too.
        inside_binomial: share of re-splits in that one.
        found: by kind, mean share of planted lesions whose case is called abnormal at the same alpha.
    """

    level: float
    calibration: int
    tested: int
    guaranteed: float
    alarms: list[int]
    rate: float
    interval: tuple[float, float]
    inside: float
    binomial: tuple[float, float]
    inside_binomial: float
    found: dict[str, float]

    def sentence(self) -> str:
        """The figures in one line."""
        said = (
            f"level {self.level:g}: {self.calibration} calibrate, {self.tested} tested, {len(self.alarms)} re-splits: "
            f"false-alarm rate {self.rate:.4f} (guaranteed {self.guaranteed:.4f}); {self.inside:.3f} of re-splits within "
            f"the exact interval [{self.interval[0]:.2f}, {self.interval[1]:.2f}], {self.inside_binomial:.3f} within "
            f"the binomial one [{self.binomial[0]:.2f}, {self.binomial[1]:.2f}]"
        )
        if not self.found:
            return said
        return said + "; planted lesions found: " + ", ".join(f"{k} {v:.2f}" for k, v in self.found.items())


def resplit(
    pool: HeldOut,
    level: float,
    *,
    calibration: int,
    splits: int = 200,
    seed: int = 0,
    strangers: HeldOut | None = None,
) -> Resplits:
    """Draw the calibration subjects anew, again and again, and count false alarms among the others.

    Over all re-splits of one pool the mean rate is given by arithmetic, whatever the detector (a random split is
    exchangeable); the spread between re-splits, strangers and planted lesions are what can disappoint.

    Args:
        pool: held-out healthy subjects.
        level: alpha.
        calibration: subjects of the pool that calibrate; the others are tested.
        splits: how often to draw.
        seed: of the draws.
        strangers: test these instead of the rest of the pool, such as another scanner's subjects.

    Raises:
        CalibrationError: nobody is left to test, or a level that so few subjects can't guarantee.
    """
    count = len(pool.healthy)
    if not 1 <= calibration < count + (strangers is not None):
        raise CalibrationError(
            f"{calibration} of {count} held-out healthy subjects can't calibrate and leave one to test"
        )
    made = guarantee(calibration, level)
    if not made.kept:
        raise CalibrationError(made.sentence())
    rng = np.random.default_rng(seed)
    alarms, found = [], []
    for _ in range(splits):
        order = rng.permutation(count)
        reference = pool.healthy[order[:calibration]]
        tested = pool if strangers is None else strangers
        rows = order[calibration:] if strangers is None else np.arange(len(tested.healthy))
        alarms.append(int(_called(tested.healthy[rows], reference, level).sum()))
        found.append([_called(scores[rows], reference, level).mean() for scores in tested.planted.values()])
    tested_count = count - calibration if strangers is None else len(strangers.healthy)
    share = np.array(alarms) / tested_count
    interval, binomial = _intervals(calibration, tested_count, made.rate, level)
    kinds = (pool if strangers is None else strangers).planted
    return Resplits(
        level,
        calibration,
        tested_count,
        made.rate,
        alarms,
        float(share.mean()),
        interval,
        _share_within(share, interval),
        binomial,
        _share_within(share, binomial),
        dict(zip(kinds, np.mean(found, axis=0).tolist(), strict=True)) if kinds else {},
    )


def _called(scores: NDArray[np.float64], reference: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
    called: NDArray[np.bool_] = p_values(scores, reference) <= level + 1e-12
    return called


def _share_within(share: NDArray[np.float64], interval: tuple[float, float]) -> float:
    return float(np.mean((share >= interval[0] - 1e-12) & (share <= interval[1] + 1e-12)))


def _intervals(
    calibration: int, tested: int, guaranteed: float, level: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Beta-binomial (both parts random) and binomial (a fixed rate alpha) intervals of the share."""
    from scipy.stats import betabinom, binom

    tails = (1.0 - COVERAGE) / 2, (1.0 + COVERAGE) / 2
    flagged = round(guaranteed * (calibration + 1))
    exact = betabinom(tested, flagged, calibration + 1 - flagged)
    low, high = (float(exact.ppf(tail)) / tested for tail in tails)
    plain_low, plain_high = (float(binom.ppf(tail, tested, level)) / tested for tail in tails)
    return (low, high), (plain_low, plain_high)
