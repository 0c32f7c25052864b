"""One network for every sequence of MRI: learns from heads, judges one modality at a time, keeps the contract."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sanum.core.config import from_dict
from sanum.core.errors import ConfigError, ModelFileError, NotFittedError, ScanError, TrainingError
from sanum.core.modalities import MRI_SEQUENCES
from sanum.detectors import detector_class
from sanum.model import Model, save
from sanum.nets.plane_restorer import NEIGHBOURS, windows_along
from sanum.prepare.presets import Template
from sanum.synthesis.made_volumes import VolumeAugmentation
from sanum.training.run import Run
from tests.heads import SHAPE, head_case
from tests.phantoms import prepared_case

STILL = dict.fromkeys(VolumeAugmentation.__dataclass_fields__, 0.0)

TINY = {
    "widths": [16, 24],
    "epochs": 6,
    "batch": 3,
    "learning_rate": 0.01,
    "smoothing_mm": [0.0, 0.0, 0.0, 0.0],
    "bright": [],
    "windows": {"contrasts": 2, "each": 24, "batch": 12, "easy_steps": 0, "margin": 0},
    "plan": {
        "augmentation": STILL,
        "lesions": {"healthy": 0.0, "mildest": 0.8, "smallest": 60, "largest": 600},
        "mix": {"scanned": 0.0, "made": [0.0, 0.0, 1.0, 0.0], "free": 0.0},
    },
}


def make(**changed):
    kind = detector_class("multi-contrast")
    return kind(from_dict(kind.Config, {**TINY, **changed}), MRI_SEQUENCES)


def heads(count=3):
    return [head_case(seed) for seed in range(count)]


def scan_of(head, modality="FLAIR", lesion=False):
    """A head as a prepared FLAIR: fluid dark, cortex above white matter; a bright ball where there is a lesion."""
    tissues, mask = np.asarray(head.voxels[1:-1], np.float32), head.mask
    levels = np.array([0.05, 0.05, 0.6, 0.5, 0.55, 0.6, 0.5, 0.5, 0.0, 0.0], np.float32)
    voxels = np.tensordot(levels, tissues, 1)
    marked = np.zeros_like(mask)
    marked[14:21, 18:25, 18:25] = True
    marked &= mask
    if lesion:
        voxels[marked] = 1.0
    return replace(head, voxels=(voxels * mask)[None], modalities=(modality,), lesion=marked)


@pytest.fixture(scope="module")
def fitted():
    return make().fit(heads(), seed=0, run=Run(device="cpu"))


def test_windows_hold_the_slice_its_neighbours_the_mirror_the_place_and_the_name():
    volume = torch.rand(6, 5, 4, generator=torch.Generator().manual_seed(0))
    seen = windows_along(volume, 1, torch.tensor([2, 4]), torch.tensor([0.0, 1.0]))
    assert seen.shape == (2, 1 + len(NEIGHBOURS) + 1 + 3 + 2, 6, 4)
    assert torch.equal(seen[0, 0], volume[:, 2])
    assert torch.equal(seen[0, 2], volume[:, 1])
    assert torch.equal(seen[1, 4], volume[:, 4]), "beyond the end the last slice is repeated"
    assert torch.equal(seen[0, 5], volume.flip(0)[:, 2])
    assert torch.equal(seen[0, 6, :, 0], torch.linspace(-1, 1, 6))
    assert float(seen[1, 7, 0, 0]) == 1.0
    assert seen[0, 9].unique().tolist() == [0.0]
    assert seen[0, 10].unique().tolist() == [1.0]


def test_a_lesion_never_scanned_in_training_ranks_above_the_brain_around_it(fitted):
    ill = scan_of(head_case(9), lesion=True)
    values = fitted.score(ill).values
    inside, around = values[ill.lesion], values[ill.mask & ~ill.lesion]
    assert np.median(inside) > np.quantile(around, 0.9)


def test_the_map_is_float32_and_nan_outside_the_mask_only(fitted):
    case = scan_of(head_case(9))
    before = case.voxels.copy()
    found = fitted.score(case)
    assert found.values.dtype == np.float32
    assert np.array_equal(np.isnan(found.values), ~case.mask)
    np.testing.assert_array_equal(case.voxels, before)
    assert np.array_equal(found.values, fitted.score(case).values, equal_nan=True)


def test_each_plane_has_its_say(fitted):
    case = scan_of(head_case(9), lesion=True)
    maps = [make(planes=[axis]).load_state(fitted.state()).score(case).values for axis in range(3)]
    assert not np.allclose(maps[0], maps[1], equal_nan=True)
    assert not np.allclose(maps[1], maps[2], equal_nan=True)


def test_the_sequence_is_told(fitted):
    flair, t2w = (scan_of(head_case(9), name) for name in ("FLAIR", "T2w"))
    assert not np.allclose(fitted.score(flair).values, fitted.score(t2w).values, equal_nan=True)


def test_state_and_seed_come_back_to_the_bit(fitted):
    again = make().load_state(fitted.state())
    assert again.state_sha256() == fitted.state_sha256()
    case = scan_of(head_case(9))
    assert np.array_equal(again.score(case).values, fitted.score(case).values, equal_nan=True)
    assert (
        make(epochs=1).fit(heads(), seed=1).state_sha256()
        == make(epochs=1).fit(heads(), seed=1).state_sha256()
    )


def test_it_restores_the_whole_volume(fitted):
    case = scan_of(head_case(9))
    restored = fitted.judge(case).reconstruction
    assert restored.shape == case.voxels.shape
    assert restored.min() >= 0.0
    assert restored.max() <= 1.0


def test_what_is_no_head_is_refused_in_training_with_the_way_out():
    with pytest.raises(
        TrainingError, match="learns from tissue memberships, not from T1w; make them with `sanum tissues`"
    ):
        make().fit([prepared_case(0)], seed=0)
    with pytest.raises(TrainingError, match="multi-contrast: no training case"):
        make().fit([], seed=0)


def test_several_modalities_at_once_another_or_none_are_refused(fitted):
    case = scan_of(head_case(9))
    both = replace(case, voxels=np.repeat(case.voxels, 2, 0), modalities=("FLAIR", "T2w"))
    with pytest.raises(ScanError, match="one of T1w, T2w, FLAIR, PDw at a time; the case has FLAIR, T2w"):
        fitted.score(both)
    with pytest.raises(ScanError, match="the case has CT"):
        fitted.score(replace(case, modalities=("CT",)))
    with pytest.raises(ScanError, match="mask is empty"):
        fitted.score(replace(case, mask=np.zeros_like(case.mask)))


def test_before_training_and_with_a_foreign_state_it_says_so(fitted):
    with pytest.raises(NotFittedError, match="multi-contrast: not trained yet"):
        make().score(scan_of(head_case(9)))
    with pytest.raises(ModelFileError):
        make().load_state({})
    with pytest.raises(ModelFileError, match="made by another config"):
        make().load_state({"other": np.zeros(2)})


def test_an_unknown_plane_is_refused():
    with pytest.raises(ConfigError, match="planes: expected some of 0, 1 and 2"):
        make(planes=[3])


def a_model(tmp_path, detector, name):
    modalities = MRI_SEQUENCES if detector.incomplete == "each" else detector.modalities
    path = tmp_path / f"{name}.safetensors"
    save(Model(name, detector, Template(modalities=modalities, spacing=3.0, shape=SHAPE)), path)
    return str(path)


def test_an_expert_is_weighed_in_on_its_own_sequence_and_nowhere_else(fitted, tmp_path):
    kind = detector_class("intensity")
    expert = kind(from_dict(kind.Config, {"smoothing_mm": 1.0}), ("T1w",)).fit(
        [scan_of(head_case(0), "T1w")], seed=0
    )
    sources = {
        "network": a_model(tmp_path, fitted, "network"),
        "experts": [a_model(tmp_path, expert, "expert")],
    }
    both = make(**sources).fit(heads(), seed=0)
    t1w, flair = scan_of(head_case(9), "T1w"), scan_of(head_case(9))
    np.testing.assert_array_equal(both.score(flair).values, fitted.score(flair).values)
    general, own = both.experts_.heights[0]
    ours, theirs = fitted.score(t1w).values / general, expert.score(t1w).values / own
    mixed = np.maximum(ours, 1e-4) ** 0.3 * np.maximum(theirs, 1e-4) ** 0.7
    np.testing.assert_allclose(both.score(t1w).values, mixed, rtol=1e-5, atol=1e-6)
    again = make(**sources).load_state(both.state())
    np.testing.assert_array_equal(again.score(t1w).values, both.score(t1w).values)
    assert again.state_sha256() == both.state_sha256()
    with pytest.raises(ModelFileError, match="expected 1 experts"):
        make(**sources).load_state(fitted.state())


def test_an_expert_of_another_sequence_or_a_foreign_network_is_refused(fitted, tmp_path):
    kind = detector_class("intensity")
    other = kind(from_dict(kind.Config, {}), ("FLAIR",)).fit([scan_of(head_case(0))], seed=0)
    path = a_model(tmp_path, other, "other")
    network = a_model(tmp_path, fitted, "network")
    with pytest.raises(ConfigError, match="takes FLAIR; an expert takes T1w"):
        make(network=network, experts=[path]).fit(heads(), seed=0)
    with pytest.raises(ConfigError, match="no healthy scan to measure"):
        make(network=network, experts=[path]).fit([head_case(0, scan=False)], seed=0)
    for setting in ("network", "start"):
        with pytest.raises(ConfigError, match="expected a multi-contrast model of widths"):
            make(**{setting: path}).fit(heads(), seed=0)


def test_a_training_may_start_from_the_network_of_a_model_file(fitted, tmp_path):
    """One step at a rate of almost nothing leaves it as it was; from random weights it would be another."""
    path = a_model(tmp_path, fitted, "start")
    further = make(start=path, epochs=1, learning_rate=1e-9).fit(heads(), seed=3)
    for old, new in zip(fitted.net_.parameters(), further.net_.parameters(), strict=True):
        torch.testing.assert_close(new, old, rtol=2e-3, atol=1e-5)
    assert further.history_.epochs == 1
