"""Processes that die are replaced, each by a clock of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from sanum.service import supervisor
from sanum.service.supervisor import RESTART_SECONDS, YOUNG_SECONDS, Supervisor


class Started:
    """Starts what a role names, and remembers it."""

    def __init__(self, **commands: str):
        self.commands = commands
        self.processes: list[tuple[str, subprocess.Popen]] = []
        self.died: list[str] = []
        self.supervisor = Supervisor(list(commands), self._start, lambda role, *_: self.died.append(role))

    def _start(self, role: str, name: str) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, "-c", self.commands[role]])
        self.processes.append((role, process))
        return process

    def run_while(self, work) -> None:
        """The supervisor sets signal handlers, so it has the main thread, and the test another one."""
        failed = []

        def test() -> None:
            try:
                work()
            except BaseException as error:
                failed.append(error)
            finally:
                self.supervisor.stopping.set()

        thread = threading.Thread(target=test)
        thread.start()
        self.supervisor.run()
        thread.join()
        if failed:
            raise failed[0]

    def alive(self, role: str) -> list[subprocess.Popen]:
        return [process for found, process in self.processes if found == role and process.poll() is None]

    def wait_for(self, what) -> None:
        deadline = time.monotonic() + 60
        while not what():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_one_that_dies_again_and_again_delays_no_other(monkeypatch):
    monkeypatch.setattr(supervisor, "RESTART_SECONDS", (0.0, 0.0, 1e6))
    started = Started(sick="raise SystemExit(1)", well="import time; time.sleep(600)")

    def work() -> None:
        started.wait_for(lambda: started.died == ["sick", "sick"] and started.alive("well"))
        first = started.alive("well")[0]
        first.kill()
        started.wait_for(lambda: started.alive("well") and started.alive("well") != [first])
        assert started.died == ["sick", "sick", "well"]
        assert [role for role, _ in started.processes].count("sick") == 2, "its successor waits"

    started.run_while(work)
    assert started.alive("well") == []


def test_pauses_grow_with_young_deaths_and_an_old_one_begins_anew():
    place = supervisor._Place("worker", started=0.0)
    assert [place.pause(1.0) for _ in range(4)] == [*RESTART_SECONDS[1:], RESTART_SECONDS[-1]]
    assert place.pause(YOUNG_SECONDS + 1.0) == RESTART_SECONDS[0]


def test_a_process_that_cannot_be_started_is_tried_again(monkeypatch):
    monkeypatch.setattr(supervisor, "RESTART_SECONDS", (0.0,))
    started = Started(well="import time; time.sleep(600)")
    begin, failures = started._start, [OSError("no memory"), OSError("no memory")]

    def start(role: str, name: str) -> subprocess.Popen:
        if failures:
            raise failures.pop()
        return begin(role, name)

    started.supervisor._start = start
    started.run_while(lambda: started.wait_for(lambda: started.alive("well")))
    assert failures == []
