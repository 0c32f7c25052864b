"""Findings and slices of a case: named control, p-values against healthy ones."""

import numpy as np
import pytest

from sanum.calibration.findings import finding_level, findings
from sanum.calibration.healthy import Guarantees, HealthyMap, calibration_from_maps
from sanum.calibration.judge import control_sentence, judge_findings, judge_slices
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Rule, Summary

SHAPE = (24, 24, 24)
GRID = Grid(SHAPE, np.diag([2.0, 2.0, 2.0, 1.0]))


def noise_map(seed: int, blob: float = 0.0) -> AnomalyMap:
    """Smooth positive noise; `blob` adds a cube of 5 voxels a side."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    values = ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.0)
    values = np.abs(values / values.std())
    values[8:13, 8:13, 8:13] += blob
    values[0] = np.nan
    return AnomalyMap(f"case-{seed}", values.astype(np.float32), GRID, "test")


def calibrated(count: int = 30, control="family-wise", first: int = 0):
    return calibration_from_maps(
        (HealthyMap(f"s{seed}", noise_map(seed)) for seed in range(first, first + count)),
        Summary(),
        Rule("conformal", 0.1),
        detector="d",
        preparation="p",
        guarantees=Guarantees(control=control),
    )


@pytest.mark.parametrize("control", ["family-wise", "false-discovery"])
def test_a_planted_blob_is_significant_and_named_control_says_so(control):
    kept = calibrated(control=control)
    found = findings(noise_map(1000, blob=5.0), finding_level(kept))
    first, *others = judge_findings(found, kept)
    assert first.significant is True
    assert first.p_value <= 0.1
    assert not any(one.significant for one in others)
    assert {"family-wise": "Family-wise", "false-discovery": "False-discovery"}[control] in control_sentence(
        kept
    )


def test_healthy_cases_rarely_have_a_significant_finding():
    flagged = []
    for trial in range(12):
        kept = calibrated(first=1000 * trial)
        for seed in range(40):
            found = findings(noise_map(1000 * trial + 500 + seed), finding_level(kept))
            flagged.append(any(one.significant for one in judge_findings(found, kept)))
    assert np.mean(flagged) <= 0.1 + 3 * np.sqrt(0.09 / len(flagged)) + 0.02


def test_a_slice_is_compared_with_healthy_slices():
    kept = calibrated()
    values = noise_map(2000).values.copy()
    values[:, :, 10] += 3.0
    judged = judge_slices(AnomalyMap("case", values, GRID, "test"), kept)
    assert len(judged) == SHAPE[2]
    assert min(judged, key=lambda one: one.p_value).k == 10
    assert judged[10].p_value == pytest.approx(1 / 31)


def test_a_calibration_without_healthy_findings_gives_no_p_value():
    from dataclasses import replace

    kept = replace(calibrated(), finding_scores=None, slice_scores=None)
    found = findings(noise_map(1000, blob=5.0), finding_level(kept))
    assert judge_findings(found, kept) == found
    assert judge_slices(noise_map(1), kept) == ()
    assert control_sentence(kept) == ""
