"""The case report: what it says first, what it never says, and that it holds nothing foreign."""

import base64
import hashlib
import re
from dataclasses import replace

import pytest

from sanum.core.errors import CalibrationError
from sanum.core.findings import Finding, MemberAnswer
from sanum.core.records import NOTICE, Rule
from sanum.report.case import MAX_FINDINGS, case_pictures, write_case
from sanum.report.wording import finding_sentence, p_value_sentence, verdict
from tests.detections import CARD, abnormal, normal, refused
from tests.phantoms import brain_scan
from tests.report.html_checks import check_page, words


def written(folder, detection, scan=None, card=CARD) -> str:
    write_case(detection, scan, folder, card)
    text = (folder / "report.html").read_text(encoding="utf-8")
    check_page(text)
    return text


def test_abnormal_report_leads_with_the_decision_and_has_its_numbers(tmp_path):
    detection = abnormal()
    text = words(written(tmp_path, detection, detection.scan))
    assert text.index("Abnormal: departs from the healthy reference") < text.index("Threshold")
    for part in ("0.048", "Of 20 healthy reference scans, 0 scored as high.", "7.20", "-28.0, -40.0, +20.0"):
        assert part in text
    assert "at most 5 in 100 healthy scans" in text
    assert "Radiological convention" in text
    assert text.count(NOTICE) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["overlay-01.png", "report.html"]


def explained() -> Finding:
    """A finding on the template, of an ensemble of two."""
    return replace(
        abnormal().findings[0],
        region="left frontal lobe",
        healthy_mean=0.1,
        healthy_std=0.2,
        healthy_peaks=(0.2, 0.3, 0.95),
        members=(MemberAnswer("dae", 0.8, 0.5, True), MemberAnswer("atlas", 0.2, 0.5, False)),
    )


def test_what_stands_behind_a_finding_is_said_and_drawn(tmp_path):
    page = written(tmp_path, replace(abnormal(), findings=(explained(),)))
    text = words(page)
    assert "Its peak lies 4.0 standard deviations above the healthy mean there" in text
    assert "1 of 3 healthy subjects reaches it nearby." in text
    assert "1 of 2 members would find it alone: dae; not atlas." in text
    assert "Healthy maps there: 0.1 ± 0.2." in text
    picture = re.search(r"data:image/svg\+xml;base64,([^\"]+)", page).group(1)
    drawing = base64.b64decode(picture).decode()
    assert "finding 1" in drawing
    assert "healthy subjects, highest nearby" in drawing
    plain = replace(abnormal(), findings=(explained(),)).to_dict()["findings"][0]
    assert plain["deviations"] == pytest.approx(4.0)
    assert plain["healthy_as_high"] == 1
    assert plain["members"][1] == {"name": "atlas", "highest": 0.2, "level": 0.5, "agrees": False}


def test_a_finding_without_explanation_has_no_such_section(tmp_path):
    assert "What stands behind" not in words(written(tmp_path, abnormal()))


def test_normal_report_guarantees_no_health(tmp_path):
    text = words(written(tmp_path, normal(), brain_scan()))
    assert "No departure from the healthy reference found at this rule" in text
    assert "does not show that the scan is healthy" in text
    assert "The classic rule: it makes no guarantee about false alarms." in text
    assert "Abnormal" not in text
    small = replace(normal(), findings=abnormal().findings)
    assert "the case as a whole does not cross the threshold" in words(written(tmp_path, small))


def test_refused_report_says_neither_normal_nor_abnormal(tmp_path):
    page = written(tmp_path, refused("the mask has 12 ml"), brain_scan())
    text = words(page)
    assert "No decision: the scan could not be judged" in text
    assert "the mask has 12 ml" in text
    decision = re.search(r'<section class="verdict refused".*?</section>', page, re.DOTALL).group()
    assert "normal" not in decision.lower()
    assert "Threshold" not in text
    assert "Scan alone" in text


def test_refused_without_scan_has_no_pictures(tmp_path):
    assert "Pictures" not in words(written(tmp_path, refused("can't be read")))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("score", [None, float("nan")])
def test_a_decision_without_a_score_is_an_error_not_a_normal_page(tmp_path, score):
    with pytest.raises(CalibrationError, match="case-2: status 'normal' without a score"):
        write_case(replace(normal(), score=score), None, tmp_path, CARD)
    assert list(tmp_path.iterdir()) == []


def test_everything_foreign_is_escaped(tmp_path):
    evil = "<script>alert(1)</script>\"'&.nii.gz"
    scan = replace(brain_scan(), source=replace(brain_scan().source, path=evil, notes=(evil,)))
    detection = replace(abnormal(scan, case=evil), reason=evil)
    card = {**CARD, evil: evil, "nested": {evil: [evil, {evil: evil}]}}
    text = written(tmp_path, detection, scan, card)
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "alert(1)</script>" in words(text)


def test_names_that_are_no_utf8_do_not_stop_a_report(tmp_path):
    assert "scan-?.nii" in written(tmp_path, replace(normal(), case="scan-\udcff.nii"))


def test_the_page_carries_a_policy_that_matches_its_style(tmp_path):
    """Were the hash wrong, browsers would drop the style sheet."""
    text = written(tmp_path, normal())
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"&#39;sha256-{digest}&#39;" in text
    assert "default-src" in text


def test_older_pictures_are_removed(tmp_path):
    write_case(normal(), brain_scan(), tmp_path, CARD)
    assert (tmp_path / "overlay-02.png").exists()
    detection = abnormal()
    write_case(detection, detection.scan, tmp_path, CARD)
    assert not (tmp_path / "overlay-02.png").exists()


