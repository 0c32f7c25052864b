"""Histograms of the quality measures, by modality and site."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from sanum.core.quality import Measure
from sanum.report.figures import DPI, png
from sanum.report.outliers import ScanView, Unusual
from sanum.report.ranking import CaseRow

COLUMNS = 3
PANEL_INCHES = (3.3, 1.9)
TOP_INCHES = 0.45
BARS = 20
MAX_KINDS = 8
"""Kinds that have a colour each; further sites share the last one."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito's (2008), told apart by colour-blind readers."""

Scans = Sequence[tuple[CaseRow, ScanView, tuple[Unusual, ...]]]


def draw_measures(scans: Scans, measures: Sequence[Measure]) -> bytes:
    """One small histogram a measure as PNG bytes: a line a modality and site, a tick below for each unusual value."""
    kinds = _kinds(scans)
    rows = -(-len(measures) // COLUMNS)
    width, height = COLUMNS * PANEL_INCHES[0], rows * PANEL_INCHES[1] + TOP_INCHES
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    figure.subplots_adjust(
        left=0.35 / width,
        right=1 - 0.15 / width,
        bottom=0.3 / height,
        top=1 - (TOP_INCHES + 0.25) / height,
        wspace=0.14,
        hspace=0.42,
    )
    for panel, measure in zip(panels, measures, strict=False):
        _draw(panel, measure, scans, kinds)
    for panel in panels[len(measures) :]:
        panel.set_axis_off()
    names = list(dict.fromkeys(kinds.values()))
    handles = [
        panels[0].plot([], [], color=COLOURS[place], label=name)[0] for place, name in enumerate(names)
    ]
    legend = figure.legend(
        handles=handles, loc="upper left", ncols=min(6, len(names)), fontsize=8, frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return png(figure)


def _kinds(scans: Scans) -> dict[tuple[str, str], str]:
    """Name of the line of each (modality, site); those beyond `MAX_KINDS` share one."""
    found = list(dict.fromkeys((view.scan.modality, view.site) for _, view, _ in scans))
    shown = found if len(found) <= MAX_KINDS else found[: MAX_KINDS - 1]
    names = {kind: " · ".join(filter(None, kind)) for kind in shown}
    return {kind: names.get(kind, "others") for kind in found}


def _draw(panel: Axes, measure: Measure, scans: Scans, kinds: dict[tuple[str, str], str]) -> None:
    known = [
        (value, kinds[view.scan.modality, view.site], any(one.measure is measure for one in unusual))
        for _, view, unusual in scans
        if (value := view.value(measure)) is not None
    ]
    edges = _edges(np.array([value for value, _, _ in known]))
    for place, name in enumerate(dict.fromkeys(kinds.values())):
        values = [value for value, kind, _ in known if kind == name]
        if values:
            counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
            panel.stairs(counts, edges, color=COLOURS[place], linewidth=1.3)
    far = [value for value, _, unusual in known if unusual]
    panel.plot(
        np.clip(far, edges[0], edges[-1]), np.zeros(len(far)), "|", color="black", markersize=9, clip_on=False
    )
    panel.set_title(measure.title, fontsize=8, loc="left", parse_math=False)
    panel.tick_params(labelsize=7)
    panel.xaxis.set_major_locator(MaxNLocator(5))
    panel.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bins over the values; what lies more than three times the middle half away falls into the outer ones."""
    low, quarter, upper, high = np.quantile(values, (0.0, 0.25, 0.75, 1.0))
    reach = 3.0 * (upper - quarter)
    if reach > 0:
        low, high = max(low, quarter - reach), min(high, upper + reach)
    if high <= low:
        low, high = low - 0.5 * max(abs(low), 1e-3), high + 0.5 * max(abs(high), 1e-3)
    return np.linspace(low, high, BARS + 1)
