"""The brightness baseline measures what its formula says."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.errors import ConfigError
from sanum.detectors.intensity import Config, Intensity
from tests.phantoms import prepared_case


def fitted(**settings):
    modalities = settings.pop("modalities", ("T1w",))
    cases = [prepared_case(seed, modalities=modalities) for seed in range(3)]
    return Intensity(Config(**settings), modalities).fit(cases, seed=0)


def spot(case, level):
    """The case with a square of 6 x 6 voxels at one level, and that square."""
    where = np.zeros(case.grid.shape, bool)
    where[12:18, 12:18] = True
    return replace(case, voxels=np.where(where, np.float32(level), case.voxels)), where


def test_without_smoothing_it_is_the_robust_z_score_of_the_case():
    case = prepared_case(7)
    inside = case.voxels[0][case.mask].astype(float)
    median = np.median(inside)
    expected = (inside - median) / (1.4826 * np.median(np.abs(inside - median)))
    assert np.allclose(fitted(smoothing_mm=0.0).score(case).values[case.mask], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("sign", "level", "high"),
    [("bright", 1.0, True), ("bright", 0.0, False), ("dark", 0.0, True), ("dark", 1.0, False)],
)
def test_bright_and_dark_look_to_one_side(sign, level, high):
    case, where = spot(prepared_case(7), level)
    values = fitted(sign=sign, smoothing_mm=0.0).score(case).values
    assert bool(values[where].mean() > 0) is high


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_both_looks_to_both_sides_against_the_healthy_histogram(level):
    case, where = spot(prepared_case(7), level)
    values = fitted(sign="both", smoothing_mm=0.0).score(case).values
    assert values[where].mean() > np.quantile(values[case.mask & ~where], 0.95)


def test_both_notices_a_brain_that_is_bright_as_a_whole_and_bright_does_not():
    case = prepared_case(7)
    brighter = replace(case, voxels=np.where(case.mask, case.voxels + np.float32(0.3), 0))
    both, bright = fitted(sign="both"), fitted(sign="bright")
    assert both.score(brighter).inside().mean() > 2 * both.score(case).inside().mean()
    assert bright.score(brighter).inside().mean() == pytest.approx(
        bright.score(case).inside().mean(), abs=1e-3
    )


def test_the_learned_histogram_gives_the_pooled_median_and_spread():
    cases = [prepared_case(seed) for seed in range(3)]
    pooled = np.concatenate([case.voxels[0][case.mask] for case in cases]).astype(float)
    state = fitted().state()
    assert state["median"][0] == pytest.approx(np.median(pooled), abs=1 / 2048)
    spread = 1.4826 * np.median(np.abs(pooled - np.median(pooled)))
    assert state["spread"][0] == pytest.approx(spread, abs=1 / 1024)


def test_the_border_of_the_brain_is_not_darkened_by_the_background():
    case = prepared_case(7)
    flat = replace(case, voxels=np.where(case.mask, np.float32(0.5), 0)[None].astype(np.float32))
    assert np.abs(fitted(sign="dark", smoothing_mm=3.0).score(flat).inside()).max() < 1e-3


def test_a_named_channel_is_the_only_one_looked_at():
    modalities = ("T1w", "FLAIR")
    case = prepared_case(7, modalities=modalities)
    brighter, _ = spot(case, 1.0)
    only_t1w = replace(case, voxels=np.stack([brighter.voxels[0], case.voxels[1]]))
    detector = fitted(channel="FLAIR", modalities=modalities)
    assert np.array_equal(detector.score(case).inside(), detector.score(only_t1w).inside())


def test_a_channel_that_is_not_there_is_refused_before_training():
    with pytest.raises(ConfigError, match="channel 'FLAIR' is none of T1w"):
        fitted(channel="FLAIR")
