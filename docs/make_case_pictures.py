"""Draws ten test cases of a model, from the one it marks worst to the one it marks best.

python docs/make_case_pictures.py MODEL STORE OUT.png

The cases are the ten (fewer, where there are fewer) that part the lesion cases of the test split, ordered by average precision in the brain, evenly; of a
volume the slice with most of the lesion is shown. Above the prepared scan with the marked lesion in outline, below the map in
the colours of a report, whose ends are set by healthy scans.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sanum.calibration.findings import map_scale
from sanum.core.shipped import find_model
from sanum.core.units import Volume
from sanum.evaluation.metrics import average_precision
from sanum.model import Model, load
from sanum.prepare.store import Store

SHOWN = 10


def ten_cases(model: Model, store: Store) -> list[tuple[str, float]]:
    """Names and average precision, worst first."""
    ranked = []
    for row in store.manifest():
        if row.split != "test" or row.label != "lesion" or row.status != "ready":
            continue
        case = store.load(row.case)
        if case.lesion is not None and (case.lesion & case.mask).any():
            values = model.detector.score(case).values
            ranked.append((row.case, average_precision(values[case.mask], case.lesion[case.mask])))
    ranked.sort(key=lambda pair: pair[1])
    return [ranked[int(n)] for n in np.linspace(0, len(ranked) - 1, min(SHOWN, len(ranked))).round()]


def draw(model: Model, store: Store, out: Path) -> None:
    """Write the picture."""
    cases = ten_cases(model, store)
    figure = Figure(figsize=(len(cases) * 1.5, 3.4), dpi=110)
    axes = figure.subplots(2, len(cases), squeeze=False)
    low, high = map_scale(model.calibrated())
    for column, (name, precision) in zip(axes.T, cases, strict=True):
        case = store.load(name)
        assert case.lesion is not None
        k = int((case.lesion & case.mask).sum(axis=(0, 1)).argmax())
        scan, found = case.voxels[0, :, :, k], model.detector.score(case).values[:, :, k]
        column[0].imshow(upright(scan), cmap="gray", vmin=0.0, vmax=1.0)
        column[0].contour(upright(case.lesion[:, :, k]), [0.5], colors="#7fdbff", linewidths=0.8)
        column[0].set_title(f"{precision:.2f}", fontsize=9)
        column[1].imshow(upright(scan), cmap="gray", vmin=0.0, vmax=1.0)
        column[1].imshow(upright(np.where(found > low, found, np.nan)), cmap="inferno", vmin=low, vmax=high)
        for panel in column:
            panel.set_axis_off()
    figure.subplots_adjust(left=0.0, right=1.0, bottom=0.0, top=0.92, wspace=0.03, hspace=0.03)
    figure.savefig(out)


def upright(plane: Volume) -> Volume:
    """A slice (I, J) as rows from front to back."""
    return plane.T[::-1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    shown = Store.open(given.store)
    draw(load(find_model(given.model)).suited_to(shown.preparation), shown, given.out)
