"""`/v1/cases`: from upload to deletion, repeats, full queues, lists."""

from __future__ import annotations

import json

from PIL import Image

from sanum.service import cases
from tests.detections import normal
from tests.service.checks import check_problem, finish
from tests.service.fakes import FakeModel, form, make, nifti


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
        def detect(self, files, /, *, case, **_):
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
