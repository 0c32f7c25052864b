"""Where the time of a whole volume goes, from the uploaded file to the written overlay.

    python -m benchmarks.volume_stages sub-01_T1w.nii.gz [recipe …]

Each recipe's network has random weights (they don't change the time), its own preparation, and a made calibration.
Processor seconds count all threads: on two idle cores a stage takes no longer than that, and often less.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sanum.core.records import MAP_QUANTILES, Calibration, Rule
from sanum.detectors import detector_class
from sanum.detectors.recipes import resolve_recipe
from sanum.model import Model, save
from sanum.prepare.presets import Preparation, Slices, Template, preparation_sha256
from sanum.service.case_judge import Judge
from sanum.training.checkpoint import net_arrays

RECIPES = ("cae-strided", "restore-volume")


def made_model(recipe: str, path: Path) -> None:
    """A calibrated model file with random weights."""
    plan = resolve_recipe(recipe, {} if recipe.startswith("cae") else {"location_prior": 0.0})
    detector = detector_class(plan.detector)(plan.config, ("T1w",))
    prefix = "" if plan.detector == "cae" else "net."
    detector.load_state({prefix + name: array for name, array in net_arrays(detector._new_net()).items()})
    preparation: Preparation = Slices(("T1w",)) if plan.detector == "cae" else Template(("T1w",))
    calibration = Calibration(
        scores=np.linspace(0.01, 0.02, 40),
        summary=plan.summary,
        rule=Rule("conformal", 0.05),
        map_levels=np.linspace(0.01, 0.2, len(MAP_QUANTILES)),
        detector=detector.state_sha256(),
        preparation=preparation_sha256(preparation),
    )
    save(Model(recipe, detector, preparation, calibration, {"input": "volume"}), path)


def main(scan: Path, recipes: tuple[str, ...] = RECIPES) -> None:
    """Judge the scan once with each recipe and print the stages."""
    for recipe in recipes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{recipe}.safetensors"
            made_model(recipe, path)
            judge = Judge({recipe: path})
            judge.warm()
            marks: list[tuple[str, float, float]] = []

            def mark(stage: str, marks: list[tuple[str, float, float]] = marks) -> None:
                marks.append((stage, time.process_time(), time.perf_counter()))

            judge.judge(recipe, "case", {"T1w": scan}, Path(folder) / "results", mark)
            mark("end")
        spent = {stage: round(after[1] - cpu, 2) for (stage, cpu, _), after in itertools.pairwise(marks)}
        total, wall = marks[-1][1] - marks[0][1], marks[-1][2] - marks[0][2]
        line = {"recipe": recipe, "cpu_s": round(total, 2), "wall_s": round(wall, 1), "cpu_s_by_stage": spent}
        print(json.dumps({**line, "load_average": [round(load, 1) for load in os.getloadavg()]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(sys.argv[2:]) or RECIPES)
