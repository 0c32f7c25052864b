"""Calibration counts subjects, not scans."""

import numpy as np
import pytest

from sanum.calibration.healthy import calibration_from_maps, infinite_part
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


def test_a_wild_healthy_subject_has_finite_findings_and_they_are_its_own():
    """A third of its map lies above the level of the others: such a one once counted as infinitely strange."""
    wild = flat_map(0.0).values.copy()
    wild[2:9, 2:18] = 5.0
    shape = Grid(wild.shape, np.diag([5.0, 5.0, 5.0, 1.0]))
    maps = [(str(seed), noise(seed, shape)) for seed in range(4)]
    kept = calibrate([*maps, ("wild", AnomalyMap("wild", wild, shape, "test"))])
    assert infinite_part(kept) == ""
    level = np.mean([np.quantile(found.values, 0.9999) for _, found in maps])
    assert kept.finding_scores[-1, 0] == pytest.approx((5.0 - level) * 7 * 16 * 2 * 0.125, rel=1e-5)
    assert np.isnan(kept.finding_scores[-1, 1:]).all()


def noise(seed: int, grid: Grid) -> AnomalyMap:
    values = np.random.default_rng(seed).uniform(size=grid.shape).astype(np.float32)
    return AnomalyMap(str(seed), values, grid, "test")
