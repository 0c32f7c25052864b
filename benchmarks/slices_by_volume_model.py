"""How well a `multi-contrast` model of volumes marks lesions in single slices, which the product leaves to others.

    python -m benchmarks.slices_by_volume_model STORE [--model sanum-brain] [--split test]

STORE holds brain-cropped axial FLAIR slices of 128 pixels a side (`sanum prepare … --preset slices`), which have about
the scale of the template. Each is laid into an empty volume at several heights, with copies of itself as its
neighbours, and judged in the axial plane alone; the score is the mean over the heights, weighed and smoothed as in a
volume. Prints the pooled average precision of the pixels and the AUROC of the slices, with 95 % intervals of 1,000
bootstraps over subjects (seed 0).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from sanum.core.modalities import MRI_SEQUENCES
from sanum.core.records import Prepared
from sanum.core.shipped import find_model
from sanum.core.units import Volume
from sanum.detectors.multi_contrast import MultiContrast
from sanum.detectors.sign import sign_weight
from sanum.detectors.smoothing import smooth_within
from sanum.evaluation.cases import TOP_SHARE
from sanum.evaluation.pixels import PixelCounts, average_precisions, choose_edges, count_pixels
from sanum.evaluation.resample import case_weights, interval, weighted_auroc
from sanum.model import load
from sanum.nets.plane_restorer import windows_along
from sanum.prepare.store import Store

HEIGHTS = (40, 50, 60)
"""Slices of the template, of 96, about from the basal ganglia to the tops of the ventricles."""

MEDIAN = 0.5
"""Of the brain in a volume on the template."""


def score_slice(detector: MultiContrast, case: Prepared) -> Volume:
    """Score of each pixel, (H, W, 1)."""
    (name,) = case.modalities
    picture, mask = case.voxels[0, :, :, 0], case.mask[:, :, 0]
    level = float(np.median(picture[mask]))
    scaled = np.where(mask, (picture * (MEDIAN / max(level, 1e-3))).clip(0.0, 1.0), 0.0).astype(np.float32)
    volume = torch.from_numpy(scaled)[:, :, None].expand(-1, -1, 96)
    told = torch.tensor([float(name == one) for one in MRI_SEQUENCES])
    with torch.inference_mode():
        log_odds, _ = detector._fitted()(windows_along(volume, 2, torch.tensor(HEIGHTS), told))
    values = functional.softplus(log_odds).mean(0)[0].numpy()[:, :, None]
    values = values * sign_weight(case, bright=name in detector.config.bright)
    return smooth_within(values, case.mask, case.grid, 1.0)


def case_score(inside: np.ndarray) -> float:
    """Mean of the highest pixels."""
    count = max(1, round(TOP_SHARE * inside.size))
    return float(np.partition(inside, inside.size - count)[-count:].mean())


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--model", default="sanum-brain")
    parser.add_argument("--split", default="test")
    given = parser.parse_args()
    store = Store.open(given.store)
    detector = load(find_model(Path(given.model))).detector
    assert isinstance(detector, MultiContrast)
    rows = [row for row in store.manifest() if row.status == "ready" and row.split == given.split]
    inside, marked = [], []
    for row in rows:
        case = store.load(row.case)
        inside.append(score_slice(detector, case)[case.mask])
        marked.append(
            np.zeros(inside[-1].size, bool) if case.lesion is None else np.asarray(case.lesion)[case.mask] > 0
        )
    weights = case_weights([row.subject for row in rows], 1000, 0)
    edges = choose_edges(
        np.concatenate([values[::7] for values in inside]),
        np.concatenate([values[lesion] for values, lesion in zip(inside, marked, strict=True)]),
    )
    counts = [count_pixels(values, lesion, edges) for values, lesion in zip(inside, marked, strict=True)]
    pixels = PixelCounts(edges, np.array([one for one, _ in counts]), np.array([one for _, one in counts]))
    pooled = average_precisions(*pixels.pooled())[0]
    low, high = np.nanquantile(average_precisions(*pixels.drawn(weights)), [0.025, 0.975])
    abnormal = np.array([bool(lesion.any()) for lesion in marked])
    cases = interval(weighted_auroc(np.array([case_score(values) for values in inside]), abnormal), weights)
    share = np.concatenate(marked).mean()
    print(f"{len(rows)} slices, {abnormal.sum()} with a lesion; prevalence of pixels {share:.4f}")
    print(f"pixels, pooled AP: {pooled:.3f} [{low:.3f}, {high:.3f}]; slices, AUROC: {cases}")


if __name__ == "__main__":
    main()
