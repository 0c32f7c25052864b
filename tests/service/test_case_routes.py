"""`/v1/cases`: from upload to deletion, repeats, full queues, lists."""

from __future__ import annotations

import errno
import gzip
import io
import json
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from PIL import Image

from sanum.service import cases
from sanum.service.case_folder import CaseFolders
from sanum.service.jobs import JobQueue
from tests.detections import normal
from tests.service.checks import check_problem, finish
from tests.service.fakes import FakeModel, form, make, nifti


def test_a_case_from_upload_to_deletion(service, model_path, tmp_path):
    from sanum.service.models import load_served

    client = service.client()
    sent = client.post("/v1/cases", data=form(nifti(tmp_path), label="my case"))
    assert sent.status_code == 202
    case = sent.get_json()
    assert (case["status"], case["label"], case["results"]) == ("queued", "my case", {})
    address = sent.headers["Location"]
    check_problem(client.get(address + "/report.html"), 404, "the case is queued")
    finish(service, load_served(model_path), case["id"])
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


KEPT = ("status", "provenance", "score", "threshold", "p_value", "rule")


def judged(*warnings: str):
    """What a model answers of a volume, without volumes."""
    from sanum.workflow.detect import CaseDetection

    found = normal()
    return CaseDetection("c", warnings=warnings, **{name: getattr(found, name) for name in KEPT})


def test_an_image_gives_a_map_that_the_viewer_can_show(tmp_path, service):
    from sanum.core.records import AnomalyMap
    from sanum.formats import read_scan
    from sanum.workflow.detect import CaseDetection

    Image.effect_noise((40, 30), 80).save(tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()

    class ImageModel(FakeModel):
        def judge(self, row, **_):
            scan = read_scan(row.scans["T1w"])
            found = normal()
            known = {name: getattr(found, name) for name in KEPT}
            heat = AnomalyMap(row.case, scan.voxels / 255, scan.grid, "fake")
            return CaseDetection(
                row.case, anomaly_map=heat, map_scale=(0.1, 1.0), is_image=True, scan=scan, **known
            )

    client = service.client()
    case_id = client.post("/v1/cases", data=form(content, name="x.png")).get_json()["id"]
    finish(service, ImageModel(), case_id)
    assert {"anomaly_map.nii.gz", "scan.nii.gz", "overlay.png"} <= set(
        client.get(f"/v1/cases/{case_id}").get_json()["results"]
    )


def test_the_other_scan_of_a_pair_lies_beside_the_first(tmp_path):
    """The viewer shows both; which of the two the map lies on is told."""
    from sanum.core.records import Side
    from sanum.formats import read_scan
    from sanum.workflow.detect import CaseDetection

    class PairModel(FakeModel):
        def judge(self, row, **_):
            scans = {name: read_scan(path) for name, path in row.scans.items()}
            known = {name: getattr(normal(), name) for name in KEPT}
            sides = tuple(Side(name, scan, None) for name, scan in scans.items())
            return CaseDetection(row.case, modality="CT", scan=scans["CT"], sides=sides, **known)

    service = make(tmp_path / "data", PairModel(modalities=("CT", "T1w")))
    client = service.client()
    contents = {name: nifti(tmp_path, seed, shape=(32, 32, 16)) for seed, name in enumerate(("CT", "T1w"))}
    sent = {name: (io.BytesIO(content), f"{name}.nii.gz") for name, content in contents.items()}
    case_id = client.post("/v1/cases", data=sent).get_json()["id"]
    finish(service, PairModel(), case_id)
    results = client.get(f"/v1/cases/{case_id}").get_json()["results"]
    assert {"scan.nii.gz", "scan-T1w.nii.gz"} <= set(results)
    assert "scan-CT.nii.gz" not in results
    assert client.get(results["detection.json"]).get_json()["modality"] == "CT"
    shown = [
        gzip.decompress(client.get(results[name]).data)[352:] for name in ("scan.nii.gz", "scan-T1w.nii.gz")
    ]
    assert shown == [gzip.decompress(contents[name])[352:] for name in ("CT", "T1w")]


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
        422,
        "printable characters",
    )


