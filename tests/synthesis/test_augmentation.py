"""Healthy variation changes what it should, and nothing where its strength is 0."""

import numpy as np
import torch

from sanum.synthesis.augmentation import Augmentation, aged, imaged, moved, recontrasted
from sanum.synthesis.draws import Draws
from tests.phantoms import prepared_case

STILL = Augmentation(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def stacks(count=6):
    cases = [prepared_case(seed, shape=(48, 40, 3)) for seed in range(count)]
    voxels = torch.stack([torch.from_numpy(np.moveaxis(case.voxels, 3, 1).copy()) for case in cases])
    return voxels, (voxels[:, :1] > 0).float()


def test_strength_zero_changes_no_more_than_the_mirror():
    healthy, brain = stacks()
    same, inside = moved(healthy, brain, STILL, Draws(0))
    for before, after in zip(healthy, same, strict=True):
        assert min((after - before).abs().max(), (after - before.flip(2)).abs().max()) < 1e-4
    assert torch.equal(inside.sum(), brain.sum())
    assert torch.equal(aged(healthy, brain, STILL, Draws(0)), healthy)
    assert torch.allclose(recontrasted(healthy, STILL, Draws(0)), healthy, atol=1e-6)


def test_pose_moves_all_slices_of_a_stack_alike():
    healthy, brain = stacks()
    flat = healthy[:, :, :1].expand(-1, -1, 3, -1, -1)
    turned, _ = moved(flat, brain[:, :, :1].expand(-1, -1, 3, -1, -1), Augmentation(), Draws(1))
    assert torch.allclose(turned[:, :, 0], turned[:, :, 2], atol=1e-6)


def test_age_widens_fluid_and_leaves_tissue_far_from_it():
    scan = torch.full((4, 1, 1, 48, 48), 0.7)
    scan[..., 20:28, 20:28] = 0.1
    old = aged(scan, torch.ones(4, 1, 1, 48, 48), Augmentation(atrophy=1.0), Draws(0))
    assert ((old < 0.4).sum() > 1.2 * (scan < 0.4).sum()).item()
    assert torch.equal(old[..., :10, :10], scan[..., :10, :10])


def test_contrast_stays_monotone():
    ramp = torch.linspace(0, 1, 101).view(1, 1, 1, 1, 101).expand(20, -1, -1, -1, -1)
    mapped = recontrasted(ramp, Augmentation(contrast=0.3), Draws(0))
    assert torch.all(mapped.diff(dim=-1) >= -1e-6)
    assert mapped.std(dim=0).max() > 0.05


def test_scan_and_restored_reconstruction_differ_by_noise_alone():
    healthy, brain = stacks()
    noisy, clean = imaged(healthy, healthy, brain, Augmentation(noise=0.1), Draws(0))
    assert 0.0 < (noisy - clean).abs().mean() < 0.1
    same, reconstruction = imaged(healthy, healthy, brain, Augmentation(noise=0.0), Draws(0))
    assert torch.allclose(same, reconstruction)
    assert not noisy[brain.expand_as(noisy) == 0].any()
