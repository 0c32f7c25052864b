"""Named lesions: seeded, in the brain, at the levels their sequence shows, marked where they are, no kin of tests."""

import inspect

import pytest
import torch

from sanum.core.config import identity_of
from sanum.core.modalities import MRI_SEQUENCES
from sanum.synthesis import boxes, diffuse_lesions, lesion_parts, made_volumes, named_lesions
from sanum.synthesis.contrasts import FREE, rendered, tissue_levels
from sanum.synthesis.draws import Draws
from sanum.synthesis.fields import box_maximum
from sanum.synthesis.kinds import EVALUATION_KINDS
from sanum.synthesis.lesion_parts import MARKED
from sanum.synthesis.local_lesions import Lesions
from sanum.synthesis.made_volumes import Mix, Plan, make_volumes
from sanum.synthesis.named_lesions import NAMED, SHARES, plant_named, plant_named_lesions
from sanum.synthesis.substances import SUBSTANCES, Palette
from sanum.synthesis.tissues import TISSUES
from tests.heads import head_voxels

KINDS = tuple(NAMED)


@pytest.fixture(scope="module")
def head():
    voxels, _ = head_voxels(scan=False)
    return torch.from_numpy(voxels[1:-1]).float(), torch.from_numpy(voxels[-1]).float()


def shown(head, contrast, seed=0):
    return rendered(head[0], tissue_levels(contrast, Draws(seed)))


