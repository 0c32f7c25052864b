"""What is found on the model grid is shown where it lies in the scan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sanum.core.errors import GeometryError
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Prepared, Scan, Source, Step
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Slices, Template
from sanum.prepare.steps.resample import resample
from sanum.prepare.way_back import reconstruction_to_native, to_native
from tests.phantoms import brain_scan
from tests.prepare.orientations import ORIENTATIONS, turned

MODEL = Grid((40, 44, 36), np.diag([4.0, 4.0, 4.0, 1.0]) + np.array([[0, 0, 0, -78.0]] * 3 + [[0] * 4]))


def world_of(grid: Grid) -> np.ndarray:
    return grid.to_world(np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1))


def smooth(world: np.ndarray) -> np.ndarray:
    """Varies over 60 mm and more, differently along each axis; second derivatives below 0.03 / mm²."""
    wave = np.sin(world[..., 0] / 20) + np.cos(world[..., 1] / 25) + 0.5 * np.sin(world[..., 2] / 30)
    return (wave + 0.01 * world[..., 0]).astype(np.float32)


def native_grid(spacing, angles, axes, flips) -> Grid:
    shape = tuple(int(n) for n in np.ceil(70.0 / np.array(spacing)))
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * np.array(spacing)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) - 1) / 2
    return turned(np.zeros(shape, np.float32), Grid(shape, affine), axes, flips)[1]


def case_on(native: Grid, to_model: np.ndarray, mask: np.ndarray) -> Prepared:
    return Prepared(
        case="a",
        subject="a",
        voxels=np.zeros((1, *MODEL.shape), np.float32),
        mask=mask,
        grid=MODEL,
        modalities=("T1w",),
        preparation="0" * 64,
        native=native,
        to_model=to_model,
        is_image=False,
    )


@settings(max_examples=60, deadline=None)
@given(
    spacing=st.tuples(*[st.floats(0.9, 6.0)] * 3),
    angles=st.tuples(*[st.floats(-25, 25)] * 3),
    turn=st.tuples(*[st.floats(-20, 20)] * 3),
    zoom=st.tuples(*[st.floats(0.85, 1.2)] * 3),
    shift=st.tuples(*[st.floats(-8, 8)] * 3),
    orientation=st.sampled_from(ORIENTATIONS),
)
def test_there_and_back_is_within_interpolation_error(spacing, angles, turn, zoom, shift, orientation):
    native = native_grid(spacing, angles, *orientation)
    to_model = np.eye(4)
    to_model[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * np.array(zoom)
    to_model[:3, 3] = shift
    truth = smooth(world_of(native))
    on_model, mask = resample(truth, np.ones(native.shape, bool), native, MODEL, to_model)
    case = case_on(native, to_model, mask)
    values = np.where(mask, on_model, np.nan).astype(np.float32)
    back = to_native(AnomalyMap("a", values, MODEL, "x"), case)
    assert back.grid is native
    index = np.stack(np.meshgrid(*map(np.arange, native.shape), indexing="ij"), axis=-1)
    margin = np.ceil(14.0 / np.array(native.spacing))
    deep = ((index >= margin) & (index < np.array(native.shape) - margin)).all(axis=-1)
    assert deep.any()
    assert not np.isnan(back.values[deep]).any()
    assert np.abs(back.values - truth)[deep].max() < 0.05


@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_a_planted_peak_lands_at_its_place_in_the_world(axes, flips):
    """The phantom has no symmetry, so that a swapped or mirrored axis would miss by centimetres."""
    native = native_grid((2.0, 2.5, 3.0), (8, -5, 12), axes, flips)
    to_model = np.eye(4)
    to_model[:3, 3] = (3.0, -5.0, 2.0)
    place = np.array([18.0, -10.0, 6.0])
    distance = np.linalg.norm(world_of(MODEL) - (place + to_model[:3, 3]), axis=-1)
    case = case_on(native, to_model, np.ones(MODEL.shape, bool))
    back = to_native(AnomalyMap("a", np.exp(-((distance / 6) ** 2)).astype(np.float32), MODEL, "x"), case)
    peak = np.unravel_index(np.nanargmax(back.values), native.shape)
    assert np.linalg.norm(native.to_world(np.array(peak)) - place) < 4.0


def test_outside_the_mask_there_is_no_value():
    native = native_grid((2.0, 2.0, 2.0), (0, 0, 0), (0, 1, 2), (False, False, False))
    mask = world_of(MODEL)[..., 0] > 0
    values = np.where(mask, 1.0, np.nan).astype(np.float32)
    back = to_native(AnomalyMap("a", values, MODEL, "x"), case_on(native, np.eye(4), mask))
    right = world_of(native)[..., 0]
    assert np.isnan(back.values[right < -2.0]).all()
    np.testing.assert_allclose(back.values[right > 4.0], 1.0, rtol=1e-5)
    assert back.values.dtype == np.float32


def test_a_map_of_another_grid_is_refused():
    native = native_grid((2.0, 2.0, 2.0), (0, 0, 0), (0, 1, 2), (False, False, False))
    case = case_on(native, np.eye(4), np.ones(MODEL.shape, bool))
    other = Grid(MODEL.shape, np.eye(4))
    with pytest.raises(GeometryError, match="the map lies on Grid"):
        to_native(AnomalyMap("a", np.zeros(other.shape, np.float32), other, "x"), case)
    with pytest.raises(GeometryError, match="the map lies on"):
        to_native(AnomalyMap("a", np.zeros((4, 4, 4), np.float32), Grid((4, 4, 4), MODEL.affine), "x"), case)


def test_a_reconstruction_that_restores_nothing_is_the_scan_again_in_its_own_units():
    scan, preparation = brain_scan(), Slices(("T1w",))
    prepared = prepare({"T1w": scan}, preparation, case="c", subject="s")
    reconstruction = reconstruction_to_native(prepared.voxels, prepared, preparation, scan)
    assert reconstruction.shape == scan.grid.shape
    assert reconstruction.dtype == np.float32
    brain = scan.voxels > 0
    np.testing.assert_array_equal(reconstruction[~brain], scan.voxels[~brain])
    off = np.abs(reconstruction - scan.voxels)[brain]
    assert np.median(off) < 0.06 * np.ptp(scan.voxels)
    assert np.ptp(reconstruction[brain]) > 0.5 * np.ptp(scan.voxels[brain])


SCALES = {
    "one line": (
        Slices(("T1w",)),
        {"rule": "percentiles", "low_median_high": [100.0, 300.0, 900.0]},
        lambda shown: 100.0 + 800.0 * shown,
    ),
    "two lines": (
        Template(("T1w",), median=0.5),
        {"rule": "percentiles", "low_median_high": [100.0, 300.0, 900.0]},
        lambda shown: np.interp(shown, (0.0, 0.5, 1.0), (100.0, 300.0, 900.0)),
    ),
    "a window": (
        Slices(("CT",)),
        {"rule": "windows", "hu": {"brain": [0.0, 80.0], "bone": [-800.0, 2000.0]}},
        lambda shown: 80.0 * shown,
    ),
}


@pytest.mark.parametrize("rule", SCALES)
def test_a_reconstruction_lies_where_the_scan_does_on_an_oblique_grid_and_in_its_units(rule):
    """A turn, a stretch and a shift without symmetry: the way there in place of the way back misses by centimetres."""
    preparation, facts, in_units = SCALES[rule]
    native = native_grid((2.0, 2.5, 3.0), (8, -15, 12), (1, 0, 2), (True, False, False))
    to_model = np.eye(4)
    to_model[:3, :3] = Rotation.from_euler("xyz", (20, -10, 15), degrees=True).as_matrix() @ np.diag(
        [1.1, 0.9, 1.2]
    )
    to_model[:3, 3] = (9.0, -7.0, 5.0)
    back = np.linalg.inv(to_model)

    def shown(world):
        return np.clip(smooth(world) / 6 + 0.5, 0, 1)

    on_model = world_of(MODEL) @ back[:3, :3].T + back[:3, 3]
    mask = on_model[..., 0] > -20.0
    name = preparation.modalities[0]
    case = replace(case_on(native, to_model, mask), modalities=(name,), steps=(Step("scale", {name: facts}),))
    scan = Scan(np.full(native.shape, -5.0, np.float32), native, name, Source("a.nii", ""))
    restored = np.stack([shown(on_model), np.zeros(MODEL.shape)]).astype(np.float32)
    found = reconstruction_to_native(restored, case, preparation, scan)
    right = world_of(native)[..., 0]
    deep = (np.abs(world_of(native)) < 24).all(axis=-1) & (right > -12)
    assert deep.sum() > 1000
    span = np.ptp(in_units(np.array([0.0, 1.0])))
    assert np.abs(found - in_units(shown(world_of(native))))[deep].max() < 0.02 * span
    assert (found[right < -26.0] == -5.0).all()
    assert found.dtype == np.float32
