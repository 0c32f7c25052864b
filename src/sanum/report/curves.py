"""Curves of an evaluation as SVG, ready for a paper and readable in black and white."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import cycle

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sanum.report.figures import HEALTHY, LESION, chart

OKABE_ITO = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442")
"""Okabe and Ito's colours (2008), told apart by colour-blind readers."""

UNKNOWN = "#777777"
"""Cases of which nobody told whether they are healthy."""

MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", ":", "-.")


def svg(figure: Figure) -> bytes:
    """The figure as SVG with text as text, and the same bytes for the same figure."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sanum"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def severity_figure(
    curves: Sequence[tuple[str, Sequence[float], Sequence[float]]], false_alarms: float, unit: str
) -> bytes:
    """Share of lesions detected against their size as SVG.

    Args:
        curves: name, sizes and shares of each.
        false_alarms: share of the same cases called abnormal without a lesion; drawn as a line.
        unit: of the sizes.
    """
    figure, axes = chart(f"lesion size ({unit})", "cases called abnormal", (7.2, 4.6))
    styles = zip(cycle(OKABE_ITO), cycle(MARKS), cycle(DASHES), strict=False)
    for (name, sizes, shares), (colour, mark, dash) in zip(curves, styles, strict=False):
        axes.plot(sizes, shares, dash, color=colour, marker=mark, markersize=4, label=name)
    axes.axhline(false_alarms, color="#777777", linewidth=0.9, linestyle=(0, (1, 2)), label="without lesion")
    axes.axhline(0.5, color="#bbbbbb", linewidth=0.6)
    axes.set_xscale("log")
    tried = sorted({size for _, sizes, _ in curves for size in sizes})
    axes.set_xticks(tried, [f"{size:g}" for size in tried], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_ylim(-0.02, 1.02)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return svg(figure)


def alarms_figure(tests: Sequence[tuple[str, Sequence[float], float]]) -> bytes:
    """False-alarm rates over re-splits as SVG: a row a test, a disc a rate with its area the share of re-splits.

    Args:
        tests: what was tested on what, the rate of each re-split, and the guaranteed level.
    """
    figure, axes = chart("false-alarm rate", "", (8.0, 1.1 + 0.5 * len(tests)))
    for row, (_, rates, level) in enumerate(tests):
        values, counts = np.unique(np.asarray(rates, float), return_counts=True)
        axes.scatter(
            values, np.full(len(values), row), s=700 * counts / counts.sum(), color=HEALTHY, alpha=0.45
        )
        ends = (row - 0.36, row + 0.36)
        axes.plot(
            [level, level],
            ends,
            color="black",
            linestyle="--",
            label="guaranteed level" if row == 0 else None,
        )
        axes.plot([np.mean(rates)] * 2, ends, color=LESION, label="mean" if row == 0 else None)
    axes.set_yticks(range(len(tests)), [name for name, _, _ in tests], fontsize=8)
    axes.set_ylim(len(tests) - 0.5, -0.5)
    axes.set_xlim(left=-0.02)
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def p_value_figure(p_values: Sequence[float], count: int) -> bytes:
    """Calibration plot as SVG: share of healthy cases with a p-value at most p; it must follow the diagonal.

    Args:
        p_values: of healthy cases.
        count: calibration subjects behind them.
    """
    figure, axes = chart("p", "healthy cases with p-value at most p", (4.6, 4.4))
    ordered = np.sort(np.asarray(p_values, float))
    share = np.arange(1, len(ordered) + 1) / len(ordered)
    band = 1.358 / np.sqrt(len(ordered)) + 1.0 / (count + 1)
    grid = np.array([0.0, 1.0])
    axes.fill_between(grid, grid - band, grid + band, color="#dddddd", linewidth=0, label="95 % band")
    axes.plot(grid, grid, color="#777777", linewidth=0.8, linestyle="--", label="uniform")
    axes.step(
        np.concatenate([[0.0], ordered, [1.0]]),
        np.concatenate([[0.0], share, [1.0]]),
        where="post",
        color=HEALTHY,
        linewidth=1.8,
        label=f"{len(ordered)} healthy cases",
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_aspect("equal")
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return svg(figure)


def froc_figure(curve: Sequence[tuple[float, float, float]]) -> bytes:
    """Lesions found against false findings a case as SVG, any overlap and strict.

    Below the threshold with the most false findings regions run together; that end is left out.

    Args:
        curve: (false findings a case, sensitivity, strict sensitivity) by ascending threshold.
    """
    figure, axes = chart("false findings a case", "lesions found", (4.8, 4.2))
    table = np.array(curve)
    table = table[int(table[:, 0].argmax()) :]
    axes.plot(table[:, 0], table[:, 1], color=LESION, marker="s", markersize=3, label="any overlap")
    axes.plot(
        table[:, 0], table[:, 2], "--", color=HEALTHY, marker="o", markersize=3, label="IoU 0.1 or more"
    )
    axes.set_xlim(0.0, min(16.0, max(4.0, float(table[:, 0].max()))))
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return svg(figure)


def roc_svg(scores: NDArray[np.float64], lesion: NDArray[np.bool_], area: str) -> bytes:
    """Receiver operating characteristic of cases as SVG; ties move together.

    Args:
        scores: (n,) case scores.
        lesion: (n,) truth, with both kinds present.
        area: the AUROC with its interval, in words.
    """
    return rocs_svg(scores[~lesion], [(f"AUROC {area}", scores[lesion])], "lesion cases found")


def rocs_svg(
    healthy: NDArray[np.float64], groups: Sequence[tuple[str, NDArray[np.float64]]], found: str
) -> bytes:
    """Several groups of cases against the same healthy ones as SVG; ties move together.

    Args:
        healthy: (n,) scores.
        groups: name and scores of each.
        found: what the vertical axis counts.
    """
    figure, axes = chart("false alarms among healthy cases", found, (4.6, 4.4))
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--", label="chance")
    colours = cycle((LESION, *(colour for colour in OKABE_ITO if colour != LESION)))
    for (name, scores), colour, dash in zip(groups, colours, cycle(DASHES), strict=False):
        levels = np.unique(np.concatenate([healthy, scores]))[::-1]
        alarms = np.append(0.0, [np.mean(healthy >= level) for level in levels])
        hits = np.append(0.0, [np.mean(scores >= level) for level in levels])
        axes.plot(alarms, hits, dash, color=colour, linewidth=1.8, label=name)
    axes.set_aspect("equal")
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    return svg(figure)


def score_figure(
    scores: NDArray[np.float64],
    labels: Sequence[str],
    threshold: float | None,
    axis: str = "case score",
) -> bytes:
    """Distributions of case scores as SVG, one a label (healthy, lesion, unknown), each summing to one."""
    figure, axes = chart(axis, "share of cases", (6.0, 3.6))
    bins = np.linspace(scores.min(), max(scores.max(), scores.min() + 1e-9), 31)
    for name, colour in (("healthy", HEALTHY), ("lesion", LESION), ("unknown", UNKNOWN)):
        chosen = np.array([label == name for label in labels])
        count = int(chosen.sum())
        if count:
            axes.hist(
                scores[chosen],
                bins.tolist(),
                weights=np.full(count, 1 / count),
                color=colour,
                alpha=0.5,
                hatch="//" if name == "lesion" else None,
                label=f"{name} ({count})",
            )
    if threshold is not None:
        axes.axvline(
            threshold, color="black", linestyle="--", linewidth=1.2, label=f"threshold {threshold:.4g}"
        )
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def voxel_figure(edges: NDArray[np.float32], counts: Sequence[tuple[str, NDArray[np.float64]]]) -> bytes:
    """Share of voxels above each map value as SVG, on a logarithmic axis: what tells groups apart is in the tail.

    Args:
        edges: (B - 1,) ascending map values.
        counts: name and voxels in each of the B bins that the edges make, lowest first; empty groups are left out.
    """
    figure, axes = chart("map value", "share of voxels above", (6.0, 3.8))
    styles = zip((HEALTHY, OKABE_ITO[2], LESION), ("-", "--", "-."), strict=True)
    for (name, voxels), (colour, dash) in zip(counts, styles, strict=False):
        total = voxels.sum()
        if total > 0:
            above = np.cumsum(voxels[::-1])[::-1][1:] / total
            shown = above > 0
            axes.plot(edges[shown], above[shown], dash, color=colour, label=f"{name} ({total:.3g})")
    axes.set_yscale("log")
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)
