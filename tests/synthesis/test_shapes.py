"""Shapes are cut to size, stay inside the brain, and hold still under one seed."""

import pytest
import torch

from sanum.synthesis import shapes
from sanum.synthesis.draws import Draws
from sanum.synthesis.kinds import EVALUATION_KINDS, TRAINING_SHAPES

EVERY_SHAPE = sorted(
    {shape for shape, _ in TRAINING_SHAPES} | {kind.shape for kind in EVALUATION_KINDS},
    key=lambda f: f.__name__,
)


def brains(count=3, size=(12, 48, 40)):
    """Ellipsoids, off-centre so that swapped axes show."""
    k, i, j = torch.meshgrid(*(torch.linspace(-1, 1, side) for side in size), indexing="ij")
    brain = (0.5 * k**2 + (i - 0.1) ** 2 + 1.2 * j**2 < 0.8).float()
    return brain.expand(count, 1, *size).contiguous()


@pytest.mark.parametrize("shape", EVERY_SHAPE, ids=lambda f: f.__name__)
def test_shape_is_cut_to_the_size_asked_for_and_stays_in_the_brain(shape):
    brain, count = brains(), torch.tensor([100.0, 400.0, 1500.0])
    radius = (3 * count / (4 * torch.pi)) ** (1 / 3)
    soft, mask = shapes.cut(shape(brain, radius, Draws(1)), brain, count, torch.full((3,), 0.3))
    assert torch.all((mask.flatten(1).sum(1) / count - 1).abs() < 0.3)
    assert torch.all(mask <= brain)
    assert torch.all((soft >= 0) & (soft <= brain))
    assert torch.all(soft[mask > 0] >= 0.5)


@pytest.mark.parametrize("shape", EVERY_SHAPE, ids=lambda f: f.__name__)
def test_same_seed_same_shape_and_another_seed_another(shape):
    brain, radius = brains(), torch.full((3,), 6.0)
    first, again, other = (shape(brain, radius, Draws(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_harder_edge_has_less_twilight():
    brain, count = brains(1), torch.tensor([800.0])
    level = shapes.ball(brain, torch.tensor([5.8]), Draws(2))
    twilight = [
        ((soft > 0.05) & (soft < 0.95)).sum()
        for soft, _ in (shapes.cut(level, brain, count, torch.tensor([edge])) for edge in (0.1, 0.8))
    ]
    assert twilight[0] < 0.7 * twilight[1]


def test_single_slices_work_like_stacks():
    """Images have one slice."""
    brain = brains(2, (1, 48, 40))
    for shape in EVERY_SHAPE:
        _, mask = shapes.cut(
            shape(brain, torch.full((2,), 5.0), Draws(0)),
            brain,
            torch.full((2,), 80.0),
            torch.full((2,), 0.3),
        )
        assert torch.all((mask.flatten(1).sum(1) - 80).abs() < 25)


def test_ball_is_round():
    """Extents along K, I and J agree."""
    brain, count = torch.zeros(1, 1, 40, 40, 40), torch.tensor([1000.0])
    brain[..., 12:28, 12:28, 12:28] = 1.0
    _, mask = shapes.cut(
        shapes.ball(brain, torch.tensor([6.2]), Draws(4)), torch.ones_like(brain), count, torch.tensor([0.2])
    )
    extents = [int(mask[0, 0].amax(dim=axes).sum()) for axes in ((1, 2), (0, 2), (0, 1))]
    assert max(extents) - min(extents) <= 1
