"""How often a model calls the cases of a store abnormal, whatever their label, and whether it points at what is marked.

    python -m benchmarks.calm MODEL STORE

Every ready case counts. Where a case has a lesion mask (which may be an automatic one), the highest place of its map is
looked at: does it lie in the mask, or within 3 mm of it?
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

from sanum.calibration.rules import decide
from sanum.core.shipped import find_model
from sanum.evaluation.rates import rate
from sanum.model import load
from sanum.prepare.store import Store

NEAR_MM = 3.0


def main(model_path: str, folder: str) -> None:
    store = Store.open(Path(folder))
    model = load(find_model(Path(model_path))).suited_to(store.preparation)
    calibration = model.calibrated()
    alarms, pointed = [], []
    for row in store.manifest():
        if row.status != "ready":
            continue
        case = store.load(row.case)
        found = model.detector.score(case)
        decision = decide(found.summary(calibration.summary), calibration)
        alarms.append(decision.abnormal)
        hit = ""
        if case.lesion is not None and case.lesion.any():
            reach = ndimage.distance_transform_edt(~np.asarray(case.lesion), sampling=case.grid.spacing)
            peak = np.unravel_index(np.nanargmax(found.values), found.values.shape)
            near = bool(reach[peak] <= NEAR_MM)
            pointed.append(near)
            hit = f", highest place {'in or at' if near else f'{reach[peak]:.0f} mm from'} the mask"
        state = "abnormal" if decision.abnormal else "normal"
        print(f"{row.case}: {state}, p = {decision.p_value:.3f}{hit}")
    print(f"called abnormal: {rate(np.array(alarms))}")
    if pointed:
        print(f"highest place in or at the mask: {rate(np.array(pointed))}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
