"""Made volumes: seeded, inside the brain, with lesions where the mask says and nowhere else."""

from dataclasses import replace

import pytest
import torch

from sanum.core.config import from_dict, identity_of
from sanum.core.modalities import MRI_SEQUENCES
from sanum.synthesis import made_volumes
from sanum.synthesis.contrasts import FREE, SEQUENCES, bright_share, tissue_levels
from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import box_maximum, box_mean
from sanum.synthesis.local_lesions import FORMS, Lesions, local_shapes, plant_lesions
from sanum.synthesis.made_volumes import UNTOLD, Mix, Plan, VolumeAugmentation, make_volumes
from sanum.synthesis.tissues import TISSUES
from tests.heads import head_voxels

QUIET = VolumeAugmentation(**dict.fromkeys(VolumeAugmentation.__dataclass_fields__, 0.0))


def head(scan=True):
    voxels, _ = head_voxels(scan=scan)
    return torch.from_numpy(voxels[:-1]).float(), torch.from_numpy(voxels[-1]).float()


def made(plan=None, seed=0, scan=True, count=1):
    voxels, brain = head(scan)
    plan = plan or Plan()
    return make_volumes(plan, voxels, brain, plan.lesions, count, Draws(seed))


def only(name, **changed):
    weights = tuple(float(one == name) for one in MRI_SEQUENCES)
    return Plan(Lesions(healthy=1.0), QUIET, Mix(scanned=0.0, made=weights, free=0.0, told=1.0), **changed)


def test_a_box_mean_is_the_mean_and_a_box_maximum_the_maximum():
    volume = torch.rand(9, 8, 7, generator=torch.Generator().manual_seed(0))
    inner = volume[2:5, 1:4, 3:6]
    assert box_mean(volume, 3)[3, 2, 4] == pytest.approx(float(inner.mean()), abs=1e-6)
    assert box_maximum(volume, 3)[3, 2, 4] == inner.max()
    assert box_mean(torch.ones(4, 4, 4), 5) == pytest.approx(torch.ones(4, 4, 4))


@pytest.mark.parametrize(
    ("name", "order"),
    [("T1w", ("ventricle", "cortex", "white")), ("T2w", ("white", "cortex", "ventricle"))],
)
def test_a_sequence_keeps_the_order_of_its_tissues(name, order):
    for seed in range(50):
        levels = tissue_levels(name, Draws(seed))
        assert sorted(order, key=lambda tissue: float(levels[TISSUES.index(tissue)])) == list(order)


def test_fluid_is_dark_on_flair_and_most_lesions_are_bright():
    assert all(float(tissue_levels("FLAIR", Draws(seed))[0]) < 0.2 for seed in range(50))
    assert bright_share("FLAIR") > 0.8 > 0.5 > bright_share("T1w")
    assert bright_share(FREE) == 0.5
    assert set(SEQUENCES) == set(MRI_SEQUENCES)


def test_the_same_seed_makes_the_same_volume_and_another_another():
    first, again, other = (made(seed=seed)[0] for seed in (3, 3, 4))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.lesion, again.lesion)
    assert not torch.equal(first.image, other.image)


@pytest.mark.parametrize("scan", [True, False])
def test_volumes_fill_0_to_1_inside_the_brain_and_are_0_outside(scan):
    for volume in made(scan=scan, count=4):
        assert float(volume.image.min()) >= 0.0
        assert float(volume.image.max()) <= 1.0
        assert not bool(volume.image[volume.brain < 0.5].any())
        assert not bool((volume.lesion * (1.0 - volume.brain)).any())
        assert torch.isfinite(volume.healthy).all()


def test_healthy_volumes_have_no_lesion_and_no_difference_but_noise():
    volume = made(only("FLAIR"))[0]
    assert not bool(volume.lesion.any())
    assert torch.allclose(volume.image, volume.healthy)
    assert volume.sequence == "FLAIR"


