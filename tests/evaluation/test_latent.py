"""Latent distances by a slow definition, and what they must not depend on."""

import numpy as np
import pytest

from sanum.core.errors import CohortError
from sanum.evaluation.latent import latent_distances


def slow(tested, healthy):
    reference = np.concatenate(healthy)
    spread = reference.std(axis=0)
    found = []
    for codes in tested:
        each = []
        for code in codes:
            apart = np.sqrt((((reference - code) / spread) ** 2).sum(axis=1))
            each.append(np.sort(apart)[:5].mean())
        found.append(np.mean(each))
    return found


def codes(seed, count=4, slices=6, shift=0.0):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(slices, 8)) + shift).astype(np.float32) for _ in range(count)]


def test_distances_by_the_slow_definition():
    healthy, tested = codes(0), codes(1, count=3, shift=0.5)
    assert latent_distances(tested, healthy) == pytest.approx(slow(tested, healthy), rel=1e-5)


def test_strange_cases_lie_farther_whatever_the_unit_of_a_feature():
    healthy, near, far = codes(0), codes(1), codes(2, shift=2.0)
    plain = latent_distances(near + far, healthy)
    assert plain[:4].max() < plain[4:].min()
    unit = np.logspace(-3, 3, 8).astype(np.float32)
    scaled = latent_distances([one * unit for one in near + far], [one * unit for one in healthy])
    assert scaled == pytest.approx(plain, rel=1e-3)


def test_a_feature_that_never_changes_does_no_harm():
    healthy, tested = codes(0), codes(1)
    dead = [np.append(one, np.full((len(one), 1), 7.0, np.float32), axis=1) for one in healthy + tested]
    assert latent_distances(dead[4:], dead[:4]) == pytest.approx(latent_distances(tested, healthy))


def test_nothing_to_measure_from_is_an_error():
    with pytest.raises(CohortError, match="need a held-out healthy case"):
        latent_distances(codes(0), [])
