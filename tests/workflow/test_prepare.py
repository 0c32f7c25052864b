"""Preparing a cohort: one bad case stops nobody, and a second run does only what changed."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sanum.cohort.table import read_cohort
from sanum.core.errors import CohortError, StorageError
from sanum.prepare import pipeline, step_log
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow import prepare as verb
from sanum.workflow.prepare import prepare_cohort

SLICES = Slices(("T1w",))


@pytest.fixture
def small(cohort_path, tmp_path):
    """Three cases of the cohort in a folder of their own."""
    for number in range(3):
        shutil.copy(cohort_path.parent / f"c{number:02d}_T1w.nii.gz", tmp_path)
    lines = cohort_path.read_text().splitlines()[:4]
    (tmp_path / "cohort.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "cohort.tsv"


def statuses(cohort_path, folder, **kwargs):
    seen = {}
    prepare_cohort(
        read_cohort(cohort_path), folder, SLICES, on_done=lambda o: seen.update({o.case: o.status}), **kwargs
    )
    return seen


def test_slices_on_disk_are_what_the_classic_rule_says(store):
    case = store.folder / "cases" / "c00" / "slices.npy"
    slices = np.load(case, mmap_mode="r")
    assert slices.shape[1:] == (1, 128, 128)
    assert slices.dtype == np.float32
    assert slices.min() >= 0.0
    assert slices.max() <= 1.0


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_truncated_file_is_reported_and_stops_nobody(small, tmp_path, workers):
    broken = small.parent / "c01_T1w.nii.gz"
    broken.write_bytes(broken.read_bytes()[:3000])
    folder = tmp_path / "prepared"
    assert statuses(small, folder, workers=workers) == {"c00": "ready", "c01": "failed", "c02": "ready"}
    (failed,) = [row for row in Store.open(folder).manifest() if row.status == "failed"]
    assert "c01_T1w.nii.gz" in failed.reason


def test_a_second_run_keeps_what_is_done_and_takes_up_what_changed(small, tmp_path):
    folder = tmp_path / "prepared"
    statuses(small, folder, workers=1)
    assert set(statuses(small, folder, workers=1).values()) == {"kept"}
    shutil.copy(small.parent / "c02_T1w.nii.gz", small.parent / "c00_T1w.nii.gz")
    again = statuses(small, folder, workers=1)
    assert again == {"c00": "ready", "c01": "kept", "c02": "kept"}


def test_a_case_that_failed_is_tried_again(small, tmp_path):
    folder, broken = tmp_path / "prepared", small.parent / "c01_T1w.nii.gz"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:3000])
    statuses(small, folder, workers=1)
    broken.write_bytes(whole)
    assert statuses(small, folder, workers=1)["c01"] == "ready"


def test_another_preparation_does_not_enter_the_same_store(small, tmp_path):
    folder = tmp_path / "prepared"
    statuses(small, folder, workers=1)
    with pytest.raises(CohortError, match="trim"):
        prepare_cohort(read_cohort(small), folder, Slices(("T1w",), trim=0.2), workers=1)


def test_a_full_disk_stops_the_run_and_keeps_what_was_finished(small, tmp_path, monkeypatch):
    folder = tmp_path / "prepared"
    written = Store.write

    def fills_up(self, prepared, fields):
        if prepared.case == "c01":
            raise StorageError("c01: could not be written (No space left on device)")
        written(self, prepared, fields)

    monkeypatch.setattr(verb.Store, "write", fills_up)
    with pytest.raises(StorageError, match="No space left"):
        statuses(small, folder, workers=1)
    monkeypatch.undo()
    assert [row.case for row in Store.open(folder).manifest()] == ["c00"]
    assert statuses(small, folder, workers=1) == {"c00": "kept", "c01": "ready", "c02": "ready"}


def test_a_new_split_or_label_is_taken_over_without_another_preparation(small, tmp_path):
    folder = tmp_path / "prepared"
    statuses(small, folder, workers=1)
    small.write_text(small.read_text().replace("train", "test"))
    assert set(statuses(small, folder, workers=1).values()) == {"kept"}
    assert {row.split for row in Store.open(folder).manifest()} == {"test"}


def test_a_store_follows_its_table(small, tmp_path):
    """A case that the table has no longer is named and set aside, whatever becomes of the others."""
    folder, whole = tmp_path / "prepared", small.read_text()
    statuses(small, folder, workers=1)
    small.write_text("".join(line for line in whole.splitlines(True) if not line.startswith("c01")))
    assert statuses(small, folder, workers=1) == {"c00": "kept", "c01": "set aside", "c02": "kept"}
    store = Store.open(folder)
    assert [row.case for row in store.manifest()] == ["c00", "c02"]
    with pytest.raises(CohortError, match="c01: not in"):
        store.load("c01")
    assert statuses(small, folder, workers=1) == {"c00": "kept", "c02": "kept"}, "it is named once"
    small.write_text(whole)
    assert set(statuses(small, folder, workers=1).values()) == {"kept"}, "a row that comes back costs nothing"
    assert [row.case for row in store.manifest()] == ["c00", "c01", "c02"]


def test_what_was_set_aside_is_made_anew_when_its_scan_has_changed_meanwhile(small, tmp_path):
    folder, whole = tmp_path / "prepared", small.read_text()
    statuses(small, folder, workers=1)
    small.write_text("".join(line for line in whole.splitlines(True) if not line.startswith("c01")))
    statuses(small, folder, workers=1)
    shutil.copy(small.parent / "c02_T1w.nii.gz", small.parent / "c01_T1w.nii.gz")
    small.write_text(whole)
    assert statuses(small, folder, workers=1)["c01"] == "ready"


def test_an_unforeseen_failure_of_one_case_stops_nobody(small, tmp_path, monkeypatch):
    prepared = verb.prepare_scans

    def breaks(case, preparation, kept):
        if case.row.case == "c01":
            raise IndexError("index 7 is out of bounds")
        return prepared(case, preparation, kept)

    monkeypatch.setattr(verb, "prepare_scans", breaks)
    folder = tmp_path / "prepared"
    assert statuses(small, folder, workers=1) == {"c00": "ready", "c01": "failed", "c02": "ready"}
    reason = Store.open(folder).manifest()[1].reason
    assert reason.startswith("unforeseen IndexError (index 7 is out of bounds) in test_prepare.py, line")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ctrl_c_leaves_a_valid_store_that_the_next_run_goes_on_with(cohort_path, tmp_path):
    """As a terminal does it: the signal goes to the command and to all its workers.

    Every scan comes twelve times, so that the run lasts until the signal comes, even on a busy machine.
    """
    folder, many = tmp_path / "prepared", tmp_path / "many.tsv"
    header, *rows = cohort_path.read_text().splitlines()
    rows = [f"{copy}-{row}" for row in rows for copy in range(12)]
    text = "\n".join([header, *rows]) + "\n"
    many.write_text(re.sub(r"(?<=\t)(c\d\d_)", rf"{cohort_path.parent}/\1", text))
    command = [
        sys.executable,
        "-m",
        "sanum",
        "prepare",
        str(many),
        "--out",
        str(folder),
        "--workers",
        "2",
    ]
    for _ in range(3):  # on a machine that is busy enough the run may end before its signal comes
        shutil.rmtree(folder, ignore_errors=True)
        run = subprocess.Popen(
            command,
            start_new_session=True,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(
                signal.SIGINT, signal.SIG_DFL
            ),  # a job in the background ignores it
        )
        deadline = time.monotonic() + 120
        while not list(folder.glob("cases/*/case.json")) and time.monotonic() < deadline:
            time.sleep(0.01)
        in_time = run.poll() is None
        if in_time:
            os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=240)
        if in_time:
            break
    assert run.returncode == 130
    assert "stopped; what was finished is kept" in said
    assert "Traceback" not in said
    store = Store.open(folder)
    finished = [row.case for row in store.manifest()]
    assert 1 <= len(finished) < 144
    assert not list(folder.glob("cases/.partial*"))
    assert all(store.load(case).mask.any() for case in finished)
    again = statuses(many, folder, workers=1)
    assert sorted(case for case, status in again.items() if status == "kept") == sorted(finished)
    assert len(again) == 144


@pytest.fixture
def found(monkeypatch):
    """Cases whose brain was searched for; however fast that was, its result is kept."""
    searched, find = [], pipeline.find_brain

    def counted(scan, *rest):
        searched.append(Path(scan.source.path).name[:3])
        return find(scan, *rest)

    monkeypatch.setattr(step_log, "WORTH_KEEPING", 0.0)
    monkeypatch.setattr(pipeline, "find_brain", counted)
    return searched


def test_a_changed_setting_redoes_only_what_depends_on_it(small, tmp_path, found):
    cohort, first, second, fresh = read_cohort(small), tmp_path / "a", tmp_path / "b", tmp_path / "c"
    wider = replace(SLICES, trim=0.2, size=96)
    prepare_cohort(cohort, first, SLICES, workers=1)
    assert sorted(found) == ["c00", "c01", "c02"]
    prepare_cohort(cohort, second, wider, workers=1, reuse=[first])
    assert len(found) == 3
    prepare_cohort(cohort, fresh, wider, workers=1)
    assert len(found) == 6
    for case in ("c00", "c01", "c02"):
        for name in ("slices.npy", "mask.npy"):
            files = [folder / "cases" / case / name for folder in (second, fresh)]
            assert files[0].read_bytes() == files[1].read_bytes()
        reused, made = (
            next(step for step in Store.open(folder).load(case).steps if step.name == "brain_mask")
            for folder in (second, fresh)
        )
        assert reused.facts["kept"]
        assert {**reused.facts, "seconds": 0} == {**made.facts, "seconds": 0, "kept": True}


def test_what_a_kept_step_depends_on_makes_it_again(small, tmp_path, found, monkeypatch):
    cohort = read_cohort(small)
    prepare_cohort(cohort, tmp_path / "a", SLICES, workers=1)
    shutil.copy(small.parent / "c02_T1w.nii.gz", small.parent / "c00_T1w.nii.gz")
    prepare_cohort(cohort, tmp_path / "b", replace(SLICES, trim=0.1), workers=1, reuse=[tmp_path / "a"])
    assert len(found) == 3  # the new c00 has the bytes of c02
    strict = replace(SLICES, brain="given-or-extracted")
    prepare_cohort(cohort, tmp_path / "c", strict, workers=1, reuse=[tmp_path / "a"])
    assert len(found) == 5  # c00 and c02 are one file
    monkeypatch.setattr(verb.sanum, "__version__", "9.9")
    prepare_cohort(cohort, tmp_path / "d", SLICES, workers=1, reuse=[tmp_path / "a"])
    assert len(found) == 7
    with pytest.raises(CohortError, match="no prepared store here"):
        prepare_cohort(cohort, tmp_path / "e", SLICES, workers=1, reuse=[tmp_path / "nowhere"])


def test_a_reused_step_can_be_reused_in_its_turn(small, tmp_path, found):
    cohort = read_cohort(small)
    prepare_cohort(cohort, tmp_path / "a", SLICES, workers=1)
    prepare_cohort(cohort, tmp_path / "b", replace(SLICES, trim=0.1), workers=1, reuse=[tmp_path / "a"])
    shutil.rmtree(tmp_path / "a")
    prepare_cohort(cohort, tmp_path / "c", replace(SLICES, trim=0.2), workers=1, reuse=[tmp_path / "b"])
    assert len(found) == 3


def test_a_damaged_kept_step_is_made_again(small, tmp_path, found):
    cohort = read_cohort(small)
    prepare_cohort(cohort, tmp_path / "a", SLICES, workers=1)
    for path in (tmp_path / "a" / "steps").rglob("*.npz"):
        path.write_bytes(path.read_bytes()[:200])
    prepare_cohort(cohort, tmp_path / "b", SLICES, workers=1, reuse=[tmp_path / "a"])
    assert len(found) == 6
