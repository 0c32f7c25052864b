"""What the network finds in a head is checked before it counts as a brain. The network itself is replaced here."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.records import Scan, Source
from sanum.prepare.steps import head
from tests.phantoms import RAS_2MM, ellipsoid
from tests.prepare.orientations import turned

GRID = Grid((80, 96, 80), np.array([[2.0, 0, 0, -80], [0, 2, 0, -85], [0, 0, 2, -80], [0, 0, 0, 1]]))
BRAIN = ellipsoid(GRID, (0, 10, 0), (60, 75, 58))


class Network:
    """Stands in for deepbet: answers with a made probability, or fails as deepbet does."""

    def __init__(self, answer: np.ndarray | Exception) -> None:
        self.answer = answer
        self.seen: np.ndarray | None = None

    def run_model(self, voxels: np.ndarray) -> np.ndarray:
        self.seen = voxels
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer.astype(np.float32)


def put(monkeypatch, answer) -> Network:
    network = Network(answer)
    monkeypatch.setattr(head, "head_network", lambda: network)
    return network


def a_head(voxels: np.ndarray | None = None, grid: Grid = GRID) -> Scan:
    voxels = np.arange(np.prod(GRID.shape)).reshape(GRID.shape) if voxels is None else voxels
    return Scan(voxels.astype(np.float32), grid, None, Source("head.nii.gz", "0" * 64))


def test_the_largest_piece_without_holes_is_the_brain(monkeypatch):
    answer = BRAIN * 0.98
    answer[40, 50, 40] = 0.0
    answer[2:4, 2:4, 2:4] = 0.98
    put(monkeypatch, answer)
    mask, facts = head.estimated_brain(a_head(), "T1w")
    np.testing.assert_array_equal(mask, BRAIN)
    assert facts["by"] == "deepbet"
    assert facts["one_piece"] == pytest.approx(1 - 8 / BRAIN.sum(), abs=1e-3)
    assert (facts["unsure"], facts["flags"]) == (0.0, [])


@pytest.mark.parametrize("order", [((1, 2, 0), (True, False, True)), ((2, 0, 1), (False, True, True))])
def test_the_network_sees_ras_and_the_mask_comes_back_in_storage_order(monkeypatch, order):
    lopsided = BRAIN & ~ellipsoid(GRID, (40, 60, 30), (30, 30, 30))
    network = put(monkeypatch, lopsided)
    scan = a_head()
    stored, grid = turned(scan.voxels, scan.grid, *order)
    mask, _ = head.estimated_brain(a_head(stored, grid), "T1w")
    np.testing.assert_array_equal(network.seen, scan.voxels)
    expected, _ = turned(lopsided, scan.grid, *order)
    np.testing.assert_array_equal(mask, expected)


def test_ct_goes_in_as_its_brain_window(monkeypatch):
    network = put(monkeypatch, BRAIN)
    voxels = np.where(BRAIN, 35.0, -1000.0)
    voxels[5, 5, 5] = 1200.0
    head.estimated_brain(a_head(voxels), "CT")
    np.testing.assert_array_equal(network.seen, np.where(BRAIN, 35.0, 0.0))


@pytest.mark.parametrize("answer", [ValueError("empty sequence"), np.zeros(GRID.shape)])
def test_where_nothing_is_found_the_scan_is_refused(monkeypatch, answer):
    put(monkeypatch, answer)
    with pytest.raises(
        PreparationError, match=r"head\.nii\.gz: no brain is found in it; is this a scan of a"
    ):
        head.estimated_brain(a_head(), "T1w")


def test_a_brain_of_no_plausible_size_is_refused(monkeypatch):
    put(monkeypatch, ellipsoid(GRID, (0, 10, 0), (48, 60, 45)))
    with pytest.raises(
        PreparationError,
        match=r"not brain-extracted, and the brain found in it holds 5\d\d ml, expected 900 to",
    ):
        head.estimated_brain(a_head(), "T1w")


def test_a_brain_that_is_cut_off_is_refused(monkeypatch):
    affine = RAS_2MM.copy()
    affine[0, 3] = -20
    grid = Grid((56, 96, 80), affine)
    put(monkeypatch, ellipsoid(grid, (0, 16, 30), (70, 80, 70)))
    scan = a_head(np.ones(grid.shape), grid)
    with pytest.raises(PreparationError, match=r"\d+% of the outline .* part of the brain is cut off"):
        head.estimated_brain(scan, "T1w")


def test_what_a_person_should_look_at_is_flagged(monkeypatch):
    answer = BRAIN * 0.95
    answer[30:50, 30:70, 30:50] = 0.7
    put(monkeypatch, answer)
    _, facts = head.estimated_brain(a_head(), "T2w")
    assert [flag.split(":")[0] for flag in facts["flags"]] == [
        "deepbet was not measured on T2w",
        f"deepbet is unsure about {16000 / BRAIN.sum():.1%} of the mask's voxels",
    ]
    assert head.estimated_brain(dataclasses.replace(a_head(), modality="FLAIR"), "FLAIR")[1]["flags"] != []


@pytest.mark.parametrize(
    ("shape", "told"), [((64, 84, 1), "1 slices and is 2 mm"), ((20, 84, 64), "20 slices")]
)
def test_a_volume_too_thin_for_a_brain_is_refused_before_the_network_sees_it(shape, told):
    grid = Grid(shape, RAS_2MM)
    with pytest.raises(PreparationError, match=f"head.nii.gz: along one axis the volume has {told}"):
        head.estimated_brain(a_head(np.ones(shape), grid), "T1w")
