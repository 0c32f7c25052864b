"""The way from a head to the box of its brain and back, as deepbet goes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from sanum.prepare.steps.head_network import HeadNetwork, brain_box, nearest


@pytest.mark.parametrize("shape", [(128, 128, 128), (5, 40, 33)])
def test_nearest_is_the_sampling_that_the_networks_were_trained_with(shape):
    values = np.random.default_rng(0).random((17, 33, 61), dtype=np.float32)
    expected = functional.interpolate(torch.from_numpy(values)[None, None], shape, mode="nearest-exact")[0, 0]
    np.testing.assert_array_equal(nearest(values, shape), expected.numpy())


def test_the_box_holds_the_largest_piece_and_a_tenth_more_on_each_side():
    rough = np.zeros((128, 128, 128), bool)
    rough[30:90, 40:100, 20:80] = True
    rough[120:124, 120:124, 120:124] = True
    assert brain_box(rough, (256, 128, 64)) == (slice(48, 192), slice(34, 106), slice(7, 43))


def test_the_box_ends_with_the_field():
    rough = np.zeros((128, 128, 128), bool)
    rough[:64, 30:90, 60:] = True
    assert brain_box(rough, (128, 128, 128))[0].start == 0
    assert brain_box(rough, (128, 128, 128))[2].stop == 128


@pytest.mark.parametrize("voxels", [np.zeros((40, 40, 40)), np.full((40, 40, 40), np.nan)])
def test_nothing_to_see_is_said_before_a_network_is_asked(voxels):
    def never(image: np.ndarray) -> np.ndarray:
        raise AssertionError("asked")

    with pytest.raises(ValueError, match="contrast"):
        HeadNetwork(never, never).run_model(voxels.astype(np.float32))  # type: ignore[arg-type]


def test_a_rough_look_that_finds_nothing_or_specks_ends_it():
    with pytest.raises(ValueError, match="nothing looks like a brain"):
        brain_box(np.zeros((128, 128, 128), bool), (10, 10, 10))
    speck = np.zeros((128, 128, 128), bool)
    speck[3, 3, 3] = True
    with pytest.raises(ValueError, match="too small"):
        brain_box(speck, (10, 10, 10))


def test_the_probability_lies_in_the_box_and_the_scan_is_not_changed():
    head = np.random.default_rng(0).random((64, 64, 64)).astype(np.float32)
    kept = head.copy()

    def rough(image: np.ndarray) -> np.ndarray:
        assert image.mean() == pytest.approx(0.449, abs=1e-3)
        assert image.std() == pytest.approx(0.226, abs=1e-3)
        found = np.full((128, 128, 128), -1.0, np.float32)
        found[32:96, 32:96, 32:96] = 1.0
        return found

    found = HeadNetwork(rough, lambda image: np.full_like(image, 2.0)).run_model(head)  # type: ignore[arg-type]
    np.testing.assert_array_equal(head, kept)
    box = (slice(13, 51),) * 3
    assert found[box] == pytest.approx(1 / (1 + np.exp(-2.0)))
    found[box] = 0.0
    assert not found.any()
