"""Findings beside what healthy maps show at the same places."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sanum.core.findings import Finding
from sanum.report.curves import svg
from sanum.report.figures import HEALTHY, LESION, chart

MAX_ROWS = 8
"""Findings drawn; the table has all."""


def place_figure(findings: Sequence[Finding]) -> bytes | None:
    """The healthy distribution at the place of each finding as SVG; None where it is known of no finding.

    A ring a healthy subject (its highest value in the block around the place), a bar for mean and standard deviation
    of healthy values at the very place, a diamond for the finding's peak.
    """
    shown = [finding for finding in findings[:MAX_ROWS] if finding.healthy_mean is not None]
    if not shown:
        return None
    figure, axes = chart("map value", "", (7.4, 1.15 + 0.38 * len(shown)))
    for row, finding in enumerate(shown):
        first = row == 0
        axes.scatter(
            finding.healthy_peaks,
            np.full(len(finding.healthy_peaks), row),
            s=22,
            facecolors="none",
            edgecolors=HEALTHY,
            label="healthy subjects, highest nearby" if first else None,
        )
        axes.errorbar(
            [finding.healthy_mean or 0.0],
            [row],
            xerr=[finding.healthy_std or 0.0],
            fmt="|",
            color="#444444",
            capsize=4,
            label="healthy mean ± SD at the place" if first else None,
        )
        axes.plot(finding.peak_score, row, "D", color=LESION, label="this scan, peak" if first else None)
    axes.set_yticks(range(len(shown)), [f"finding {finding.rank}" for finding in shown], fontsize=8)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    return svg(figure)
