"""What `sanum detect` says of a case."""

from sanum.cli.detect import _sentence

LINE = {
    "case": "sub-01",
    "status": "abnormal",
    "rule": "conformal, p ≤ 0.05",
    "score": "9",
    "threshold": "4.6",
    "p_value": "0.05",
    "series": "",
    "findings": 1,
    "significant_findings": 1,
    "significant_size": "153.20 ml",
    "meaning": "Of 19 healthy reference scans, 0 scored as high.",
    "warnings": "",
}


def test_one_finding_is_one_and_the_reports_sentence_is_there():
    assert _sentence(LINE) == (
        "sub-01: abnormal (rule: conformal, p ≤ 0.05), score 9 (threshold 4.6), p = 0.050, "
        "1 finding, 1 significant (153.20 ml). Of 19 healthy reference scans, 0 scored as high."
    )


def test_a_warning_has_a_line_of_its_own():
    told = _sentence({**LINE, "warnings": "T1w: looks more like FLAIR (70% sure)."})
    assert told.endswith("scored as high.\n  WARNING: T1w: looks more like FLAIR (70% sure).")


def test_none_and_several():
    assert "p = 0.050, no finding. Of" in _sentence({**LINE, "findings": 0, "significant_findings": 0})
    assert "7 findings, 2 significant (3.00 ml)." in _sentence(
        {**LINE, "findings": 7, "significant_findings": 2, "significant_size": "3.00 ml"}
    )
