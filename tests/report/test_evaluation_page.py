"""The evaluation page: thresholds from healthy scans first, best-possible figures marked, SVG inside."""

from sanum.report.curves import froc_figure, p_value_figure, severity_figure
from sanum.report.evaluation_page import estimate, evaluation_page

ESTIMATE = {"value": 0.5, "low": 0.4, "high": 0.6}
RATE = {**ESTIMATE, "hits": 5, "cases": 10}
FIGURES = {
    "healthy": 10,
    "lesion": 20,
    "subjects": 30,
    "draws": 100,
    "seed": 0,
    "calibration_subjects": 40,
    "facts": {"model": "m", "detector": "atlas", "lookalikes_across_splits": "a and b"},
    "decisions": [
        {
            "rule": "conformal 0.05",
            "false_alarms": RATE,
            "sensitivity": RATE,
            "false_alarms_by_site": {"A": RATE},
        }
    ],
    "case_auroc": {"model": ESTIMATE},
    "slice_auroc": {},
    "pixels": {
        "prevalence": 0.05,
        "ap": ESTIMATE,
        "ap_bounds": [0.49, 0.51],
        "auroc": None,
        "subject_ap": ESTIMATE,
        "subject_ap_std": 0.1,
        "dice": {"1 % of healthy voxels": ESTIMATE},
        "dice_std": {"1 % of healthy voxels": 0.2},
        "best_dice": ESTIMATE,
    },
    "lesions": None,
    "strata": [],
}


def test_the_order_of_figures_and_the_mark_of_best_possible_ones():
    text = evaluation_page(FIGURES, {"p-values.svg": p_value_figure([0.1, 0.5, 0.9], 40)})
    assert text.index("fixed by healthy scans alone") < text.index("best-possible")
    assert "can&#39;t be reached without labels" in text
    assert "a and b" in text
    assert "data:image/svg+xml;base64," in text
    assert "lesions, one by one" not in text


def test_a_rate_says_of_how_many():
    assert estimate(RATE) == "0.500 [0.400, 0.600] (5 of 10)"
    assert estimate(None) == "–"


def test_figures_are_svg_with_text_and_the_same_each_time():
    for draw in (
        lambda: froc_figure([(3.0, 0.8, 0.6), (0.5, 0.2, 0.1)]),
        lambda: severity_figure([("ball, 1", [1.0, 5.0], [0.1, 0.9])], 0.05, "ml"),
    ):
        first = draw()
        assert first == draw()
        assert b"<text" in first
