"""Planted lesions: where they are said to be, as large as asked, reproducible, and nowhere else."""

import numpy as np
import pytest
import torch

from sanum.core.errors import ConfigError
from sanum.synthesis.draws import Draws
from sanum.synthesis.kinds import EVALUATION_KINDS, KINDS, TRAINING_PAINTS, TRAINING_SHAPES, find_kind
from sanum.synthesis.plant import Mixture, plant, plant_mixture, swollen
from tests.phantoms import prepared_case

NAMES = [kind.name for kind in KINDS]


@pytest.fixture(scope="module")
def case():
    return prepared_case(shape=(48, 40, 24), modalities=("T1w", "FLAIR"))


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_plants_the_size_asked_for_and_says_where(case, name):
    before = case.voxels.copy()
    ill = plant(case, name, size=3.0, severity=0.8, seed=1)
    assert ill.lesion.sum() * case.grid.voxel_ml == pytest.approx(3.0, rel=0.15)
    assert not ill.lesion[~case.mask].any()
    change = np.abs(ill.voxels - case.voxels)
    assert change[:, ill.lesion].mean() > 5 * change[:, case.mask & ~ill.lesion].mean()
    assert change[:, ill.lesion].mean() > 0.02
    assert ill.voxels.dtype == np.float32
    assert 0.0 <= ill.voxels.min() <= ill.voxels.max() <= 1.0
    assert not ill.voxels[:, ~case.mask].any()
    assert np.array_equal(case.voxels, before)


@pytest.mark.parametrize("name", [kind.name for kind in EVALUATION_KINDS])
def test_same_seed_same_lesion_and_another_seed_another_place(case, name):
    first, again, other = (plant(case, name, size=2.0, severity=0.5, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.voxels, again.voxels)
    assert not np.array_equal(first.lesion, other.lesion)


def test_severity_makes_the_same_lesion_more_visible(case):
    change = [
        np.abs(plant(case, "ball", size=2.0, severity=level, seed=3).voxels - case.voxels).sum()
        for level in (0.1, 0.5, 1.0)
    ]
    assert change[0] < change[1] < change[2]


def test_sign_follows_the_modality(case):
    """Lesions are dark on T1 and bright on FLAIR."""
    ill = plant(case, "ball", size=2.0, severity=0.9, seed=3)
    t1w, flair = (ill.voxels - case.voxels)[:, ill.lesion].mean(axis=1)
    assert t1w < -0.1
    assert flair > 0.1


def test_an_image_is_planted_in_pixels():
    image = prepared_case(shape=(64, 64, 1))
    image = type(image)(**{**vars(image), "is_image": True})
    assert plant(image, "ball", size=120.0, severity=0.5, seed=0).lesion.sum() == pytest.approx(120, abs=12)


def test_training_and_evaluation_share_no_shape_and_no_paint():
    """A detector must not be tested on what it was trained on."""
    shapes, paints = {s for s, _ in TRAINING_SHAPES}, {p for p, _ in TRAINING_PAINTS}
    for kind in EVALUATION_KINDS:
        assert kind.shape not in shapes
        assert kind.paint not in paints
    assert len(set(NAMES)) == len(NAMES)


def test_wrong_arguments_are_named(case):
    with pytest.raises(ConfigError, match=r"unknown kind of lesion 'bal'; did you mean 'ball'\?"):
        find_kind("bal")
    with pytest.raises(
        ConfigError, match=r"lesion size: expected one voxel to half of the brain, got 9000 ml"
    ):
        plant(case, "ball", size=9000.0, severity=0.5, seed=0)
    with pytest.raises(ConfigError, match=r"severity: expected above 0 and up to 1, got 0"):
        plant(case, "ball", size=2.0, severity=0.0, seed=0)


def batch(count=16):
    cases = [prepared_case(seed, shape=(48, 40, 3)) for seed in range(count)]
    voxels = torch.stack([torch.from_numpy(np.moveaxis(case.voxels, 3, 1).copy()) for case in cases])
    return voxels, (voxels[:, :1] > 0).float()


def test_a_mixture_leaves_the_healthy_share_untouched_and_marks_the_rest():
    healthy, brain = batch(64)
    ill, lesion = plant_mixture(healthy, brain, Mixture(healthy=0.5, smallest=0.01), Draws(0))
    marked = lesion.flatten(1).sum(1) > 0
    changed = (ill - healthy).abs().flatten(1).amax(1) > 0
    assert 0.3 < marked.float().mean() < 0.7
    assert torch.equal(marked, changed)
    assert torch.all(lesion <= brain)


def test_several_lesions_a_stack_mark_more_than_one():
    healthy = torch.full((20, 1, 8, 32, 32), 0.5)
    brain = torch.ones((20, 1, 8, 32, 32))
    one, three = (
        plant_mixture(healthy, brain, Mixture(healthy=0.0, largest=0.01, number=number), Draws(1))[1]
        for number in (1, 3)
    )
    assert three.sum() > 2 * one.sum()


def test_a_mixture_is_the_same_for_the_same_seed():
    healthy, brain = batch()
    first, again = (plant_mixture(healthy, brain, Mixture(), Draws(7)) for _ in range(2))
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))


def test_swelling_pushes_tissue_outward():
    """A bright dot beside the lesion moves away from its centre."""
    scan, soft = torch.zeros(1, 1, 24, 48, 48), torch.zeros(1, 1, 24, 48, 48)
    scan[0, 0, 11:14, 30:33, 23:26] = 1.0
    soft[0, 0, 8:16, 18:30, 18:30] = 1.0
    moved = swollen(scan, soft, torch.tensor([3.0]))
    rows = torch.arange(48.0)
    before, after = ((volume.sum(dim=(0, 1, 2, 4)) * rows).sum() / volume.sum() for volume in (scan, moved))
    assert after > before + 0.5
