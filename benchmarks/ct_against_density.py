"""How well a CT model marks lesions within the skull, beside a threshold of density, in the same cases.

    python -m benchmarks.ct_against_density MODEL HEALTHY STORE... [--split test]

HEALTHY and each STORE hold CT on the template (`sanum prepare … --preset template --modality CT`); the cases of each
STORE have a lesion each. The rival is what is written by hand for bleeds: Hounsfield units, smoothed by 2 mm, of all
that lies 3 mm within the skull. Prints the average precision a case and the AUROC against the healthy cases (mean of
the highest .2 %), with 95 % intervals of 1,000 bootstraps over subjects (seed 0), and how many the model calls abnormal.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.calibration.rules import threshold
from sanum.core.modalities import TABLE
from sanum.core.records import Prepared
from sanum.core.shipped import find_model
from sanum.core.units import Volume
from sanum.detectors.smoothing import smooth_within
from sanum.evaluation.metrics import average_precision
from sanum.evaluation.resample import case_weights, interval, weighted_auroc
from sanum.model import Model, load
from sanum.prepare.store import Store

SHARE, RIM_MM, SMOOTHING_MM = 0.002, 3.0, 2.0


def density(case: Prepared) -> Volume:
    """Smoothed Hounsfield units (I, J, K), the lowest within 3 mm of the skull."""
    low, high = TABLE["CT"].windows["subdural"].ends
    hu = low + np.asarray(case.voxels[case.modalities.index("CT:subdural")], np.float32) * (high - low)
    smooth = smooth_within(hu, case.mask, case.grid, SMOOTHING_MM)
    deep = ndimage.distance_transform_edt(case.mask, sampling=case.grid.spacing) > RIM_MM
    return np.where(deep, smooth, np.float32(low))


def top(values: NDArray[np.floating]) -> float:
    """Mean of the highest values."""
    count = max(1, round(SHARE * values.size))
    return float(np.partition(values, values.size - count)[-count:].mean())


def judged(model: Model, store: Store, split: str) -> NDArray[np.float64]:
    """(cases, 5): score and AP of the model, score and AP of density, share of lesion voxels."""
    rows = []
    for row in store.manifest():
        if row.status != "ready" or row.split != split:
            continue
        case = store.load(row.case)
        maps = [np.asarray(model.detector.score(case).values)[case.mask], density(case)[case.mask]]
        marked = np.zeros(maps[0].size, np.bool_)
        if case.lesion is not None:
            marked = np.asarray(case.lesion)[case.mask] > 0
        found = [(top(one), average_precision(one, marked) if marked.any() else np.nan) for one in maps]
        rows.append([*found[0], *found[1], marked.mean()])
    return np.array(rows, np.float64)


def main() -> None:
    """Print a line a store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("healthy", type=Path)
    parser.add_argument("stores", type=Path, nargs="+")
    parser.add_argument("--split", default="test")
    given = parser.parse_args()
    model = load(find_model(Path(given.model)))
    fixed = model.calibrated()
    limit = threshold(fixed.scores, fixed.rule)
    healthy = judged(model, Store.open(given.healthy), given.split)
    print(f"{given.healthy.name}: n = {len(healthy)}, called abnormal {(healthy[:, 0] > limit).sum()}")
    for path in given.stores:
        ill = judged(model, Store.open(path), given.split)
        parts = [f"{path.name}: n = {len(ill)}, voxels of lesion {np.nanmean(ill[:, 4]):.4f}"]
        abnormal = np.arange(len(healthy) + len(ill)) >= len(healthy)
        for name, score, precision in (("model", 0, 1), ("density", 2, 3)):
            scores = np.concatenate([healthy[:, score], ill[:, score]])
            weights = case_weights([str(n) for n in range(len(ill))], 1000, 0)
            each = ill[:, precision]
            ap = interval(lambda w, each=each: (w * each).sum(1) / w.sum(1), weights)
            drawn = case_weights([str(n) for n in range(len(scores))], 1000, 0)
            auroc = interval(weighted_auroc(scores, abnormal), drawn)
            parts.append(f"{name} AP a case {ap}, AUROC {auroc}")
        parts.append(f"called abnormal {(ill[:, 0] > limit).sum()}")
        print("; ".join(parts), flush=True)


if __name__ == "__main__":
    main()
