"""A store gives back what was put in, names what is damaged, and opens fast."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from sanum.core.errors import CohortError
from sanum.core.records import Step
from sanum.prepare.presets import Slices, Template, preparation_sha256
from sanum.prepare.store import COLUMNS, Store
from tests.phantoms import prepared_case

SLICES = Slices()
FIELDS = {
    "label": "healthy",
    "split": "train",
    "site": "A",
    "age": "34",
    "sex": "F",
    "key": "k1",
    "seconds": "1.25",
}


def a_case(seed: int = 0, **changes):
    step = Step("align", {"dice": 0.95, "seconds": 1.5})
    return dataclasses.replace(
        prepared_case(seed, lesion=True), preparation=preparation_sha256(SLICES), steps=(step,), **changes
    )


@pytest.fixture
def store(tmp_path):
    return Store.create(tmp_path / "store", SLICES)


@pytest.mark.parametrize("lesion", [True, False])
def test_a_case_comes_back_to_the_bit(store, lesion):
    case = a_case() if lesion else a_case(lesion=None)
    store.write(case, FIELDS)
    again = Store.open(store.folder).load(case.case)
    for field in dataclasses.fields(case):
        old, new = getattr(case, field.name), getattr(again, field.name)
        if field.name in ("grid", "native"):
            assert new.same_as(old, 0.0)
        elif isinstance(old, np.ndarray):
            np.testing.assert_array_equal(new, old, err_msg=field.name)
            assert new.dtype == old.dtype
        else:
            assert new == old, field.name


def test_loaded_arrays_are_mapped_read_only_and_slices_are_contiguous(store):
    store.write(a_case(), FIELDS)
    case = store.load("case-0")
    assert isinstance(case.voxels, np.memmap)
    assert np.moveaxis(case.voxels[..., 2], 0, 0).flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        case.voxels[0, 0, 0, 0] = 1.0


def test_the_manifest_has_one_row_a_case(store):
    store.write(a_case(1), FIELDS)
    store.write_failure("case-9", {**FIELDS, "subject": "s9"}, "no brain\tmask\ngiven")
    store.write_manifest()
    ready, failed = store.manifest()
    assert (ready.case, ready.subject, ready.status, ready.reason) == ("case-1", "subject-1", "ready", "")
    assert (ready.label, ready.split, ready.site, ready.age, ready.sex) == (
        "healthy",
        "train",
        "A",
        "34",
        "F",
    )
    assert (ready.slices, ready.seconds) == (4, 1.25)
    assert (failed.case, failed.subject, failed.status, failed.slices) == ("case-9", "s9", "failed", 0)
    assert failed.reason == "no brain mask given"


def test_a_case_is_kept_only_when_ready_and_made_from_the_same(store):
    store.write(a_case(), FIELDS)
    store.write_failure("bad", FIELDS, "why")
    assert store.keeps("case-0", "k1", {})
    assert not store.keeps("case-0", "k2", {})
    assert not store.keeps("bad", "k1", {})
    assert not store.keeps("never", "k1", {})


def test_new_cohort_columns_are_taken_over_without_another_preparation(store):
    store.write(a_case(), FIELDS)
    arrays = store.folder / "cases" / "case-0" / "slices.npy"
    written = arrays.stat().st_mtime_ns
    assert store.keeps("case-0", "k1", {**FIELDS, "subject": "s7", "split": "test"})
    store.write_manifest()
    (row,) = store.manifest()
    assert (row.subject, row.split, row.site, row.seconds) == ("s7", "test", "A", 1.25)
    assert store.load("case-0").subject == "s7"
    assert arrays.stat().st_mtime_ns == written


def test_a_failure_takes_the_place_of_an_older_success(store):
    store.write(a_case(), FIELDS)
    store.write_failure("case-0", FIELDS, "scan was replaced by a whole head")
    with pytest.raises(CohortError, match="case-0: was not prepared: scan was replaced"):
        store.load("case-0")
    assert sorted(path.name for path in (store.folder / "cases" / "case-0").iterdir()) == ["case.json"]
    store.write(a_case(), FIELDS)
    assert store.load("case-0").case == "case-0"


def test_a_store_of_another_preparation_is_refused_by_field(store):
    assert Store.create(store.folder, Slices()).preparation == SLICES
    with pytest.raises(CohortError, match=r"another preparation \(trim 0.15 there, 0.2 wanted\)"):
        Store.create(store.folder, Slices(trim=0.2))
    with pytest.raises(CohortError, match="preset slices there, template wanted"):
        Store.create(store.folder, Template())
    with pytest.raises(CohortError, match="was not prepared by the preparation of"):
        store.write(prepared_case(), FIELDS)


def test_no_store_and_damaged_stores_are_named(store, tmp_path):
    with pytest.raises(CohortError, match=r"no prepared store here .*sanum prepare"):
        Store.open(tmp_path)
    with pytest.raises(CohortError, match=r"manifest.tsv: missing or damaged"):
        store.manifest()
    (store.folder / "manifest.tsv").write_text("\t".join(COLUMNS) + "\ncase\tonly two\n")
    with pytest.raises(CohortError, match=r"manifest.tsv: missing or damaged"):
        store.manifest()
    path = store.folder / "preparation.json"
    described = json.loads(path.read_text())
    described["preparation"]["trim"] = 0.2
    path.write_text(json.dumps(described))
    with pytest.raises(CohortError, match="settings and hash disagree"):
        Store.open(store.folder)
    path.write_text("{")
    with pytest.raises(CohortError, match=r"preparation.json: damaged"):
        Store.open(store.folder)


@pytest.mark.parametrize("name", ["slices.npy", "mask.npy", "lesion.npy", "case.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "text"])
def test_a_damaged_case_is_named(store, name, damage):
    store.write(a_case(), FIELDS)
    path = store.folder / "cases" / "case-0" / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"not what it was")
    with pytest.raises(CohortError, match="case-0"):
        store.load("case-0")
    assert store.keeps("case-0", "k1", {}) == (name != "case.json")


@pytest.mark.parametrize("case", ["", "../x", "a/b", ".hidden", "tab\tname"])
def test_a_name_that_would_leave_the_folder_is_refused(store, case):
    with pytest.raises(CohortError, match="can't name a folder"):
        store.write_failure(case, FIELDS, "why")


ROW = "case-{}\tsub\thealthy\ttrain\tA\t34\tF\tready\t\t70\t1.25\n"


def test_a_manifest_gives_its_rows_in_their_order(store):
    text = "\t".join(COLUMNS) + "\n" + "".join(ROW.format(n) for n in range(3))
    (store.folder / "manifest.tsv").write_text(text)
    assert [(row.case, row.slices, row.seconds) for row in store.manifest()] == [
        (f"case-{n}", 70, 1.25) for n in range(3)
    ]


def test_a_cell_that_is_no_number_is_named(store):
    text = "\t".join(COLUMNS) + "\n" + ROW.format(0) + ROW.format(1).replace("70", "many")
    (store.folder / "manifest.tsv").write_text(text)
    with pytest.raises(CohortError, match=r"manifest.tsv: missing or damaged \(case-1: invalid literal"):
        store.manifest()


def test_a_manifest_that_ends_within_a_line_is_refused(store):
    (store.folder / "manifest.tsv").write_text("\t".join(COLUMNS) + "\n" + ROW.format(0)[:-5])
    with pytest.raises(CohortError, match="a line is cut off"):
        store.manifest()


LOW_LIMIT = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
from sanum.prepare.store import Store
from sanum.training.data import Slices, split_subjects
cases = Store.open(Path(sys.argv[1])).cases([f"case-{n}" for n in range(80)])
training, validation = split_subjects(cases, 0.1, seed=0)
slices = Slices.of(training)
seen = sum(len(batch) for batch in slices.shuffled(32, seed=0, epoch=0))
kept = [case for case in cases[:3]]
print(seen, len(training), len(validation), len(cases[5:9]), kept[2].case)
"""


def test_training_reads_more_cases_than_the_process_may_have_open(store):
    """With 200 files and three a case, 80 cases never fit at once; the hard limit can't be raised."""
    pytest.importorskip("resource")
    for seed in range(80):
        store.write(a_case(seed), FIELDS)
    command = [sys.executable, "-c", LOW_LIMIT, str(store.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["288", "72", "8", "4", "case-2"]


def test_cases_that_stay_open_are_not_read_again(store):
    store.write(a_case(), FIELDS)
    cases = store.cases(["case-0", "case-0"])
    assert cases[0] is cases[1]
    assert [case.case for case in cases] == ["case-0", "case-0"]
    with pytest.raises(IndexError):
        cases[2]