def test_a_flood_of_findings_is_cut_and_said(tmp_path):
    detection = abnormal()
    flood = tuple(replace(detection.findings[0], rank=rank) for rank in range(1, 81))
    text = written(tmp_path, replace(detection, findings=flood))
    assert f"The first {MAX_FINDINGS} of 80 regions" in words(text)


def test_without_a_calibration_count_the_p_value_is_still_explained(tmp_path):
    text = words(written(tmp_path, normal(), card={"name": "demo", "calibration": None}))
    assert "Share of healthy reference scans that score as high" in text


def test_each_rule_is_in_words(tmp_path):
    quantile = replace(normal(), rule=Rule("quantile", 0.95))
    assert "Score above the 0.95 quantile" in words(written(tmp_path, quantile))
    assert "Rule. not recorded" in words(written(tmp_path, replace(normal(), rule=None)))


def test_pictures_can_be_limited():
    scan = brain_scan()
    assert len(case_pictures(normal(), scan)) == 2
    assert len(case_pictures(normal(), scan, limit=1)) == 1
    assert case_pictures(normal(), None) == []


def test_warnings_stand_with_the_decision(tmp_path):
    page = written(tmp_path, replace(normal(), warnings=("no healthy subject of group '<b>' was seen",)))
    decision = re.search(r'<section class="verdict normal".*?</section>', page, re.DOTALL).group()
    assert "Warning." in decision
    assert "&lt;b&gt;" in decision


def test_no_rate_is_guaranteed_below_a_warning_that_takes_it_back(tmp_path):
    plain = replace(abnormal(), rule=Rule("conformal", 0.05), finding_control="at most 5% have any")
    assert "at most 5% have any" in words(written(tmp_path, plain))
    assert "on average at most 5 in 100" in words(written(tmp_path, plain))
    warned = replace(plain, warnings=("the healthy scans were made",), rate_guaranteed=False)
    told = warned.to_dict()["finding_control"]
    assert told == "Findings are judged by the same healthy scans, so no rate is guaranteed for them either."
    assert plain.to_dict()["finding_control"] == "at most 5% have any"
    page = words(written(tmp_path, warned))
    assert "in 100 healthy scans" not in page
    assert "No rate of false alarms is guaranteed here" in page
    assert "at most 5% have any" not in page
    assert "no rate is guaranteed for them either" in page


def test_findings_with_p_values_say_which_are_significant(tmp_path):
    detection = abnormal()
    first = replace(detection.findings[0], p_value=0.04, significant=True)
    second = replace(first, rank=2, p_value=0.7, significant=False)
    tested = replace(detection, findings=(first, second), finding_control="Family-wise control at 0.05.")
    text = words(written(tmp_path, tested))
    assert "2 regions stand out above the healthy level, one of them significantly" in text
    assert "0.040 yes" in text
    assert "0.700 no" in text
    assert "Family-wise control at 0.05." in text
    assert "Significant" not in words(written(tmp_path, detection))


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ((True,), "One region stands out above the healthy level, significantly;"),
        ((False,), "One region stands out above the healthy level, but not significantly by itself;"),
        ((True, True), "2 regions stand out above the healthy level, all of them significantly;"),
        ((True, True, False), "3 regions stand out above the healthy level, 2 of them significantly;"),
        ((False, False), "none of them significantly by itself: together they raise the score;"),
    ],
)
def test_significant_findings_are_counted_in_words(marks, said):
    one = abnormal().findings[0]
    findings = tuple(
        replace(one, rank=rank, p_value=0.5, significant=mark) for rank, mark in enumerate(marks, start=1)
    )
    assert said in verdict(replace(abnormal(), findings=findings)).sentence


def test_a_peak_beyond_all_healthy_subjects_is_told_so_and_not_in_hundreds_of_deviations():
    far = replace(explained(), healthy_std=0.001, healthy_peaks=(0.2, 0.3, 0.4), members=())
    assert far.deviations == pytest.approx(800)
    assert finding_sentence(far) == "Its peak lies beyond all 3 healthy subjects nearby."


def test_the_least_p_value_is_told_to_be_the_least():
    least = replace(abnormal(), p_value=0.05, healthy_count=19, healthy_as_high=0)
    said = "Of 19 healthy reference scans, 0 scored as high. p = 0.050 is the least that so few can give."
    assert p_value_sentence(least, CARD) == said
    other = replace(least, p_value=0.2, healthy_as_high=3, healthy_group="sex=F")
    assert p_value_sentence(other, CARD) == "Of 19 healthy reference scans of group sex=F, 3 scored as high."


def test_colour_is_explained_where_no_region_stands_out(tmp_path):
    text = words(written(tmp_path, normal(), brain_scan()))
    assert (
        "No region of the map stands out above the healthy level. Colour in the pictures lies below" in text
    )
    assert "MNI" not in text


def test_findings_on_the_template_have_mni_coordinates(tmp_path):
    placed = replace(abnormal().findings[0], mni_mm=(-31.4, -38.0, 22.6))
    text = words(written(tmp_path, replace(abnormal(), findings=(placed,))))
    assert "-28.0, -40.0, +20.0 -31, -38, +23" in text
    assert "the same places on the template" in text


def test_a_group_is_named_instead_of_a_count_that_is_not_its_own(tmp_path):
    """The card counts all healthy subjects; a group's p-value is over fewer."""
    text = words(written(tmp_path, replace(normal(), healthy_group="sex=F")))
    assert "healthy reference scans of group sex=F" in text
    assert "Of 20 healthy" not in text
