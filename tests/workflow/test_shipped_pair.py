"""The shipped model of pairs: a bleed, another patient and a CT alone are told on made heads that it never saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from sanum.cohort.table import Row
from sanum.core.grid import Grid
from sanum.core.shipped import shipped_models
from sanum.formats import read_scan, write_volume
from sanum.model import Model, load
from sanum.workflow.detect import CaseDetection, detect
from sanum.workflow.render_heads import HeadOptions, render_heads
from tests.synthesis.whole_heads import whole_head

SCALE = 2.2
"""From the phantom's size to that of a head."""

BLOOD_HU = 75.0


@pytest.fixture(scope="module")
def model() -> Model:
    return load(shipped_models()["sanum-pair"])


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Two healthy persons."""
    folder = tmp_path_factory.mktemp("heads")
    labels = ndimage.zoom(whole_head(), SCALE, order=0)
    write_volume(folder / "head.nii.gz", labels.astype(np.float32), Grid(labels.shape, np.eye(4)))
    options = HeadOptions(("CT", "T1w"), "test", scans=2)
    return list(render_heads([folder / "head.nii.gz"], folder / "made", options).rows)


def judged(model: Model, row: Row) -> CaseDetection:
    return detect(model, replace(row, split=""))


def with_bleed(row: Row, folder: Path) -> Row:
    """The same pair with 14 ml of blood in the CT only."""
    scan = read_scan(row.scans["CT"], "CT")
    middle = scan.grid.to_world((np.array(scan.grid.shape) / 2.0)[None])[0] + np.array([-25.0, 10.0, 12.0])
    away = scan.grid.to_world(np.argwhere(np.ones(scan.grid.shape, bool))) - middle
    ball = (np.linalg.norm(away, axis=1) < 15.0).reshape(scan.grid.shape)
    write_volume(folder / "bleed_CT.nii.gz", np.where(ball, BLOOD_HU, scan.voxels).astype(np.float32), scan.grid)
    return replace(row, case="bleed", scans={**row.scans, "CT": folder / "bleed_CT.nii.gz"})