def test_a_made_t2w_is_bright_in_the_ventricles_and_a_flair_dark():
    t2w, flair = (made(only(name), scan=False)[0] for name in ("T2w", "FLAIR"))
    middle = tuple(side // 2 for side in t2w.image.shape)
    assert float(t2w.image[middle]) > 0.8
    assert float(flair.image[middle]) < 0.2


def aged(seed=0):
    """A scan of fluid at 0 and other tissue at 1, before and after ageing, and the shares of fluid."""
    voxels, brain = head()
    tissues = voxels[1:]
    scan = brain * (1.0 - tissues[:2].sum(0))
    old, wide = made_volumes.aged(scan, tissues, brain, replace(QUIET, atrophy=1.0), Draws(seed))
    return scan, old, tissues, wide, brain


@pytest.mark.parametrize("seed", range(4))
def test_an_aged_scan_has_wider_fluid_at_the_level_of_fluid(seed):
    """A grey ring around the old ventricles would teach that rings are healthy, and that wide ventricles are not."""
    scan, old, tissues, wide, brain = aged(seed)
    assert wide[:2].sum() > tissues[:2].sum()
    torch.testing.assert_close(old, brain * (1.0 - wide[:2].sum(0).clamp_max(1.0)), rtol=0.0, atol=0.02)
    assert torch.equal(
        old[tissues[:2].sum(0) == wide[:2].sum(0)], scan[tissues[:2].sum(0) == wide[:2].sum(0)]
    )


def test_ventricles_may_widen_by_far_and_lose_nothing():
    """Old people's do, by more than their sulci."""
    voxels, brain = head()
    ventricles = voxels[1 + TISSUES.index("ventricle")] * brain
    wide = made_volumes._wider(ventricles, Draws(1))
    assert bool((wide >= ventricles).all())
    assert float(wide.sum()) > 1.2 * float(ventricles.sum())


@pytest.mark.parametrize(("name", "sign"), [("T1w", -1.0), ("FLAIR", 1.0), ("T2w", 1.0)])
def test_rims_of_the_ventricles_are_dark_on_t1w_and_bright_elsewhere(name, sign):
    voxels, brain = head()
    image = 0.5 * brain
    change = made_volumes._capped(image, voxels[1:], name, replace(QUIET, caps=1.0), Draws(0)) - image
    assert float(change.abs().max()) > 0.01
    assert float((sign * change).min()) >= 0.0


def test_a_free_contrast_is_never_told():
    plan = replace(Plan(), mix=Mix(scanned=0.0, made=(0.0,) * 4, free=1.0, told=1.0))
    assert made(plan)[0].sequence == UNTOLD


def test_a_lesion_lies_in_the_brain_and_little_changes_outside_it():
    voxels, brain = head()
    image = voxels[0]
    found = 0
    for seed in range(30):
        ill, mask = plant_lesions(
            image, voxels[1:], brain, Lesions(healthy=0.0, mildest=0.8, smallest=100), 0.5, Draws(seed)
        )
        changed = (ill - image).abs() > 0.05
        assert not bool((mask * (1.0 - brain)).any())
        assert float((changed & (mask > 0.5)).sum()) >= 0.3 * float(changed.sum())
        found += bool(mask.any())
    assert found == 30


def test_every_form_is_dealt():
    """A form that never came would be taught by nobody: each one alone plants something."""
    voxels, brain = head()
    for number, (form, _) in enumerate(FORMS):
        shapes = local_shapes(form, 300.0, voxels[1:], brain, Draws(number))
        assert all(float(mask.sum()) > 0 for _, _, mask in shapes), form


def test_healthy_share_is_kept():
    voxels, brain = head()
    lesions = Lesions(healthy=0.5, most=1)
    ill = [
        bool(plant_lesions(voxels[0], voxels[1:], brain, lesions, 0.5, Draws(seed))[1].any())
        for seed in range(120)
    ]
    assert 0.35 < sum(ill) / len(ill) < 0.65


def test_settings_by_their_former_name_still_load_with_the_same_identity():
    """`scanning` in model files and recipes is `augmentation` now, as in all other detectors."""
    former = from_dict(Plan, {"scanning": {"rotation": 0.1}})
    assert former == Plan(augmentation=VolumeAugmentation(rotation=0.1))
    assert identity_of(former)["scanning"]["rotation"] == 0.1
