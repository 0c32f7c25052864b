"""How a map becomes a score and a score a decision: the rules, and the healthy scores behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Summary:
    """How a map becomes one score: a rule outside the detector, so that all are compared alike.

    `mean`: mean over the mask (for one slice the classic reconstruction error).
    `slice`: the highest mean of any axial slice with enough mask (the classic rule for a volume).
    `top`: mean of the highest `share` of the mask's voxels.

    >>> Summary("top", share=0.01)
    Summary(rule='top', share=0.01)
    """

    rule: Literal["mean", "slice", "top"] = "top"
    share: float = 0.005

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"summary share: expected above 0 and up to 1, got {self.share}")


@dataclass(frozen=True)
class Rule:
    """When a score is abnormal.

    `mean+3std`: above mean + `level`·std of healthy scores (level 3; the classic rule, no guarantee).
    `quantile`: above the healthy quantile `level`.
    `conformal`: split-conformal p-value at most `level`; false alarms at most `level` on exchangeable scans.

    Attributes:
        name: of the rule.
        level: standard deviations, a quantile, or a false-alarm rate.

    >>> Rule("conformal", 0.05)
    Rule(name='conformal', level=0.05)
    """

    name: Literal["mean+3std", "quantile", "conformal"] = "mean+3std"
    level: float = 3.0

    def __str__(self) -> str:
        """What makes a score abnormal, in a few words.

        >>> str(Rule("conformal", 0.05))
        'conformal, p ≤ 0.05'
        """
        return {
            "mean+3std": f"above mean + {self.level:g} standard deviations",
            "quantile": f"above the {self.level:g} quantile",
            "conformal": f"conformal, p ≤ {self.level:g}",
        }[self.name]


GroupColumn = Literal["site", "age", "sex"]
FindingControl = Literal["family-wise", "false-discovery"]


@dataclass(frozen=True)
class Grouping:
    """Into which groups subjects fall, so that each group keeps the guarantee by itself (Mondrian categories).

    Attributes:
        columns: of the cohort table, the combination of whose values is the group.
        age_edges: years at which an age band ends and the next begins.
        small: a group too small for the rule is merged with the other small ones, or refused.
    """

    columns: tuple[GroupColumn, ...]
    age_edges: tuple[float, ...] = (40.0, 60.0, 75.0)
    small: Literal["merge", "refuse"] = "merge"

    def __post_init__(self) -> None:
        if not self.columns or len(set(self.columns)) != len(self.columns):
            raise ValueError(f"grouping: expected one or more different columns, got {list(self.columns)}")
        if list(self.age_edges) != sorted(set(self.age_edges)):
            raise ValueError(f"grouping: age_edges must rise, got {list(self.age_edges)}")


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of held-out healthy subjects, and the decision rule over them.

    Attributes:
        scores: (n,) one healthy score a subject, ascending.
        summary: how maps became scores.
        rule: when a score is abnormal.
        map_levels: healthy voxel values at `MAP_QUANTILES`, for colour scale and findings.
        detector: SHA-256 of the detector state that gave the scores.
        preparation: SHA-256 of the preparation config.
        grouping: how subjects were told into groups; None where all are one.
        groups: (n,) group of each score, before small ones are merged; empty without grouping.
        slice_scores: (n, most slices) mean of each axial slice of each subject, NaN where it has none.
        finding_scores: (n, most findings) excess of each finding of each subject, NaN where it has none.
        control: what is guaranteed about the several findings of one case.
        place_mean: (ceil(I/s), ceil(J/s), ceil(K/s)) mean of the healthy maps at every s-th voxel of the common model
            grid, s = `PLACE_STEP`, NaN where fewer than two subjects have it; None where cases lie on different grids.
        place_std: their standard deviation. These three are for people to read, in half precision.
        place_peaks: (n, ceil(I/b), ceil(J/b), ceil(K/b)) highest value of each healthy map, in the order of `scores`,
            within each block of b = `PLACE_BLOCK` voxels a side, NaN where the block holds none of its mask; None
            where cases lie on different grids.
    """

    scores: NDArray[np.float64]
    summary: Summary
    rule: Rule
    map_levels: NDArray[np.float64]
    detector: str
    preparation: str
    grouping: Grouping | None = None
    groups: tuple[str, ...] = ()
    slice_scores: NDArray[np.float64] | None = None
    finding_scores: NDArray[np.float64] | None = None
    control: FindingControl = "family-wise"
    place_mean: NDArray[np.float16] | None = None
    place_std: NDArray[np.float16] | None = None
    place_peaks: NDArray[np.float16] | None = None


PLACE_STEP = 2
"""Distance in voxels of the places whose healthy mean and spread are kept: every voxel would weigh 13 MB a model."""

PLACE_BLOCK = 4
"""Side in voxels of the blocks that healthy maps are compared in place by place: 6 mm on the template, wide enough for
small errors of registration."""

MAP_QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999)
"""Where the healthy voxel distribution is recorded."""
