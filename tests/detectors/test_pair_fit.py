"""`pair-fit` reads off each pair what one modality leads one to expect of the other, and says what breaks that rule."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from sanum.core.config import from_dict
from sanum.core.errors import ConfigError, ModelFileError, TrainingError
from sanum.core.grid import Grid
from sanum.core.records import Prepared
from sanum.detectors.pair_artefacts import scan_features
from sanum.detectors.pair_evidence import place_features
from sanum.detectors.pair_expectation import Pair, belonging, coarse, enlarged, expectation, mirror
from sanum.detectors.pair_fit import Config, PairFit
from sanum.detectors.pair_lessons import Lessons, planted
from sanum.detectors.pair_zones import DISCOUNT, ZONES, surprise_by_zone, tables_by_zone, zones_of
from sanum.detectors.surprise import surprise
from sanum.synthesis.draws import Draws

SHAPE = (48, 56, 12)
QUICK = {
    "validation_share": 0.5,
    "lessons": {
        "rounds": 1,
        "lesions": 2,
        "boost": {"trees": 15, "leaves": 8, "least_leaf": 10},
        "faults": {"smallest": 0.004, "largest": 0.02, "mildest": 0.5, "healthy": 0.0},
    },
}


def pair_case(seed, spot=None):
    """CT in the bone window and T1w of one head: fluid, grey and white matter by a field of its own, within a skull."""
    rng = np.random.default_rng(seed)
    at = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in SHAPE), indexing="ij"))
    radius = np.sqrt((at[0] / 0.85) ** 2 + (at[1] / 0.9) ** 2)
    head, brain = radius <= 1.0, radius <= 0.85
    field = ndimage.gaussian_filter(rng.standard_normal(SHAPE), (3, 3, 1.5))
    field /= field.std()
    hu = np.where(field < -1.2, 8.0, np.where(field < 0.3, 37.0, 29.0))
    t1 = np.where(field < -1.2, 0.1, np.where(field < 0.3, 0.5, 0.75))
    hu, t1 = (
        np.where(brain, hu, np.where(radius < 0.95, 1000.0, 40.0)),
        np.where(brain, t1, np.where(radius < 0.95, 0.05, 0.8)),
    )
    hu = ndimage.gaussian_filter(hu, (0.5, 0.5, 0)) + rng.normal(0, 3, SHAPE)
    t1 = ndimage.gaussian_filter(t1, (0.5, 0.5, 0)) + rng.normal(0, 0.02, SHAPE)
    lesion = np.zeros(SHAPE, bool)
    if spot is not None:
        lesion[14:22, 24:32, 4:9] = True
        hu[lesion] += spot
    voxels = np.stack([(hu + 800) / 2800, t1]).clip(0, 1).astype(np.float32) * head
    grid = Grid(SHAPE, np.diag([2.0, 2.0, 4.0, 1.0]))
    name = f"case-{seed}"
    return Prepared(
        name,
        name,
        voxels,
        head,
        grid,
        ("CT:bone", "T1w"),
        "x" * 64,
        grid,
        np.eye(4),
        False,
        (),
        lesion=lesion,
    )


@pytest.fixture(scope="module")
def fitted():
    detector = PairFit(from_dict(Config, QUICK), ("CT:bone", "T1w"))
    return detector.fit([pair_case(seed) for seed in range(8)], seed=0)


def whole(found, part):
    return float(np.nanmax(found.parts[part]))


def test_a_bleed_on_ct_is_at_odds_there_and_ct_is_named(fitted):
    ill = pair_case(20, spot=35.0)
    found = fitted.score(ill)
    assert np.mean(found.values[ill.lesion]) > np.nanquantile(found.values[~ill.lesion & ill.mask], 0.95)
    inside = {name: np.mean(found.parts[f"{name}: fused"][ill.lesion]) for name in ill.modalities}
    assert inside["CT:bone"] > inside["T1w"]


def test_another_patient_swapped_sides_and_a_slip_are_told_before_anything_else(fitted):
    own, other = pair_case(20), pair_case(21)
    voxels = np.array(own.voxels)
    stranger, mirrored, slipped = voxels.copy(), voxels.copy(), voxels.copy()
    stranger[1] = other.voxels[1] * own.mask
    mirrored[1] = mirror(voxels[1], own.mask) * own.mask
    slipped[1] = np.roll(voxels[1], 4, axis=0) * own.mask
    calm = whole(fitted.score(own), "pair: mispaired")
    for spoilt, part in ((stranger, "unexplained"), (mirrored, "mirrored"), (slipped, "displaced")):
        found = fitted.score(replace(own, voxels=spoilt))
        assert whole(found, "pair: mispaired") > calm + 1.0
        parts = {name: whole(found, f"pair: {name}") for name in ("unexplained", "mirrored", "displaced")}
        assert parts[part] > 1.5, parts


def test_noise_in_one_modality_is_an_artefact_of_that_one(fitted):
    own = pair_case(20)
    voxels = np.array(own.voxels)
    voxels[1] += np.random.default_rng(0).normal(0, 0.2, SHAPE).astype(np.float32) * own.mask
    found = fitted.score(replace(own, voxels=voxels.clip(0, 1)))
    assert whole(found, "T1w: artefact") > whole(fitted.score(own), "T1w: artefact") + 1.0


def test_a_case_with_one_modality_is_judged_alone(fitted):
    ill = pair_case(20, spot=45.0)
    found = fitted.score(replace(ill, voxels=ill.voxels[:1], modalities=("CT:bone",)))
    assert set(found.parts) == {"CT:bone: at odds", "CT:bone: artefact", "CT:bone: fused"}
    assert np.isfinite(found.values[ill.mask]).all()


def test_what_is_expected_follows_the_pair_and_a_small_fault_stands_out():
    plain, ill = (Pair.of(pair_case(3, spot)) for spot in (None, 35.0))
    known = expectation(plain, plain.views[0][0], plain.views[1])
    assert known.explained > 0.8
    spot = coarse(pair_case(3, 35.0).lesion.astype(np.float32)) > 0.9
    away = expectation(ill, ill.views[0][0], ill.views[1]).departure
    assert away[spot].mean() > 2.0 > abs(known.departure[spot].mean())


def test_a_pair_belongs_together_more_than_its_mirror_image_or_a_strangers():
    own, other = Pair.of(pair_case(3)), Pair.of(pair_case(4))
    mixed = replace(own, views=(own.views[0], other.views[1]))
    turned = replace(own, views=(own.views[0], np.stack([mirror(view, own.mask) for view in own.views[1]])))
    assert belonging(own)[0] + 0.1 < belonging(mixed)[0]
    assert belonging(own)[1] < 0 < belonging(turned)[1]
    assert belonging(own)[2] < 0


def test_ripples_along_one_side_change_the_features_of_a_scan():
    own = pair_case(3)
    voxels = np.array(own.voxels)
    voxels[1] += 0.15 * np.sin(np.arange(SHAPE[1]) * 1.5)[None, :, None].astype(np.float32) * own.mask
    spoilt = replace(own, voxels=voxels)
    calm, odd = (scan_features(case, Pair.of(case), 1) for case in (own, spoilt))
    assert odd[4] - calm[4] > 0.5  # along minus across at a distance of one


def test_weaker_lines_of_the_spectrum_and_edges_beside_the_partners_are_told():
    own = pair_case(3)
    weak, moved = (np.array(own.voxels) for _ in range(2))
    spectrum = np.fft.fft(own.voxels[1], axis=1)
    spectrum[:, 4::3] *= 0.4
    weak[1] = np.abs(np.fft.ifft(spectrum, axis=1))
    moved[1] = np.roll(own.voxels[1], 3, axis=1)
    calm, ghosted, beside = (
        scan_features(case, Pair.of(case), 1)
        for case in (own, replace(own, voxels=weak), replace(own, voxels=moved))
    )
    assert (ghosted[7:9] > calm[7:9] + 0.5).all()  # roughness of lines, coarse and middle
    assert beside[13] < calm[13] - 0.2  # edges along J where the partner's are


def test_a_scan_whose_slices_hardly_show_gives_no_artefact():
    case = pair_case(3)
    small = np.zeros_like(case.mask)
    small[20:24, 20:24] = True
    bare = replace(case, mask=small, voxels=np.asarray(case.voxels) * small)
    assert not scan_features(bare, Pair.of(bare), 1).any()


def test_blocks_come_back_to_their_shape_and_odd_sides_are_filled():
    values = np.random.default_rng(0).random((7, 9, 3)).astype(np.float32)
    small = coarse(values)
    assert small.shape == (4, 5, 3)
    assert np.isclose(small[0, 0, 0], values[:2, :2, 0].mean())
    assert enlarged(small, values.shape).shape == values.shape


def test_features_are_finite_and_one_row_a_place_of_the_mask():
    pair = Pair.of(pair_case(3))
    features = place_features(pair)
    assert features.shape[0] == pair.mask.sum()
    assert np.isfinite(features).all()


def test_planted_faults_change_the_modality_they_are_told_of_only():
    case = pair_case(3)
    spoilt, odd = planted(case, {"CT:bone": 0.021}, Lessons(lesions=1), Draws(2))
    for channel, name in enumerate(case.modalities):
        changed = np.abs(spoilt.voxels[channel] - case.voxels[channel]) > 0.01
        assert not odd[name].any() or changed[odd[name] > 0].mean() > 0.05
    assert any(marks.any() for marks in odd.values())


def test_the_brain_is_compared_with_the_brain_and_the_shell_with_the_shell():
    case = pair_case(3)
    zones = zones_of(Pair.of(case))
    middle, rim = zones[12, 14], zones[12, np.flatnonzero(Pair.of(case).mask[12, :, 6])[0]]
    assert [ZONES[zone] for zone in (middle[1], middle[9], rim[1], rim[9])] == [
        "base",
        "vault",
        "shell of base",
        "shell of vault",
    ]
    alone = Pair.of(replace(case, voxels=case.voxels[1:], modalities=("T1w",)))
    assert ZONES[zones_of(alone)[12, 14, 9]] == "vault"


def test_a_zone_that_no_one_showed_takes_the_healthy_values_of_all_and_the_shell_is_discounted():
    rng = np.random.default_rng(0)
    tables = tables_by_zone({"vault": rng.normal(0, 1, 200), "shell of vault": rng.normal(5, 1, 200)})
    assert np.array_equal(tables[1], tables[3])
    assert tables[0][-1] < tables[1][-1]
    zones = np.array([[[0, 2]]], np.int8)
    found = surprise_by_zone(np.full((1, 1, 2), 7.0, np.float32), zones, tables)
    assert found[0, 0, 0] > found[0, 0, 1] + 2.0
    assert found[0, 0, 1] == pytest.approx(surprise(np.array([7.0]), tables[2])[0] - DISCOUNT, abs=1e-5)


def test_three_modalities_and_impossible_settings_are_refused(fitted):
    three = replace(
        pair_case(0), voxels=np.zeros((3, *SHAPE), np.float32), modalities=("CT:bone", "T1w", "T2w")
    )
    with pytest.raises(TrainingError, match="pair-fit: takes one or two channels, got CT:bone, T1w, T2w"):
        PairFit(Config(), three.modalities).fit([three], seed=0)
    for changed, said in (
        ({"validation_share": 1.0}, "validation_share: expected 0 to below 1, got 1.0"),
        ({"lessons": {"rounds": 0}}, "lessons.rounds: expected 1 or more, got 0"),
        ({"weights": {"at odds": 1.0}}, "weights: expected numbers above 0 for 'at odds', 'artefact' and"),
    ):
        with pytest.raises(ConfigError, match=said):
            from_dict(Config, changed)
    state = {key: array for key, array in fitted.state().items() if not key.startswith("noise")}
    with pytest.raises(ModelFileError, match="pair-fit: 'noise' is missing; the model file is damaged"):
        PairFit(fitted.config, fitted.modalities).load_state(state)


def test_a_file_from_before_parts_of_the_head_were_told_apart_is_refused(fitted):
    old = {key: array[0] if "at odds" in key else array for key, array in fitted.state().items()}
    with pytest.raises(ModelFileError, match="made before these were told apart: train again"):
        PairFit(fitted.config, fitted.modalities).load_state(old)


def test_the_pair_alone_gives_the_surprises_of_the_map_and_the_fused_one_on_its_own_scale(fitted):
    case = pair_case(20)
    alone, found = fitted.of_the_pair(case), fitted.score(case)
    fused = alone.pop("pair: mispaired")
    assert set(alone) == {f"pair: {kind}" for kind in ("unexplained", "mirrored", "displaced")}
    assert all(value == pytest.approx(whole(found, name), abs=1e-5) for name, value in alone.items())
    own = np.array(whole(found, "pair: mispaired"))
    assert fused == pytest.approx(float(surprise(own, fitted.tables_[""]["pair: mispaired"])), abs=1e-4)
    healthy = [fitted.of_the_pair(pair_case(seed))["pair: mispaired"] for seed in range(8)]
    assert 0.2 < np.median(healthy) < 0.5  # half of them lie above .3 decades


def test_a_picture_has_no_neighbour_to_be_displaced_to():
    """Else nothing would change when it is moved along the head, and every picture would fit as well elsewhere."""
    case = pair_case(3)
    plane = replace(
        case,
        voxels=case.voxels[..., 6:7],
        mask=case.mask[..., 6:7],
        grid=Grid((*SHAPE[:2], 1), case.grid.affine),
    )
    assert belonging(Pair.of(plane))[2] < -0.05
