"""Seconds a case of preparation against the naive recipe on the same files in the same run, and each stage's share.

    python -m benchmarks.prepare_speed [scan …]

Without scans, two made brains at 2 mm are prepared. The naive recipe is what a first script does: nibabel load,
min-max over the volume, every axial slice resized to 128 x 128 in a loop, one process, no mask, no check, no way
back. Each row is one process with one thread, so ratios don't depend on the number of cores; the rows of a file take
turns, so that other work on the machine slows all alike. "again" is the same preset with one late setting changed
and the first store to reuse.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
from PIL import Image

from sanum.cohort.table import Cohort, Row
from sanum.formats import modality_of, scan_stem, write_volume
from sanum.prepare.presets import Preparation, Slices, Template
from sanum.prepare.store import Store
from sanum.prepare.template import icbm152
from sanum.synthesis.subject import make_subject
from sanum.workflow.prepare import prepare_cohort

SIZE = 128
MADE = 2

PRESETS: dict[str, tuple[Preparation, Preparation]] = {
    "slices": (Slices(), Slices(trim=0.2)),
    "template": (Template(), Template(median=0.45)),
}


def naive(path: Path, folder: Path) -> float:
    """Seconds of the recipe one would write first; it writes its slices, as sanum does."""
    started = time.perf_counter()
    voxels = np.asarray(nibabel.load(path).get_fdata())
    voxels = (voxels - voxels.min()) / (voxels.max() - voxels.min())
    slices = []
    for k in range(voxels.shape[2]):
        picture = Image.fromarray(voxels[:, :, k].astype(np.float32))
        slices.append(np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR)))
    np.save(folder / "naive.npy", np.stack(slices))
    return time.perf_counter() - started


def prepared(
    path: Path, preparation: Preparation, folder: Path, reuse: list[Path]
) -> tuple[float, dict[str, float]]:
    """Seconds of one case, and of its stages."""
    case = scan_stem(path)
    cohort = Cohort(
        path, (Row(case, case, {preparation.modalities[0]: path.absolute()}),), preparation.modalities
    )
    started = time.perf_counter()
    (row,) = prepare_cohort(cohort, folder, preparation, workers=1, reuse=reuse)
    seconds = time.perf_counter() - started
    if row.status != "ready":
        raise SystemExit(f"{path}: {row.reason}")
    stages: dict[str, float] = defaultdict(float)
    for step in Store.open(folder).load(case).steps:
        stages[step.name] += step.facts["seconds"]
    stages["read, hash, write"] = seconds - sum(stages.values())
    return seconds, stages


def in_turns(paths: list[Path], modality: str) -> tuple[dict[str, list[float]], dict[str, dict[str, float]]]:
    """Seconds of each row on each file, and of each stage over all files."""
    taken: dict[str, list[float]] = defaultdict(list)
    stages: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for number, path in enumerate([paths[0], *paths]):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            found = {"naive": (naive(path, folder), {"all": 1.0})}
            for name, presets in PRESETS.items():
                first, changed = (replace(preset, modalities=(modality,)) for preset in presets)
                found[name] = prepared(path, first, folder / name, [])
                found[f"{name} again"] = prepared(path, changed, folder / f"{name}-again", [folder / name])
        if number == 0:
            continue  # the first round loads libraries, networks and the template
        for name, (seconds, parts) in found.items():
            taken[name].append(seconds)
            for stage, part in parts.items():
                stages[name][stage] += part
    return dict(taken), {name: dict(parts) for name, parts in stages.items()}


def made_brains(folder: Path) -> list[Path]:
    template = icbm152()
    paths = []
    for seed in range(MADE):
        subject = make_subject(template.t1, template.brain, template.grid, seed=seed)
        paths.append(folder / f"made-{seed}_T1w.nii.gz")
        write_volume(paths[-1], subject.voxels, subject.grid)
    return paths


def main(given: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        paths = given or made_brains(Path(scratch))
        modality = modality_of(paths[0]) or "T1w"
        # A process of its own, so that libraries start one thread.
        os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            taken, stages = pool.submit(in_turns, paths, modality).result()
    plain = float(np.median(taken["naive"]))
    print(f"{len(paths)} scans, {modality}, one process of one thread, median seconds a case")
    for name, seconds in taken.items():
        middle = float(np.median(seconds))
        print(f"{name:15} {middle:7.2f} s   {middle / plain:6.2f} of naive")
        if name != "naive":
            total = sum(stages[name].values())
            parts = sorted(stages[name].items(), key=lambda part: -part[1])
            print(
                "    "
                + ", ".join(f"{stage} {part / total:.0%}" for stage, part in parts if part / total >= 0.005)
            )


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
