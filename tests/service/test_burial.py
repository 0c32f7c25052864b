"""A worker that was killed from outside says nothing against its case; one that ran out of memory does."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from sanum.service import burial
from sanum.service.burial import Burial, memory_kills


@pytest.fixture
def released(monkeypatch) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    monkeypatch.setattr(burial.jobs, "release", lambda _, name, *, excused: found.append((name, excused)))
    return found


@pytest.fixture
def kills(tmp_path: Path) -> Path:
    path = tmp_path / "vmstat"
    path.write_text("nr_free_pages 5\noom_kill 3\n")
    return path


@pytest.mark.parametrize(
    ("status", "excused"),
    [(-signal.SIGKILL, True), (-signal.SIGTERM, True), (-signal.SIGSEGV, False), (1, False)],
)
def test_a_kill_from_outside_is_excused_and_a_crash_is_not(released, kills, status, excused):
    Burial(None, kills)("worker", "a", status)
    assert released == [("a", excused)]


def test_a_kill_for_want_of_memory_counts(released, kills):
    bury = Burial(None, kills)
    kills.write_text("oom_kill 4\n")
    bury("worker", "a", -signal.SIGKILL)
    bury("worker", "b", -signal.SIGKILL)
    assert released == [("a", False), ("b", True)]


def test_where_the_kernel_does_not_tell_every_kill_counts(released, tmp_path):
    Burial(None, tmp_path / "none")("worker", "a", -signal.SIGKILL)
    assert released == [("a", False)]
    assert memory_kills(tmp_path / "none") is None


def test_a_web_server_holds_no_case(released, kills):
    Burial(None, kills)("web", "a", -signal.SIGKILL)
    assert released == []


def test_a_database_that_is_away_is_borne(monkeypatch, kills, caplog):
    def away(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(burial.jobs, "release", away)
    Burial(None, kills)("worker", "a", 1)
    assert "can't be noted" in caplog.text
