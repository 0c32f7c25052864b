"""From label maps and T1w scans to heads, from heads to made scans, from made scans to a calibration that says so."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from sanum.core.errors import CalibrationError, CohortError
from sanum.core.records import Rule
from sanum.model import load, save
from sanum.prepare.presets import Heads, Template, judged_as, preparation_sha256
from sanum.prepare.store import Store
from sanum.synthesis.tissues import HEAD_CHANNELS, TISSUES
from sanum.training.run import Run
from sanum.workflow.evaluate import evaluate
from sanum.workflow.fit import calibrate, fit, make_rule, recalibrate
from sanum.workflow.plant import Planting, plant_store
from sanum.workflow.render import render_store
from sanum.workflow.tissues import make_heads
from tests.detectors.test_multi_contrast import TINY
from tests.heads import SHAPE, head_case

FREESURFER = dict(zip(TISSUES, (4, 24, 3, 2, 10, 8, 16, 31, 507, 515), strict=True))


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Four heads to train on and three to calibrate on."""
    store = Store.create(tmp_path_factory.mktemp("heads"), Heads(spacing=3.0, shape=SHAPE))
    for seed in range(7):
        case = head_case(seed)
        split = "train" if seed < 4 else "calibration"
        store.write(case, {"case": case.case, "subject": case.case, "label": "healthy", "split": split})
    store.write_manifest()
    return store


@pytest.fixture(scope="module")
def model(heads):
    return fit(heads, "multi-contrast", {**TINY, "epochs": 2}, run=Run(device="cpu"))


def test_a_store_of_heads_keeps_channels_in_half_precision_and_its_own_identity(heads):
    case = heads.load("head-0")
    assert case.modalities == HEAD_CHANNELS
    assert case.voxels.dtype == np.float16
    reopened = Store.open(heads.folder)
    assert isinstance(reopened.preparation, Heads)
    plain = Template(spacing=3.0, shape=SHAPE)
    assert preparation_sha256(plain) != preparation_sha256(reopened.preparation)


def test_a_model_of_heads_takes_scans_of_any_sequence(heads, model):
    assert model.preparation == judged_as(heads.preparation)
    assert type(model.preparation) is Template
    assert model.preparation.modalities == ("T1w", "T2w", "FLAIR", "PDw")


def test_made_scans_are_healthy_of_one_sequence_and_each_a_subject(heads, tmp_path):
    store = render_store(heads.folder, tmp_path / "flair", "FLAIR", scans=2)
    rows = list(store.manifest())
    assert len(rows) == len({row.subject for row in rows}) == 6
    assert {(row.label, row.split, row.site) for row in rows} == {("healthy", "calibration", "made")}
    again = render_store(heads.folder, tmp_path / "again", "FLAIR", scans=2)
    first = rows[0].case
    np.testing.assert_array_equal(store.load(first).voxels, again.load(first).voxels)


def test_calibration_goes_modality_by_modality_and_tells_made_from_scanned(heads, model, tmp_path):
    flair = render_store(heads.folder, tmp_path / "flair", "FLAIR", scans=7)
    calibrated = calibrate(model, flair, rule=make_rule("conformal", 0.1))
    assert set(calibrated.single_calibrations) == {"FLAIR"}
    assert calibrated.facts["calibrated_on_made"] == ["FLAIR"]
    t2w = render_store(heads.folder, tmp_path / "t2w", "T2w", scans=7)
    both = calibrate(calibrated, t2w, rule=make_rule("conformal", 0.1))
    assert set(both.single_calibrations) == {"FLAIR", "T2w"}
    assert len(both.calibrated("FLAIR").scores) == 21
    with pytest.raises(CalibrationError, match="not calibrated for cases with T1w alone"):
        both.calibrated("T1w")
    path = tmp_path / "model.safetensors"
    save(both, path)
    again = recalibrate(path, None, level=0.2, out=path)
    assert again.calibration is None
    assert {one.rule for one in again.single_calibrations.values()} == {Rule("conformal", 0.2)}


