"""What the service says about itself, its error shape, and the headers of every answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sanum.core.records import NOTICE
from tests.report.html_checks import outline
from tests.service.checks import check_problem
from tests.service.fakes import FakeModel, form, make

ROOT = Path(__file__).resolve().parents[2]


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
