"""One decision over several modalities that were judged one by one."""

from dataclasses import replace
from pathlib import Path

import pytest

from sanum.cohort.table import Row
from sanum.core.errors import ScanError
from sanum.workflow import each_modality
from sanum.workflow.each_modality import fuse, modalities_at_hand
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


def test_a_rate_is_guaranteed_only_where_it_is_for_every_judged_modality():
    assert fuse({"T1w": one(0.4), "T2w": one(0.5)}, 0.05).rate_guaranteed
    made = replace(one(0.5), rate_guaranteed=False)
    assert not fuse({"T1w": one(0.4), "T2w": made}, 0.05).rate_guaranteed


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


STUDY = Row("case", "case", scans=dict.fromkeys(("T1w", "T2w", "FLAIR"), Path("study.zip")))


@pytest.mark.parametrize(
    ("series", "at_hand"),
    [
        ([{"modality": "T1w", "taken_for": ["T1w"]}, {"modality": "perfusion"}], ("T1w",)),
        (
            [{"modality": "T1w"}, {"modality": "T1w"}, {"modality": "FLAIR", "taken_for": ["FLAIR"]}],
            ("T1w", "FLAIR"),
        ),
        ([{"modality": "MR", "taken_for": ["T2w"]}], ("T2w",)),
        ([{"modality": "CT"}], ("T1w",)),
        (None, ("T1w", "T2w", "FLAIR")),
    ],
)
def test_of_a_study_only_what_it_holds_is_judged(monkeypatch, series, at_hand):
    """A study without T2w was listed as refused for it, with all its series, once for each modality."""
    facts = {} if series is None else {"series": series}
    monkeypatch.setattr(each_modality, "inspect_scan", lambda _: facts)
    assert modalities_at_hand(STUDY, ("T1w", "T2w", "FLAIR", "PDw")) == at_hand


def test_files_of_their_own_are_all_at_hand_and_a_damaged_study_is_told_once(monkeypatch):
    def damaged(_):
        raise ScanError("damaged")

    monkeypatch.setattr(each_modality, "inspect_scan", damaged)
    assert modalities_at_hand(STUDY, ("T1w", "T2w")) == ("T1w",)
    own = Row("case", "case", scans={"T1w": Path("a.nii"), "T2w": Path("b.nii")})
    assert modalities_at_hand(own, ("T1w", "T2w", "FLAIR")) == ("T1w", "T2w")


def test_where_one_of_several_could_be_judged_no_word_is_said_of_most_evidence():
    found = fuse({"T1w": one(0.4), "T2w": one(0.5, status="refused", reason="bad")}, 0.05)
    assert found.warnings[0] == "Judged by T1w."
