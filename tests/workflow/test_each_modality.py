"""One decision over several modalities that were judged one by one."""

from dataclasses import replace

import pytest

from sanum.workflow.each_modality import fuse
from tests.detections import abnormal


def one(p, status=None, score=2.0, reason=""):
    found = abnormal()
    status = status or ("abnormal" if p <= 0.05 else "normal")
    return replace(found, p_value=p, status=status, score=score, threshold=1.0, reason=reason)


def test_the_modality_with_the_most_evidence_leads_and_its_p_counts_as_often_as_there_are_modalities():
    found = fuse({"T1w": one(0.40), "FLAIR": one(0.01)}, 0.05)
    assert found.p_value == pytest.approx(0.02)
    assert found.status == "abnormal"
    assert {finding.modality for finding in found.findings} <= {"FLAIR"}
    assert "Judged by FLAIR" in found.warnings[0]
    assert "T1w by itself: normal, p = 0.4." in found.warnings


def test_two_chances_are_no_evidence():
    """Each at .04 by itself: together .08, which is not below .05."""
    found = fuse({"T1w": one(0.04), "T2w": one(0.04)}, 0.05)
    assert found.p_value == pytest.approx(0.08)
    assert found.status == "normal"


def test_p_never_exceeds_1():
    assert fuse({"T1w": one(0.9), "T2w": one(0.8)}, 0.05).p_value == 1.0


def test_of_equal_p_the_higher_score_leads():
    found = fuse({"T1w": one(0.05, score=2.0), "FLAIR": one(0.05, score=9.0)}, 0.05)
    assert "Judged by FLAIR" in found.warnings[0]


def test_a_refused_modality_is_told_and_does_not_count():
    refused = one(0.5, status="refused", reason="no brain is found")
    found = fuse({"T1w": refused, "FLAIR": one(0.04)}, 0.05)
    assert found.p_value == pytest.approx(0.04)
    assert found.status == "abnormal"
    assert "T1w: refused, because no brain is found" in found.warnings


def test_warnings_about_any_modality_that_was_judged_stay_with_the_case():
    """A FLAIR that looks like T1w counts in the p-value, though T1w leads."""
    doubtful = replace(one(0.9), warnings=("FLAIR: looks more like T1w", "made"))
    found = fuse({"FLAIR": doubtful, "T1w": replace(one(0.01), warnings=("made",))}, 0.05)
    assert "Judged by T1w" in found.warnings[0]
    assert found.warnings[2:] == ("made", "FLAIR: looks more like T1w")


def test_where_all_are_refused_the_case_is_refused_with_every_reason():
    found = fuse({name: one(0.5, status="refused", reason=f"bad {name}") for name in ("T1w", "T2w")}, 0.05)
    assert found.status == "refused"
    assert found.reason == "T1w: bad T1w; T2w: bad T2w"
