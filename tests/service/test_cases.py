"""The table of cases: paging, and the fence that lets only the latest attempt write."""

from __future__ import annotations

import time

import pytest

from sanum.core.errors import ConfigError, StorageError
from sanum.service import cases, database
from sanum.service.cases import CaseFilter, Submission


@pytest.fixture
def engine(tmp_path):
    return database.open_database(database.default_url(tmp_path))


def add(engine, **fields):
    with engine.begin() as connection:
        return cases.insert(connection, Submission("demo", "a", {"T1w": "T1w.nii"}, "0" * 64, **fields))


def test_pages_follow_each_other_without_gap_or_repeat(engine):
    names = [add(engine).id for _ in range(7)]
    seen, after = [], None
    while True:
        page = cases.list_page(engine, CaseFilter(), limit=3, after=after)
        seen += [case.id for case in page.cases]
        after = page.after
        if after is None:
            break
    assert seen == names[::-1]


def test_filters(engine):
    first, second = add(engine), add(engine)
    running = cases.begin(engine, first.id)
    cases.end(engine, running, "done", decision="abnormal")
    assert [case.id for case in cases.list_page(engine, CaseFilter(status="queued"), limit=9).cases] == [
        second.id
    ]
    assert [case.id for case in cases.list_page(engine, CaseFilter(decision="abnormal"), limit=9).cases] == [
        first.id
    ]
    assert cases.list_page(engine, CaseFilter(model="other"), limit=9).cases == ()
    assert cases.count_by_status(engine) == {"queued": 1, "running": 0, "done": 1, "failed": 0}


@pytest.mark.parametrize("cursor", ["", "###", "YWJj", "MSAyIDM="])
def test_a_made_up_place_is_refused(engine, cursor):
    with pytest.raises(ConfigError, match="after: expected the place"):
        cases.list_page(engine, CaseFilter(), limit=3, after=cursor)


def test_only_the_latest_attempt_may_write(engine):
    """A worker that was taken for dead and comes back must not write over its successor's result."""
    name = add(engine).id
    early, late = cases.begin(engine, name), cases.begin(engine, name)
    assert (early.attempts, late.attempts) == (1, 2)
    assert not cases.end(engine, early, "done", decision="normal")
    assert cases.end(engine, late, "done", decision="abnormal")
    assert not cases.end(engine, late, "failed", error="again")
    assert (cases.get(engine, name).decision, cases.get(engine, name).status) == ("abnormal", "done")
    assert cases.begin(engine, name) is None


def test_two_keys_of_one_submitter_do_not_clash_with_another(engine):
    first = add(engine, idempotency_key="k")
    assert cases.find_repeat(engine, "a", "k").id == first.id
    assert cases.find_repeat(engine, "b", "k") is None
    assert add(engine).idempotency_key is None
    assert add(engine).idempotency_key is None


def test_ended_before_tells_what_retention_may_take(engine):
    case = cases.begin(engine, add(engine).id)
    add(engine)
    cases.end(engine, case, "done")
    assert list(cases.ended_before(engine, time.time() + 1, inputs_kept=True)) == [case.id]
    cases.forget_inputs(engine, case.id)
    assert list(cases.ended_before(engine, time.time() + 1, inputs_kept=True)) == []
    assert list(cases.ended_before(engine, time.time() - 60)) == []


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        ("mysql://host/db", ConfigError, "neither a SQLite file nor PostgreSQL"),
        ("nonsense", ConfigError, "expected sqlite:///PATH or postgresql"),
        ("sqlite://", ConfigError, "neither a SQLite file"),
        ("postgresql://u:secret@127.0.0.1:1/x", StorageError, "check the URL"),
    ],
)
def test_database_addresses_that_are_none(url, error, message):
    with pytest.raises(error, match=message) as told:
        database.open_database(url)
    assert "secret" not in str(told.value)
