"""Seconds that a model takes to score prepared volumes, against a plain PyTorch loop, in one run.

    python -m benchmarks.score_speed MODEL STORE [cases]

MODEL holds a `multi-contrast` detector. The rival is its own network as one would call it first: slice by slice, plane by
plane, in float32. All take turns on the same volumes with all cores; the first volume warms up and does not count.
Experts are timed with the model, as users meet them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from sanum.core.modalities import MRI_SEQUENCES
from sanum.core.records import Prepared
from sanum.core.shipped import find_model
from sanum.detectors.multi_contrast import MultiContrast
from sanum.model import load
from sanum.nets.plane_restorer import windows_along
from sanum.prepare.store import Store


def main(model_path: str, folder: str, cases: int = 5) -> None:
    """Print wall and processor seconds a volume, medians, and the ratio."""
    store = Store.open(Path(folder))
    detector = load(find_model(Path(model_path))).suited_to(store.preparation).detector
    assert isinstance(detector, MultiContrast)
    ways: dict[str, Callable[[Prepared], object]] = {
        "model": detector.score,
        "its network": lambda case: detector._computed(detector._fitted(), case),
        "plain loop": lambda case: plain_loop(detector, case),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    ready = [row.case for row in store.manifest() if row.status == "ready"][: cases + 1]
    for number, name in enumerate(ready):
        case = store.load(name)
        case.voxels[:]
        for way, run in ways.items():
            started, spent = time.perf_counter(), time.process_time()
            with torch.inference_mode():
                run(case)
            if number:
                taken[way].append((time.perf_counter() - started, time.process_time() - spent))
    medians = {way: np.median(times, axis=0) for way, times in taken.items()}
    for way, (wall, processor) in medians.items():
        print(f"{way}: {wall:.2f} s a volume, {processor:.2f} s of processor time, n = {len(ready) - 1}")
    print(
        f"plain loop / its network: {medians['plain loop'][0] / medians['its network'][0]:.2f} times the time"
    )


def plain_loop(detector: MultiContrast, case: Prepared) -> torch.Tensor:
    """Log-odds (I, J, K) slice by slice."""
    net, volume = detector._fitted(), torch.from_numpy(np.ascontiguousarray(case.voxels[0]))
    told = torch.tensor([float(case.modalities[0] == name) for name in MRI_SEQUENCES])
    total = torch.zeros_like(volume)
    for axis in detector.config.planes:
        for k in range(volume.shape[axis]):
            found, _ = net(windows_along(volume, axis, torch.tensor([k]), told))
            total.movedim(axis, 0)[k] += found[0, 0]
    return total / len(detector.config.planes)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:4]))
