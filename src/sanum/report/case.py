"""The report on one case: `report.html` and the pictures `overlay-01.png`, …"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sanum.core.files import atomic_path, write_text
from sanum.core.records import Detection, Scan, Side
from sanum.report import page, wording
from sanum.report.display import (
    CONVENTION,
    IMAGE_CONVENTION,
    Cut,
    View,
    choose_figures,
    intensity_window,
    make_views,
)

MAX_FINDINGS = 50
"""Rows in the table of findings; a map with more regions is noise, and the page says how many it left out."""

CARD_FINDINGS = 3
"""Findings on the card of a notebook."""


@dataclass(frozen=True)
class Picture:
    """One drawing of a report: PNG bytes and what it shows, in words; `side` is the modality of a case of several."""

    png: bytes
    caption: str
    side: str = ""


def write_case(
    detection: Detection,
    scan: Scan | None,
    folder: Path,
    card: Mapping[str, Any],
    sides: Sequence[Side] = (),
) -> None:
    """Write the report's page and pictures into `folder`; older pictures there are removed.

    Args:
        detection: the decision.
        scan: the scan in its own grid, for the pictures; None leaves them out.
        folder: made where it is missing.
        card: the model card, JSON-plain; `calibration.subjects` gives the p-value its plain words.
        sides: of a case of several modalities; each is then drawn, the same slices side by side.

    Raises:
        CalibrationError: a decision without a score.
        GeometryError: the map is not on the scan's grid.
        StorageError: the folder can't be written.
    """
    pictures = case_pictures(detection, scan, sides=sides)
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
        rule=wording.rule_sentence(detection),
        finding_control=detection.control_of_findings,
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


def case_card(detection: Detection, scan: Scan | None) -> str:
    """The decision, its numbers and one picture as a piece of HTML, for a notebook: inline style, no script."""
    pictures = case_pictures(detection, scan, limit=1)[:1]
    return page.render(
        "card.html.j2",
        detection=detection,
        verdict=wording.verdict(detection),
        findings=detection.findings[:CARD_FINDINGS],
        pictures=pictures,
    )


def case_pictures(
    detection: Detection, scan: Scan | None, limit: int | None = None, sides: Sequence[Side] = ()
) -> list[Picture]:
    """Draw the slices that matter, most telling first; at most `limit` groups of them.

    A refused case shows the bare scan where there is one, so that a person sees what was refused. A case of several
    modalities shows each, the same slices one after the other, with its own map where it has one.
    """
    if scan is None:
        return []
    figures = choose_figures(scan, detection)[:limit]
    if sides:
        return [_draw_side(side, detection, cuts) for cuts in figures for side in sides]
    window = intensity_window(scan, detection.anomaly_map)
    return [_draw(make_views(scan, detection, cuts), window, detection.map_scale) for cuts in figures]


def _draw_side(side: Side, detection: Detection, cuts: Sequence[Cut]) -> Picture:
    shown = detection
    if side.anomaly_map is not None:
        shown = replace(detection, anomaly_map=side.anomaly_map)
    window = intensity_window(side.scan, shown.anomaly_map)
    drawn = _draw(make_views(side.scan, shown, cuts), window, detection.map_scale)
    whose = "its own map" if side.anomaly_map is not None else "the map of the case"
    return replace(drawn, caption=f"{side.modality}, with {whose}. {drawn.caption}", side=side.modality)


def _draw(views: list[View], window: tuple[float, float], map_scale: tuple[float, float]) -> Picture:
    from sanum.report.overlays import overlay

    shown = "Scan alone" if views[0].heat is None else "Scan alone, and with the anomaly map over it"
    if views[0].reconstruction is not None:
        shown = "Scan alone, with the anomaly map over it, and as the model restores it"
    return Picture(
        overlay(views, window, map_scale), f"{shown}: " + "; ".join(view.caption for view in views) + "."
    )
