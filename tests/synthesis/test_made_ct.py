"""Made CT: seeded, in Hounsfield units, dense where healthy heads are, with lesions where the mask says."""

import pytest
import torch

from sanum.synthesis.blood import plant_blood
from sanum.synthesis.ct_scanner import CtScans, ct_view, hounsfield_of
from sanum.synthesis.dense_places import DENSE, dense_places
from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import box_mean
from sanum.synthesis.infarcts import plant_infarcts
from sanum.synthesis.local_lesions import Lesions
from sanum.synthesis.made_ct import CtPlan, make_ct_volumes
from sanum.synthesis.made_volumes import VolumeAugmentation
from sanum.synthesis.tissues import TISSUES
from tests.heads import head_voxels

STILL = VolumeAugmentation(**dict.fromkeys(VolumeAugmentation.__dataclass_fields__, 0.0))
CLEAN = CtScans(noise=0.0, offset=0.0, cupping=0.0, shine=0.0, bands=0.0, leak=0.0)
HEALTHY = Lesions(healthy=1.0)


def head():
    voxels, _ = head_voxels(scan=False)
    return torch.from_numpy(voxels[:-1]).float(), torch.from_numpy(voxels[-1]).float()


def made(plan, seed=0, count=1):
    voxels, brain = head()
    return make_ct_volumes(plan, voxels, brain, plan.lesions, count, Draws(seed))


@pytest.mark.parametrize("seed", range(6))
def test_tissues_have_their_hounsfield_units(seed):
    voxels, _ = head()
    (volume,) = made(CtPlan(HEALTHY, augmentation=STILL, scans=CLEAN), seed)
    hu = hounsfield_of(volume.image)
    inner = {
        name: (voxels[1 + TISSUES.index(name)] > 0.99) & (volume.brain > 0)
        for name in ("ventricle", "cortex", "white")
    }
    if float(volume.image.flip(0).sub(volume.image).abs().mean()) > 0:  # half of the heads are mirrored
        inner = {name: where | where.flip(0) for name, where in inner.items()}
    median = {name: float(hu[where].median()) for name, where in inner.items()}
    assert 0.0 < median["ventricle"] < 20.0
    assert 20.0 < median["white"] < median["cortex"] < 45.0


def test_the_same_seed_gives_the_same_volumes_and_another_gives_others():
    first, again, other = (made(CtPlan(), seed, 2) for seed in (3, 3, 4))
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one.image, two.image)
        assert torch.equal(one.lesion, two.lesion)
    assert not torch.equal(first[0].image, other[0].image)
    assert not torch.equal(first[0].image, first[1].image)


def test_a_healthy_volume_has_no_lesion_and_nothing_lies_outside_the_mask():
    for seed in range(8):
        (volume,) = made(CtPlan(HEALTHY), seed)
        assert not volume.lesion.any()
        assert not volume.image[volume.brain == 0].any()
        assert (float(volume.image.min()), float(volume.image.max())) >= (0.0, 0.0)
        assert float(volume.image.max()) <= 1.0
        assert volume.sequence == "CT"


def test_a_lesion_changes_what_is_seen_where_the_mask_says_and_lies_inside():
    plan = CtPlan(Lesions(healthy=0.0, mildest=0.8, smallest=300), augmentation=STILL, scans=CLEAN)
    changes = []
    for seed in range(12):
        (volume,) = made(plan, seed)
        assert not (volume.lesion * (1 - volume.brain)).any()
        away = (volume.image - volume.healthy).abs()
        changes.append(
            (away[volume.lesion > 0].mean(), away[(volume.lesion == 0) & (volume.brain > 0)].mean())
        )
    assert all(float(inside) > 3 * float(outside) for inside, outside in changes if inside == inside)


def test_the_grey_scale_and_back():
    hu = torch.tensor([-50.0, -20.0, 0.0, 37.0, 80.0, 130.0, 180.0, 900.0])
    view = ct_view(hu)
    assert view.tolist() == pytest.approx([0.0, 0.0, 0.16, 0.456, 0.8, 0.9, 1.0, 1.0])
    assert hounsfield_of(view).tolist() == pytest.approx(
        [-20.0, -20.0, 0.0, 37.0, 80.0, 130.0, 180.0, 180.0], abs=1e-3
    )


@pytest.mark.parametrize("seed", range(6))
def test_blood_lies_within_the_skull_and_is_as_large_as_asked(seed):
    voxels, brain = head()
    image = 0.4 * brain
    bled, where = plant_blood(image, voxels[1:], brain, Lesions(smallest=400, largest=500), Draws(seed))
    assert not (where * (1 - brain)).any()
    assert 20 < float(where.sum()) < 3000
    assert not torch.equal(bled, image)
    assert torch.equal(bled[brain == 0], image[brain == 0])


def test_dense_places_are_those_of_the_template():
    shape = (96, 128, 96)
    tissues = torch.zeros(len(TISSUES), *shape)
    brain = torch.zeros(shape)
    brain[8:88, 10:118, 8:90] = 1.0
    tissues[TISSUES.index("cortex")] = brain
    tissues[TISSUES.index("cortex"), 47:49] = 0.0
    tissues[1, 47:49] = brain[47:49]
    places = dict(zip((kind.name for kind in DENSE), dense_places(tissues, brain), strict=True))
    falx = places["falx"].nonzero().float()
    assert abs(float(falx[:, 0].mean()) - 47.5) < 1.0
    assert float(places["pineal"].sum()) == pytest.approx(4 / 3 * 3.14 * (3.0 / 1.5) ** 3, rel=0.35)
    middle = places["pallidum"].sum((1, 2))
    assert torch.equal(middle, middle.flip(0)), "on both sides alike"
    deep = box_mean(brain, 7) > 0.99
    assert float(places["sinuses"].sum()) > 0
    assert not (places["sinuses"] * deep).any(), "along the skull only"


@pytest.mark.parametrize("seed", range(6))
def test_infarcts_darken_tissue_by_few_units_and_spare_fluid(seed):
    voxels, brain = head()
    tissues = voxels[1:]
    fluid = tissues[0] + tissues[1] > 0.99
    image = 0.45 * brain
    ill, where = plant_infarcts(image, tissues, brain, Lesions(smallest=400, largest=500), Draws(seed))
    assert where.any()
    assert not (where * (1 - brain)).any()
    assert torch.equal(ill[fluid], image[fluid])
    fall = 80.0 * (image - ill)[where > 0]
    assert float(fall.min()) > -0.1
    assert 2.0 < float(fall.mean()) < 35.0


def test_infarcts_are_planted_where_the_plan_has_them():
    plan = CtPlan(
        Lesions(healthy=0.0, smallest=400), blood=0.0, infarcts=1.0, augmentation=STILL, scans=CLEAN
    )
    darker = 0
    for seed in range(8):
        (volume,) = made(plan, seed)
        inside = volume.lesion > 0
        darker += int((volume.healthy - volume.image)[inside].mean() > 0)
    assert darker >= 6
