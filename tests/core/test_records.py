"""Scores come from maps by one rule, and a refused case never reads as normal."""

import json

import numpy as np
import pytest

from sanum.core.errors import GeometryError
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Detection, Provenance, Scan, Source, Summary


def a_map(values: np.ndarray) -> AnomalyMap:
    return AnomalyMap("case", values.astype(np.float32), Grid(values.shape, np.eye(4)), "test")


def test_mean_and_top_are_over_the_mask_only():
    values = np.full((10, 10, 10), np.nan)
    values[:5] = np.arange(500).reshape(5, 10, 10)
    assert a_map(values).summary(Summary("mean")) == pytest.approx(249.5)
    assert a_map(values).summary(Summary("top", 0.01)) == pytest.approx(np.mean([495, 496, 497, 498, 499]))


def test_the_slice_score_ignores_the_thin_tip_of_the_brain():
    values = np.full((20, 20, 3), 1.0)
    values[..., 1] = 2.0
    values[..., 2] = np.nan
    values[0, 0, 2] = 100.0
    assert a_map(values).summary(Summary("slice")) == pytest.approx(2.0)


def test_an_image_smaller_than_the_floor_still_has_a_slice_score():
    assert a_map(np.full((5, 5, 1), 3.0)).summary(Summary("slice")) == pytest.approx(3.0)


def test_a_map_without_any_voxel_is_an_error_not_a_zero():
    with pytest.raises(GeometryError, match="no voxel inside"):
        a_map(np.full((4, 4, 4), np.nan)).summary(Summary())


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5])
def test_a_summary_share_outside_its_range_is_refused(share):
    with pytest.raises(ValueError, match="share"):
        Summary("top", share)


def test_voxels_must_fit_the_grid():
    with pytest.raises(GeometryError, match=r"x\.nii"):
        Scan(np.zeros((3, 3, 3), np.float32), Grid((3, 3, 4), np.eye(4)), None, Source("x.nii", ""))


def test_a_refused_detection_is_neither_normal_nor_abnormal():
    refused = Detection("case", "refused", Provenance("m", "", "cae", "0", "", 0.0), reason="no brain")
    assert refused.abnormal is None
    plain = json.loads(json.dumps(refused.to_dict()))
    assert (plain["status"], plain["abnormal"], plain["score"]) == ("refused", None, None)
