"""Measures and networks: one length for any bag, shares that sum to 1, and a file that gives them back."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from sanum.core.sequence import SEQUENCES
from sanum.prepare.sequence.features import features_of
from sanum.prepare.sequence.look import SIZE, SLICES, shown_to_eye, slices_of
from sanum.prepare.sequence.network import Judges, Network, arrays_of, read_judges
from tests.phantoms import brain_scan


def judges(measures: int) -> Judges:
    rng = np.random.default_rng(0)

    def random(*shape):
        return rng.standard_normal(shape).astype(np.float32)

    networks = [
        Network((random(measures, 5), random(5, len(SEQUENCES))), (random(5), random(len(SEQUENCES))))
        for _ in range(2)
    ]
    return Judges(random(measures), 1 + random(measures) ** 2, 1.5, networks)


def test_shares_are_kept_by_the_file_and_sum_to_1(tmp_path):
    made, measures = judges(9), np.linspace(-2, 30, 9)
    save_file(dict(arrays_of(made)), tmp_path / "eye.safetensors")
    shares = read_judges(tmp_path / "eye.safetensors").shares(measures)
    assert np.allclose(shares, made.shares(measures))
    assert shares.shape == (len(SEQUENCES),)
    assert shares.sum() == pytest.approx(1.0)


def test_shares_are_the_mean_opinion_of_the_networks():
    made, measures = judges(9), np.random.default_rng(1).random((3, 9))
    alone = [Judges(made.mean, made.spread, made.warmth, [one]).shares(measures) for one in made.networks]
    assert np.allclose(made.shares(measures), np.mean(alone, axis=0))
    assert np.allclose(made.shares(measures[1]), made.shares(measures)[1])


def test_a_measure_far_out_says_no_more_than_a_far_one():
    made, measures = judges(9), np.zeros(9)
    measures[3] = 1e3
    far = made.shares(measures)
    measures[3] = 1e6
    assert np.allclose(made.shares(measures), far)


def test_every_bag_has_as_many_measures():
    shown = shown_to_eye(slices_of(brain_scan()))
    count = len(features_of(shown))
    for bag in (shown[:1], shown[:4], np.zeros((SLICES, 2, *SIZE), np.float32), np.ones_like(shown)):
        measures = features_of(bag)
        assert measures.shape == (count,)
        assert np.isfinite(measures).all()
