"""A picture of a whole head gives its brain by shape; what is no head in the air is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.records import Scan, Source
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Slices
from sanum.prepare.steps.picture_brain import picture_brain

SHAPE = (180, 200)


def disc(radius_i: float, radius_j: float) -> np.ndarray:
    i, j = np.indices(SHAPE)
    return ((i - 90) / radius_i) ** 2 + ((j - 100) / radius_j) ** 2 < 1


def head() -> np.ndarray:
    """Bright scalp, dark skull, grey brain with a cyst; noise everywhere."""
    picture = np.where(disc(70, 85), 220.0, 0.0)
    picture[disc(63, 78)] = 15.0
    picture[disc(56, 71)] = 90.0
    picture[disc(10, 14)] = 8.0
    return picture + np.abs(np.random.default_rng(0).normal(0, 3, SHAPE))


def scan(picture: np.ndarray) -> Scan:
    voxels = picture[..., None].astype(np.float32)
    return Scan(voxels, Grid(voxels.shape, np.eye(4)), "FLAIR", Source("a.tif", "0" * 64), is_image=True)


def test_the_brain_lies_within_the_skull():
    mask, facts = picture_brain(scan(head()).voxels, "a.tif")
    truth = disc(56, 71)
    assert 2 * (mask[..., 0] & truth).sum() / (mask.sum() + truth.sum()) > 0.97
    assert facts["flags"] == ["brain told from the head by shape alone: look at it"]
    assert facts["brain"] == pytest.approx(56 * 71 / 70 / 85, abs=0.03)


def test_both_halves_are_brain():
    picture = head()
    picture[88:92][disc(56, 71)[88:92]] = 8.0
    mask, _ = picture_brain(scan(picture).voxels, "a.tif")
    assert mask[60, 100, 0]
    assert mask[120, 100, 0]


def test_without_a_skull_the_whole_head_is_taken_and_flagged():
    picture = np.where(disc(70, 85), 100.0, 0.0) + np.abs(np.random.default_rng(0).normal(0, 3, SHAPE))
    mask, facts = picture_brain(scan(picture).voxels, "a.tif")
    assert facts["flags"] == ["no brain is told from the head in this picture: the whole head is taken"]
    assert (mask[..., 0] & disc(69, 84)).sum() > 0.99 * disc(69, 84).sum()


@pytest.mark.parametrize("kind", ["noise", "landscape", "flat", "two"])
def test_what_is_no_head_is_refused(kind):
    rng = np.random.default_rng(0)
    pictures = {
        "noise": rng.uniform(0, 255, SHAPE),
        "landscape": np.linspace(20, 230, SHAPE[1])[None].repeat(SHAPE[0], axis=0) + rng.normal(0, 8, SHAPE),
        "flat": np.full(SHAPE, 9.0),
        "two": np.abs(np.roll(head()[::2, ::2].repeat(2, 0), 80, axis=0)).repeat(2, 1)[:, :200],
    }
    with pytest.raises(PreparationError, match=r"a\.tif: (shows no head|the picture is empty)"):
        picture_brain(scan(pictures[kind]).voxels, "a.tif")


def test_a_picture_of_a_whole_head_is_prepared_unless_that_is_forbidden():
    case = prepare({"FLAIR": scan(head())}, Slices(("FLAIR",)), case="c", subject="s")
    facts = next(step.facts for step in case.steps if "route" in step.facts)
    assert (facts["route"], facts["by"]) == ("estimated", "shape")
    strict = dataclasses.replace(Slices(("FLAIR",)), brain="given-or-extracted")
    with pytest.raises(PreparationError, match="no clear background"):
        prepare({"FLAIR": scan(head())}, strict, case="c", subject="s")


def test_bridges_from_scalp_to_brain_are_cut():
    """Vessels and nerves cross the skull: without an erosion brain and scalp would be one piece."""
    picture, bridges = head(), disc(70, 85) & ~disc(54, 69)
    picture[88:92][bridges[88:92]] = 90.0
    picture[:, 98:102][bridges[:, 98:102]] = 90.0
    mask, facts = picture_brain(scan(picture).voxels, "a.tif")
    assert facts["flags"] == ["brain told from the head by shape alone: look at it"]
    assert not (mask[..., 0] & ~disc(64, 79)).any()
    truth = disc(56, 71)
    assert 2 * (mask[..., 0] & truth).sum() / (mask.sum() + truth.sum()) > 0.97
