"""A quick overlay shows the right pixel in colour, upright, and leaves the rest as it was."""

import io

import numpy as np
from PIL import Image

from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Scan, Source
from sanum.report.picture_overlay import picture_overlay


def drawn(heat: np.ndarray) -> np.ndarray:
    grid = Grid((40, 30, 1), np.eye(4))
    voxels = np.random.default_rng(0).uniform(10, 200, grid.shape).astype(np.float32)
    voxels[:5] = 0.0
    scan = Scan(voxels, grid, "FLAIR", Source("x.png", "0" * 64), is_image=True)
    png = picture_overlay(scan, AnomalyMap("x", heat, grid, "fake"), (0.1, 0.5))
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


def test_only_voxels_above_the_scale_are_coloured_at_their_own_place():
    heat = np.full((40, 30, 1), 0.05, np.float32)
    heat[:5] = np.nan
    heat[33, 2] = 0.4
    pixels = drawn(heat)
    assert pixels.shape == (30, 40, 3)
    coloured = np.argwhere(np.ptp(pixels, axis=2) > 3)
    assert coloured.tolist() == [[27, 33]]  # J runs upwards
    assert (pixels[:, :5] == 0).all()


def test_a_higher_value_is_a_brighter_colour_and_the_top_of_the_scale_is_its_end():
    heat = np.full((40, 30, 1), np.nan, np.float32)
    heat[20:23, 10] = [[0.1], [0.3], [9.0]]
    low, middle, top = drawn(heat)[19, 20:23]
    assert np.ptp(low) > 3
    assert middle.sum() < top.sum()
