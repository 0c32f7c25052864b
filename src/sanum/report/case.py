"""The report on one case: `report.html` and the pictures `overlay-01.png`, …"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanum.core.files import atomic_path, write_text
from sanum.core.records import Detection, Scan
from sanum.report import page, wording
from sanum.report.display import (
    CONVENTION,
    IMAGE_CONVENTION,
    View,
    choose_figures,
    intensity_window,
    make_views,
)

MAX_FINDINGS = 50
"""Rows in the table of findings; a map with more regions is noise, and the page says how many it left out."""


@dataclass(frozen=True)
class Picture:
    """One drawing of a report: PNG bytes and what it shows, in words."""

    png: bytes
    caption: str


def write_case(detection: Detection, scan: Scan | None, folder: Path, card: Mapping[str, Any]) -> None:
    """Write the report's page and pictures into `folder`; older pictures there are removed.

    Args:
        detection: the decision.
        scan: the scan in its own grid, for the pictures; None leaves them out.
        folder: made where it is missing.
        card: the model card, JSON-plain; `calibration.subjects` gives the p-value its plain words.

    Raises:
        CalibrationError: a decision without a score.
        GeometryError: the map is not on the scan's grid.
        StorageError: the folder can't be written.
    """
    pictures = case_pictures(detection, scan)
    text = case_page(detection, scan, card, pictures)
    write_text(folder / "report.html", text)
    for old in folder.glob("overlay-*.png"):
        old.unlink()
    for place, picture in enumerate(pictures, start=1):
        with atomic_path(folder / f"overlay-{place:02d}.png") as partial:
            partial.write_bytes(picture.png)


def case_page(
    detection: Detection, scan: Scan | None, card: Mapping[str, Any], pictures: list[Picture]
) -> str:
    """The report as one self-contained HTML page.

    Raises:
        CalibrationError: a decision without a score.
    """
    from sanum.report.places import place_figure

    findings = detection.findings[:MAX_FINDINGS]
    return page.render(
        "case.html.j2",
        detection=detection,
        verdict=wording.verdict(detection),
        rule=wording.rule_sentence(detection.rule),
        p_value_meaning=wording.p_value_sentence(detection, card),
        findings=findings,
        tested=wording.findings_are_tested(detection),
        explained=[(one, said) for one in findings if (said := wording.finding_sentence(one))],
        places=place_figure(findings),
        pictures=pictures,
        convention=IMAGE_CONVENTION if detection.is_image else CONVENTION,
        scan=scan,
        card=card,
    )


def case_pictures(detection: Detection, scan: Scan | None, limit: int | None = None) -> list[Picture]:
    """Draw the slices that matter, most telling first; at most `limit` drawings.

    A refused case shows the bare scan where there is one, so that a person sees what was refused.
    """
    if scan is None:
        return []
    window = intensity_window(scan, detection.anomaly_map)
    drawings = []
    for cuts in choose_figures(scan, detection)[:limit]:
        drawings.append(_draw(make_views(scan, detection, cuts), window, detection.map_scale))
    return drawings


def _draw(views: list[View], window: tuple[float, float], map_scale: tuple[float, float]) -> Picture:
    from sanum.report.figures import overlay

    shown = "Scan alone" if views[0].heat is None else "Scan alone, and with the anomaly map over it"
    if views[0].twin is not None:
        shown = "Scan alone, with the anomaly map over it, and as the model restores it"
    return Picture(
        overlay(views, window, map_scale), f"{shown}: " + "; ".join(view.caption for view in views) + "."
    )
