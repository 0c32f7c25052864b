"""What the cross-modal detector adds to the contract: parts, modalities that are missing, pairs that are none."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.config import from_dict
from sanum.core.errors import ScanError
from sanum.detectors import detector_class
from sanum.detectors.pair_scores import scores_of
from sanum.training.run import Run
from tests.contracts.test_detectors import TINY
from tests.phantoms import pair_case

KIND = detector_class("cross-modal")


@pytest.fixture(scope="module")
def fitted():
    config = from_dict(KIND.Config, {**TINY["cross-modal"], "epochs": 6})
    return KIND(config, ("CT", "T1w")).fit([pair_case(n) for n in range(6)], seed=0, run=Run(device="cpu"))


def alone(case, channel):
    return replace(case, voxels=case.voxels[[channel]], modalities=(case.modalities[channel],))


def test_the_map_says_what_each_score_of_each_modality_thinks(fitted):
    case = pair_case(9)
    found = fitted.score(case)
    assert set(found.parts) == {*scores_of(("CT", "T1w")), "CT: fused", "T1w: fused"}
    for values in found.parts.values():
        assert values.dtype == np.float32
        assert np.array_equal(np.isnan(values), ~case.mask)


@pytest.mark.parametrize("channel", [0, 1])
def test_a_case_with_one_modality_only_is_judged_by_that_one(fitted, channel):
    case = alone(pair_case(9), channel)
    found = fitted.score(case)
    name = case.modalities[0]
    assert set(found.parts) == {f"{name}: own", f"{name}: at odds", f"{name}: fused"}
    assert np.isfinite(found.inside()).all()


def test_what_a_missing_modality_would_show_makes_no_difference(fitted):
    one = fitted.score(alone(pair_case(9), 0)).values
    assert np.array_equal(one, fitted.score(alone(pair_case(9), 0)).values, equal_nan=True)


def test_a_modality_it_does_not_know_is_refused(fitted):
    with pytest.raises(ScanError, match="takes CT, T1w; the case has FLAIR"):
        fitted.score(replace(alone(pair_case(9), 0), modalities=("FLAIR",)))


def test_the_healthy_latents_are_those_of_all_training_slices(fitted):
    assert fitted.healthy_latents.shape == (6, 2 * fitted.config.latents)
    assert fitted.latents(pair_case(0)).shape == (1, 2 * fitted.config.latents)


def test_no_weight_for_the_judge_is_refused():
    with pytest.raises(ValueError, match="'at odds' above 0"):
        KIND.Config(weights={"own": 1.0})


def test_what_is_expected_of_a_modality_depends_on_the_other_alone(fitted):
    case = pair_case(9)
    changed = replace(case, voxels=case.voxels * np.array([1.0, 0.5], np.float32)[:, None, None, None])
    before, after = fitted.expected(case), fitted.expected(changed)
    assert np.array_equal(before[1], after[1])
    assert not np.array_equal(before[0], after[0])
    with pytest.raises(ScanError, match="do without T1w"):
        fitted.expected(alone(case, 0))
