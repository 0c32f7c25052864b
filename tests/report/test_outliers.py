"""The rule by which a value counts as unusual: by kind, robustly, in the worse direction."""

import numpy as np
import pytest

from sanum.core.quality import CaseQuality, ScanQuality
from sanum.report.outliers import MIN_GROUP, groups, outliers, views
from sanum.report.unusual import robust_deviations


def cohort(values, site="", modality="T1w", measure="noise"):
    return [
        (f"{site}{place}", site, CaseQuality((ScanQuality(modality, **{measure: value}),)))
        for place, value in enumerate(values)
    ]


def unusual(cases):
    """Names of unusual measures by case."""
    scans = views(cases)
    return {
        view.case: [one.measure.name for one in found]
        for view, found in zip(scans, outliers(scans), strict=True)
        if found
    }


USUAL = [0.020, 0.021, 0.022, 0.019, 0.020, 0.018, 0.021, 0.020, 0.022]


def test_a_value_far_on_the_worse_side_is_unusual_and_one_far_on_the_better_side_is_not():
    assert unusual(cohort([*USUAL, 0.08])) == {"9": ["noise"]}
    assert unusual(cohort([*USUAL, 0.005])) == {}
    assert unusual(cohort([30, 31, 29, 30, 32, 28, 30, 31, 5], measure="snr_air")) == {"8": ["snr_air"]}


def test_a_measure_without_direction_is_unusual_on_both_sides():
    volumes = [1300, 1350, 1250, 1400, 1200, 1320, 1280, 1310, 2400, 600]
    cases = [(str(ml), "", CaseQuality((ScanQuality("T1w"),), brain_ml=ml)) for ml in volumes]
    assert unusual(cases) == {"2400": ["brain_ml"], "600": ["brain_ml"]}


def test_each_site_is_its_own_kind_when_it_is_large_enough():
    noisy_site = cohort([value * 5 for value in USUAL], site="b")
    assert unusual([*cohort(USUAL, site="a"), *noisy_site]) == {}
    assert unusual([*cohort(USUAL, site="a"), *cohort(USUAL, site="a2"), *noisy_site[:2]]).keys() == {
        "b0",
        "b1",
    }


def test_small_sites_are_compared_with_all_and_modalities_never_mix():
    cases = [
        *cohort(USUAL, site="a"),
        *cohort(USUAL[:2], site="b"),
        *cohort(USUAL, site="a", modality="FLAIR"),
    ]
    assert len(USUAL) >= MIN_GROUP
    assert set(groups(views(cases))) == {("T1w", "a"), ("T1w", ""), ("FLAIR", "a")}


def test_what_a_scan_does_not_hold_is_not_judged():
    assert unusual(cohort([None, None, *USUAL])) == {}


def test_a_spread_within_rounding_makes_nobody_unusual():
    assert unusual(cohort([0.02] * 9 + [0.0201])) == {}


def test_deviations_are_signed_and_survive_constants():
    assert robust_deviations(np.ones(4)).tolist() == [0, 0, 0, 0]
    assert robust_deviations(np.array([1.0, 2.0])).tolist() == [0, 0]
    assert robust_deviations(np.array([5.0, 5, 5, 5, 5, 5, 9]))[-1] > 3.5
    assert robust_deviations(np.array([1.0, 2, 3, -90]))[-1] < -3.5
    assert robust_deviations(np.array([1.0, 2, 3, 4]), least=10.0) == pytest.approx(
        [-0.15, -0.05, 0.05, 0.15]
    )
