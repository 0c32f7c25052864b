"""Seconds that a detector takes to score prepared cases by PyTorch, by ONNX Runtime and by OpenVINO, in one run.

    python -m benchmarks.export_speed MODEL STORE [cases] [threads]

MODEL is one that `sanum export` takes. All take turns on the same cases; the first case warms up and does not count.
The last line has the largest relative difference of a case's score, as the model sums a map up, from PyTorch's.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from sanum.core.records import AnomalyMap, Prepared
from sanum.core.shipped import find_model
from sanum.detectors.base import Detector
from sanum.detectors.onnx_file import Run, _read, _running, _runtimes, _started, networks_of
from sanum.model import load
from sanum.prepare.store import Store
from sanum.workflow.export import export


def main(model_path: str, folder: str, cases: int = 4, threads: int = 1) -> None:
    """Print wall and processor seconds a case, medians."""
    torch.set_num_threads(threads)
    store, path = Store.open(Path(folder)), find_model(Path(model_path))
    model = load(path).suited_to(store.preparation)
    with tempfile.TemporaryDirectory() as scratch:
        file = _read(export(path, Path(scratch) / "net.onnx")[0])
    nets = networks_of(model.detector)
    ways: dict[str, list[Run]] = {"torch": []} | {
        name: _started(file, len(nets), start, path) for name, start in _runtimes().items()
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    scores: dict[str, list[float]] = {name: [] for name in ways}
    ready = [row.case for row in store.manifest() if row.status == "ready"][: cases + 1]
    for number, name in enumerate(ready):
        case = store.load(name)
        case.voxels[:]
        for way, runs in ways.items():
            with _running(nets[: len(runs)], runs):
                found, wall, processor = _timed(model.detector, case)
            scores[way].append(found.summary(model.calibrated().summary))
            if number:
                taken[way].append((wall, processor))
    for way, times in taken.items():
        wall, processor = np.median(times, axis=0)
        print(f"{way}: {wall:.2f} s a case, {processor:.2f} s of processor time, n = {len(times)}")
    expected = np.array(scores["torch"])
    differences = {way: float(np.abs(np.array(found) / expected - 1).max()) for way, found in scores.items()}
    print(f"largest relative difference of a score: {differences}")


def _timed(detector: Detector, case: Prepared) -> tuple[AnomalyMap, float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    found = detector.score(case)
    return found, time.perf_counter() - wall, time.process_time() - processor


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5]))
