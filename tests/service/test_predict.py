"""`/v1/predict`: right answers at once, refusals that never read as normal, nothing leaked."""

from __future__ import annotations

import base64
import io
import threading
from dataclasses import replace

import pytest
from PIL import Image

from sanum.core.errors import ModelFileError, ScanError
from sanum.core.records import NOTICE
from tests.detections import abnormal, normal, refused
from tests.service.checks import check_problem
from tests.service.fakes import FakeModel, form, make


def test_an_abnormal_scan_gets_decision_numbers_findings_and_heatmap(service, scan):
    answer = service.client().post("/v1/predict", data=form(scan)).get_json()
    assert (answer["decision"], answer["abnormal"]) == ("abnormal", True)
    assert (answer["score"], answer["threshold"]) == (0.4, 0.2)
    assert answer["p_value"] == pytest.approx(1 / 21)
    assert answer["rule"] == {"name": "conformal", "level": 0.05}
    assert answer["findings"][0]["peak_mm"] == [-28.0, -40.0, 20.0]
    assert answer["notice"] == NOTICE
    assert Image.open(io.BytesIO(base64.b64decode(answer["heatmap"]))).format == "PNG"
    assert "finding 1" in answer["heatmap_shows"]


@pytest.mark.parametrize(
    ("detection", "choice", "drawn"),
    [
        (normal, None, False),
        (normal, "always", True),
        (normal, "never", False),
        (abnormal, "never", False),
        (abnormal, "abnormal", True),
    ],
)
def test_the_heatmap_comes_when_asked_for(detection, choice, drawn, tmp_path, scan):
    fields = {} if choice is None else {"heatmap": choice}
    service = make(tmp_path, FakeModel(lambda files: detection()))
    answer = service.client().post("/v1/predict", data=form(scan, **fields)).get_json()
    assert (answer["heatmap"] is not None) == drawn
    assert answer["abnormal"] is (detection is abnormal)


def test_a_refused_scan_is_422_and_never_normal(tmp_path, scan):
    service = make(tmp_path, FakeModel(lambda files: refused(f"{files['T1w']}: the mask has 12 ml")))
    response = service.client().post("/v1/predict", data=form(scan))
    problem = check_problem(response, 422, r"^T1w\.nii\.gz: the mask has 12 ml$")
    assert (problem["decision"], problem["abnormal"]) == ("refused", None)
    assert '"normal"' not in response.text


def test_an_unreadable_scan_is_refused_without_our_paths(tmp_path, scan):
    def fail(files):
        raise ScanError(f"{files['T1w']}: not gzip")

    response = make(tmp_path, FakeModel(fail)).client().post("/v1/predict", data=form(scan))
    check_problem(response, 422, r"^T1w\.nii\.gz: not gzip$")
    assert str(tmp_path) not in response.text


@pytest.mark.parametrize(
    "error", [RuntimeError("secret /srv/weights"), ModelFileError("secret /srv/weights")]
)
def test_a_server_fault_is_logged_and_not_told(error, tmp_path, scan, caplog):
    def fail(files):
        raise error

    response = make(tmp_path, FakeModel(fail)).client().post("/v1/predict", data=form(scan))
    check_problem(response, 500, "its log has the cause")
    assert "secret" not in response.text
    assert "secret" in caplog.text


def test_a_score_that_is_no_number_is_a_fault_not_an_answer(tmp_path, scan):
    service = make(tmp_path, FakeModel(lambda files: replace(normal(), score=float("nan"))))
    check_problem(service.client().post("/v1/predict", data=form(scan)), 500, "failed")


def test_two_modalities_come_by_field_name(tmp_path, scan):
    model = FakeModel(modalities=("CT", "T1w"))
    client = make(tmp_path, model).client()
    both = {"CT": (io.BytesIO(scan), "a"), "T1w": (io.BytesIO(scan), "b"), "heatmap": "never"}
    assert client.post("/v1/predict", data=both).status_code == 200
    assert sorted(model.asked[0]) == ["CT", "T1w"]
    check_problem(client.post("/v1/predict", data=form(scan)), 400, "name each file's field by its modality")
    check_problem(client.post("/v1/cases", data=form(scan, field="CT")), 400, "needs CT, T1w; T1w is missing")


def test_a_file_name_may_not_contradict_the_modality(service, scan):
    """A FLAIR scan sent to a T1w model must not be judged as T1w because its name was dropped."""
    response = service.client().post("/v1/predict", data=form(scan, name="sub-01_FLAIR.nii.gz"))
    check_problem(response, 422, "name says FLAIR, but it was sent as T1w")


def test_a_sender_may_vouch_for_what_a_scan_is_called(tmp_path, scan):
    model = FakeModel()
    client = make(tmp_path, model).client()
    client.post("/v1/predict", data=form(scan))
    client.post("/v1/predict", data=form(scan, as_called="yes"))
    assert model.vouched == [False, True]


def test_one_scan_at_a_time_and_the_rest_is_told_to_come_back(tmp_path, scan):
    started, go_on = threading.Event(), threading.Event()

    def slow(files):
        started.set()
        assert go_on.wait(20)
        return normal()

    service = make(tmp_path, FakeModel(slow), waiting=1, wait_seconds=0.2)
    first = threading.Thread(target=lambda: service.client().post("/v1/predict", data=form(scan)))
    first.start()
    assert started.wait(20)
    busy = service.client().post("/v1/predict", data=form(scan))
    check_problem(busy, 503, "try again later")
    assert busy.headers["Retry-After"] == "30"
    assert service.client().get("/healthz").status_code == 200
    go_on.set()
    first.join(20)
    assert service.client().post("/v1/predict", data=form(scan)).status_code == 200
