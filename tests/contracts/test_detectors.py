"""What every detector guarantees, held against each entry of `DETECTORS`. A slow one adds a line to `TINY`."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from sanum.core.config import from_dict
from sanum.core.errors import ConfigError, ModelFileError, NotFittedError, ScanError, TrainingError
from sanum.detectors import DETECTORS, detector_class
from sanum.training.device import ENTRIES
from sanum.training.run import Run
from tests.phantoms import prepared_case

STILL = dict.fromkeys(("rotation", "scale", "shift", "warp", "gamma", "bias", "blur"), 0.0)
"""Healthy scans are taught as they are."""

ENCODER = str(Path(__file__).with_name("tiny_encoder.toml"))

HURRIED_ENCODER = str(Path(__file__).with_name("hurried_encoder.toml"))

TINY = {
    **{entry.name: {} for entry in DETECTORS},
    "cae": {"widths": [4, 8], "epochs": 12, "batch": 4, "learning_rate": 0.01},
    "vae": {
        "widths": [4, 8],
        "latent": 8,
        "epochs": 30,
        "batch": 4,
        "learning_rate": 0.01,
        "noise": 0.02,
        "smoothing_mm": 0.0,
    },
    "dae": {"widths": [8, 16], "epochs": 40, "batch": 4, "learning_rate": 0.01, "median": 3, "cells": 4},
    "padim": {"encoder": ENCODER, "levels": [0, 1], "smoothing_mm": 0.0},
    "patchcore": {"encoder": ENCODER, "levels": [0, 1], "smoothing_mm": 0.0, "memory": 100},
    "fae": {
        "encoder": ENCODER,
        "levels": [0],
        "smoothing_mm": 0.0,
        "epochs": 40,
        "batch": 4,
        "learning_rate": 0.01,
        "widths": [16, 8],
    },
    "latent": {"encoder": ENCODER, "levels": [0], "smoothing_mm": 0.0, "vectors": 500},
    "ensemble": {"members": ["intensity", "atlas"]},
    "intensity": {"smoothing_mm": 1.0},
    "atlas": {"smoothing_mm": 1.0},
    "restore": {
        "widths": [16, 32],
        "epochs": 40,
        "batch": 4,
        "learning_rate": 0.01,
        "easy_steps": 0,
        "lesions": {"bright": 1.0, "smallest": 0.02, "mildest": 0.7},
        "augmentation": STILL,
    },
    "restore-3d": {
        "widths": [16, 32],
        "epochs": 60,
        "batch": 2,
        "learning_rate": 0.003,
        "block": 1,
        "easy_steps": 0,
        "lesions": {"bright": 1.0, "smallest": 0.02, "mildest": 0.7, "healthy": 0.0, "number": 3},
        "augmentation": STILL,
    },
    "pair-cae": {"widths": [4, 8], "epochs": 12, "batch": 4, "learning_rate": 0.01, "intensity": 0.0},
    "cross-modal": {
        "encoder": [8, 8],
        "latents": 4,
        "epochs": 2,
        "batch": 4,
        "learning_rate": 0.01,
        "misregistration": 0.0,
        "classifier": {"rounds": 6, "boost": {"trees": 20, "leaves": 8, "least_leaf": 5}},
        "faults": {"bright": 1.0, "smallest": 0.02, "mildest": 0.7, "missing": 0.0},
        "augmentation": STILL,
    },
    "pair-fit": {
        "lessons": {
            "rounds": 3,
            "boost": {"trees": 20, "leaves": 8, "least_leaf": 5},
            "faults": {"bright": 1.0, "smallest": 0.02, "mildest": 0.7, "missing": 0.0},
        },
    },
}
"""Settings with which each detector learns the phantoms within a second or two, where its defaults take longer."""

METHODS = ("mahalanobis", "knn", "one-class-svm")
SCORES = ("kl-gradient", "restoration")
TINY |= {f"latent {method}": {**TINY["latent"], "method": method} for method in METHODS}
TINY |= {f"vae {score}": {**TINY["vae"], "score": score, "steps": 10} for score in SCORES}
TINY["cae with options"] = {**TINY["cae"], "attention": True, "latent": 8}

PEAK = Path("/proc/self/clear_refs")
"""Writing 5 here forgets the peak so far."""

MOST_MB = 200

FROM_HEADS = ("multi-contrast", "head-ct", "pair-experts")
"""Detectors that learn from heads, not from scans: their contract stands in tests of their own."""

NAMES = [entry.name for entry in DETECTORS if entry.name not in FROM_HEADS]
VARIANTS = [*NAMES, *(name for name in TINY if name not in (*NAMES, *FROM_HEADS))]
"""Each detector as it is, then settings that change what it computes: "name variant"."""


def make(name, modalities=("T1w",), **changed):
    kind = detector_class(family(name))
    return kind(from_dict(kind.Config, {**TINY[name], **changed}), modalities)


def hurried(name):
    """Settings that shorten a training whose result does not matter."""
    shorter = {"epochs": 1, "block": 2}
    if "classifier" in TINY[name]:
        shorter["classifier"] = {"rounds": 2, "boost": {"trees": 2, "leaves": 4, "least_leaf": 5}}
    if TINY[name].get("encoder") == ENCODER:
        shorter["encoder"] = HURRIED_ENCODER
    return {setting: value for setting, value in shorter.items() if setting in TINY[name]}


def family(name):
    """The detector of a variant."""
    return name.split()[0]


def healthy(modalities=("T1w",), count=4):
    return [prepared_case(seed, modalities=modalities) for seed in range(count)]


@pytest.fixture(scope="module", params=VARIANTS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(name):
    return make(name).fit(healthy(), seed=0, run=Run(device="cpu"))


@pytest.fixture
def lesion():
    return prepared_case(9, lesion=True)


def test_the_list_and_the_class_agree_on_the_name(name):
    assert detector_class(family(name)).name == family(name)


class Reaching(TorchFunctionMode):
    """Fails where weights are used outside the entries that `Detector.to` takes to another device."""

    def __init__(self, networks):
        super().__init__()
        self.weights = {id(one) for net in networks for one in (*net.parameters(), *net.buffers())}
        self.depth = 0

    def entry(self, method):
        def called(*inputs):
            self.depth += 1
            try:
                return method(*inputs)
            finally:
                self.depth -= 1

        return called

    def __torch_function__(self, function, types, inputs=(), named=None):
        used = {id(one) for one in (*inputs, *(named or {}).values())}
        harmless = self.depth or function.__name__ in ("__get__", "detach")  # a shape, the state
        assert harmless or not used & self.weights, f"{function} reaches into a network"
        return function(*inputs, **(named or {}))


def test_scoring_uses_weights_only_where_another_device_can_take_over(fitted, lesion, monkeypatch):
    networks = fitted.networks
    watch = Reaching(networks)
    for module in {part for net in networks for part in (net, *net.children())}:
        for name in ENTRIES:
            if hasattr(module, name):
                monkeypatch.setattr(module, name, watch.entry(getattr(module, name)), raising=False)
    with watch:
        fitted.judge(lesion)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")
def test_a_graphics_card_gives_the_same_scores(name, fitted, lesion):
    here = fitted.score(lesion).values
    there = make(name).load_state(fitted.state()).to("cuda")
    assert there.state_sha256() == fitted.state_sha256()
    assert np.nanmax(np.abs(there.score(lesion).values - here)) <= 1e-3 * np.nanstd(here)


def test_before_fit_neither_scores_nor_state_can_be_had(name, lesion):
    with pytest.raises(NotFittedError, match=f"{family(name)}: not trained yet"):
        make(name).score(lesion)
    with pytest.raises(NotFittedError, match=f"{family(name)}: not trained yet"):
        make(name).state()


def test_fit_returns_the_detector_itself(name):
    detector = make(name, **hurried(name))
    assert detector.fit(healthy(), seed=0) is detector


def test_the_map_lies_on_the_case_grid_in_float32_and_is_nan_outside_the_mask_only(fitted, lesion):
    result = fitted.score(lesion)
    assert result.values.dtype == np.float32
    assert result.values.shape == lesion.grid.shape
    assert result.grid is lesion.grid
    assert np.array_equal(np.isnan(result.values), ~lesion.mask)
    assert (result.case, result.detector) == (lesion.case, fitted.name)


@pytest.mark.parametrize("modalities", [("T1w",), ("T1w", "FLAIR")])
def test_a_read_only_transposed_view_trains_and_scores_like_an_array(name, modalities):
    """Stores hand out (K, C, I, J) memory maps seen as (C, I, J, K); nothing may write to them."""
    cases = healthy(modalities)
    views = [replace(case, voxels=_stored(case.voxels)) for case in cases]
    from_arrays, from_views = (
        make(name, modalities, **hurried(name)).fit(given, seed=3, run=Run(device="cpu"))
        for given in (cases, views)
    )
    assert from_arrays.state_sha256() == from_views.state_sha256()
    assert np.array_equal(
        from_arrays.score(cases[0]).values, from_views.score(views[0]).values, equal_nan=True
    )


def _stored(voxels):
    stored = np.ascontiguousarray(np.moveaxis(voxels, 3, 0))
    stored.setflags(write=False)
    return np.moveaxis(stored, 0, 3)


def test_neither_fit_nor_score_changes_a_case(name):
    cases = healthy()
    before = [(case.voxels.copy(), case.mask.copy()) for case in cases]
    make(name, **hurried(name)).fit(cases, seed=0).score(cases[0])
    for case, (voxels, mask) in zip(cases, before, strict=True):
        assert np.array_equal(case.voxels, voxels)
        assert np.array_equal(case.mask, mask)


def test_the_same_seed_gives_the_same_state_to_the_bit(name):
    first, second = (
        make(name, **hurried(name)).fit(healthy(), seed=0, run=Run(device="cpu")) for _ in range(2)
    )
    assert first.state_sha256() == second.state_sha256()


def test_scoring_twice_gives_the_same_bits(fitted, lesion):
    first, second = (fitted.score(lesion).values for _ in range(2))
    assert np.array_equal(first, second, equal_nan=True)


def test_the_batch_size_makes_no_difference_to_a_score(name, fitted, lesion):
    if "batch" not in {field.name for field in fields(fitted.Config)}:
        pytest.skip("takes no batch")
    one = make(name, batch=1).load_state(fitted.state())
    assert np.nanmax(np.abs(one.score(lesion).values - fitted.score(lesion).values)) <= 1e-6


def test_a_planted_lesion_scores_higher_than_what_lies_around_it(fitted, lesion):
    values = fitted.score(lesion).values
    inside, around = values[lesion.lesion], values[lesion.mask & ~lesion.lesion]
    assert np.median(inside) > np.quantile(around, 0.9)


def test_the_same_place_without_the_lesion_scores_lower(fitted, lesion):
    without = fitted.score(prepared_case(9)).values
    assert np.mean(fitted.score(lesion).values[lesion.lesion]) > 2 * np.mean(without[lesion.lesion])


def test_the_state_comes_back_to_the_bit(name, fitted, lesion):
    again = make(name).load_state({key: array.copy() for key, array in fitted.state().items()})
    assert again.state_sha256() == fitted.state_sha256()
    assert np.array_equal(again.score(lesion).values, fitted.score(lesion).values, equal_nan=True)


def test_a_state_that_does_not_fit_is_refused(name, fitted):
    with pytest.raises(ModelFileError):
        make(name).load_state({})
    with pytest.raises(ModelFileError):
        make(name, ("T1w", "FLAIR")).load_state(fitted.state())


def test_handing_out_the_state_does_not_hand_out_the_detector(fitted):
    before = fitted.state_sha256()
    for array in fitted.state().values():
        array[...] = 0
    assert fitted.state_sha256() == before


def test_other_modalities_are_refused_in_training_and_in_scoring(name, fitted):
    other = prepared_case(0, modalities=("FLAIR",))
    with pytest.raises(ScanError, match="case-0: this detector takes T1w; the case has FLAIR"):
        make(name).fit([other], seed=0)
    with pytest.raises(ScanError, match="case-0: this detector takes T1w; the case has FLAIR"):
        fitted.score(other)


def test_an_empty_mask_is_refused(fitted, lesion):
    with pytest.raises(ScanError, match="mask is empty"):
        fitted.score(replace(lesion, mask=np.zeros_like(lesion.mask)))


def test_no_training_case_is_refused(name):
    with pytest.raises(TrainingError, match=f"{family(name)}: no training case"):
        make(name).fit([], seed=0)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_constant_image_gets_finite_scores(name, fitted, lesion, level):
    flat = replace(lesion, voxels=np.full_like(lesion.voxels, level))
    assert np.isfinite(fitted.score(flat).inside()).all()
    trained = make(name, **hurried(name)).fit([flat, flat], seed=0)
    assert np.isfinite(trained.score(flat).inside()).all()


def test_one_case_is_enough_to_train(name):
    trained = make(name, **hurried(name)).fit(healthy(count=1), seed=0)
    assert np.isfinite(trained.score(prepared_case(5)).inside()).all()


def test_several_channels_are_all_looked_at(name):
    """A lesion on the second channel alone is seen."""
    modalities = ("T1w", "FLAIR")
    detector = make(name, modalities).fit(healthy(modalities), seed=0)
    plain, marked = (prepared_case(9, lesion=lesion, modalities=modalities) for lesion in (False, True))
    mixed = replace(plain, voxels=np.stack([plain.voxels[0], marked.voxels[1]]))
    mean = [detector.score(case).values[marked.lesion].mean() for case in (plain, mixed)]
    assert mean[1] > mean[0]


def test_a_single_slice_is_judged_as_well_as_a_volume(name):
    """Pictures are cases with K = 1."""
    cases = [prepared_case(seed, shape=(32, 32, 1)) for seed in range(4)]
    detector = make(name, **hurried(name)).fit(cases, seed=0)
    values = detector.score(prepared_case(9, lesion=True, shape=(32, 32, 1))).values
    assert values.shape == (32, 32, 1)


@pytest.mark.skipif(not PEAK.exists(), reason="the system does not tell a process its peak memory")
def test_memory_is_that_of_a_few_slices_however_many_there_are(name):
    """A volume of 40 slices: no detector may hold feature maps or distances of all of them at once."""
    case = prepared_case(0, shape=(64, 64, 40))
    detector = make(name, **hurried(name))
    PEAK.write_text("5")
    before = peak_mb()
    detector.fit([case], seed=0, run=Run(device="cpu")).score(case)
    assert peak_mb() - before < MOST_MB


def peak_mb():
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return int(line.split()[1]) / 1024


def test_an_unknown_setting_is_refused_with_the_nearest(name):
    known = fields(detector_class(family(name)).Config)[0].name
    with pytest.raises(ConfigError, match=f"did you mean '{known}'"):
        make(name, **{known + "s": 1})


def test_a_healthy_reconstruction_is_either_none_or_whole_and_changes_no_case(name, fitted, lesion):
    before = lesion.voxels.copy()
    opinion = fitted.judge(lesion)
    reconstruction = opinion.reconstruction
    np.testing.assert_array_equal(opinion.map.values, fitted.score(lesion).values)
    np.testing.assert_array_equal(lesion.voxels, before)
    assert (reconstruction is not None) == (family(name) in ("cae", "vae", "dae", "restore", "restore-3d"))
    if reconstruction is None:
        return
    assert reconstruction.shape == lesion.voxels.shape
    assert reconstruction.dtype == np.float32
    assert reconstruction.min() >= 0.0
    assert reconstruction.max() <= 1.0
    marked = lesion.lesion
    assert reconstruction[0][marked].mean() < lesion.voxels[0][marked].mean() - 0.05, (
        "the lesion stays in the reconstruction"
    )
