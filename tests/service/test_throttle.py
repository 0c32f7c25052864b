"""Rates: a burst passes, a flood does not, names do not slow each other, and processes count together."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sanum.core.errors import StorageError
from sanum.service import throttle as module
from sanum.service.throttle import Throttle


def test_a_burst_passes_then_waits_and_recovers(tmp_path):
    now = [1000.0]
    throttle = Throttle(tmp_path / "rates", 60, clock=lambda: now[0])
    assert [throttle.wait_seconds("a") for _ in range(60)] == [0.0] * 60
    assert throttle.wait_seconds("a") == 1.0
    assert throttle.wait_seconds("b") == 0.0
    now[0] = 1001.5
    assert throttle.wait_seconds("a") == 0.0
    assert throttle.wait_seconds("a") > 0


def test_a_clock_that_was_set_back_does_not_lock_anyone_out(tmp_path):
    now = [1000.0]
    throttle = Throttle(tmp_path / "rates", 60, clock=lambda: now[0])
    for _ in range(60):
        throttle.wait_seconds("a")
    now[0] = 10.0
    assert throttle.wait_seconds("a") == 1.0
    now[0] = 11.5
    assert throttle.wait_seconds("a") == 0.0


def test_processes_count_together(tmp_path):
    code = (
        "import sys; from pathlib import Path; from sanum.service.throttle import Throttle; "
        "t = Throttle(Path(sys.argv[1]), 6, clock=lambda: 1000.0); print(sum(t.wait_seconds('a') == 0 for _ in range(5)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "rates")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    passed = [int(process.communicate(timeout=120)[0]) for process in both]
    assert sum(passed) == 6
    assert (tmp_path / "rates").stat().st_mode & 0o077 == 0


def test_the_file_never_grows_and_a_forgotten_name_starts_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SLOTS", 16)
    now = [0.0]
    throttle = Throttle(tmp_path / "rates", 2, clock=lambda: now[0])
    for number in range(1000):
        now[0] += 1e-6
        assert throttle.wait_seconds(str(number)) == 0.0
    assert (tmp_path / "rates").stat().st_size == 16 * 24
    assert throttle.wait_seconds("0") == 0.0


def test_a_rest_fills_the_bucket_no_higher_than_its_capacity(tmp_path):
    now = [0.0]
    throttle = Throttle(tmp_path / "rates", 2, clock=lambda: now[0])
    for _ in range(2):
        now[0] += 3600.0
        assert [throttle.wait_seconds("a") for _ in range(3)] == [0.0, 0.0, 30.0]
    now[0] += 15.0
    assert throttle.wait_seconds("a") == 15.0
    now[0] += 15.0
    assert throttle.wait_seconds("a") == 0.0


def test_a_folder_in_the_way_is_told(tmp_path):
    (tmp_path / "rates").mkdir()
    with pytest.raises(StorageError, match=r"rates: can't be used \(.*\); check the data folder"):
        Throttle(tmp_path / "rates", 2)


def test_the_file_is_its_owners_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        Throttle(tmp_path / "rates", 2)
    finally:
        os.umask(before)
    assert (tmp_path / "rates").stat().st_mode & 0o777 == 0o600


def test_the_name_that_asked_last_is_the_last_to_be_forgotten(tmp_path, monkeypatch):
    """With as many buckets as places the ninth name takes that of the one that was silent for longest."""
    monkeypatch.setattr(module, "SLOTS", 8)
    now = [0.0]
    throttle = Throttle(tmp_path / "rates", 1, clock=lambda: now[0])
    for name in "abcdefgh":
        now[0] += 0.01
        assert throttle.wait_seconds(name) == 0.0
    now[0] += 0.01
    assert throttle.wait_seconds("a") > 0.0
    now[0] += 0.01
    assert throttle.wait_seconds("ninth") == 0.0
    assert throttle.wait_seconds("a") > 0.0, "it asked a moment ago"
    assert throttle.wait_seconds("b") == 0.0, "it was forgotten"
