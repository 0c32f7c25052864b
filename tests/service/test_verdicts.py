"""What a reader says of a finding is kept once, shown to those who may see the case, and exported without labels."""

from __future__ import annotations

import csv
import io

import pytest

from sanum.core.files import write_json
from sanum.service import cases, verdicts
from sanum.service.case_folder import CaseFolders
from sanum.service.tokens import make_token
from tests.detections import abnormal
from tests.service.checks import bearer, check_problem
from tests.service.fakes import make


@pytest.fixture
def judged(tmp_path):
    """A service and the address of a case with one finding."""
    service = make(tmp_path / "data")
    submission = cases.Submission("demo", "local", {"T1w": "T1w"}, "0" * 64, label="Anna Geheim")
    with service.engine.begin() as connection:
        cases.insert(connection, submission)
    begun = cases.begin(service.engine, submission.id)
    results = CaseFolders(service.data).results(begun)
    results.mkdir(parents=True)
    write_json(results / "detection.json", abnormal().to_dict())
    cases.end(service.engine, begun, "done", decision="abnormal", score=0.4, threshold=0.2, p_value=0.05)
    return service, f"/v1/cases/{submission.id}"


def say(client, address: str, verdict: str, finding: int = 1, **kwargs):
    return client.put(f"{address}/findings/{finding}/verdict", json={"verdict": verdict}, **kwargs)


def test_the_last_word_of_a_reader_counts(judged):
    service, address = judged
    client = service.client()
    assert client.get(f"{address}/verdicts").get_json()["verdicts"] == []
    assert say(client, address, "unsure").status_code == 200
    say(client, address, "agree")
    told = client.get(f"{address}/verdicts").get_json()
    assert told["reader"] == "local"
    assert [(one["finding"], one["reader"], one["verdict"]) for one in told["verdicts"]] == [
        (1, "local", "agree")
    ]
    assert "verdict.give" in (service.data / "audit.log").read_text()


def test_what_can_not_be_kept_is_told(judged):
    service, address = judged
    client = service.client()
    check_problem(say(client, address, "agree", finding=2), 404, "no finding of this rank")
    check_problem(say(client, address, "maybe"), 422, "verdict")
    check_problem(say(client, "/v1/cases/" + "0" * 32, "agree"), 404, "No case has this id")


def test_the_export_holds_every_verdict_and_no_label(judged):
    service, address = judged
    client = service.client()
    say(client, address, "disagree")
    answer = client.get("/v1/verdicts.tsv")
    assert answer.mimetype == "text/tab-separated-values"
    (row,) = csv.DictReader(io.StringIO(answer.text), delimiter="\t")
    assert (row["case"], row["finding"], row["verdict"]) == (address.rpartition("/")[2], "1", "disagree")
    assert (row["decision"], row["model"], row["reader"]) == ("abnormal", "demo", "local")
    assert "Geheim" not in answer.text


def test_readers_are_kept_apart_and_see_what_their_tokens_show(judged):
    service, address = judged
    make_token(service.engine, "gateway", ["submit"])
    ward = bearer(make_token(service.engine, "ward", ["read"]))
    other = bearer(make_token(service.engine, "other", ["read:gateway"]))
    client = service.client()
    say(client, address, "agree", headers=ward)
    verdicts.give(service.engine, address.rpartition("/")[2], 1, "second", "disagree")
    told = client.get(f"{address}/verdicts", headers=ward).get_json()
    assert [one["verdict"] for one in told["verdicts"]] == ["disagree", "agree"]
    check_problem(say(client, address, "agree", headers=other), 404, "No case has this id")
    assert len(client.get("/v1/verdicts.tsv", headers=ward).text.splitlines()) == 3
    assert len(client.get("/v1/verdicts.tsv", headers=other).text.splitlines()) == 1


def test_verdicts_go_with_their_case(judged):
    service, address = judged
    case = address.rpartition("/")[2]
    verdicts.give(service.engine, case, 1, "ward", "agree")
    service.client().delete(address)
    assert verdicts.of_case(service.engine, case) == []


def test_cases_of_a_study_are_found_by_its_uid(tmp_path):
    service = make(tmp_path / "data")
    for study in ("1.2.3.4", "1.2.3.5"):
        submission = cases.Submission("demo", "pacs", {"T1w": "T1w"}, "0" * 64, study=cases.study_key(study))
        with service.engine.begin() as connection:
            cases.insert(connection, submission)
    client = service.client()
    found = client.get("/v1/cases?study=1.2.3.5").get_json()["cases"]
    assert [one["id"] for one in found] == [submission.id]
    assert client.get("/v1/cases?study=9.9").get_json()["cases"] == []
    check_problem(client.get("/v1/cases?study=abc"), 422, "study")
    assert client.get("/study/1.2.3.5").mimetype == "text/html"
