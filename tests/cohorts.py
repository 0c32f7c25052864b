"""A small cohort of phantom brains on disk, prepared and trained once for all workflow tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sanum.cohort.table import Cohort, read_cohort
from sanum.core.grid import Grid
from sanum.formats import write_volume
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow.fit import fit_and_calibrate
from sanum.workflow.prepare import prepare_cohort
from tests.phantoms import RAS_2MM, brain_voxels

GRID = Grid((64, 84, 64), RAS_2MM)
SPLITS = ["train"] * 4 + ["calibration"] * 4 + ["test"] * 4


@pytest.fixture(scope="session")
def cohort_path(tmp_path_factory) -> Path:
    """Twelve phantoms: 4 train, 4 calibration, 4 test of which the last two have a lesion."""
    folder = tmp_path_factory.mktemp("cohort")
    lines = ["case\tsubject\tT1w\tlesion\tlabel\tsplit"]
    for number, split in enumerate(SPLITS):
        ill = number >= 10
        voxels, lesion = brain_voxels(GRID, seed=number, lesion=ill)
        write_volume(folder / f"c{number:02d}_T1w.nii.gz", voxels, GRID)
        mask = ""
        if ill:
            mask = f"c{number:02d}_lesion.nii.gz"
            write_volume(folder / mask, lesion.astype(np.uint8), GRID)
        label = "lesion" if ill else "healthy"
        lines.append(f"c{number:02d}\ts{number:02d}\tc{number:02d}_T1w.nii.gz\t{mask}\t{label}\t{split}")
    (folder / "cohort.tsv").write_text("\n".join(lines) + "\n")
    return folder / "cohort.tsv"


@pytest.fixture(scope="session")
def cohort(cohort_path) -> Cohort:
    return read_cohort(cohort_path)


@pytest.fixture(scope="session")
def store(cohort, tmp_path_factory) -> Store:
    folder = tmp_path_factory.mktemp("prepared")
    prepare_cohort(cohort, folder, Slices(("T1w",)), workers=1)
    return Store.open(folder)


@pytest.fixture(scope="session")
def model_path(store, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "brightness.safetensors"
    fit_and_calibrate(store, "intensity", out=path)
    return path
