"""The API from outside: right answers, one error shape, nothing kept that should not be, nothing leaked."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from sanum.core.errors import ConfigError, ModelFileError, ScanError
from sanum.core.records import NOTICE
from sanum.service import cases
from sanum.service.case_folder import CaseFolders
from sanum.service.case_judge import Judge, attempt
from sanum.service.limits import Limits
from sanum.service.tokens import make_token, revoke_token
from tests.detections import abnormal, normal, refused
from tests.report.html_checks import outline
from tests.service.fakes import FakeModel, form, make, nifti

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> bytes:
    return nifti(tmp_path_factory.mktemp("scan"), shape=(32, 32, 16))


@pytest.fixture
def service(tmp_path):
    return make(tmp_path)


def check_problem(response, status: int, detail: str) -> dict:
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    problem = json.loads(response.data)
    assert problem["status"] == status
    assert problem["type"].startswith("urn:sanum:problem:")
    assert problem["title"]
    assert re.search(detail, problem["detail"]), problem["detail"]
    assert "Traceback" not in response.text
    return problem


def finish(service, model, case_id: str) -> None:
    """Do the worker's part in this process."""
    judge = Judge({"demo": Path("demo")}, load=lambda path: model)
    assert attempt(service.engine, CaseFolders(service.data), judge, cases.begin(service.engine, case_id))


# /v1/predict


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


# /v1/cases


def test_a_case_from_upload_to_deletion(service, model_path, tmp_path):
    from sanum.service.models import FileModel

    client = service.client()
    sent = client.post("/v1/cases", data=form(nifti(tmp_path), label="my case"))
    assert sent.status_code == 202
    case = sent.get_json()
    assert (case["status"], case["label"], case["results"]) == ("queued", "my case", {})
    address = sent.headers["Location"]
    check_problem(client.get(address + "/report.html"), 404, "the case is queued")
    finish(service, FileModel.load(model_path), case["id"])
    case = client.get(address).get_json()
    assert (case["status"], case["progress"]) == ("done", 1.0)
    assert case["decision"] in ("normal", "abnormal")
    for name, media in [
        ("detection.json", "application/json"),
        ("overlay.png", "image/png"),
        ("report.html", "text/html"),
    ]:
        response = client.get(case["results"][name])
        assert (response.status_code, response.mimetype) == (200, media)
    detection = client.get(case["results"]["detection.json"])
    assert detection.get_json()["provenance"]["sources"][0]["path"] == "T1w.nii.gz"
    assert str(tmp_path) not in detection.text + client.get(case["results"]["report.html"]).text
    assert client.get(case["results"]["scan.nii.gz"]).data[:2] == b"\x1f\x8b"
    check_problem(client.get(address + "/restored.nii.gz"), 404, "the case has none")
    check_problem(client.get(address + "/audit.log"), 404, "No result is called so")
    assert client.delete(address).status_code == 204
    check_problem(client.get(address), 404, "No case has this id")
    assert list((service.data / "cases").iterdir()) == []


