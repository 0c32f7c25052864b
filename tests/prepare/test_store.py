"""A store gives back what was put in, names what is damaged, and opens fast."""

from __future__ import annotations

import dataclasses
import json
import time

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


def test_a_case_is_done_only_when_ready_and_made_from_the_same(store):
    store.write(a_case(), FIELDS)
    store.write_failure("bad", FIELDS, "why")
    assert store.is_done("case-0", "k1")
    assert not store.is_done("case-0", "k2")
    assert not store.is_done("bad", "k1")
    assert not store.is_done("never", "k1")


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
    assert store.is_done("case-0", "k1") == (name != "case.json")


@pytest.mark.parametrize("case", ["", "../x", "a/b", ".hidden", "tab\tname"])
def test_a_name_that_would_leave_the_folder_is_refused(store, case):
    with pytest.raises(CohortError, match="can't name a folder"):
        store.write_failure(case, FIELDS, "why")


def test_a_manifest_of_100_000_rows_opens_within_seconds(store):
    row = "\tsub\thealthy\ttrain\tA\t34\tF\tready\t\t70\t1.25\n"
    text = "\t".join(COLUMNS) + "\n" + "".join(f"case-{n}{row}" for n in range(100_000))
    (store.folder / "manifest.tsv").write_text(text)
    started = time.process_time()
    rows = Store.open(store.folder).manifest()
    assert len(rows) == 100_000
    assert time.process_time() - started < 3.0


def test_more_cases_open_at_once_than_the_soft_file_limit(store):
    """Every mapped array holds a file open; the usual soft limit of 1024 must not end a cohort."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 400:
        pytest.skip("the hard limit is too low here")
    store.write(a_case(), FIELDS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        cases = [store.load("case-0") for _ in range(100)]
        assert all(case.voxels.shape == cases[0].voxels.shape for case in cases)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
