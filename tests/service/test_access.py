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


FENCES = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@pytest.mark.parametrize("address", ["/v1/cases", "/v1/cases/none"])
def test_every_answer_tells_a_browser_what_it_may_not(service, address):
    answer = service.client().get(address)
    assert {name: answer.headers.get(name) for name in FENCES} == FENCES


def test_a_page_keeps_a_policy_of_its_own(service):
    assert "script-src 'self'" in service.client().get("/").headers["Content-Security-Policy"]


def test_each_refusal_has_a_type_that_a_client_can_tell_by(tmp_path):
    service = make(tmp_path, requests_per_minute=5)
    read = bearer(make_token(service.engine, "reader", ["read"]))
    client = service.client()
    asked = {
        "no-token": client.get("/v1/cases"),
        "scope": client.post("/v1/cases", data={}, headers=read),
        "foreign-origin": client.delete("/v1/cases/x", headers={**read, "Origin": "https://evil.example"}),
        "too-many-requests": [client.get("/v1/cases", headers=read) for _ in range(6)][-1],
    }
    told = {
        "no-token": "^Send `Authorization: Bearer <token>` with a token that is valid\\.$",
        "scope": "^This token may not do that; its scopes don't cover it\\.$",
        "foreign-origin": "^Requests from pages of another site are not answered\\.$",
        "too-many-requests": "^Too many requests; slow down\\.$",
    }
    status = {"no-token": 401, "scope": 403, "foreign-origin": 403, "too-many-requests": 429}
    for kind, answer in asked.items():
        assert check_problem(answer, status[kind], told[kind])["type"] == f"urn:sanum:problem:{kind}"


def test_tokens_of_one_address_do_not_slow_each_other_down(tmp_path):
    service = make(tmp_path, requests_per_minute=2)
    tokens = [bearer(make_token(service.engine, name, ["read"])) for name in ("one", "two")]
    client = service.client()
    assert [client.get("/v1/cases", headers=tokens[0]).status_code for _ in range(3)] == [200, 200, 429]
    assert client.get("/v1/cases", headers=tokens[1]).status_code == 200


def test_a_wait_of_less_than_a_second_is_a_wait(tmp_path):
    service = make(tmp_path, requests_per_minute=240)
    read = bearer(make_token(service.engine, "reader", ["read"]))
    client = service.client()
    assert 429 in {client.get("/v1/models", headers=read).status_code for _ in range(400)}


def test_the_audit_log_says_from_where_a_wrong_token_came(service):
    make_token(service.engine, "alice", ["admin"])
    service.client().get("/v1/cases", headers=bearer("sanum_wrong"))
    line = json.loads((service.data / "audit.log").read_text().splitlines()[-1])
    assert (line["action"], line["address"]) == ("token.refused", "127.0.0.1")


def test_a_limit_may_lie_between_0_and_1():
    assert Limits(upload_mb=0.5).upload_mb == 0.5
