"""One decision over several modalities that were judged one by one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sanum.cohort.table import Row
from sanum.core.errors import ScanError
from sanum.core.grid import Grid
from sanum.core.records import Scan, Source
from sanum.workflow import each_modality
from sanum.workflow import one_head as one_head_room
from sanum.workflow.each_modality import asked_for_one_head, fuse, modalities_at_hand
from sanum.workflow.one_head import OneHead
from tests.detections import abnormal

SOURCE = Source("a.nii.gz", "0" * 64)


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


def asked(worst):
    return OneHead("T1w", {"unexplained": 0.1, "mirrored": worst, "displaced": 0.3})


def test_scans_that_are_not_of_one_head_make_a_case_abnormal_whatever_they_show():
    found = fuse({"CT": one(0.6), "T1w": one(0.7)}, 0.05, [asked(4.0)])
    assert found.status == "abnormal"
    assert found.p_value == pytest.approx(3e-4)
    assert "do not seem to be of one head" in found.warnings[0]
    assert not found.rate_guaranteed


def test_scans_of_one_head_change_nothing_but_say_so():
    pair = {"CT": one(0.6), "T1w": one(0.02)}
    found, alone = fuse(pair, 0.05, [asked(1.0)]), fuse(pair, 0.05)
    assert (found.status, found.p_value, found.rate_guaranteed) == (alone.status, alone.p_value, True)
    assert any("seem to be of one head" in text for text in found.warnings)


def test_only_judged_volumes_beside_ct_are_asked(monkeypatch):
    scan = replace(
        one(0.5), scan=Scan(np.zeros((2, 2, 2), np.float32), Grid((2, 2, 2), np.eye(4)), "CT", SOURCE)
    )
    monkeypatch.setattr(one_head_room, "one_head", lambda ct, mri: OneHead(mri.modality, {"mirrored": 0.1}))
    assert asked_for_one_head({"T1w": scan, "FLAIR": scan}) == ((), ())
    assert asked_for_one_head({"CT": scan, "T1w": replace(scan, status="refused")}) == ((), ())
    heads, unasked = asked_for_one_head({"CT": scan, "T1w": scan, "FLAIR": scan})
    assert [head.sequence for head in heads] == ["T1w", "FLAIR"]
    assert unasked == ()


def test_where_it_can_not_be_asked_the_reason_is_told(monkeypatch):
    def refused(*_):
        raise ScanError("no outline of a head found")

    scan = replace(
        one(0.5), scan=Scan(np.zeros((2, 2, 2), np.float32), Grid((2, 2, 2), np.eye(4)), "CT", SOURCE)
    )
    monkeypatch.setattr(one_head_room, "one_head", refused)
    assert asked_for_one_head({"CT": scan, "T1w": scan}) == (
        (),
        ("Whether CT and T1w are of one head could not be told: no outline of a head found",),
    )


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