def test_a_case_keeps_that_its_sender_vouched_for_it(tmp_path, scan):
    model = FakeModel(lambda files: judged())
    service = make(tmp_path, model)
    client, key = service.client(), {"Idempotency-Key": "once"}
    case = client.post("/v1/cases", data=form(scan, as_called="yes"), headers=key).get_json()
    assert case["modalities"] == ["T1w"]
    check_problem(client.post("/v1/cases", data=form(scan), headers=key), 422, "came before with another")
    finish(service, model, case["id"])
    assert model.vouched == [True]
    assert list(model.asked[0]) == ["T1w"]


def test_a_case_and_its_place_in_the_list_say_what_speaks_against_the_decision(tmp_path, scan):
    told = "T1w: looks more like FLAIR (70% sure)."
    model = FakeModel(lambda files: judged(told))
    service = make(tmp_path, model)
    client = service.client()
    case = client.post("/v1/cases", data=form(scan)).get_json()
    assert case["warnings"] == []
    finish(service, model, case["id"])
    assert client.get(f"/v1/cases/{case['id']}").get_json()["warnings"] == [told]
    (listed,) = client.get("/v1/cases").get_json()["cases"]
    assert listed["warnings"] == [told]


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


@pytest.mark.parametrize("text", ["Jane\0", "a\x1b[2J", "a\u202eb", "a\nb", "\u2066"])
def test_text_that_would_show_other_than_it_is_is_refused(service, scan, text):
    """NUL also because PostgreSQL takes none: it was a 500 there, and the statement was logged with the label."""
    client = service.client()
    told = "control characters"
    check_problem(client.post("/v1/cases", data=form(scan, label=text)), 422, f"label: .*{told}")
    check_problem(client.post("/v1/cases", data=form(scan, model=text)), 422, f"model: .*{told}")
    check_problem(client.get("/v1/cases", query_string={"after": text}), 422, f"after: .*{told}")
    check_problem(client.get("/v1/cases", query_string={"model": text}), 422, f"model: .*{told}")
    check_problem(client.get("/v1/model", query_string={"name": text}), 422, f"name: .*{told}")


def test_labels_may_be_of_any_script(service, scan):
    for label in ("Fall 17 – Größe", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u8133 1"):
        assert service.client().post("/v1/cases", data=form(scan, label=label)).get_json()["label"] == label


def test_a_database_that_is_away_is_503_and_its_log_has_no_label(service, scan, monkeypatch, caplog):
    """What was uploaded stays then: the database may have kept the case without being able to say so."""
    broken = sqlite3.OperationalError("database is locked")
    broken.sqlite_errorcode = sqlite3.SQLITE_BUSY

    def submit(_queue, submission):
        wrapped = sa.exc.OperationalError("INSERT", {"label": submission.label}, broken, hide_parameters=True)
        raise wrapped from broken

    monkeypatch.setattr(JobQueue, "submit", submit)
    answer = service.client().post("/v1/cases", data=form(scan, label="Jane Doe"))
    check_problem(answer, 503, "database does not answer; the same request may succeed later")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Doe" not in caplog.text
    assert len(list((service.data / "cases").iterdir())) == 1


def test_a_disk_without_room_is_503_and_nothing_of_the_upload_stays(service, scan, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(CaseFolders, "accept", full)
    answer = service.client().post("/v1/cases", data=form(scan))
    check_problem(answer, 503, "disk is full")
    assert int(answer.headers["Retry-After"]) >= 1
    monkeypatch.undo()
    monkeypatch.setattr(Path, "mkdir", full)
    check_problem(service.client().post("/v1/cases", data=form(scan)), 503, "disk is full")
    assert list((service.data / "incoming").iterdir()) == []
