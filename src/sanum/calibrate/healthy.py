"""Collect what healthy maps look like: one score a subject, and the voxel levels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sanum.calibrate.rules import MIN_SCORES, threshold
from sanum.core.errors import CalibrationError
from sanum.core.records import MAP_QUANTILES, AnomalyMap, Calibration, Rule, Summary


def calibration_from_maps(
    maps: Iterable[tuple[str, AnomalyMap]],
    summary: Summary,
    rule: Rule,
    *,
    detector: str,
    preparation: str,
) -> Calibration:
    """Calibrate on the maps of held-out healthy cases, one at a time, in bounded memory.

    The unit is the subject: of a subject with several cases the first counts.

    Args:
        maps: (subject, map) pairs.
        summary: how a map becomes a score.
        rule: when a score is abnormal.
        detector: SHA-256 of the detector's state.
        preparation: SHA-256 of the preparation config.

    Raises:
        CalibrationError: fewer than two subjects, or a rule they can't support.
    """
    scores: dict[str, float] = {}
    levels = []
    for subject, anomaly_map in maps:
        if subject in scores:
            continue
        scores[subject] = anomaly_map.summary(summary)
        levels.append(np.quantile(anomaly_map.inside(), MAP_QUANTILES))
    if len(scores) < MIN_SCORES:
        raise CalibrationError(
            f"{len(scores)} held-out healthy subject(s); calibration needs at least {MIN_SCORES} "
            "(rows with split 'calibration' and label 'healthy')"
        )
    ordered = np.sort(np.array(list(scores.values())))
    threshold(ordered, rule)
    return Calibration(ordered, summary, rule, np.mean(levels, axis=0), detector, preparation)
