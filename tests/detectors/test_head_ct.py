"""The inside of the skull on CT: learns from heads, reads Hounsfield units from the windows, keeps the contract."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.config import from_dict
from sanum.core.errors import ConfigError, ModelFileError, NotFittedError, ScanError, TrainingError
from sanum.core.modalities import TABLE
from sanum.detectors import detector_class
from sanum.model import Model, save
from sanum.prepare.presets import Template, judged_as
from sanum.prepare.steps.scale import windowed
from sanum.synthesis.made_volumes import VolumeAugmentation
from sanum.synthesis.tissues import TISSUES
from sanum.training.run import Run
from tests.heads import SHAPE, head_case
from tests.phantoms import prepared_case

CHANNELS = ("CT:brain", "CT:subdural", "CT:bone")
STILL = dict.fromkeys(VolumeAugmentation.__dataclass_fields__, 0.0)
TINY = {
    "widths": [16, 24],
    "epochs": 20,
    "batch": 3,
    "learning_rate": 0.01,
    "smoothing_mm": 0.0,
    "windows": {"contrasts": 3, "each": 24, "batch": 12, "easy_steps": 0, "margin": 0},
    "plan": {
        "augmentation": STILL,
        "blood": 0.0,
        "lesions": {"healthy": 0.0, "mildest": 0.8, "smallest": 60, "largest": 600},
        "scans": {"noise": 1.0, "shine": 0.0, "bands": 0.0, "leak": 0.0},
    },
}
LEVELS = {"ventricle": 8.0, "csf": 10.0, "cortex": 37.0, "white": 29.0, "deep-grey": 38.0}


def make(**changed):
    kind = detector_class("head-ct")
    return kind(from_dict(kind.Config, {**TINY, **changed}), CHANNELS)


def heads(count=3):
    return [head_case(seed, scan=False) for seed in range(count)]


def ct_of(head, bleed=False):
    """A head as CT in its three windows; 75 HU in a ball where it bleeds."""
    levels = np.array([LEVELS.get(name, 35.0) for name in TISSUES], np.float32)
    hu = np.tensordot(levels, np.asarray(head.voxels[1:-1], np.float32), 1)
    marked = np.zeros_like(head.mask)
    marked[14:21, 18:25, 18:25] = True
    marked &= head.mask
    if bleed:
        hu[marked] = 75.0
    windows = TABLE["CT"].windows
    voxels = np.stack([windowed(hu, windows[name.split(":")[1]]) * head.mask for name in CHANNELS])
    return replace(head, voxels=voxels, modalities=CHANNELS, lesion=marked)


@pytest.fixture(scope="module")
def fitted():
    return make().fit(heads(), seed=0, run=Run(device="cpu"))


def test_a_bleed_ranks_above_the_brain_around_it(fitted):
    ill = ct_of(head_case(9, scan=False), bleed=True)
    before = ill.voxels.copy()
    found = fitted.score(ill)
    inside, around = found.values[ill.lesion], found.values[ill.mask & ~ill.lesion]
    assert np.median(inside) > np.quantile(around, 0.9)
    assert found.values.dtype == np.float32
    assert np.array_equal(np.isnan(found.values), ~ill.mask)
    np.testing.assert_array_equal(ill.voxels, before)


def test_the_restored_volume_comes_in_the_windows_of_the_case(fitted):
    case = ct_of(head_case(9, scan=False))
    restored = fitted.judge(case).reconstruction
    assert restored.shape == case.voxels.shape
    assert (restored.min(), restored.max()) >= (0.0, 0.0)
    assert restored.max() <= 1.0
    inner = case.mask & (case.voxels[0] > 0.3)
    assert np.abs(restored[0] - case.voxels[0])[inner].mean() < 0.15


def test_state_and_seed_come_back_to_the_bit(fitted):
    again = make().load_state(fitted.state())
    assert again.state_sha256() == fitted.state_sha256()
    case = ct_of(head_case(9, scan=False))
    np.testing.assert_array_equal(again.score(case).values, fitted.score(case).values)
    first, second = (make(epochs=1).fit(heads(), seed=1).state_sha256() for _ in range(2))
    assert first == second


def test_of_heads_it_judges_ct(fitted):
    heads_of = judged_as(Template(), detector_class("head-ct").of_heads)
    assert heads_of == Template(), "what is not a store of heads stays as it is"
    assert fitted.of_heads == ("CT",)
    assert Template(("CT",)).channels == fitted.modalities


def test_a_training_may_start_from_the_network_of_a_model_file(fitted, tmp_path):
    path = tmp_path / "start.safetensors"
    save(Model("start", fitted, Template(("CT",), spacing=3.0, shape=SHAPE)), path)
    further = make(start=str(path), epochs=1, learning_rate=1e-9).fit(heads(), seed=3)
    for old, new in zip(fitted.net_.parameters(), further.net_.parameters(), strict=True):
        np.testing.assert_allclose(new.detach(), old.detach(), rtol=2e-3, atol=1e-5)
    with pytest.raises(ConfigError, match="expected a head-ct model of widths"):
        make(start=str(path), widths=[8, 8]).fit(heads(), seed=0)


def test_what_is_no_head_is_refused_in_training_with_the_way_out():
    with pytest.raises(
        TrainingError, match="head-ct learns from tissue memberships, not from T1w; make them"
    ):
        make().fit([prepared_case(0)], seed=0)
    with pytest.raises(TrainingError, match="head-ct: no training case"):
        make().fit([], seed=0)


def test_other_channels_no_mask_and_no_training_are_refused(fitted):
    case = ct_of(head_case(9, scan=False))
    with pytest.raises(ScanError, match="takes CT:brain, CT:subdural, CT:bone; the case has T1w"):
        fitted.score(replace(case, voxels=case.voxels[:1], modalities=("T1w",)))
    with pytest.raises(ScanError, match="mask is empty"):
        fitted.score(replace(case, mask=np.zeros_like(case.mask)))
    with pytest.raises(NotFittedError, match="head-ct: not trained yet"):
        make().score(case)
    with pytest.raises(ModelFileError):
        make().load_state({})


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"planes": [3]}, "planes: expected some of 0, 1 and 2"), ({"smoothing_mm": -1.0}, "smoothing_mm")],
)
def test_impossible_settings_are_refused(changed, told):
    with pytest.raises(ConfigError, match=told):
        make(**changed)
