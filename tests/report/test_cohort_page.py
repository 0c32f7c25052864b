"""The cohort page: who is pictured, what is refused, one script that its own policy allows."""

import base64
import hashlib
import re

from sanum.report.cohort import CasePicture, cohort_page, notable_cases

PNG = b"\x89PNG\r\n\x1a\n"


def line(case, label, status, score, reason=""):
    return {
        "case": case,
        "label": label,
        "site": "",
        "status": status,
        "score": score,
        "p_value": "0.5",
        "findings": "1",
        "reason": reason,
    }


LINES = [
    line("calm", "healthy", "normal", "1.0"),
    line("alarm", "healthy", "abnormal", "7.5"),
    line("missed", "lesion", "normal", "0.5"),
    line("found", "lesion", "abnormal", "9.0"),
    line("torn", "unknown", "refused", "", "no <brain>"),
]


def the_page():
    return cohort_page(LINES, {"alarm": CasePicture(PNG, "a slice")}, model="m", threshold=5.0)


def test_false_alarms_and_misses_come_first():
    assert notable_cases(LINES)[:2] == ["alarm", "missed"]
    text = the_page()
    assert text.index("false alarms") < text.index("Highest scores")
    assert base64.b64encode(PNG).decode() in text


def test_a_refused_case_stands_with_its_reason_escaped():
    text = the_page()
    assert "Refused" in text
    assert "no &lt;brain&gt;" in text


def test_the_only_script_is_the_one_the_policy_names():
    text = the_page()
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in text or f"script-src 'sha256-{digest}'" in text
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_cases_of_unknown_label_are_not_drawn_as_healthy():
    lines = [
        line("a", "healthy", "normal", "1.0"),
        line("b", "", "normal", "2.0"),
        line("c", "unknown", "normal", "3.0"),
    ]
    page = cohort_page(lines, {}, model="m", threshold=None)
    drawing = base64.b64decode(re.search(r"data:image/svg\+xml;base64,([^\"]+)", page).group(1)).decode()
    assert "unknown (2)" in drawing
    assert "healthy (1)" in drawing
    assert "lesion" not in drawing


def test_one_case_is_no_cases():
    assert "1 case judged" in cohort_page(LINES[:1], {}, model="m", threshold=None)
    assert "5 cases judged" in the_page()


def test_a_site_column_without_values_is_left_out():
    assert ">site<" not in the_page()
