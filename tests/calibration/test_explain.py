"""What is said about a finding is what the healthy maps and the members show, recomputed here from the raw maps."""

import numpy as np
import pytest

from sanum.calibration.explain import NEAR_MM, _ball, _index, _kept_shape, with_healthy_place, with_members
from sanum.calibration.groups import Person, reference_group
from sanum.calibration.healthy import Guarantees, HealthyMap, calibration_from_maps
from sanum.core.findings import Finding
from sanum.core.grid import Grid
from sanum.core.records import PLACE_STEP, AnomalyMap, Grouping, MemberMap, Rule, Summary
from tests.calibration.test_judge import GRID, noise_map

FINDING = Finding(1, 1.0, "ml", 3.0, 2.0, (20.0, 24.0, 30.0), (10, 12, 15))
INDEX, BLOCK = (10, 12, 15), (slice(8, 12), slice(12, 16), slice(12, 16))


HALF = 1e-3
"""Relative error of half precision, in which a model file keeps these."""


def calibrated(sites=("a",) * 9, grids=None, grouping=None):
    maps = (
        HealthyMap(
            f"s{seed}",
            AnomalyMap(f"s{seed}", noise_map(seed).values, GRID if grids is None else grids[seed], "test"),
            person=Person(site=site),
        )
        for seed, site in enumerate(sites)
    )
    return calibration_from_maps(
        maps,
        Summary(),
        Rule("conformal", 0.2),
        detector="d",
        preparation="p",
        guarantees=Guarantees(grouping),
    )


def test_healthy_values_at_the_place_are_those_of_the_maps():
    found = with_healthy_place(FINDING, (20.0, 24.0, 30.0), GRID, calibrated())
    maps = np.stack([noise_map(seed).values for seed in range(9)])
    there = maps[:, *(PLACE_STEP * (at // PLACE_STEP) for at in INDEX)]
    assert found.healthy_mean == pytest.approx(there.mean(), rel=HALF, abs=1e-5)
    assert found.healthy_std == pytest.approx(there.std(ddof=1), rel=HALF)
    assert found.deviations == pytest.approx((3.0 - there.mean()) / there.std(ddof=1), rel=3 * HALF)
    peaks = [np.nanmax(one[BLOCK]) for one in maps]
    assert found.healthy_peaks == pytest.approx(sorted(peaks), rel=HALF)
    assert found.healthy_as_high == sum(peak >= 3.0 for peak in peaks)
    plain = found.to_dict()
    assert (plain["deviations"], plain["healthy_as_high"]) == (found.deviations, found.healthy_as_high)


def test_only_the_own_group_is_shown():
    sites = ("a",) * 5 + ("b",) * 5
    kept = calibrated(sites, grouping=Grouping(("site",)))
    found = with_healthy_place(
        FINDING, (20.0, 24.0, 30.0), GRID, reference_group(kept, Person(site="b")).calibration
    )
    peaks = [np.nanmax(noise_map(seed).values[BLOCK]) for seed in range(5, 10)]
    assert found.healthy_peaks == pytest.approx(sorted(peaks), rel=HALF)


@pytest.mark.parametrize("place", [(0.0, 24.0, 30.0), (500.0, 0.0, 0.0), (-9.0, 0.0, 0.0)])
def test_a_place_that_no_healthy_map_covers_is_not_explained(place):
    assert with_healthy_place(FINDING, place, GRID, calibrated()) == FINDING


def test_cases_on_different_grids_have_no_common_place():
    moved = Grid(GRID.shape, np.diag([2.0, 2.0, 3.0, 1.0]))
    kept = calibrated(grids=[GRID] * 8 + [moved])
    assert kept.place_peaks is None
    assert with_healthy_place(FINDING, (20.0, 24.0, 30.0), GRID, kept) == FINDING


def test_members_agree_where_their_own_map_is_high_near_the_peak():
    def member(name, at, level):
        values = np.full(GRID.shape, 0.1, np.float32)
        values[at] = 2.0
        return MemberMap(name, AnomalyMap("case", values, GRID, name), level)

    members = (
        member("near", (11, 13, 15), 1.0),
        member("far", (16, 12, 15), 1.0),
        member("faint", INDEX, 2.5),
    )
    found = with_members(FINDING, (20.0, 24.0, 30.0), GRID, members)
    assert [(one.name, one.agrees) for one in found.members] == [
        ("near", True),
        ("far", False),
        ("faint", False),
    ]
    assert [one.highest for one in found.members] == pytest.approx([2.0, 0.1, 2.0])
    assert with_members(FINDING, (20.0, 24.0, 30.0), GRID, ()) == FINDING


def test_a_member_without_a_value_there_has_no_answer():
    nothing = MemberMap(
        "blind", AnomalyMap("case", np.full(GRID.shape, np.nan, np.float32), GRID, "blind"), 1.0
    )
    assert with_members(FINDING, (20.0, 24.0, 30.0), GRID, (nothing,)).members == ()


@pytest.mark.parametrize("scale", [1.0, 0.2])
@pytest.mark.parametrize(
    "place", [(21.0, 24.5, 31.0), (0.0, 1.0, 2.0), (45.0, 68.0, 113.0), (4.3, 40.2, 60.1)]
)
def test_near_a_place_means_within_five_millimetres_in_every_direction(place, scale):
    """Against the distance of every voxel; slices as thick as here leave a flat ellipsoid of voxels."""
    grid = Grid((24, 24, 24), np.diag([2.0 * scale, 3.0 * scale, 5.0 * scale, 1.0]))
    place = tuple(scale * at for at in place)
    box, near = _ball(place, grid)
    found = np.zeros(grid.shape, bool)
    found[box][near] = True
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    np.testing.assert_array_equal(found, np.linalg.norm(grid.to_world(index) - place, axis=-1) <= NEAR_MM)
    assert found.any()


def test_maps_are_kept_at_every_other_voxel_up_to_the_last():
    assert _kept_shape(Grid((5, 4, 3), np.eye(4))) == tuple(-(-side // PLACE_STEP) for side in (5, 4, 3))
    assert all(isinstance(side, int) for side in _kept_shape(Grid((5, 4, 3), np.eye(4))))


@pytest.mark.parametrize(
    ("place", "index"),
    [
        ((0.9, -0.9, 0.0), (0, 0, 0)),
        ((46.9, 46.0, 46.0), (23, 23, 23)),
        ((-1.1, 0.0, 0.0), None),
        ((0.0, 47.1, 0.0), None),
    ],
)
def test_places_up_to_the_edge_of_the_grid_have_a_voxel(place, index):
    assert _index(place, GRID) == index


def test_a_member_that_only_reaches_its_level_does_not_agree():
    values = np.full(GRID.shape, 0.5, np.float32)
    (answer,) = with_members(
        FINDING, (20.0, 24.0, 30.0), GRID, (MemberMap("even", AnomalyMap("c", values, GRID, "even"), 0.5),)
    ).members
    assert (answer.agrees, answer.level) == (False, 0.5)
