"""What a restoring network is taught with: batches that fit together, an honest mark, an easy start."""

import numpy as np
import pytest
import torch

from sanum.nets.ema import EMA
from sanum.nets.restorer import Restorer, RestorerConfig
from sanum.synthesis.augmentation import Augmentation
from sanum.synthesis.draws import Draws
from sanum.synthesis.plant import Mixture
from sanum.training.lesion_loss import (
    LesionLoss,
    LesionPlan,
    average_precision,
    brain_of,
    make_batch,
    without_channels,
)
from tests.phantoms import prepared_case

STILL = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def stacks(count=4, depth=7):
    cases = [prepared_case(seed, shape=(48, 40, depth)) for seed in range(count)]
    return torch.stack([torch.from_numpy(np.moveaxis(case.voxels, 3, 1).copy()) for case in cases])


def test_windows_targets_and_marks_belong_together():
    """Outside the lesion the middle slice of a window is the restored slice, but for noise and clipping."""
    plan = LesionPlan(Mixture(healthy=0.0, smallest=0.05, largest=0.1), STILL, context=2, easy_steps=0)
    made = make_batch(stacks(), plan, plan.lesions, Draws(0))
    assert made.windows.shape == (12, 1, 5, 48, 40)
    assert made.lesion.shape == made.brain.shape == made.restored.shape == (12, 1, 48, 40)
    difference = (made.windows[:, :, 2] - made.restored).abs() * made.brain
    assert difference[made.lesion > 0].mean() > 20 * difference[made.lesion == 0].mean()


def test_average_precision_is_one_for_the_truth_and_prevalence_for_noise():
    torch.manual_seed(0)
    lesion = (torch.rand(4, 1, 64, 64) < 0.1).float()
    brain = torch.ones_like(lesion)
    assert average_precision(lesion, lesion, brain) == pytest.approx(1.0)
    assert average_precision(torch.rand_like(lesion), lesion, brain) == pytest.approx(0.1, abs=0.02)


def test_brain_is_filled_but_not_grown():
    stack = torch.ones(1, 1, 1, 20, 20)
    stack[..., :4, :] = 0.0
    expected = (stack > 0).float()
    stack[..., 10, 10] = 0.0
    assert torch.equal(brain_of(stack), expected)


def test_the_examination_is_the_same_each_time_and_training_is_not():
    torch.manual_seed(0)
    ema = EMA(Restorer(RestorerConfig(1, widths=(4, 8))), 0.9)
    loss = LesionLoss(LesionPlan(Mixture(healthy=0.0), Augmentation(), context=0, easy_steps=0))
    healthy = stacks(depth=1)
    marks = [float(loss(ema.eval(), healthy)) for _ in range(2)]
    assert marks[0] == marks[1]
    losses = [float(loss(ema.train(), healthy).detach()) for _ in range(2)]
    assert losses[0] != losses[1]
    assert int(ema.steps) == 2


def test_training_begins_with_glaring_lesions():
    loss = LesionLoss(LesionPlan(Mixture(healthy=0.4), Augmentation(), context=0, easy_steps=100))
    first, middle, last = (loss.mixture(steps) for steps in (0, 50, 1000))
    assert (first.healthy, first.mildest) == (0.0, 0.6)
    assert first.smallest > middle.smallest > last.smallest
    assert last == loss.plan.lesions


def test_channels_go_missing_by_chance_and_never_all_of_them():
    windows = torch.ones(500, 3, 1, 2, 2)
    left = without_channels(windows, 0.4, Draws(0))[:, :, 0, 0, 0]
    assert left.sum(1).min() == 1.0
    assert 1.0 - left.mean() == pytest.approx(0.4 - 0.4**3, abs=0.05)
    assert torch.equal(without_channels(windows, 0.0, Draws(0)), windows)
    assert torch.equal(without_channels(windows[:, :1], 0.9, Draws(0)), windows[:, :1])
