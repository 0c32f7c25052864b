"""What the policy no longer keeps is gone, and nothing else."""

from __future__ import annotations

import os
import time

import pytest

from sanum.core.errors import ConfigError
from sanum.service import cases
from sanum.service.audit import AuditLog
from sanum.service.case_folder import CaseFolders
from sanum.service.retention import Retention, sweep
from tests.service.fakes import form, make, nifti


@pytest.fixture
def service(tmp_path):
    return make(tmp_path)


def ended_case(service) -> cases.Case:
    sent = service.client().post("/v1/cases", data=form(nifti(service.data, shape=(8, 8, 8))))
    case = cases.begin(service.engine, sent.get_json()["id"])
    results = CaseFolders(service.data).results(case)
    results.mkdir()
    for name in ("detection.json", "scan.nii.gz", "scan-CT.nii.gz", "restored.nii.gz"):
        (results / name).write_text("{}")
    cases.end(service.engine, case, "done", decision="normal")
    return cases.get(service.engine, case.id)


def run_sweep(service, **policy) -> None:
    sweep(
        service.engine, CaseFolders(service.data), Retention(**policy), AuditLog(service.data / "audit.log")
    )


def test_inputs_and_their_copy_go_first_results_stay(service):
    case, folders = ended_case(service), CaseFolders(service.data)
    run_sweep(service, inputs_hours=0.0, cases_days=1.0)
    assert not folders.inputs(case.id).exists()
    seen = service.client().get(f"/v1/cases/{case.id}").get_json()
    assert seen["inputs_kept"] is False
    assert list(seen["results"]) == ["detection.json"]
    assert '"inputs.expire"' in (service.data / "audit.log").read_text()


def test_then_the_case_goes_with_everything(service):
    case = ended_case(service)
    run_sweep(service, inputs_hours=0.0, cases_days=0.0)
    assert cases.get(service.engine, case.id) is None
    assert list((service.data / "cases").iterdir()) == []


def test_young_and_unfinished_cases_stay(service):
    ended = ended_case(service)
    waiting = (
        service.client().post("/v1/cases", data=form(nifti(service.data, shape=(8, 8, 8)))).get_json()["id"]
    )
    run_sweep(service, inputs_hours=1.0, cases_days=1.0)
    run_sweep(service, inputs_hours=1.0, cases_days=1.0)
    folders = CaseFolders(service.data)
    assert all(folders.inputs(name).exists() for name in (ended.id, waiting))
    assert cases.get(service.engine, ended.id).inputs_kept


def test_leftovers_of_interrupted_uploads_go_after_an_hour(service):
    folders = CaseFolders(service.data)
    old, young = folders.incoming / "old", folders.incoming / "young"
    stray = service.data / "cases" / ("0" * 32)
    for folder in (old, young, stray):
        folder.mkdir()
    long_ago = time.time() - 7200
    for folder in (old, stray):
        os.utime(folder, (long_ago, long_ago))
    run_sweep(service)
    assert (old.exists(), young.exists(), stray.exists()) == (False, True, False)


def test_negative_times_are_refused():
    with pytest.raises(ConfigError, match="retention: expected 0 or more, got -1"):
        Retention(inputs_hours=-1)