def test_an_image_gives_a_map_that_the_viewer_can_show(tmp_path, service):
    from sanum.core.records import AnomalyMap
    from sanum.formats import read_scan
    from sanum.workflow.detect import CaseDetection

    Image.effect_noise((40, 30), 80).save(tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()

    class ImageModel(FakeModel):
        def detect(self, files, /, *, case, on_stage=None):
            scan = read_scan(files["T1w"])
            found = normal()
            known = {
                name: getattr(found, name)
                for name in ("status", "provenance", "score", "threshold", "p_value", "rule")
            }
            heat = AnomalyMap(case, scan.voxels / 255, scan.grid, "fake")
            return CaseDetection(
                case, anomaly_map=heat, map_scale=(0.1, 1.0), is_image=True, scan=scan, **known
            )

    client = service.client()
    case_id = client.post("/v1/cases", data=form(content, name="x.png")).get_json()["id"]
    finish(service, ImageModel(), case_id)
    assert {"anomaly_map.nii.gz", "scan.nii.gz", "overlay.png"} <= set(
        client.get(f"/v1/cases/{case_id}").get_json()["results"]
    )


def test_events_tell_the_end_and_then_stop(service, scan):
    client = service.client()
    case_id = client.post("/v1/cases", data=form(scan)).get_json()["id"]
    case = cases.begin(service.engine, case_id)
    cases.end(service.engine, case, "failed", error="because")
    response = client.get(f"/v1/cases/{case_id}/events")
    assert response.mimetype == "text/event-stream"
    assert response.text.count("event: case") == 1
    assert json.loads(response.text.split("data: ")[1])["error"] == "because"


def test_the_same_key_makes_one_case(service, scan):
    client = service.client()
    key = {"Idempotency-Key": "order-66"}
    first = client.post("/v1/cases", data=form(scan), headers=key)
    again = client.post("/v1/cases", data=form(scan), headers=key)
    assert first.get_json()["id"] == again.get_json()["id"]
    assert [first.headers["Idempotency-Replayed"], again.headers["Idempotency-Replayed"]] == ["false", "true"]
    assert len(list((service.data / "cases").iterdir())) == 1
    other = nifti(service.data, seed=5, shape=(32, 32, 16))
    check_problem(
        client.post("/v1/cases", data=form(other), headers=key), 422, "came before with another file"
    )
    check_problem(
        client.post("/v1/cases", data=form(scan), headers={"Idempotency-Key": "a b"}),
        400,
        "printable characters",
    )


def test_a_full_queue_is_429_and_keeps_nothing(tmp_path, scan):
    service = make(tmp_path, queue=1)
    client = service.client()
    assert client.post("/v1/cases", data=form(scan)).status_code == 202
    full = client.post("/v1/cases", data=form(scan))
    check_problem(full, 429, "send it again later")
    assert int(full.headers["Retry-After"]) >= 1
    assert len(list((service.data / "cases").iterdir())) == 1
    assert list((service.data / "incoming").iterdir()) == []


def test_lists_have_pages_and_filters(service, scan):
    client = service.client()
    names = [client.post("/v1/cases", data=form(scan)).get_json()["id"] for _ in range(3)]
    page = client.get("/v1/cases?limit=2").get_json()
    rest = client.get(f"/v1/cases?limit=2&after={page['next']}").get_json()
    assert [case["id"] for case in page["cases"] + rest["cases"]] == names[::-1]
    assert rest["next"] is None
    assert client.get("/v1/cases?status=done").get_json()["cases"] == []
    check_problem(client.get("/v1/cases?limit=0"), 422, "limit: Input should be greater")
    check_problem(client.get("/v1/cases?after=zzz"), 400, "after: expected the place")


# errors, headers, pages


def test_requests_that_are_not_understood(service, scan):
    client = service.client()
    check_problem(client.post("/v1/predict"), 400, "Expected a file")
    check_problem(client.post("/v1/predict", json={"file": "a"}), 400, "Expected a file")
    check_problem(client.post("/v1/predict", data=form(b"")), 400, "is empty")
    check_problem(client.post("/v1/predict", data=form(scan, modalty="T1w")), 422, "modalty: Extra inputs")
    check_problem(client.post("/v1/predict", data=form(scan, heatmap="yes")), 422, "heatmap: Input should be")
    check_problem(client.post("/v1/cases", data=form(scan, label="x" * 121)), 422, "label: .*at most 120")
    check_problem(client.post("/v1/cases", data=form(scan, model="dmeo")), 404, "did you mean 'demo'")
    check_problem(client.post("/v1/cases", data=form(scan, field="T2w")), 400, "needs T1w; T1w is missing")
    check_problem(client.post("/v1/cases", data=form(scan, field="../../x")), 422, "not a field for files")


def test_several_models_must_be_named(tmp_path, scan):
    service = make(tmp_path, {"one": FakeModel(), "two": FakeModel()})
    client = service.client()
    check_problem(client.post("/v1/predict", data=form(scan)), 400, "name one of one, two")
    assert client.post("/v1/predict", data=form(scan, model="two", heatmap="never")).status_code == 200
    assert [model["name"] for model in client.get("/v1/models").get_json()["models"]] == ["one", "two"]
    check_problem(client.get("/v1/model"), 400, "name one of")
    assert client.get("/v1/model?name=two").get_json()["notice"] == NOTICE


def test_unknown_addresses_and_methods_have_the_same_error_shape(service):
    client = service.client()
    check_problem(client.get("/nothing"), 404, "/docs")
    check_problem(client.get("/v1/predict"), 405, "does not answer GET")
    check_problem(client.delete("/"), 405, "does not answer DELETE")
    check_problem(client.get("/v1/cases/../../etc/passwd"), 404, "")
    check_problem(client.get("/viewer/..%2f..%2fapp.py"), 404, "")


def test_state_of_the_service(service):
    client = service.client()
    assert client.get("/healthz").get_json()["status"] == "ok"
    problem = check_problem(client.get("/readyz"), 503, "worker: none is running")
    assert problem["checks"]["database"] == "ok"
    text = client.get("/metrics").text
    assert 'sanum_cases{status="queued"} 0.0' in text
    assert 'sanum_requests_total{method="GET",route="/readyz",status="503"} 1.0' in text


@pytest.mark.parametrize(
    "address", ["/healthz", "/v1/models", "/", "/docs", "/nothing", "/openapi.json", "/v1/cases"]
)
def test_every_answer_has_the_headers(service, address):
    headers = service.client().get(address).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_api_page_tells_every_route_without_scripts(service):
    page = service.client().get("/docs")
    found = outline(page.text)
    assert "script" not in [tag for tag, _ in found.tags]
    for path in service.app.spec["paths"]:
        assert path in page.text
    assert service.app.spec["paths"]["/v1/cases"]["post"]["responses"]["429"]["content"].keys() == {
        "application/problem+json"
    }


def test_the_service_does_not_import_torch():
    """Torch comes with the models, never with the service's modules."""
    code = "import sys, sanum.service.app, sanum.service.launch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# who may do what


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_scopes(service, scan):
    secrets = {scope: make_token(service.engine, scope, [scope]) for scope in ("submit", "read", "admin")}
    client = service.client()
    for address in ("/v1/cases", "/v1/models", "/metrics"):
        check_problem(client.get(address), 401, "Authorization: Bearer")
        check_problem(client.get(address, headers=bearer(secrets["submit"])), 403, "scopes")
        assert client.get(address, headers=bearer(secrets["read"])).status_code == 200
    check_problem(client.post("/v1/cases", data=form(scan), headers=bearer(secrets["read"])), 403, "scopes")
    sent = client.post("/v1/cases", data=form(scan), headers=bearer(secrets["submit"]))
    assert sent.status_code == 202
    check_problem(client.delete(sent.headers["Location"], headers=bearer(secrets["read"])), 403, "scopes")
    assert client.delete(sent.headers["Location"], headers=bearer(secrets["admin"])).status_code == 204
    check_problem(client.get("/v1/cases", headers=bearer("sanum_wrong")), 401, "valid")
    revoke_token(service.engine, "read")
    check_problem(client.get("/v1/cases", headers=bearer(secrets["read"])), 401, "valid")
    assert client.get("/healthz").status_code == 200


def test_beyond_loopback_nothing_is_open_without_tokens(tmp_path):
    check_problem(make(tmp_path, loopback=False).client().get("/v1/cases"), 401, "token")


def test_the_audit_log_names_who_and_which_case_but_no_file_and_no_label(service, scan):
    secret = make_token(service.engine, "alice", ["admin"])
    client = service.client()
    sent = client.post(
        "/v1/cases", data=form(scan, name="Doe^Jane_T1w.nii.gz", label="Jane Doe"), headers=bearer(secret)
    )
    client.delete(sent.headers["Location"], headers=bearer(secret))
    client.get("/v1/cases", headers=bearer("sanum_stolen"))
    text = (service.data / "audit.log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["who"], line["action"]) for line in lines] == [
        ("alice", "case.submit"),
        ("alice", "case.delete"),
        ("unknown", "token.refused"),
    ]
    assert {line["case"] for line in lines[:2]} == {sent.get_json()["id"]}
    assert "Doe" not in text
    assert "stolen" not in text
    assert (service.data / "audit.log").stat().st_mode & 0o077 == 0


def test_a_token_that_asks_too_often_is_slowed_down(tmp_path):
    service = make(tmp_path, requests_per_minute=5)
    secret = make_token(service.engine, "eager", ["read"])
    answers = [service.client().get("/v1/cases", headers=bearer(secret)) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost"}, 202),
        ({"Host": "evil.example"}, 400),
    ],
)
def test_pages_of_other_sites_can_use_no_browser_to_get_in(service, scan, headers, status):
    assert service.client().post("/v1/cases", data=form(scan), headers=headers).status_code == status


def test_limits_are_checked():
    with pytest.raises(ConfigError, match=r"limits: upload_mb: expected above 0, got 0"):
        Limits(upload_mb=0)
    with pytest.raises(ConfigError, match=r"queue: expected above 0, got nan"):
        Limits(queue=float("nan"))
