"""`evaluate_pairs` on made heads: every kind that a picture allows, score by score, beside other models."""

from dataclasses import replace

import numpy as np
import pytest

import sanum
from sanum.core.errors import CohortError
from sanum.core.records import Rule
from sanum.model import load, save
from sanum.prepare.presets import Slices, preparation_sha256
from sanum.prepare.store import Store
from sanum.synthesis.cross_modal import plant_cross
from sanum.workflow.detect import _doubts
from sanum.workflow.disagreement import with_modalities
from sanum.workflow.fit import calibrate, fit
from sanum.workflow.pair_scoring import as_taken, source_of
from sanum.workflow.pairs import PairOptions, evaluate_pairs
from tests.contracts.test_detectors import TINY
from tests.phantoms import pair_case

HOW = Slices(("CT", "T1w"), size=64, ct_windows=())
KINDS = ("bleed-on-CT", "metal-on-MR", "left-right-swap")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = Store.create(tmp_path_factory.mktemp("pairs") / "store", HOW)
    splits = ["train"] * 6 + ["calibration"] * 4 + ["test"] * 5
    for number, split in enumerate(splits):
        case = replace(pair_case(number), preparation=preparation_sha256(HOW))
        label = {len(splits) - 1: "unknown", len(splits) - 2: "lesion"}.get(number, "healthy")
        if label == "lesion":
            case = plant_cross(case, "metal-on-MR", "T1w", size=300.0)
        fields = dict.fromkeys(("site", "age", "sex", "seconds"), "")
        made.write(
            case, {"case": case.case, "subject": case.subject, "label": label, "split": split, **fields}
        )
    made.write_manifest()
    return made


@pytest.fixture(scope="module")
def model_path(store, tmp_path_factory):
    model = calibrate(fit(store, "cross-modal", TINY["cross-modal"]), store, rule=Rule("conformal", 0.2))
    path = tmp_path_factory.mktemp("models") / "pair.safetensors"
    save(model, path)
    return path


@pytest.fixture(scope="module")
def result(store, model_path, tmp_path_factory):
    beside = model_path.with_name("classic.safetensors")
    save(fit(store, "pair-classic", {**TINY["pair-cae"], "epochs": 1}), beside)
    out = tmp_path_factory.mktemp("out")
    how = PairOptions(kinds=KINDS, sizes=(400.0,), draws=20)
    return evaluate_pairs(model_path, store.folder, out, beside=[beside], options=how), out


def test_each_kind_has_a_row_for_each_score_of_each_model(result):
    found, _ = result
    assert {row.kind for row in found.rows} == {*KINDS, "re-paired", "not known to be healthy", "lesion"}
    scores = {row.score for row in found.rows if row.kind == "bleed-on-CT"}
    assert {
        "pair",
        "pair / CT: at odds",
        "pair / pair: mispaired",
        "pair / latent isolation forest",
        "pair / CT alone",
        "pair / T1w alone",
    } <= scores
    assert {"classic", "classic / CT: own", "classic / latent distance"} <= scores


def test_a_lesion_has_pixels_to_find_and_a_whole_modality_has_none(result):
    found, _ = result
    by_kind = {row.kind: row for row in found.rows if row.score == "pair"}
    assert by_kind["bleed-on-CT"].precision is not None
    assert by_kind["bleed-on-CT"].named_right is not None
    assert by_kind["left-right-swap"].precision is None
    assert by_kind["lesion"].precision is not None


def test_false_alarms_are_counted_at_the_level_the_calibration_supports(result):
    found, _ = result
    assert list(found.false_alarms) == ["pair, level 0.2"]


def test_tables_and_figures_are_written(result):
    _, out = result
    for name in (
        "pairs.json",
        "pairs.tsv",
        "cases.tsv",
        "distribution-score.svg",
        "distribution-mispaired.svg",
    ):
        assert (out / name).stat().st_size > 0
    header = (out / "pairs.tsv").read_text().splitlines()[0]
    assert header.split("\t")[:3] == ["kind", "score", "auroc"]


def test_a_model_of_one_modality_is_refused(store, tmp_path):
    single = Store.create(tmp_path / "single", Slices(("T1w",), size=64))
    for number in range(3):
        case = with_modalities(pair_case(number), ("T1w",))
        case = replace(case, preparation=preparation_sha256(single.preparation))
        fields = dict.fromkeys(("site", "age", "sex", "seconds"), "")
        single.write(
            case, {"case": case.case, "subject": case.subject, "label": "healthy", "split": "train", **fields}
        )
    single.write_manifest()
    path = tmp_path / "one.safetensors"
    save(fit(single, "intensity"), path)
    with pytest.raises(CohortError, match="takes T1w only; pairs need two modalities"):
        evaluate_pairs(path, store.folder)


