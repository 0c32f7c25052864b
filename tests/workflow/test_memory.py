"""Memory is told where the system tells it, and its lack of telling stops nothing."""

import sys

import pytest

from sanum.workflow import memory


class NoFile:
    def exists(self) -> bool:
        return False


def test_this_process_needs_tens_of_megabytes():
    assert 20 < memory.peak_memory_mb() < 20_000


def test_without_proc_the_system_call_tells_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "Path", lambda _: NoFile())
    assert 20 < memory.peak_memory_mb() < 20_000


def test_windows_has_neither(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "Path", lambda _: NoFile())
    monkeypatch.setitem(sys.modules, "resource", None)
    assert memory.peak_memory_mb() == 0
