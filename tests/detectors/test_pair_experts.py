"""Each modality goes to the member that takes it, with that member's score, and to no other model than the one named."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.errors import ConfigError, ModelFileError, NotFittedError, ScanError
from sanum.detectors.pair_experts import Config, PairExperts
from sanum.model import Model, save
from sanum.prepare.presets import Template
from tests.phantoms import prepared_case


def member(folder, name, modalities, seed=0):
    """A model file of one of the cheapest detectors."""
    from sanum.detectors.atlas import Atlas

    cases = [prepared_case(number + seed, modalities=modalities) for number in range(3)]
    fitted = Atlas(Atlas.Config(), modalities).fit(cases, seed=0)
    path = folder / f"{name}.safetensors"
    save(Model(name, fitted, Template(modalities=modalities), facts={}), path)
    return path, fitted


@pytest.fixture
def members(tmp_path):
    return member(tmp_path, "one", ("T1w",)), member(tmp_path, "other", ("FLAIR",))


def experts(members, modalities=("T1w", "FLAIR")):
    config = Config(tuple(str(path) for path, _ in members))
    return PairExperts(config, modalities)


def fitted_experts(members):
    return experts(members).fit([prepared_case(0)], seed=0)


def test_each_modality_has_the_score_of_its_member(members):
    judge = fitted_experts(members)
    for (_, own), name in zip(members, ("T1w", "FLAIR"), strict=True):
        case = prepared_case(7, modalities=(name,), lesion=True)
        found = judge.score(case)
        assert np.array_equal(found.values, own.score(case).values, equal_nan=True)
        assert found.detector == "pair-experts"
    assert judge.incomplete == "each"


def test_both_at_once_or_an_unknown_modality_are_refused(members):
    judge = fitted_experts(members)
    for names in (("T1w", "FLAIR"), ("T2w",)):
        with pytest.raises(ScanError, match="takes one modality of T1w, FLAIR at a time"):
            judge.score(prepared_case(0, modalities=names))


def test_the_state_holds_no_weights_and_comes_back(members):
    judge = fitted_experts(members)
    assert sum(array.nbytes for array in judge.state().values()) == 64
    again = experts(members).load_state(judge.state())
    assert again.state_sha256() == judge.state_sha256()


def test_a_member_that_was_replaced_is_refused(members, tmp_path):
    state = fitted_experts(members).state()
    member(tmp_path, "other", ("FLAIR",), seed=5)
    with pytest.raises(
        ModelFileError, match=r"other\.safetensors is not the model that this one was made with"
    ):
        experts(members).load_state(state)
    with pytest.raises(ModelFileError, match="is not the model"):
        experts(members).load_state({})


def test_a_channel_without_a_member_or_with_two_is_refused(members):
    with pytest.raises(ConfigError, match=r"T2w is judged by none of .*it takes one member each"):
        experts(members, ("T1w", "T2w")).fit([], seed=0)
    twice = [members[0], members[0]]
    with pytest.raises(ConfigError, match=r"T1w is judged by both .* and "):
        experts(twice, ("T1w",)).fit([], seed=0)


def test_before_fit_there_is_nothing(members):
    with pytest.raises(NotFittedError, match="pair-experts: not trained yet"):
        experts(members).score(prepared_case(0))
    with pytest.raises(NotFittedError, match="pair-experts: not trained yet"):
        experts(members).state()


def test_what_a_member_restores_is_handed_on(members):
    judge = fitted_experts(members)
    case = replace(prepared_case(3), modalities=("T1w",))
    assert judge.judge(case).reconstruction is members[0][1].judge(case).reconstruction
