"""Tokens: kept as hashes, limited by scope, worthless once revoked."""

from __future__ import annotations

import time

import pytest

from sanum.core.errors import ConfigError
from sanum.service import database
from sanum.service.tokens import any_token, list_tokens, make_token, principal_of, revoke_token


@pytest.fixture
def engine(tmp_path):
    return database.open_database(database.default_url(tmp_path))


def test_the_secret_is_kept_nowhere(engine, tmp_path):
    secret = make_token(engine, "alice", ["read"])
    engine.dispose()
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert principal_of(engine, secret).name == "alice"
    assert principal_of(engine, secret[:-1]) is None


def test_admin_implies_the_other_scopes_and_read_does_not_submit(engine):
    boss = principal_of(engine, make_token(engine, "boss", ["admin"]))
    assert (boss.scopes, boss.submitters) == ({"admin", "read", "submit", "see"}, None)
    assert principal_of(engine, make_token(engine, "eye", ["read"])).scopes == {"read", "see"}


def test_a_token_sees_its_own_cases_those_of_whom_it_is_bound_to_or_all(engine):
    assert principal_of(engine, make_token(engine, "gateway", ["submit"])).submitters == {"gateway"}
    assert principal_of(engine, make_token(engine, "eye", ["read"])).submitters is None
    bound = principal_of(engine, make_token(engine, "ward", ["read:gateway", "read:local", "submit"]))
    assert bound.submitters == {"ward", "gateway", "local"}
    assert bound.scopes == {"submit", "see"}, "figures are of all cases, so they are not for a bound token"
    assert principal_of(engine, make_token(engine, "both", ["read:gateway", "read"])).submitters is None
    with pytest.raises(
        ConfigError, match="scope read:gatewya: there is no token of this name; did you mean 'gateway'"
    ):
        make_token(engine, "w", ["read:gatewya"])


def test_a_revoked_token_opens_nothing_and_its_name_stays_taken(engine):
    secret = make_token(engine, "alice", ["read"])
    revoke_token(engine, "alice")
    assert principal_of(engine, secret) is None
    assert any_token(engine)
    assert list_tokens(engine)[0].revoked is not None
    with pytest.raises(ConfigError, match="exists already, perhaps revoked"):
        make_token(engine, "alice", ["read"])
    with pytest.raises(ConfigError, match="does not exist or is revoked"):
        revoke_token(engine, "alice")


@pytest.mark.parametrize("name", ["", "local", "a b", "../x", "x" * 81, "name\n"])
def test_names_that_would_spoil_the_audit_log_are_refused(engine, name):
    with pytest.raises(ConfigError, match="token name"):
        make_token(engine, name, ["read"])


def test_scopes_are_checked(engine):
    with pytest.raises(ConfigError, match=r"unknown scope 'raed'; did you mean 'read'"):
        make_token(engine, "a", ["raed"])
    with pytest.raises(ConfigError, match="no scope"):
        make_token(engine, "a", [])


def test_only_a_list_without_tokens_leaves_the_doors_open(engine):
    assert not any_token(engine)
    assert list_tokens(engine) == []
    before = time.time()
    make_token(engine, "a", ["read", "submit", "read"])
    make_token(engine, "b" * 80, ["admin"])
    first, second = list_tokens(engine)
    assert (first.name, first.scopes, first.revoked) == ("a", ("read", "submit"), None)
    assert before <= first.created <= second.created <= time.time()
    assert any_token(engine)


def test_secrets_are_long_marked_and_never_alike(engine):
    one, two = make_token(engine, "a", ["read"]), make_token(engine, "b", ["read"])
    assert one != two
    assert all(secret.startswith("sanum_") and len(secret) >= 49 for secret in (one, two))
    assert principal_of(engine, "") is None
    assert principal_of(engine, "caf\u00e9\ud800") is None


def test_revoking_one_token_leaves_the_others_and_a_wrong_name_is_told(engine):
    kept, _ = make_token(engine, "alice", ["read"]), make_token(engine, "bob", ["read"])
    revoke_token(engine, "bob")
    assert principal_of(engine, kept).name == "alice"
    with pytest.raises(ConfigError, match="'alise' does not exist or is revoked; did you mean 'alice'"):
        revoke_token(engine, "alise")


def test_tokens_are_listed_oldest_first(engine):
    for name in ("zoe", "adam", "mia"):
        make_token(engine, name, ["read"])
    assert [token.name for token in list_tokens(engine)] == ["zoe", "adam", "mia"]