def planted(head, kind, contrast="FLAIR", seed=0, severity=0.9):
    image = shown(head, contrast)
    return image, *plant_named(image, *head, kind, contrast, severity=severity, draws=Draws(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_plants_the_same_lesion_and_another_another(head, kind):
    (_, first, _), (_, again, _), (_, other, _) = (planted(head, kind, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("contrast", [*MRI_SEQUENCES, FREE])
def test_a_lesion_lies_in_the_brain_and_the_healthy_rest_stays_as_it_was(head, kind, contrast):
    kept = shown(head, contrast)
    for seed in range(3):
        image, ill, mask = planted(head, kind, contrast, seed)
        assert torch.equal(image, kept), "the healthy image is an input, and stays"
        assert bool(mask.any())
        assert not bool((mask * (1.0 - head[1])).any())
        assert torch.equal(ill[head[1] == 0], image[head[1] == 0])
        away = box_maximum(mask, 5) == 0
        change = (ill - image).abs()
        assert float(change[away].max()) < MARKED * float(change.max()), "the foot of a soft border at most"
        assert float(ill.min()) >= 0.0
        assert float(ill.max()) <= 1.25


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_holds_most_of_what_changed(head, kind):
    changed, held = 0.0, 0.0
    for seed in range(4):
        image, ill, mask = planted(head, kind, "T2w", seed, severity=1.0)
        difference = (ill - image).abs()
        changed += float(difference.sum())
        held += float((difference * mask).sum())
    assert held > 0.85 * changed


DARK, BRIGHT = -1.0, 1.0


@pytest.mark.parametrize(
    ("substance", "beside", "signs"),
    [
        ("oedema", "white", (DARK, BRIGHT, BRIGHT, BRIGHT)),
        ("scar", "white", (DARK, BRIGHT, BRIGHT, BRIGHT)),
        ("plaque", "white", (DARK, BRIGHT, BRIGHT, BRIGHT)),
        ("cortical plaque", "grey", (DARK, BRIGHT, BRIGHT, None)),
        ("iron", "grey", (DARK, DARK, DARK, DARK)),
        ("fresh blood", "grey", (DARK, DARK, DARK, DARK)),
        ("blood of days", "white", (BRIGHT, None, None, None)),
        ("blood of weeks", "white", (BRIGHT, BRIGHT, BRIGHT, BRIGHT)),
        ("capsule", "white", (BRIGHT, DARK, None, DARK)),
        ("pus", "fluid", (BRIGHT, None, BRIGHT, None)),
        ("pus", "white", (DARK, BRIGHT, None, BRIGHT)),
        ("protein", "fluid", (BRIGHT, None, BRIGHT, None)),
        ("protein", "white", (DARK, BRIGHT, None, None)),
    ],
)
def test_a_substance_is_brighter_or_darker_than_what_lies_beside_it(head, substance, beside, signs):
    for contrast, sign in zip(MRI_SEQUENCES, signs, strict=True):
        for seed in range(20):
            palette = Palette(shown(head, contrast, seed), head[0], contrast, Draws(seed))
            if sign is not None:
                assert sign * (palette.level(substance) - palette.levels[beside]) > 0.0, (contrast, seed)


@pytest.mark.parametrize("contrast", [*MRI_SEQUENCES, FREE])
def test_fluid_in_a_lesion_is_as_the_fluid_of_the_head(head, contrast):
    for seed in range(10):
        levels = tissue_levels(contrast, Draws(seed))
        palette = Palette(rendered(head[0], levels), head[0], contrast, Draws(seed))
        fluid = [palette.levels["fluid"], palette.level("fluid")]
        ends = sorted(float(levels[TISSUES.index(name)]) for name in ("ventricle", "csf"))
        grey = abs(palette.levels["grey"] - palette.levels["fluid"])
        assert ends[0] - 0.07 * grey - 1e-3 <= min(fluid) <= max(fluid) <= ends[1] + 0.07 * grey + 1e-3


def test_every_substance_has_a_level_on_every_sequence():
    assert all(len(ways) == len(MRI_SEQUENCES) for ways in SUBSTANCES.values())


def mean_change(head, kind, contrast, seeds=6):
    changes = []
    for seed in range(seeds):
        image, ill, mask = planted(head, kind, contrast, seed)
        changes.append(float((ill - image)[mask > 0].mean()))
    return sum(changes) / seeds


@pytest.mark.parametrize(
    ("kind", "signs"),
    [
        ("lacunes", (DARK, BRIGHT, None, None)),
        ("microbleeds", (DARK, DARK, DARK, DARK)),
        ("abscess", (DARK, BRIGHT, BRIGHT, BRIGHT)),
        ("surgical-cavity", (DARK, BRIGHT, None, None)),
        ("cyst", (DARK, BRIGHT, DARK, None)),
        ("cortical-plaques", (DARK, BRIGHT, BRIGHT, BRIGHT)),
        ("hydrocephalus", (DARK, BRIGHT, None, None)),
        ("lobar-atrophy", (DARK, BRIGHT, DARK, None)),
    ],
)
def test_a_kind_is_dark_or_bright_as_its_sequence_shows_it(head, kind, signs):
    for contrast, sign in zip(MRI_SEQUENCES, signs, strict=True):
        if sign is not None:
            assert sign * mean_change(head, kind, contrast) > 0.02, contrast


def test_microbleeds_are_darkest_on_t2w():
    voxels, _ = head_voxels(scan=False)
    head = torch.from_numpy(voxels[1:-1]).float(), torch.from_numpy(voxels[-1]).float()
    change = {name: mean_change(head, "microbleeds", name) for name in MRI_SEQUENCES}
    assert min(change, key=change.__getitem__) == "T2w"


@pytest.mark.parametrize("kind", ["lacunes", "surgical-cavity"])
def test_a_cavity_on_flair_is_dark_within_a_bright_rim(head, kind):
    for seed in range(5):
        image, ill, mask = planted(head, kind, "FLAIR", seed)
        change = (ill - image)[mask > 0]
        assert float(change.min()) < -0.2, seed
        assert float(change.max()) > 0.1, seed


def test_a_contusion_has_blood_of_one_age_in_its_oedema(head):
    """On T2w fresh blood is darker than the oedema around it, old blood as bright."""
    least = [
        float((ill - image).min())
        for image, ill, _ in (planted(head, "contusion", "T2w", s) for s in range(12))
    ]
    assert min(least) < -0.15
    assert max(least) > -0.1


def test_ventricles_of_hydrocephalus_take_a_share_of_the_fluid_that_health_has_not(head):
    tissues, brain = head
    image, _, mask = planted(head, "hydrocephalus", "T2w", seed=1)
    sulci = float((tissues[1] * brain).sum())
    assert float(mask.sum()) > 0.9 * diffuse_lesions.LEAST_SHARE / (1 - diffuse_lesions.LEAST_SHARE) * sulci
    assert float(mask.sum()) > 1.3 * float((tissues[0] * brain).sum())
    assert bool((mask >= (tissues[0] > 0.5).float()).all()), "the old ventricles belong to it"
    old = tissues.clone()
    old[1] = (tissues[1] + 0.6 * tissues[TISSUES.index("cortex")]).clamp_max(1.0)
    ill, none = plant_named(image, old, brain, "hydrocephalus", "T2w", severity=0.9, draws=Draws(1))
    assert not bool(none.any()), "where the sulci are as wide it is age"
    assert torch.equal(ill, image)


def test_a_milder_lesion_is_fainter(head):
    for kind in set(KINDS) - {"hydrocephalus"}:
        change = []
        for severity in (0.1, 1.0):
            image, ill, _ = planted(head, kind, "T2w", 2, severity)
            change.append(float((ill - image).abs().sum()))
        assert change[0] < change[1], kind


def test_the_healthy_share_is_kept_and_every_kind_is_dealt(head):
    image, dealt = shown(head, "FLAIR"), set()
    lesions = Lesions(healthy=0.5)
    ill = [
        bool(plant_named_lesions(image, *head, lesions, "FLAIR", Draws(seed))[1].any()) for seed in range(60)
    ]
    assert 0.3 < sum(ill) / len(ill) < 0.7
    for seed in range(200):
        dealt.add(Draws(seed).pick(SHARES))
    assert dealt == set(NAMED)
    assert sum(share for _, share in SHARES) == pytest.approx(1.0)


def test_a_plan_mixes_them_in_by_its_share_and_without_a_share_is_the_plan_it_was(monkeypatch):
    assert "named" not in identity_of(Plan()), "shipped recipes keep their identity"
    assert identity_of(Plan(named=0.4))["named"] == 0.4
    calls = []

    def called(image, *rest):
        calls.append(rest[-2])
        return image, torch.zeros_like(image)

    monkeypatch.setattr(made_volumes, "plant_named_lesions", called)
    voxels, _ = head_voxels()
    scan = torch.from_numpy(voxels).float()
    mix = Mix(scanned=1.0, made=(0.0,) * 4, free=0.0)
    for share, least, most in ((0.0, 0, 0), (1.0, 12, 12), (0.5, 2, 10)):
        calls.clear()
        make_volumes(Plan(mix=mix, named=share), scan[:-1], scan[-1], Lesions(), 12, Draws(5))
        assert least <= len(calls) <= most
        assert set(calls) <= {"T1w"}, "a scanned T1w has the levels of T1w"


def test_no_form_and_no_paint_of_the_kinds_that_test_detectors_is_used():
    """Kinship is more than names; docs/synthesis.md tells what else keeps them apart."""
    modules = (named_lesions, diffuse_lesions, lesion_parts, boxes)
    held_out = {made.__name__ for kind in EVALUATION_KINDS for made in (kind.shape, kind.paint)}
    for module in modules:
        used = {value.__name__ for value in vars(module).values() if inspect.isfunction(value)}
        assert not used & held_out
        assert "swollen" not in used, "mass effect is a mark of the tumours that test"
