"""The service from outside: right answers, one error shape, nothing kept, nothing leaked."""

import base64
import io
import json
import re
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from sanum.core.errors import ConfigError, ModelFileError, ScanError
from sanum.core.records import NOTICE
from sanum.service.app import create_app
from sanum.service.settings import Settings
from tests.detections import abnormal, normal, refused
from tests.phantoms import brain_scan
from tests.report.html_checks import check_page, words
from tests.service.fakes import FakeModel


@pytest.fixture(autouse=True)
def private_temporary_folder(tmp_path, monkeypatch):
    """Every test ends with an empty temporary folder: uploads are deleted, also after errors."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


def client(model=None, **limits):
    return create_app(model or FakeModel(), Settings(**limits)).test_client()


def post(browser, name="scan.nii.gz", content=b"voxels", to="/v1/predict", **fields):
    return browser.post(to, data={"file": (io.BytesIO(content), name), **fields})


def check_problem(response, status: int, detail: str) -> dict:
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    problem = json.loads(response.data)
    assert problem["status"] == status
    assert problem["type"].startswith("urn:sanum:problem:")
    assert problem["title"]
    assert re.search(detail, problem["detail"]), problem["detail"]
    assert "Traceback" not in response.text
    return problem


def test_an_abnormal_scan_gets_decision_numbers_findings_and_heatmap():
    answer = post(client(FakeModel(lambda path: abnormal()))).get_json()
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
def test_the_heatmap_comes_when_asked_for(detection, choice, drawn):
    fields = {} if choice is None else {"heatmap": choice}
    answer = post(client(FakeModel(lambda path: detection())), **fields).get_json()
    assert (answer["heatmap"] is not None) == drawn
    assert answer["abnormal"] is (detection is abnormal)


def test_a_refused_scan_is_422_and_never_normal():
    browser = client(FakeModel(lambda path: refused(f"{path}: the mask has 12 ml")))
    response = post(browser)
    problem = check_problem(response, 422, r"^upload\.nii\.gz: the mask has 12 ml$")
    assert (problem["decision"], problem["abnormal"]) == ("refused", None)
    assert '"normal"' not in response.text


def test_an_unreadable_scan_is_refused_without_our_paths(tmp_path):
    def fail(path):
        raise ScanError(f"{path}: not gzip")

    response = post(client(FakeModel(fail)))
    check_problem(response, 422, r"^upload\.nii\.gz: not gzip$")
    assert str(tmp_path) not in response.text


@pytest.mark.parametrize(
    "error", [RuntimeError("secret /srv/weights"), ModelFileError("secret /srv/weights")]
)
def test_a_server_fault_is_logged_and_not_told(error, caplog):
    def fail(path):
        raise error

    response = post(client(FakeModel(fail)))
    check_problem(response, 500, "its log has the cause")
    assert "secret" not in response.text
    assert "secret" in caplog.text


def test_a_score_that_is_no_number_is_a_fault_not_an_answer():
    broken = FakeModel(lambda path: replace(normal(), score=float("nan")))
    check_problem(post(client(broken)), 500, "failed")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.nii.gz",
        "/etc/cron.d/x.nii.gz",
        "a\\..\\b.nii.gz",
        "$(rm -rf).NII.GZ",
        "\u202e.nii.gz",
    ],
)
def test_client_names_never_reach_the_file_system(name, tmp_path):
    model = FakeModel()
    assert post(client(model), name=name).status_code == 200
    ((path, content, _),) = model.asked
    assert path.name == "upload.nii.gz"
    assert path.parent.parent == tmp_path.resolve()
    assert content == b"voxels"


def test_the_private_folder_is_private():
    modes = []
    model = FakeModel(lambda path: modes.append(path.parent.stat().st_mode & 0o777) or normal())
    post(client(model))
    assert modes == [0o700]


def test_the_modality_is_passed_on():
    model = FakeModel()
    post(client(model), modality="FLAIR")
    post(client(model), modality="")
    assert [modality for _, _, modality in model.asked] == ["FLAIR", None]


def test_a_file_name_tells_the_modality_unless_the_form_does():
    """A T1w scan sent to a FLAIR model must not be judged as FLAIR because its name was dropped."""
    model = FakeModel()
    post(client(model), name="sub-01_T1w.nii.gz")
    post(client(model), name="sub-01_T1w.nii.gz", modality="FLAIR")
    assert [modality for _, _, modality in model.asked] == ["T1w", "FLAIR"]


def test_requests_that_are_not_understood():
    browser = client()
    check_problem(browser.post("/v1/predict"), 400, "Expected multipart/form-data .* got nothing")
    check_problem(browser.post("/v1/predict", json={"file": "a"}), 400, "got application/json")
    check_problem(
        browser.post("/v1/predict", data=b"\x00\xff", content_type="multipart/form-data"),
        400,
        "Expected one file",
    )
    check_problem(browser.post("/v1/predict", data={"heatmap": (io.BytesIO(b""), "")}), 400, "got 0")
    check_problem(post(browser, name=""), 400, "got 0")
    check_problem(post(browser, content=b""), 400, "The file is empty")
    check_problem(post(browser, modalty="T1w"), 400, "Unknown field 'modalty'; did you mean 'modality'")
    check_problem(post(browser, modality="t1"), 400, "Unknown modality 't1'")
    check_problem(post(browser, heatmap="yes"), 400, "heatmap: expected one of abnormal, always, never")
    two = {"file": [(io.BytesIO(b"a"), "a.nii"), (io.BytesIO(b"b"), "b.nii")]}
    check_problem(browser.post("/v1/predict", data=two), 400, "Expected one file .* got 2")


@pytest.mark.parametrize("name", ["scan.exe", "scan", ".nii.gz.sh", "scan.nii.gz\x00.txt", "scan.zip"])
def test_unknown_suffixes_are_415(name):
    model = FakeModel()
    check_problem(post(client(model), name=name), 415, r"\.nii\.gz")
    assert model.asked == []


def test_too_large_is_413_and_never_reaches_the_model():
    model = FakeModel()
    check_problem(post(client(model, max_upload_mb=1), content=b"x" * 1_000_001), 413, r"\(1 MB\)")
    assert model.asked == []


def test_a_flood_of_form_fields_is_refused():
    fields = {f"field-{number}": "x" for number in range(500)}
    response = client().post("/v1/predict", data=fields, content_type="multipart/form-data")
    assert response.status_code == 413


def test_unknown_addresses_and_methods_have_the_same_error_shape():
    check_problem(client().get("/nothing"), 404, "POST /v1/predict")
    check_problem(client().get("/v1/predict"), 405, "does not answer GET")
    check_problem(client().delete("/"), 405, "does not answer DELETE")


def test_health_and_card():
    assert client().get("/healthz").get_json() == {"status": "ok"}
    card = client().get("/v1/model").get_json()
    assert card["calibration"]["subjects"] == 20
    assert card["notice"] == NOTICE


@pytest.mark.parametrize("address", ["/healthz", "/v1/model", "/", "/nothing"])
def test_every_answer_has_the_headers(address):
    headers = client().get(address).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_the_form_works_without_scripts_and_gives_the_report():
    browser = client(FakeModel(lambda path: abnormal()))
    form = browser.get("/")
    check_page(form.text)
    policy = form.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    report = post(browser, to="/", modality="")
    assert report.status_code == 200
    check_page(report.text)
    assert "Abnormal: departs from the healthy reference" in words(report.text)
    assert report.headers["Content-Security-Policy"] == policy


def test_the_report_page_does_not_tell_our_paths(tmp_path):
    def answer(path):
        scan = replace(brain_scan(), source=replace(brain_scan().source, path=str(path)))
        return normal(scan)

    report = post(client(FakeModel(answer)), to="/")
    assert "upload.nii.gz" in report.text
    assert str(tmp_path) not in report.text


def test_form_errors_come_back_as_a_page():
    browser = client(FakeModel(lambda path: refused("too thin")), max_upload_mb=1)
    for response, status, part in [
        (post(browser, to="/"), 422, "too thin"),
        (post(browser, to="/", name="<b>.exe"), 415, "reads files that end in"),
        (post(browser, to="/", content=b"x" * 1_000_001), 413, "larger than"),
    ]:
        assert response.status_code == status
        check_page(response.text)
        assert part in words(response.text)


def test_one_scan_at_a_time_and_the_rest_is_told_to_come_back():
    started, go_on = threading.Event(), threading.Event()

    def slow(path):
        started.set()
        assert go_on.wait(10)
        return normal()

    app = create_app(FakeModel(slow), Settings(max_waiting=0))
    first = threading.Thread(target=lambda: post(app.test_client()))
    first.start()
    assert started.wait(10)
    busy = post(app.test_client())
    check_problem(busy, 503, "try again later")
    assert busy.headers["Retry-After"] == "30"
    assert app.test_client().get("/healthz").status_code == 200
    go_on.set()
    first.join(10)
    assert post(app.test_client()).status_code == 200


def test_limits_are_checked():
    with pytest.raises(ConfigError, match="max_upload_mb: expected 1 or more, got 0"):
        Settings(max_upload_mb=0)
    with pytest.raises(ConfigError, match="max_wait_seconds"):
        Settings(max_wait_seconds=0)
    with pytest.raises(ConfigError, match="max_waiting"):
        Settings(max_waiting=-1)


def test_names_of_uploads_have_no_home(tmp_path):
    """The suffix comes from our list even where the client's differs in case."""
    model = FakeModel()
    post(client(model), name="A.PNG")
    assert Path(model.asked[0][0]).name == "upload.png"
