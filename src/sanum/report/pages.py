"""The report as pages of one size, for places that show pictures or paper only: a PACS, a PDF.

Each page carries the notice in its pixels, because such a place shows nothing else beside it.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.image import imread
from numpy.typing import NDArray

from sanum.core.records import NOTICE, Detection
from sanum.report import wording
from sanum.report.display import CONVENTION

INCHES = 10.24
DPI = 100
BAND = "RESEARCH SOFTWARE, NOT FOR DIAGNOSIS"
LINE_CHARACTERS = 96
MAX_ROWS = 12
MAX_TEXT = 900
"""Characters of a reason or a sentence that a page has room for; the table of a refusal can be long."""


@dataclass(frozen=True)
class Ink:
    """Colours of a page."""

    paper: str
    text: str
    warning: str


SCREEN = Ink("black", "#e8e8e8", "#ffb000")
PAPER = Ink("white", "#111111", "#a33c00")


def page_pixels(detection: Detection, overlays: Sequence[Path]) -> list[NDArray[np.uint8]]:
    """Pages for a screen, each (1024, 1024, 3) RGB: the decision in words, then one page an overlay.

    Args:
        detection: the decision.
        overlays: PNG files.

    Raises:
        CalibrationError: a decision without a score.
    """
    return [_pixels(figure) for figure in _figures(detection, overlays, SCREEN)]


def page_pdf(detection: Detection, overlays: Sequence[Path]) -> bytes:
    """The same pages as one PDF, dark on white.

    Raises:
        CalibrationError: a decision without a score.
    """
    buffer = io.BytesIO()
    with PdfPages(
        buffer, metadata={"Title": "sanum report", "Creator": "sanum", "CreationDate": None}
    ) as pdf:
        for figure in _figures(detection, overlays, PAPER):
            pdf.savefig(figure, facecolor=figure.get_facecolor())
    return buffer.getvalue()


def _figures(detection: Detection, overlays: Sequence[Path], ink: Ink) -> list[Figure]:
    count = 1 + len(overlays)
    pages = [_page(detection, 1, count, ink)]
    _write(pages[0], detection, ink)
    for number, overlay in enumerate(overlays, start=2):
        page = _page(detection, number, count, ink)
        axes = page.add_axes((0.03, 0.07, 0.94, 0.83))
        axes.imshow(imread(overlay))
        axes.set_axis_off()
        pages.append(page)
    return pages


def _page(detection: Detection, number: int, count: int, ink: Ink) -> Figure:
    page = Figure(figsize=(INCHES, INCHES), dpi=DPI, facecolor=ink.paper)
    page.text(0.5, 0.965, BAND, color=ink.warning, size=17, weight="bold", ha="center", va="center")
    verdict = wording.verdict(detection)
    page.text(0.03, 0.925, verdict.headline, color=ink.text, size=13, weight="bold", va="center")
    told = detection.provenance
    foot = (
        f"sanum {told.version}, model {told.model_name}, {told.created}. {CONVENTION if number > 1 else ''}"
    )
    page.text(0.03, 0.03, foot, color=ink.text, size=9, va="center")
    page.text(0.97, 0.03, f"{number} / {count}", color=ink.text, size=9, ha="right", va="center")
    return page


def _write(page: Figure, detection: Detection, ink: Ink) -> None:
    page.text(
        0.03,
        0.89,
        "\n".join(_lines(detection)),
        color=ink.text,
        size=11,
        va="top",
        family="monospace",
        linespacing=1.35,
    )


def _lines(detection: Detection) -> list[str]:
    told = detection.provenance
    lines = [*_wrapped(wording.verdict(detection).sentence), ""]
    for warning in detection.warnings:
        lines += [*_wrapped(f"Warning: {warning}"), ""]
    if detection.score is not None and detection.threshold is not None:
        chance = "" if detection.p_value is None else f"   p = {detection.p_value:.3f}"
        lines += [f"score {detection.score:.4g}   threshold {detection.threshold:.4g}{chance}", ""]
        lines += [*_wrapped(wording.rule_sentence(detection)), ""]
    if detection.findings:
        lines += [*_table(detection), ""]
        lines += [*_wrapped(detection.control_of_findings), ""]
    lines += [*_wrapped(f"Model file: sha256 {told.model_sha256}"), "", *_wrapped(NOTICE)]
    return lines


def _table(detection: Detection) -> list[str]:
    """Positions are those of the DICOM patient coordinate system, as a PACS shows them."""
    lines = ["no.    ml   L, P, H in mm          peak     p      significant   near"]
    for one in detection.findings[:MAX_ROWS]:
        place = ", ".join(f"{value:.0f}" for value in (-one.peak_mm[0], -one.peak_mm[1], one.peak_mm[2]))
        chance = "–" if one.p_value is None else f"{one.p_value:.3f}"
        tested = {True: "yes", False: "no", None: "–"}[one.significant]
        near = textwrap.shorten(one.region, 38, placeholder=" …")
        size = f"{one.rank:>3} {one.size:>6.2f}   {place:<20} {one.peak_score:>6.3g}"
        lines.append(f"{size}   {chance:<8} {tested:<10} {near}")
    left = len(detection.findings) - MAX_ROWS
    return lines if left <= 0 else [*lines, f"and {left} more"]


def _wrapped(text: str) -> list[str]:
    short = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} …"
    return [line for part in short.splitlines() for line in textwrap.wrap(part, LINE_CHARACTERS) or [""]]


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="rgba", facecolor=figure.get_facecolor())
    side = round(INCHES * DPI)
    pixels = np.frombuffer(buffer.getvalue(), np.uint8).reshape(side, side, 4)
    return np.ascontiguousarray(pixels[:, :, :3])
