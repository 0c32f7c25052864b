"""Held-out faults of pairs: one modality only, textbook signs and Hounsfield units, none of them taught."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from sanum.core.errors import ConfigError
from sanum.synthesis import cross_paints
from sanum.synthesis.cross_modal import CROSS_KINDS, ct_scale, find_cross_kind, plant_cross, sides_of
from sanum.synthesis.kinds import TRAINING_PAINTS, TRAINING_SHAPES
from sanum.synthesis.whole_faults import Original, foreign
from tests.phantoms import pair_case

LOCAL = [kind for kind in CROSS_KINDS if kind.whole is None]
SIZE = 500.0


def planted(kind, modality=None, case=None, **how):
    case = case or pair_case(0)
    side = modality or sides_of(find_cross_kind(kind), case.modalities)[0]
    return case, plant_cross(case, kind, side, **{"size": SIZE, "seed": 1, **how})


@pytest.mark.parametrize("kind", [kind.name for kind in LOCAL])
def test_a_lesion_changes_its_modality_there_and_the_other_nowhere(kind):
    case, ill = planted(kind)
    changed = sides_of(find_cross_kind(kind), case.modalities)[0]
    for channel, name in enumerate(case.modalities):
        differs = np.abs(ill.voxels[channel] - case.voxels[channel]) > 1e-6
        assert differs.any() == (name == changed)
    assert ill.lesion.any()
    assert not ill.lesion.all()


def change_in_hu(kind, size=SIZE):
    case, ill = planted(kind, size=size)
    scale = ct_scale(case.voxels[0], case.mask, "CT").unit
    return float(np.median((ill.voxels[0] - case.voxels[0])[ill.lesion]) * scale)


def test_a_window_of_hounsfield_units_is_taken_by_its_own_scale():
    case, _ = planted("bleed-on-CT")
    units = ct_scale(case.voxels[0], case.mask, "CT").hounsfield(case.voxels[0])
    bone = ct_scale(units, case.mask, "CT:bone")
    assert (bone.zero, bone.unit) == (-800.0, 2800.0)
    voxels = np.stack([np.clip(bone.prepared(units), 0, 1), case.voxels[1]]).astype(np.float32)
    windowed = replace(case, voxels=voxels, modalities=("CT:bone", "T1w"))
    ill = plant_cross(windowed, "bleed-on-CT", "CT:bone", size=SIZE)
    change = np.median((ill.voxels[0] - voxels[0])[ill.lesion]) * bone.unit
    assert 20 <= change <= 45
    with pytest.raises(ConfigError, match="one window"):
        twice = replace(case, voxels=voxels[[0, 0, 1]], modalities=("CT:bone", "CT:brain", "T1w"))
        plant_cross(twice, "bleed-on-CT", "CT:bone", size=SIZE)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("bleed-on-CT", 20, 45),
        ("calcification-on-CT", 90, 400),
        ("resection-on-CT", -45, -15),
        ("infarct-on-CT", -13, -2),
        ("oedema-on-CT", -9, 0),
        ("skull-defect-on-CT", -2500, -200),
    ],
)
def test_the_contrast_on_ct_is_the_textbooks(kind, low, high):
    assert low <= change_in_hu(kind) <= high


@pytest.mark.parametrize(
    ("kind", "sign"),
    [("infarct-on-MR", -1), ("oedema-on-MR", -1), ("resection-on-MR", -1), ("bleed-on-MR", 1)],
)
def test_the_sign_on_t1w_is_the_textbooks(kind, sign):
    case, ill = planted(kind)
    assert sign * np.median((ill.voxels[1] - case.voxels[1])[ill.lesion]) > 0


def test_an_infarct_is_bright_where_lesions_are_bright():
    case = replace(pair_case(0), modalities=("CT", "FLAIR"))
    _, ill = planted("infarct-on-MR", case=case)
    assert np.median((ill.voxels[1] - case.voxels[1])[ill.lesion]) > 0


def test_no_paint_and_no_shape_is_a_training_one():
    taught = {paint for paint, _ in TRAINING_PAINTS} | {shape for shape, _ in TRAINING_SHAPES}
    assert not taught & {kind.paint for kind in LOCAL}
    assert not taught & {kind.shape for kind in LOCAL}


def test_a_swap_mirrors_the_head_and_is_its_own_inverse():
    case, swapped = planted("left-right-swap", "T1w")
    again = plant_cross(swapped, "left-right-swap", "T1w", size=1.0)
    assert np.allclose(again.voxels[1], case.voxels[1], atol=1e-6)
    assert not np.allclose(swapped.voxels[1], case.voxels[1])


def test_a_slice_without_left_and_right_is_not_swapped():
    case = pair_case(0)
    half = case.mask.copy()
    half[40:, :20] = False
    half[34:, :28] = False
    half[30:, 50:] = False
    with pytest.raises(ConfigError, match="covers its mirror image"):
        plant_cross(replace(case, mask=half), "left-right-swap", "CT", size=1.0)


def test_a_level_shift_needs_a_volume():
    with pytest.raises(ConfigError, match="needs a volume"):
        planted("level-shift", "CT")
    case = pair_case(0, slices=8)
    ramp = replace(case, voxels=case.voxels * np.linspace(0.5, 1, 8, dtype=np.float32))
    _, shifted = planted("level-shift", "CT", case=ramp)
    assert not np.allclose(shifted.voxels[0], ramp.voxels[0])


def test_a_foreign_slice_is_the_donors():
    donor = pair_case(5)
    case, mixed = planted("foreign-slice", "CT", donor=donor)
    inside = case.mask & donor.mask
    assert np.array_equal(mixed.voxels[0][inside], donor.voxels[0][inside])
    with pytest.raises(ConfigError, match="needs another case whose slices have the same shape"):
        planted("foreign-slice", "CT")


def test_a_foreign_volume_with_fewer_slices_is_taken_at_the_same_heights():
    donor = np.arange(5.0, dtype=np.float32) * np.ones((4, 4, 1), np.float32)
    was = Original(
        np.zeros((4, 4, 9), np.float32), np.ones((4, 4, 9), bool), donor, 3.0, np.random.default_rng(0)
    )
    taken = foreign(was)[0, 0]
    assert taken.shape == (9,)
    assert (taken[0], taken[4], taken[8]) == (0.0, 2.0, 4.0)


def test_the_same_seed_plants_the_same():
    first, second = (planted("bleed-on-CT")[1].voxels for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"kind": "bleed-on-CTT"}, "did you mean 'bleed-on-CT'"),
        ({"kind": "bleed-on-CT", "modality": "T1w"}, "can't be planted in T1w"),
        ({"kind": "bleed-on-CT", "severity": 0.0}, "severity: expected above 0"),
        ({"kind": "bleed-on-CT", "size": 1e9}, "lesion size: expected one voxel to half"),
    ],
)
def test_what_can_not_be_planted_is_refused(how, message):
    wanted = {"modality": "CT", "size": SIZE, **how}
    with pytest.raises(ConfigError, match=message):
        plant_cross(pair_case(0), wanted.pop("kind"), wanted.pop("modality"), **wanted)


def test_an_8_bit_picture_shows_no_finer_steps():
    case, ill = planted("bleed-on-CT")
    changed = ill.voxels[0][np.abs(ill.voxels[0] - case.voxels[0]) > 1e-6]
    assert np.allclose(changed * 255.0, np.round(changed * 255.0), atol=1e-3)


def test_every_paint_says_what_it_is():
    for kind in LOCAL:
        assert kind.paint.__doc__
        assert kind.paint.__module__ == cross_paints.__name__


def margin_of(lesion: np.ndarray, mask: np.ndarray) -> float:
    """Least distance in pixels of a lesion from what lies outside the mask, within the slices."""
    return min(
        ndimage.distance_transform_edt(mask[..., k])[lesion[..., k]].min()
        for k in range(mask.shape[2])
        if lesion[..., k].any()
    )


@pytest.mark.parametrize(
    ("modalities", "kind", "margin"), [(("CT", "T1w"), "bleed-on-CT", 5), (("T2w", "T1w"), "bleed-on-MR", 2)]
)
def test_lesions_keep_away_from_the_edge_of_the_mask(modalities, kind, margin):
    """Scalp and the rim of a mask are no brain: a lesion there would be found for its edge."""
    whole = pair_case(0, size=96)
    mask = (
        whole.mask & (np.arange(96) > 45)[:, None, None]
    )  # ends within the brain, as a cut field of view does
    case = replace(whole, modalities=modalities, mask=mask, voxels=whole.voxels * mask)
    for seed in range(12):
        ill = plant_cross(case, kind, modalities[-1] if kind.endswith("MR") else "CT", size=SIZE, seed=seed)
        assert margin_of(ill.lesion, case.mask) > margin


def test_a_mask_too_small_for_a_margin_is_used_whole():
    case = replace(pair_case(0, size=32), modalities=("T2w", "T1w"))
    assert case.mask.sum() <= 2000
    size = 0.45 * case.mask.sum() * case.grid.spacing[0] ** 2
    ill = plant_cross(case, "bleed-on-MR", "T1w", size=size)
    assert margin_of(ill.lesion, case.mask) < 2
