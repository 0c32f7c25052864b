"""Calibration counts subjects, not scans."""

import numpy as np
import pytest

from sanum.calibration.healthy import calibration_from_maps
from sanum.core.errors import CalibrationError
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Rule, Summary


def flat_map(value: float) -> AnomalyMap:
    values = np.full((20, 20, 2), value, np.float32)
    return AnomalyMap("case", values, Grid(values.shape, np.eye(4)), "test")


def calibrate(pairs):
    return calibration_from_maps(pairs, Summary("mean"), Rule(), detector="d", preparation="p")


def test_a_subject_scanned_twice_counts_once():
    kept = calibrate([("a", flat_map(3.0)), ("b", flat_map(1.0)), ("a", flat_map(9.0))])
    assert kept.scores.tolist() == [1.0, 3.0]
    assert kept.map_levels == pytest.approx(np.full(7, 2.0))


def test_one_subject_is_not_enough():
    with pytest.raises(CalibrationError, match=r"1 held-out healthy subject.*at least 2"):
        calibrate([("a", flat_map(1.0)), ("a", flat_map(2.0))])
