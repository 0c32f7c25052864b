"""The report of an evaluation: curves and tables on one page that a paper can take its figures from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sanum.report import page

TITLES = {
    "scores.svg": "Case scores of healthy and lesion cases",
    "voxels.svg": "Map values of healthy cases, and of marked and unmarked voxels of lesion cases",
    "latent.svg": "Distance of each case to held-out healthy cases in the model's latent space",
    "roc.svg": "Healthy and lesion cases told apart by their score",
    "p-values.svg": "Conformal p-values of healthy test cases; they should follow the diagonal",
    "froc.svg": "Lesions found against false findings a case",
    "injection.svg": "Planted lesions found, by size and severity",
}
"""Caption of each figure by file name."""


@dataclass(frozen=True)
class Table:
    """One table of text cells."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def evaluation_page(figures: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """One self-contained HTML page over an evaluation.

    Args:
        figures: content of `evaluation.json`.
        pictures: SVG bytes by file name.
    """
    return page.render(
        "evaluation.html.j2",
        facts=figures["facts"],
        counts=figures,
        tables=[table for table in _tables(figures) if table.rows],
        pictures=[(TITLES.get(name, name), svg) for name, svg in pictures.items()],
    )


def estimate(value: Mapping[str, Any] | None) -> str:
    """A figure with its interval, or a dash."""
    if value is None:
        return "–"
    shown = f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
    return f"{shown} ({value['hits']} of {value['cases']})" if "hits" in value else shown


def _tables(figures: Mapping[str, Any]) -> list[Table]:
    return [
        _decisions(figures),
        _pixels(figures["pixels"]),
        Table(
            "Ranking",
            ("figure", "AUROC [95 %]"),
            [(f"case, score {name}", estimate(value)) for name, value in figures["case_auroc"].items()]
            + [(f"slice, score {name}", estimate(value)) for name, value in figures["slice_auroc"].items()],
        ),
        _lesions(figures["lesions"]),
        _strata(figures["strata"]),
    ]


def _decisions(figures: Mapping[str, Any]) -> Table:
    rows = []
    for one in figures["decisions"]:
        rows.append((one["rule"], estimate(one["false_alarms"]), estimate(one["sensitivity"])))
        rows += [
            (f"{one['rule']}, site {site}", estimate(value), "–")
            for site, value in one["false_alarms_by_site"].items()
        ]
    return Table(
        "Decisions, at thresholds fixed by healthy scans alone",
        ("rule", "false-alarm rate [exact 95 %]", "sensitivity [exact 95 %]"),
        rows,
        f"{figures['calibration_subjects']} healthy calibration subjects.",
    )


def _pixels(pixels: Mapping[str, Any] | None) -> Table:
    if pixels is None:
        return Table("", (), ())
    rows = [
        (f"Dice at {name}, mean of cases (SD {pixels['dice_std'][name]:.3f})", estimate(value))
        for name, value in pixels["dice"].items()
    ]
    low, high = pixels["ap_bounds"]
    rows += [
        ("average precision, pooled", estimate(pixels["ap"])),
        ("exact pooled value lies between", f"{low:.4f} and {high:.4f}"),
        ("prevalence (average precision of chance)", f"{pixels['prevalence']:.4f}"),
        (
            f"average precision, mean of cases (SD {pixels['subject_ap_std']:.3f})",
            estimate(pixels["subject_ap"]),
        ),
        ("AUROC, pooled", estimate(pixels["auroc"])),
        ("best-possible Dice, pooled *", estimate(pixels["best_dice"])),
    ]
    return Table(
        "Pixels inside the brain",
        ("figure", "value [95 %]"),
        rows,
        "* The threshold is chosen on the test lesions; it can't be reached without labels.",
    )


def _lesions(lesions: Mapping[str, Any] | None) -> Table:
    if lesions is None:
        return Table("", (), ())
    rows = [
        (limit, estimate(value), estimate(lesions["sensitivity_iou"][limit]))
        for limit, value in lesions["sensitivity"].items()
    ]
    return Table(
        f"{lesions['lesions']} lesions, one by one",
        ("false findings a case", "found, any overlap", "found, IoU 0.1 or more"),
        rows,
        "The threshold of each row is read on the test cases.",
    )


def _strata(strata: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            f"{part['by']}: {part['name']}",
            str(part["healthy"]),
            str(part["lesion"]),
            estimate(part["false_alarms"]),
            estimate(part["sensitivity"]),
            estimate(part["auroc"]),
            estimate(part["subject_ap"]),
        )
        for part in strata
    ]
    return Table(
        "Parts of the test set",
        ("part", "healthy", "lesion", "false alarms", "sensitivity", "case AUROC", "AP per case"),
        rows,
        "Decisions by the model's own rule. A part without healthy cases is compared with all healthy cases.",
    )
