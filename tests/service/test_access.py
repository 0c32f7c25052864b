"""Who may do what: tokens, scopes, origins, rates, and the audit log."""

from __future__ import annotations

import json

import pytest

from sanum.core.errors import ConfigError
from sanum.service.limits import Limits
from sanum.service.tokens import make_token, revoke_token
from tests.service.checks import bearer, check_problem
from tests.service.fakes import form, make


def test_scopes(service, scan):
    secrets = {scope: make_token(service.engine, scope, [scope]) for scope in ("submit", "read", "admin")}
    client = service.client()
    for address in ("/v1/cases", "/v1/models", "/metrics"):
        check_problem(client.get(address), 401, "Authorization: Bearer")
        assert client.get(address, headers=bearer(secrets["read"])).status_code == 200
    check_problem(client.get("/metrics", headers=bearer(secrets["submit"])), 403, "scopes")
    check_problem(client.post("/v1/cases", data=form(scan), headers=bearer(secrets["read"])), 403, "scopes")
    sent = client.post("/v1/cases", data=form(scan), headers=bearer(secrets["submit"]))
    assert sent.status_code == 202
    check_problem(client.delete(sent.headers["Location"], headers=bearer(secrets["read"])), 403, "scopes")
    assert client.delete(sent.headers["Location"], headers=bearer(secrets["admin"])).status_code == 204
    check_problem(client.get("/v1/cases", headers=bearer("sanum_wrong")), 401, "valid")
    revoke_token(service.engine, "read")
    check_problem(client.get("/v1/cases", headers=bearer(secrets["read"])), 401, "valid")
    assert client.get("/healthz").status_code == 200


def test_who_sees_whose_cases(service, scan):
    """A submitter follows its own cases; what a token may not see is not there for it."""
    scopes = {"one": "submit", "two": "submit", "ward": "read:one", "all": "read"}
    who = {name: bearer(make_token(service.engine, name, [scope])) for name, scope in scopes.items()}
    client = service.client()
    sent = {
        name: client.post("/v1/cases", data=form(scan), headers=who[name]).get_json()["id"]
        for name in ("one", "two")
    }
    for name, visible in {"one": ["one"], "two": ["two"], "ward": ["one"], "all": ["two", "one"]}.items():
        listed = client.get("/v1/cases", headers=who[name]).get_json()["cases"]
        assert [case["id"] for case in listed] == [sent[sender] for sender in visible]
        for sender, case in sent.items():
            answers = [
                client.get(f"/v1/cases/{case}{part}", headers=who[name])
                for part in ("", "/detection.json", "/events")[: 2 if sender in visible else 3]
            ]
            if sender in visible:
                assert answers[0].get_json()["id"] == case
                check_problem(answers[1], 404, "the case is queued")
            else:
                for answer in answers:
                    check_problem(answer, 404, "No case has this id")
    assert client.get("/v1/models", headers=who["one"]).status_code == 200


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
