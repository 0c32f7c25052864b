"""The detector taught on synthetic lesions: it learns to see one, keeps the contract, and names wrong settings."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.config import from_dict
from sanum.core.errors import ConfigError, ModelFileError, ScanError, TrainingError
from sanum.detectors.healthy_place import QUANTILE
from sanum.detectors.restore import Config, Restore
from sanum.synthesis.augmentation import Augmentation
from sanum.synthesis.plant import Mixture, plant
from tests.phantoms import prepared_case

HALF = 1e-3
"""Relative error of half precision, in which the prior is kept."""

CALM = Augmentation(
    rotation=0.02,
    scale=0.02,
    shift=0.01,
    warp=0.0,
    contrast=0.0,
    gamma=0.0,
    bias=0.02,
    noise=0.01,
    blur=0.0,
)
QUICK = Config(
    widths=(16, 32),
    epochs=3,
    batch=8,
    learning_rate=5e-3,
    easy_steps=0,
    lesions=Mixture(smallest=0.02, mildest=0.7),
    augmentation=CALM,
)


def cases(count=10, depth=4):
    return [prepared_case(seed, shape=(32, 32, depth)) for seed in range(count)]


@pytest.fixture(scope="module")
def taught():
    return Restore(QUICK, ("T1w",)).fit(cases(), seed=0)


@pytest.mark.slow
def test_a_kind_never_trained_on_stands_out():
    """A held-out lesion in an unseen healthy case scores higher than its surroundings."""
    taught = Restore(replace(QUICK, epochs=20), ("T1w",)).fit(cases(depth=12), seed=0)
    ill = plant(prepared_case(50, shape=(32, 32, 12)), "ball", size=0.8, severity=1.0, seed=1)
    values = taught.score(ill).values
    assert values[ill.lesion].mean() > 3 * values[ill.mask & ~ill.lesion].mean()


def test_same_seed_same_weights():
    first, again = (Restore(replace(QUICK, epochs=1), ("T1w",)).fit(cases(4), seed=3) for _ in range(2))
    assert first.state_sha256() == again.state_sha256()


def test_saved_and_loaded_detector_scores_to_the_bit(taught):
    case = prepared_case(9, shape=(32, 32, 3))
    loaded = Restore(QUICK, ("T1w",)).load_state(taught.state())
    assert np.array_equal(loaded.score(case).values, taught.score(case).values, equal_nan=True)


def test_context_needs_neighbours_and_every_voxel_is_scored():
    config = replace(QUICK, context=2, targets=3, epochs=1)
    ready = Restore(config, ("T1w",)).fit(cases(3, depth=9), seed=0)
    case = prepared_case(9, shape=(32, 32, 9))
    values = ready.score(case).values
    assert np.array_equal(np.isnan(values), ~case.mask)


def test_flip_makes_the_score_of_a_mirrored_case_the_mirrored_score(taught):
    case = prepared_case(9, shape=(32, 32, 2))
    turned = replace(case, voxels=case.voxels[:, ::-1].copy(), mask=case.mask[::-1].copy())
    assert np.allclose(
        taught.score(turned).values[::-1], taught.score(case).values, atol=1e-5, equal_nan=True
    )


def test_the_location_prior_quietens_where_healthy_scans_score_high():
    config = replace(QUICK, epochs=1, location_prior=0.02)
    healthy = cases(3)
    ready = Restore(config, ("T1w",)).fit(healthy, seed=0)
    plain = Restore(replace(config, location_prior=0.0), ("T1w",)).load_state(
        {name: array for name, array in ready.state().items() if name != "prior"}
    )
    scores = [np.nan_to_num(plain.score(case).values)[::2, ::2, ::2] for case in healthy]
    prior = np.quantile(scores, QUANTILE, axis=0)
    everywhere = np.all([case.mask[::2, ::2, ::2] for case in healthy], axis=0)
    assert np.allclose(ready.prior_[everywhere], prior[everywhere], rtol=HALF, atol=1e-4)
    weighed, raw = ready.score(healthy[0]).values, plain.score(healthy[0]).values
    assert np.allclose(weighed[4, 16, 2], raw[4, 16, 2] / (prior[2, 8, 1] + 0.02), rtol=HALF)
    again = Restore(config, ("T1w",)).load_state(ready.state())
    assert np.array_equal(again.score(healthy[0]).values, weighed, equal_nan=True)


def test_a_prior_from_another_grid_or_config_is_refused():
    config = replace(QUICK, epochs=1, location_prior=0.02)
    ready = Restore(config, ("T1w",)).fit(cases(3), seed=0)
    with pytest.raises(ScanError, match="does not fit the location prior"):
        ready.score(prepared_case(1, shape=(32, 32, 8)))
    with pytest.raises(ModelFileError, match="expected no location prior"):
        Restore(QUICK, ("T1w",)).load_state(ready.state())
    with pytest.raises(TrainingError, match="a location prior needs the template preset"):
        Restore(config, ("T1w",)).fit([prepared_case(0), prepared_case(1, shape=(32, 32, 8))], seed=0)


def test_the_sign_prior_prefers_bright_or_dark_places(taught):
    case = prepared_case(3, lesion=True, shape=(32, 32, 3))
    share = {}
    for sign in ("any", "bright", "dark"):
        values = Restore(replace(QUICK, sign=sign), ("T1w",)).load_state(taught.state()).score(case).values
        share[sign] = values[case.lesion].mean() / np.nanmean(values)
    assert share["dark"] < share["any"] < share["bright"]


def test_a_missing_modality_is_judged_only_where_training_left_some_out():
    modalities = ("T1w", "FLAIR")
    healthy = [prepared_case(seed, shape=(32, 32, 4), modalities=modalities) for seed in range(4)]
    case = prepared_case(9, shape=(32, 32, 4), modalities=modalities)
    lacking = replace(case, voxels=case.voxels[1:], modalities=("FLAIR",))
    strict = Restore(replace(QUICK, epochs=1), modalities).fit(healthy, seed=0)
    with pytest.raises(ScanError, match="the case has FLAIR; it was not trained to do without T1w"):
        strict.score(lacking)
    lenient = Restore(replace(QUICK, epochs=1, channel_dropout=0.3), modalities).fit(healthy, seed=0)
    emptied = replace(case, voxels=np.stack([np.zeros_like(case.voxels[0]), case.voxels[1]]))
    assert np.array_equal(lenient.score(lacking).values, lenient.score(emptied).values, equal_nan=True)
    with pytest.raises(ScanError, match="this detector takes T1w, FLAIR; the case has T2w"):
        lenient.score(replace(lacking, modalities=("T2w",)))


def test_settings_out_of_range_are_named():
    for settings, message in (
        ({"fold": 0}, "fold: expected 1 or more, got 0"),
        ({"widths": ()}, "widths: expected one or more sizes"),
        ({"smoothing_mm": -1.0}, r"smoothing_mm: expected 0 or more, got -1\.0"),
        ({"channel_dropout": 1.0}, r"channel_dropout: expected 0 to below 1, got 1\.0"),
        ({"validation_share": 1.0}, r"validation_share: expected 0 to below 1, got 1\.0"),
        ({"lesions": {"brigth": 0.5}}, "unknown key 'brigth'; did you mean 'bright'"),
    ):
        with pytest.raises(ConfigError, match=message):
            from_dict(Config, settings)
