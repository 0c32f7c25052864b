"""Draws the picture that opens the README: one real brain with a stroke, as it is, as it was marked, and as a model maps it.

python docs/make_readme_picture.py MODEL STORE OUT.png

The case is not chosen by how well it goes: it is the one whose marked lesion lies at the upper quartile of size in the
store's test split.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sanum.calibration.findings import map_scale
from sanum.calibration.rules import decide
from sanum.core.records import Prepared
from sanum.core.shipped import find_model
from sanum.model import Model, load
from sanum.prepare.store import Store


def quartile_case(store: Store) -> Prepared:
    """The test case than whose marked lesion a quarter of them are larger."""
    rows = [row for row in store.manifest() if (row.split, row.label, row.status) == ("test", "lesion", "ready")]
    cases = [store.load(row.case) for row in rows]
    return sorted(cases, key=lambda case: (marked(case), case.case))[3 * len(cases) // 4]


def marked(case: Prepared) -> int:
    """Marked voxels within the brain."""
    return 0 if case.lesion is None else int((case.lesion & case.mask).sum())


def draw(model: Model, case: Prepared, out: Path) -> str:
    """Write the picture; returns what the model says."""
    assert case.lesion is not None
    k = int(case.lesion.sum(axis=(0, 1)).argmax())
    found = model.detector.score(case)
    calibration = model.calibrated()
    low, high = map_scale(calibration)
    scan, lesion, values = (plane[:, :, k].T[::-1] for plane in (case.voxels[0], case.lesion, found.values))
    figure = Figure(figsize=(8.4, 3.3), dpi=110, facecolor="black")
    titles = ("FLAIR, acute stroke", "as a person marked it", "anomaly map of sanum")
    for number, (panel, title) in enumerate(zip(figure.subplots(1, 3), titles, strict=True)):
        panel.imshow(scan, cmap="gray", vmin=0.0, vmax=1.0)
        if number == 1:
            panel.contour(lesion, [0.5], colors="#7fdbff", linewidths=1.0)
        if number == 2:
            panel.imshow(np.where(values > low, values, np.nan), cmap="inferno", vmin=low, vmax=high)
        panel.set_title(title, fontsize=10, color="white")
        panel.set_axis_off()
    figure.subplots_adjust(left=0.0, right=1.0, bottom=0.0, top=0.91, wspace=0.02)
    figure.savefig(out, facecolor="black")
    decision = decide(found.summary(calibration.summary), calibration)
    return f"{case.case}, {marked(case)} marked pixels: abnormal {decision.abnormal}, p = {decision.p_value:.3f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    print(draw(load(find_model(given.model)), quartile_case(Store.open(given.store)), given.out))
