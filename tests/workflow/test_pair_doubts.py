"""The pair score tells folders whose equal names show different heads, or exchanged sides, from true pairs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from sanum.cli.app import app
from sanum.cohort.discover import discover
from sanum.cohort.table import Cohort, Row, read_cohort
from sanum.core.errors import CohortError
from sanum.core.shipped import find_model
from sanum.formats import write_volume
from sanum.model import load, save
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow import pair_doubts
from sanum.workflow.fit import fit
from sanum.workflow.one_head import OneHead
from sanum.workflow.pair_doubts import COLUMN, Doubt, PairDoubts, check_pairs, marked
from sanum.workflow.prepare import prepare_cohort
from tests.detectors.test_pair_fit import QUICK, pair_case
from tests.phantoms import brain_scan

PICTURES = Slices(("CT", "T1w"), size=64, region="head", ct_windows=())
MIDDLE = 6
HURRIED = {"lessons": {**QUICK["lessons"], "boost": {"trees": 2, "leaves": 4, "least_leaf": 10}}}
"""The scores of the pair are not taught: they need healthy pairs, not trees."""


def picture(plane):
    return Image.fromarray((np.rot90(np.pad(plane, 8)) * 255).astype(np.uint8))


def folder(root, seeds, partner=0, flipped=False):
    """CT and MRI of one head a number; the MRI of the head `partner` further on, or with its sides exchanged."""
    heads = [np.asarray(pair_case(seed).voxels)[..., MIDDLE] for seed in seeds]
    for name in ("CT", "MRI"):
        (root / name).mkdir(parents=True)
    for number, (ct, _) in enumerate(heads):
        mri = heads[(number + partner) % len(heads)][1]
        picture(ct).save(root / "CT" / f"{number}.png")
        picture(mri[::-1] if flipped else mri).save(root / "MRI" / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    root = tmp_path_factory.mktemp("pairs")
    cohort = discover(folder(root / "known", range(20)), label="healthy")
    learning = replace(cohort, rows=tuple(replace(row, split="train") for row in cohort))
    prepare_cohort(learning, root / "store", PICTURES, workers=1)
    path = root / "pairs.safetensors"
    save(fit(Store.open(root / "store"), "pair-fit", HURRIED), path)
    return path


@pytest.fixture(scope="module")
def model(model_path):
    return load(model_path)


def test_true_pairs_are_pairs(model, tmp_path):
    found = check_pairs(discover(folder(tmp_path / "new", range(30, 40))), model)
    assert found.judged == 10
    assert found.really
    assert len(found.doubts) <= 2


def test_another_head_under_the_same_number_is_called_out(model, tmp_path):
    found = check_pairs(discover(folder(tmp_path / "new", range(30, 40), partner=3)), model)
    assert not found.really
    assert found.sentence().startswith(
        f"NOT REALLY PAIRED: {model.name} tells {len(found.doubts)} of 10 pairs"
    )


def test_exchanged_sides_are_called_out_by_their_own_score(model, tmp_path):
    found = check_pairs(discover(folder(tmp_path / "new", range(30, 40), flipped=True)), model)
    assert not found.really
    assert {one.by for one in found.doubts} >= {"mirrored"}


def test_a_few_wrong_pairs_among_true_ones_are_named_in_sentence_and_table(model, tmp_path):
    true = discover(folder(tmp_path / "new", range(30, 40)))
    scans = true.rows[0].scans | {"T1w": true.rows[5].scans["T1w"]}
    mixed = replace(true, rows=(replace(true.rows[0], scans=scans), *true.rows[1:]))
    found = check_pairs(mixed, model)
    assert found.really
    assert found.doubts[0].case == mixed.rows[0].case
    assert f"look at these first: {mixed.rows[0].case} (" in found.sentence()
    table = marked(mixed, found)
    assert table.rows[0].extra[COLUMN] == str(found.doubts[0])
    assert [row.case for row in table if COLUMN in row.extra] == [
        one.case for one in true if one.case in {d.case for d in found.doubts}
    ]


def test_the_command_lists_each_file_apart_where_the_score_says_so(model_path, tmp_path):
    """Sides exchanged everywhere: mutual information of small pictures sees it less surely than the score does."""
    root = folder(tmp_path / "new", range(30, 36), flipped=True)
    out = tmp_path / "cohort.tsv"
    done = CliRunner().invoke(app, ["cohort", str(root), "--out", str(out), "--pair-model", str(model_path)])
    assert done.exit_code == 0, done.output
    assert "NOT REALLY PAIRED: pairs tells" in done.output.replace("\n", " ")
    assert {len(row.scans) for row in read_cohort(out)} == {1}


def test_pairs_that_cannot_be_compared_are_counted(model, tmp_path):
    root = folder(tmp_path / "new", range(30, 34))
    Image.new("L", (9, 9)).save(root / "MRI" / "2.png")
    found = check_pairs(discover(root), model)
    assert (found.judged, len(found.refused)) == (3, 1)
    assert "; 1 could not be compared" in found.sentence()


def test_models_that_cannot_be_asked_are_refused(model, tmp_path):
    cohort = discover(folder(tmp_path / "new", range(30, 34)))
    with pytest.raises(CohortError, match="takes CT, T1w, the rows of nowhere have FLAIR"):
        check_pairs(Cohort(Path("nowhere"), (), ("FLAIR",)), model)
    store = Store.create(tmp_path / "store", PICTURES)
    prepare_cohort(
        replace(cohort, rows=tuple(replace(row, split="train", label="healthy") for row in cohort)),
        store.folder,
        PICTURES,
        workers=1,
    )
    with pytest.raises(CohortError, match="has no score of the pair; give a model of recipe pair-fit or"):
        check_pairs(cohort, replace(model, detector=fit(store, "intensity").detector, name="plain"))


def test_a_model_of_each_modality_asks_ct_beside_mri_of_volumes(monkeypatch, tmp_path):
    """By made pairs of whole heads: `sanum-pair` has no score of the pair of its own."""
    shown = brain_scan(modality=None)
    for name in ("a_CT", "a_FLAIR", "b_CT"):
        write_volume(tmp_path / f"{name}.nii.gz", shown.voxels, shown.grid)
    rows = (
        Row("a", "a", {"CT": tmp_path / "a_CT.nii.gz", "FLAIR": tmp_path / "a_FLAIR.nii.gz"}),
        Row("b", "b", {"CT": tmp_path / "b_CT.nii.gz"}),
    )
    cohort, model = Cohort(tmp_path, rows, ("CT", "FLAIR")), load(find_model(Path("sanum-pair")))
    answers = {"unexplained": 0.2, "mirrored": 4.0, "displaced": 0.3}
    monkeypatch.setattr(pair_doubts, "one_head", lambda ct, mri: OneHead(mri.modality, answers))
    found = check_pairs(cohort, model)
    assert found.judged == 1
    assert [(one.case, one.by) for one in found.doubts] == [("a", "mirrored")]
    assert found.doubts[0].decades == pytest.approx(4.0 - np.log10(3.0))
    monkeypatch.setattr(pair_doubts, "one_head", lambda ct, mri: None)
    assert "no whole head with skull and scalp" in check_pairs(cohort, model).refused["a"]


def test_pictures_are_for_a_model_of_pictures(tmp_path):
    found = check_pairs(discover(folder(tmp_path / "new", range(2))), load(find_model(Path("sanum-pair"))))
    assert all("by a model of pictures only" in said for said in found.refused.values())
    assert len(found.refused) == 2


def test_the_sentence_says_what_chance_would_do():
    few = PairDoubts("m", 40, (Doubt("a", 2.04, "mirrored"),), {})
    assert few.sentence() == (
        "pairs checked: m tells 1 of 40 pairs from pairs of one head (by chance about 2); look at these first: "
        "a (2.0 decades, left and right exchanged?)"
    )
    assert PairDoubts("m", 40, (), {}).sentence().endswith("(by chance about 2)")
