"""The waterfall as a picture: a bar a stage, one after the other, from left to right."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

COLOURS = ("#0f766e", "#9ca3af")


def draw(
    lines: list[dict[str, Any]], path: Path, clock: str = "wall_s", before: list[dict[str, Any]] | None = None
) -> None:
    """One panel a scan; with `before` the same stages of an earlier state in grey beneath."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(lines), figsize=(5.2 * len(lines), 4.6), squeeze=False, layout="constrained"
    )
    for number, (panel, line) in enumerate(zip(panels[0], lines, strict=True)):
        states = [line] if before is None else [line, before[number]]
        names = list(line["stages"])
        for state, (shown, colour) in enumerate(zip(states, COLOURS, strict=False)):
            at = 0.0
            for row, name in enumerate(names):
                seconds = shown["stages"].get(name, {clock: 0.0})[clock]
                place = row + (state - 0.5 * (len(states) - 1)) * 0.38
                panel.barh(place, seconds, 0.36, left=at, color=colour)
                if seconds >= 0.05:
                    panel.text(at + seconds, place, f" {seconds:.2f}", va="center", fontsize=7, color=colour)
                at += seconds
            label = ("now" if state == 0 else "before") + f": {shown['totals']['warm case'][clock]:.1f} s"
            panel.plot([], [], color=colour, linewidth=6, label=label)
        panel.set_yticks(range(len(names)), names)
        panel.invert_yaxis()
        panel.set_title(line["scan"], fontsize=10)
        panel.set_xlabel("seconds" if clock == "wall_s" else "processor seconds")
        panel.margins(x=0.12)
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False, fontsize=8, loc="upper right")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    now, earlier = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:3])
    draw(now, Path(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "wall_s", earlier)
