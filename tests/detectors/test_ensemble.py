"""The ensemble: p-values of its members combined, whatever they are, in one file that travels alone."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.errors import ConfigError, ModelFileError
from sanum.core.records import MAP_QUANTILES, Calibration, Rule, Summary
from sanum.detectors import atlas, intensity, restore
from sanum.detectors.ensemble import EVIDENCE, Config, Ensemble, evidence
from sanum.model import Model, load, save
from sanum.prepare.presets import Slices, preparation_sha256
from tests.phantoms import prepared_case

PREPARATION = Slices()
LEVELS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])


def phantom(seed, **how):
    return replace(prepared_case(seed, **how), preparation=preparation_sha256(PREPARATION))


def cases(count=5):
    return [phantom(seed) for seed in range(count)]


def model_file(detector, path, *, calibrated=True, preparation=PREPARATION):
    calibration = Calibration(
        np.arange(5.0), Summary(), Rule(), LEVELS, detector.state_sha256(), preparation_sha256(preparation)
    )
    model = Model("m", detector, preparation, calibration if calibrated else None)
    save(model, path)
    return str(path)


@pytest.fixture(scope="module")
def bright():
    return intensity.Intensity(intensity.Config(), ("T1w",)).fit(cases(), seed=0)


def taught(seed):
    settings = restore.Config(widths=(8, 16), epochs=1, batch=4)
    return restore.Restore(settings, ("T1w",)).fit(cases(), seed=seed)


def test_evidence_at_the_healthy_quantiles_is_that_of_their_p_value():
    assert np.allclose(evidence(LEVELS, LEVELS), EVIDENCE)
    assert 10 ** -evidence(LEVELS[2:3], LEVELS)[0] == pytest.approx(1.0 - MAP_QUANTILES[2])


def test_evidence_rises_without_end_and_never_falls_below_0():
    values = np.linspace(-50.0, 50.0, 500)
    found = evidence(values, LEVELS)
    assert found.min() == 0.0
    assert (np.diff(found) >= 0.0).all()
    assert found[-1] > found[-2] > EVIDENCE[-1]


@pytest.mark.parametrize("healthy", [np.zeros(7), np.array([0, 0, 0, 0, 0, 1.0, 1.0])])
def test_levels_that_coincide_give_finite_evidence(healthy):
    found = evidence(np.array([-1.0, 0.0, 0.5, 1.0, 2.0, np.nan]), healthy)
    assert np.isfinite(found[:-1]).all()
    assert np.isnan(found[-1])
    assert found[4] > found[0]


def test_the_map_is_the_mean_evidence_of_the_members(bright, tmp_path):
    other = atlas.Atlas(atlas.Config(), ("T1w",)).fit(cases(), seed=0)
    paths = [model_file(one, tmp_path / f"{one.name}.safetensors") for one in (bright, other)]
    ensemble = Ensemble(Config(tuple(paths)), ("T1w",)).fit(cases(), seed=0)
    case = phantom(9, lesion=True)
    expected = np.mean([evidence(one.score(case).values, LEVELS) for one in (bright, other)], axis=0)
    assert np.allclose(ensemble.score(case).values, expected, atol=1e-5, equal_nan=True)
    opinion = ensemble.judge(case)
    members = opinion.members
    assert np.array_equal(opinion.map.values, ensemble.score(case).values, equal_nan=True)
    assert [(one.name, one.level) for one in members] == [("intensity", 7.0), ("atlas", 7.0)]
    assert np.array_equal(members[1].found.values, other.score(case).values, equal_nan=True)


def test_least_evidence_is_that_of_the_member_that_finds_a_voxel_most_ordinary(bright, tmp_path):
    members = (
        model_file(bright, tmp_path / "a.safetensors"),
        model_file(taught(1), tmp_path / "b.safetensors"),
    )
    fitted = Ensemble(Config(members=members, combine="least"), ("T1w",)).fit(cases(), seed=0)
    case = phantom(9, lesion=True)
    found = fitted.score(case).values
    each = [
        evidence(load(tmp_path / name).detector.score(case).values, LEVELS)
        for name in ("a.safetensors", "b.safetensors")
    ]
    assert np.allclose(found, np.minimum(*each), equal_nan=True)


def test_models_of_several_seeds_and_kinds_become_one_file_that_needs_no_other(bright, tmp_path):
    members = [taught(0), taught(1), bright]
    paths = [model_file(one, tmp_path / f"{n}.safetensors") for n, one in enumerate(members)]
    ensemble = Ensemble(Config(tuple(paths)), ("T1w",)).fit(cases(), seed=0)
    save(Model("ensemble", ensemble, Slices(modalities=("T1w",))), tmp_path / "ensemble.safetensors")
    for number in range(3):
        (tmp_path / f"{number}.safetensors").unlink()
    again, case = load(tmp_path / "ensemble.safetensors").detector, phantom(9)
    assert np.array_equal(again.score(case).values, ensemble.score(case).values, equal_nan=True)
    assert again.members_[0].state_sha256() != again.members_[1].state_sha256()


def test_members_trained_here_learn_their_levels_from_subjects_they_did_not_see():
    ensemble = Ensemble(Config(("atlas",), held_out=0.4), ("T1w",)).fit(cases(), seed=0)
    everyone = Ensemble(Config(("atlas",), held_out=0.0), ("T1w",)).fit(cases(), seed=0)
    assert ensemble.levels_[0, -1] > everyone.levels_[0, -1]


def test_what_can_not_be_a_member_is_refused(bright, tmp_path):
    def fit(path, modalities=("T1w",)):
        given = [phantom(0, modalities=modalities)]
        return Ensemble(Config((path,)), modalities).fit(given, seed=0)

    bare = model_file(bright, tmp_path / "bare.safetensors", calibrated=False)
    with pytest.raises(ConfigError, match=r"bare\.safetensors: not calibrated.*sanum calibrate"):
        fit(bare)
    other = model_file(bright, tmp_path / "other.safetensors", preparation=Slices(size=64))
    with pytest.raises(ConfigError, match="made for another preparation"):
        fit(other)
    good = model_file(bright, tmp_path / "good.safetensors")
    with pytest.raises(ConfigError, match="takes T1w, needed FLAIR"):
        fit(good, ("FLAIR",))
    with pytest.raises(ConfigError, match="ensemble: no members; name calibrated model files or recipes"):
        Ensemble(Config(), ("T1w",)).fit(cases(), seed=0)


def test_a_state_of_other_members_is_refused(bright, tmp_path):
    path = model_file(bright, tmp_path / "a.safetensors")
    ensemble = Ensemble(Config((path,)), ("T1w",)).fit(cases(), seed=0)
    with pytest.raises(ModelFileError, match="expected healthy levels of 2 members"):
        Ensemble(replace(ensemble.config, members=(path, path)), ("T1w",)).load_state(ensemble.state())