def test_the_model_file_keeps_the_calibrations_for_single_modalities(model_path):
    model = load(model_path)
    assert set(model.single_calibrations) == {"CT", "T1w"}
    assert len(model.calibrated("CT").scores) == 4
    changed = model.with_rule(Rule("conformal", 0.5))
    assert changed.calibrated("T1w").rule.level == 0.5


def test_a_windowed_ct_alone_has_its_calibration_and_made_pairs_vouch_for_no_rate(tmp_path):
    how = replace(HOW, ct_windows=("bone",))
    made = Store.create(tmp_path / "made", how)
    for number, split in enumerate(["train"] * 4 + ["calibration"] * 3):
        case = replace(pair_case(number), preparation=preparation_sha256(how), modalities=("CT:bone", "T1w"))
        fields = dict.fromkeys(("age", "sex", "seconds"), "") | {"site": "made", "label": "healthy"}
        made.write(case, {"case": case.case, "subject": case.subject, "split": split, **fields})
    made.write_manifest()
    model = calibrate(fit(made, "pair-fit", TINY["pair-fit"]), made, rule=Rule("conformal", 0.3))
    assert model.calibrated_for(("CT:bone",)) == model.single_calibrations["CT:bone"]
    assert model.calibrated_for(("CT:bone", "T1w")) == model.calibration
    whole, alone = (_doubts(model, present) for present in (("CT", "T1w"), ("CT",)))
    assert [said.split(" behind")[0] for said in whole] == ["The healthy CT and T1w scans"]
    assert "T1w is missing, so CT was judged alone" in alone[0]
    assert alone[1].startswith("The healthy CT scans behind this p-value were made, not scanned")


def test_a_case_with_one_modality_is_judged_alone_with_a_warning(model_path, tmp_path):
    from PIL import Image

    case = pair_case(20)
    for name, voxels in zip(case.modalities, case.voxels, strict=True):
        Image.fromarray((np.rot90(voxels[..., 0]) * 255).astype(np.uint8)).save(tmp_path / f"a_{name}.png")
    mask = tmp_path / "mask.png"
    Image.fromarray((np.rot90(case.mask[..., 0]) * 255).astype(np.uint8)).save(mask)
    model = sanum.load(model_path)
    both = {name: tmp_path / f"a_{name}.png" for name in case.modalities}
    whole = model.detect(both, brain=mask)
    assert whole.status in ("normal", "abnormal"), whole.reason
    assert [side.modality for side in whole.sides] == ["CT", "T1w"]
    assert all(side.anomaly_map is not None for side in whole.sides)
    alone = model.detect({"CT": both["CT"]}, brain=mask)
    assert alone.status in ("normal", "abnormal"), alone.reason
    assert any("T1w is missing, so CT was judged alone" in warning for warning in alone.warnings)
    page = whole.save(tmp_path / "result") / "report.html"
    text = page.read_text()
    assert "CT, with its own map" in text
    assert "T1w, with its own map" in text


def test_a_narrower_window_of_ct_is_cut_out_of_a_wider_one_and_nothing_else():
    hu = np.linspace(-700.0, 1900.0, 64).reshape(8, 8, 1)
    case = pair_case(0, size=8)
    wide = replace(
        case,
        voxels=np.stack([(hu + 800.0) / 2800.0, np.full_like(hu, 0.5)]).astype(np.float32),
        mask=np.ones(hu.shape, bool),
        modalities=("CT:bone", "T1w"),
    )
    cut = as_taken(wide, ("CT:brain", "T1w"))
    assert cut.modalities == ("CT:brain", "T1w")
    assert np.allclose(cut.voxels[0], (hu / 80.0).clip(0, 1), atol=1e-4)
    assert np.array_equal(cut.voxels[1], wide.voxels[1])
    assert source_of("CT:bone", ("CT:brain", "T1w")) is None
    assert source_of("CT", ("CT:bone",)) is None
    assert source_of("FLAIR", ("CT:bone", "T1w")) is None


def test_a_model_whose_channels_the_store_lacks_is_refused(store, model_path, tmp_path):
    other = Store.create(tmp_path / "other", replace(HOW, ct_windows=("bone",)))
    with pytest.raises(
        CohortError, match="takes CT, T1w, the store holds CT:bone, T1w; of CT a narrower window"
    ):
        evaluate_pairs(model_path, other.folder)
