"""The room within the skull on CT: up to the bone, and no further."""

import numpy as np
import pytest

from sanum.prepare.steps.skull import inside_skull

SPACINGS = [(2.0, 2.0, 2.0), (0.9, 0.9, 5.0)]


def ball(spacing, radius, centre=(0.0, 0.0, 0.0)):
    half = [round(78.0 / mm) for mm in spacing]
    axes = [mm * np.arange(-side, side + 1) - c for side, mm, c in zip(half, spacing, centre, strict=True)]
    return sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")) <= radius**2


def head(spacing):
    """Air, scalp to 72 mm, bone to 66 mm, brain to 60 mm."""
    hu = np.full(ball(spacing, 1.0).shape, -1000.0, np.float32)
    for radius, level in ((72.0, 40.0), (66.0, 1200.0), (60.0, 35.0)):
        hu[ball(spacing, radius)] = level
    return hu


@pytest.mark.parametrize("spacing", SPACINGS)
def test_what_the_network_missed_next_to_bone_is_added_and_bone_is_left_out(spacing):
    hu, room = head(spacing), ball(spacing, 60.0)
    layer = room & ~ball(spacing, 60.0, (0.0, 8.0, 0.0))
    hu[layer] = 70.0
    found = (room & ~layer) | (ball(spacing, 63.0) & (np.indices(hu.shape)[1] > hu.shape[1] // 2))
    mask = inside_skull(hu, found, spacing)
    assert (mask & layer).sum() > 0.85 * layer.sum(), "blood on the brain"
    assert (mask & (hu > 1000)).sum() < 0.08 * mask.sum(), "at most the coarse grid's rim"
    assert (mask & room).sum() > 0.93 * room.sum()


def test_a_dense_place_within_the_brain_stays_in():
    spacing = SPACINGS[0]
    hu, room = head(spacing), ball(spacing, 60.0)
    lime = ball(spacing, 6.0, (20.0, 0.0, 0.0))
    hu[lime] = 400.0
    mask = inside_skull(hu, room & ~lime, spacing)
    assert mask[lime].all()


def test_scalp_and_nose_stay_out_even_where_the_network_took_them():
    spacing = SPACINGS[0]
    hu, room = head(spacing), ball(spacing, 60.0)
    nose = ball(spacing, 9.0, (0.0, 70.0, 0.0)) & ~ball(spacing, 66.0)
    hu[nose] = 30.0
    mask = inside_skull(hu, room | nose, spacing)
    assert not mask[nose].any()
    assert not (mask & (hu == 40.0)).any()


def test_what_holds_nothing_as_deep_as_a_brain_gives_an_empty_room():
    spacing = SPACINGS[0]
    hu = head(spacing)
    assert not inside_skull(hu, ball(spacing, 3.0), spacing).any()