def test_a_store_of_one_modality_is_evaluated_by_its_own_calibration(heads, model, tmp_path):
    """Planted lesions in made FLAIR scans: the model is judged as a model of FLAIR."""
    flair = render_store(heads.folder, tmp_path / "flair", "FLAIR", scans=7)
    path = tmp_path / "model.safetensors"
    save(calibrate(model, flair, rule=make_rule("conformal", 0.1)), path)
    healthy = render_store(heads.folder, tmp_path / "healthy", "FLAIR", scans=1, seed=9)
    planted = plant_store(healthy.folder, tmp_path / "planted", Planting(size=20.0), split="calibration")
    found = evaluate(path, planted.folder, tmp_path / "evaluation", draws=20)
    assert (found.healthy, found.lesion) == (3, 3)
    narrow = load(path).suited_to(flair.preparation)
    assert narrow.preparation.modalities == ("FLAIR",)
    np.testing.assert_array_equal(narrow.calibrated().scores, load(path).calibrated("FLAIR").scores)
    with pytest.raises(CalibrationError, match="not calibrated for cases with T2w alone"):
        load(path).suited_to(replace(flair.preparation, modalities=("T2w",)))


def test_a_store_of_another_preparation_can_not_calibrate(model, tmp_path):
    other = Store.create(tmp_path / "other", Template(modalities=("FLAIR", "T1w"), spacing=3.0, shape=SHAPE))
    with pytest.raises(
        CalibrationError, match="judges T1w, T2w, FLAIR, PDw one by one; give a store of one of them"
    ):
        calibrate(model, other, rule=Rule("conformal", 0.1))
    with pytest.raises(CalibrationError, match="prepared otherwise than model"):
        calibrate(
            model,
            Store.create(tmp_path / "fine", Template(modalities=("FLAIR",))),
            rule=Rule("conformal", 0.1),
        )


def test_only_heads_can_be_rendered(tmp_path):
    Store.create(tmp_path / "plain", Template())
    with pytest.raises(CohortError, match="holds no heads; make them with `sanum tissues`"):
        render_store(tmp_path / "plain", tmp_path / "out", "T2w")


@pytest.mark.slow
def test_label_maps_become_heads_and_held_out_ones_teach_nothing(tmp_path):
    """A real template brain as label map: the only shape here that registration accepts."""
    from sanum.prepare.template import icbm152

    template = icbm152()
    labels = np.zeros(template.grid.shape, np.int16)
    labels[template.brain] = FREESURFER["csf"]
    labels[template.brain & (template.grey > 0.4)] = FREESURFER["cortex"]
    labels[template.brain & (template.white > 0.5)] = FREESURFER["white"]
    files = [tmp_path / f"{name}.nii.gz" for name in ("one", "two")]
    for file in files:
        nib.save(nib.Nifti1Image(labels, template.grid.affine), file)
    scans = Store.create(tmp_path / "t1", Template(spacing=3.0, shape=(64, 64, 48)))
    scans.write_manifest()
    told: list[str] = []
    store = make_heads(
        tmp_path / "heads", scans=scans.folder, labels=files, held_out=["two"], on_done=told.append
    )
    assert told == ["one", "two"]
    assert {row.case: row.split for row in store.manifest()} == {"one": "train", "two": "test"}
    head = store.load("one")
    tissues = np.asarray(head.voxels[1:-1], np.float32)
    assert not head.voxels[0].any(), "a label map has no scan"
    assert tissues[TISSUES.index("white")].sum() > 0.2 * head.mask.sum()
    with pytest.raises(CohortError, match="no label map to make a tissue prior of"):
        make_heads(tmp_path / "none", scans=scans.folder, labels=files, held_out=["one", "two"])


def test_scans_become_heads_by_the_prior_of_the_label_maps(heads, tmp_path):
    case = head_case(0)
    scan = np.asarray(case.voxels[:1], np.float32)
    t1w = Template(spacing=3.0, shape=SHAPE)
    plain = replace(case, voxels=scan, modalities=("T1w",), preparation=preparation_sha256(t1w))
    from sanum.workflow.tissues import _of_scan

    prior = 0.8 * np.asarray(case.voxels[1:-1], np.float32) + 0.02
    made = _of_scan(plain, prior, heads)
    found = np.asarray(made.voxels[1:-1], np.float32)
    truth = np.asarray(case.voxels[1:-1], np.float32)
    assert (found.argmax(0) == truth.argmax(0))[case.mask].mean() > 0.97
