"""Work beside other work gives the same, fails the same, and takes no second core in a worker."""

from __future__ import annotations

import threading

import pytest

from sanum.core.beside import THREADS, beside


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.delenv(THREADS, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def test_it_runs_while_the_block_runs(two_cores):
    begun, go_on = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        return "done" if go_on.wait(30) else "late"

    with beside(work) as result:
        assert begun.wait(30)
        go_on.set()
    assert result() == "done"


def test_a_process_of_one_thread_does_it_when_it_is_asked_for(two_cores, monkeypatch):
    monkeypatch.setenv(THREADS, "1")
    done_in: list[threading.Thread] = []
    with beside(lambda: done_in.append(threading.current_thread())) as result:
        assert done_in == []
    result()
    assert done_in == [threading.current_thread()]


def test_what_it_raises_comes_with_the_result(two_cores):
    with beside(lambda: 1 / 0) as result:
        pass
    with pytest.raises(ZeroDivisionError):
        result()


def test_what_the_block_raises_is_raised_once_the_work_has_ended(two_cores):
    ended = threading.Event()
    with pytest.raises(KeyError), beside(ended.set):
        raise KeyError
    assert ended.is_set()
