"""Findings and slices of a case: named control, p-values against healthy ones."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from sanum.calibration.findings import find_regions, finding_level
from sanum.calibration.groups import reference_group
from sanum.calibration.healthy import Guarantees, HealthyMap, calibration_from_maps
from sanum.calibration.judge import control_sentence, judge_findings, judge_slices
from sanum.calibration.rules import decide
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


WIDE = Summary("top", 0.02)
"""Averages 265 voxels here, so that a finding of 18 hardly counts."""


def calibrated(count: int = 30, control="family-wise", first: int = 0, summary=None):
    return calibration_from_maps(
        (HealthyMap(f"s{seed}", noise_map(seed)) for seed in range(first, first + count)),
        summary or Summary(),
        Rule("conformal", 0.1),
        detector="d",
        preparation="p",
        guarantees=Guarantees(control=control),
    )


def spread(control="family-wise"):
    """19 healthy subjects whose scores lie far apart; a case is abnormal above 5.8."""
    return replace(calibrated(19, control, summary=WIDE), scores=np.linspace(2.5, 6.0, 19))


def judged(found: AnomalyMap, kept):
    return judge_findings(find_regions(found, finding_level(kept)), found, reference_group(kept))


@pytest.mark.parametrize("control", ["family-wise", "false-discovery"])
def test_a_planted_blob_is_significant_and_named_control_says_so(control):
    kept = calibrated(control=control)
    first, *others = judged(noise_map(1000, blob=5.0), kept)
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
            found = noise_map(1000 * trial + 500 + seed)
            flagged.append(any(one.significant for one in judged(found, kept)))
    assert np.mean(flagged) <= 0.1 + 3 * np.sqrt(0.09 / len(flagged)) + 0.02


@pytest.mark.parametrize("control", ["family-wise", "false-discovery"])
def test_significant_findings_lie_in_abnormal_cases_only(control):
    kept = spread(control)
    seen = set()
    for count, value in ((1, 7.0), (12, 7.0), (12, 40.0)):
        found = noise_map(1000)
        for i, j, k in list(itertools.product((2, 8, 14), (2, 10), (2, 12)))[:count]:
            found.values[i : i + 3, j : j + 3, k : k + 2] = value
        case = decide(found.summary(kept.summary), kept)
        for one in judged(found, kept):
            assert one.p_value >= case.p_value
            assert case.abnormal or not one.significant
            seen.add((case.abnormal, one.significant))
    assert {(False, False), (True, True)} <= seen
    assert control == "false-discovery" or (True, False) in seen, (
        "many faint ones, none of which is enough alone"
    )


@pytest.mark.parametrize("summary", [Summary("mean"), Summary("slice"), Summary("top", 0.002)])
@pytest.mark.parametrize("rule", [Rule("conformal", 0.05), Rule("mean+3std", 3.0)])
def test_few_and_wild_healthy_subjects_do_not_hide_an_obvious_lesion(summary, rule):
    """19 subjects, one of which is half as strange as the lesion: p is the least there can be, and that is enough."""
    healthy = [HealthyMap(f"s{seed}", noise_map(seed)) for seed in range(18)]
    healthy.append(HealthyMap("wild", noise_map(18, blob=2.0)))
    kept = calibration_from_maps(healthy, summary, rule, detector="d", preparation="p")
    found = noise_map(1000, blob=20.0)
    assert decide(found.summary(summary), kept).abnormal
    first, *others = judged(found, kept)
    assert first.significant is True
    assert first.p_value == pytest.approx(1 / 20)
    assert not any(one.significant for one in others)


def test_two_lesions_are_both_significant_and_a_small_region_beside_them_is_not():
    kept = spread()
    found = noise_map(1000, blob=8.0)
    found.values[16:20, 16:20, 16:20] += 20.0
    found.values[20:23, 4:7, 4:6] = 7.0
    marks = {one.peak_voxel: one.significant for one in judged(found, kept)}
    high = sorted(one for one, significant in marks.items() if significant)
    assert len(high) == 2
    assert all(8 <= at < 13 for at in high[0])
    assert all(16 <= at < 20 for at in high[1])
    assert any(one[0] >= 20 and not significant for one, significant in marks.items())


def test_a_slice_is_compared_with_healthy_slices():
    kept = calibrated()
    values = noise_map(2000).values.copy()
    values[:, :, 10] += 3.0
    slices = judge_slices(AnomalyMap("case", values, GRID, "test"), kept)
    assert len(slices) == SHAPE[2]
    assert min(slices, key=lambda one: one.p_value).k == 10
    assert slices[10].p_value == pytest.approx(1 / 31)


def test_false_discovery_control_needs_healthy_findings():
    kept = replace(calibrated(control="false-discovery"), finding_scores=None, slice_scores=None)
    found = noise_map(1000, blob=5.0)
    assert all(one.p_value is None and one.significant is None for one in judged(found, kept))
    assert judge_slices(noise_map(1), kept) == ()
    assert control_sentence(kept) == ""


def test_false_discovery_control_says_what_few_subjects_can_find():
    assert "The least p-value of a lone region among m is m / 31." in control_sentence(
        calibrated(control="false-discovery")
    )
