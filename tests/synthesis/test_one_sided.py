"""Training faults of pairs: planted where they are said to be, in the modality they are said to be in."""

import torch

from sanum.nets.views import tissue_level
from sanum.synthesis.draws import Draws
from sanum.synthesis.one_sided import Faults, mispair, plant_one_sided
from tests.phantoms import pair_case

WINDOWS = (0.1, 0.0)


def stacks(count=8):
    import numpy as np

    cases = [pair_case(seed) for seed in range(count)]
    voxels = torch.from_numpy(np.stack([case.voxels[..., 0] for case in cases]))[:, :, None]
    mask = torch.from_numpy(np.stack([case.mask[..., 0] for case in cases]).astype("float32"))[:, None, None]
    return voxels, mask


def plant(**changed):
    healthy, brain = stacks()
    levels = torch.stack([tissue_level(each[:, 0]) for each in healthy.unbind(1)], dim=1)
    faults = Faults(**{"healthy": 0.0, "mildest": 0.9, "smallest": 0.02, "single": 0.0, **changed})
    return healthy, *plant_one_sided(healthy, brain, levels, WINDOWS, faults, Draws(3))


def test_only_the_named_modality_changes():
    healthy, diseased, at_odds = plant(both=0.0)
    sides = at_odds.flatten(2).amax(2)
    assert torch.equal(sides.sum(1), torch.ones(len(healthy)))
    assert torch.equal(diseased[sides == 0], healthy.clamp(0, 1.2)[sides == 0])
    changed = (diseased - healthy).abs().flatten(2).amax(2)
    assert (changed[sides == 1] > 0).all()


def test_both_modalities_may_show_a_lesion_in_one_place():
    _, _, at_odds = plant(both=1.0)
    assert (at_odds.flatten(2).sum(2) > 0).all()
    assert ((at_odds[:, 0] * at_odds[:, 1]).flatten(1).sum(1) > 0).all()


def test_within_its_window_a_modality_changes_by_little():
    def change(narrow):
        healthy, diseased, _ = plant(both=1.0, narrow=narrow)
        brain = (healthy[:, 0] > 0.41) & (healthy[:, 0] < 0.46)
        difference = (diseased - healthy)[:, 0][brain].abs()
        return difference[difference > 0].median()

    assert 3 * change(1.0) < change(0.0)


def test_healthy_pairs_stay_as_they_are():
    healthy, diseased, at_odds = plant(healthy=1.0)
    assert at_odds.sum() == 0
    assert torch.equal(diseased, healthy)


def test_a_foreign_modality_comes_from_another_case_and_is_told():
    pairs, _ = stacks()
    mixed, wrong = mispair(pairs, 1.0, Draws(1))
    assert wrong.sum() == len(pairs)
    same = (mixed == pairs).flatten(2).all(2)
    assert torch.equal(same.sum(1), torch.ones(len(pairs), dtype=torch.int64))


def test_nothing_is_mispaired_at_share_0():
    pairs, _ = stacks()
    mixed, wrong = mispair(pairs, 0.0, Draws(1))
    assert wrong.sum() == 0
    assert torch.equal(mixed, pairs)
