"""`/v1/predict/batch`: many pictures, one answer each; and small bodies that never see a disk."""

from __future__ import annotations

import io
import os
import time

import pytest

from sanum.core.errors import ScanError
from sanum.service import launch, streaming
from sanum.service.metrics import SHARED
from tests.detections import abnormal, normal, refused
from tests.service.checks import check_problem
from tests.service.fakes import FakeModel, make, nifti


def files(*contents: bytes) -> dict:
    return {"file": [(io.BytesIO(content), f"{number}.nii.gz") for number, content in enumerate(contents)]}


@pytest.fixture
def scan(tmp_path) -> bytes:
    return nifti(tmp_path, shape=(8, 8, 8))


def test_each_file_has_its_answer_in_order(tmp_path, scan):
    found = iter([abnormal(), ScanError("no head"), normal(), refused("no contrast")])

    def judge(paths):
        one = next(found)
        if isinstance(one, Exception):
            raise one
        return one

    service = make(tmp_path, FakeModel(judge))
    sent = service.client().post("/v1/predict/batch", data=files(scan, scan, b"hello", scan, scan))
    assert sent.status_code == 200, sent.text
    answers = sent.get_json()["answers"]
    decisions = [one["prediction"] and one["prediction"]["decision"] for one in answers]
    assert decisions == ["abnormal", None, None, "normal", None]
    assert [one["problem"] and one["problem"]["status"] for one in answers] == [None, 422, 415, None, 422]
    assert answers[0]["prediction"]["heatmap"] is None
    assert (tmp_path / "audit.log").read_text().count("predict.batch") == 1
    assert list((tmp_path / "incoming").iterdir()) == []


def test_what_is_no_batch_is_told(tmp_path, scan):
    client = make(tmp_path).client()
    check_problem(client.post("/v1/predict/batch", data={"model": "demo"}), 400, "all in fields named 'file'")
    mixed = {**files(scan), "T1w": (io.BytesIO(scan), "a")}
    check_problem(client.post("/v1/predict/batch", data=mixed), 400, "all in fields named 'file'")
    check_problem(
        client.post("/v1/predict/batch", data=files(*[b"x"] * 65)), 413, "65 files are more than a batch"
    )
    check_problem(client.post("/v1/predict/batch", data=files(*[b"x"] * 90)), 413, "more than 68 parts")
    twice = {**files(scan), "model": ["demo", "demo"]}
    check_problem(client.post("/v1/predict/batch", data=twice), 422, "'model' came 2 times")
    pair = make(tmp_path / "pair", FakeModel(modalities=("CT", "T1w"))).client()
    check_problem(pair.post("/v1/predict/batch", data=files(scan)), 400, "a batch holds one file a case")


def test_a_small_body_that_nobody_keeps_is_never_on_the_disk(tmp_path, scan, monkeypatch):
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(streaming, "MEMORY", memory)
    seen = []
    service = make(tmp_path / "data", FakeModel(lambda paths: seen.append(paths["T1w"]) or abnormal()))
    client = service.client()
    assert client.post("/v1/predict", data=files(scan)).status_code == 200
    monkeypatch.setattr(streaming, "SMALL_BODY", 10)
    assert client.post("/v1/predict", data=files(scan)).status_code == 200
    assert [path.is_relative_to(memory) for path in seen] == [True, False]
    case = client.post("/v1/cases", data=files(scan))
    assert case.status_code == 202
    assert list(memory.iterdir()) == []


def test_what_a_killed_process_left_in_memory_is_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "MEMORY", tmp_path)
    for name in ("sanum-upload-old", "sanum-upload-new", "of-another"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, 0 if name != "sanum-upload-new" else time.time()))
    monkeypatch.setenv(SHARED, "")
    launch._clear_shared(launch.ServeConfig((), str(tmp_path / "of-another")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["of-another", "sanum-upload-new"]
