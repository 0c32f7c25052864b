"""The promise of the queue: what was accepted ends exactly once, whoever is killed meanwhile."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sanum.service import cases, database
from sanum.service.case_folder import CaseFolders
from sanum.service.cases import Submission
from sanum.service.jobs import JobQueue, QueueFullError

ROOT = Path(__file__).resolve().parents[2]


class Bench:
    """A queue, a data folder, and worker processes that may be killed."""

    def __init__(self, url: str, data: Path):
        self.url = url
        self.data = data
        self.engine = database.open_database(url)
        self.queue = JobQueue(self.engine, limit=1000)
        self.folders = CaseFolders(data)
        self.workers: list[subprocess.Popen] = []

    def submit(self, content: bytes, **fields) -> str:
        submission = Submission("demo", "tester", {"T1w": "T1w.nii"}, "0" * 64, **fields)
        folder = self.folders.incoming / submission.id
        folder.mkdir()
        (folder / "T1w.nii").write_bytes(content)
        self.folders.accept(submission.id, folder)
        return self.queue.submit(submission)[0].id

    def start(self, **settings) -> subprocess.Popen:
        given = json.dumps({"tries": 3, "silent_seconds": 5.0, "poll_seconds": 0.1, **settings})
        command = [sys.executable, "-m", "tests.service.fakes", self.url, str(self.data), given]
        self.workers.append(subprocess.Popen(command, cwd=ROOT))
        return self.workers[-1]

    def wait(self, seconds: float = 200.0) -> None:
        deadline = time.monotonic() + seconds
        while cases.count_unfinished(self.engine) > 0:
            assert time.monotonic() < deadline, cases.count_by_status(self.engine)
            time.sleep(0.1)

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.engine.dispose()


@pytest.fixture
def bench(tmp_path):
    made = Bench(database.default_url(tmp_path), tmp_path)
    yield made
    made.close()


def crash(bench: Bench, count: int, kills: int) -> None:
    """Submit cases, kill workers at random moments, and check every result against the undisturbed one."""
    rng = random.Random(0)
    ids = [bench.submit(b"x" * (number + 1)) for number in range(count)]
    workers = [bench.start(tries=40), bench.start(tries=40)]
    for _ in range(kills):
        time.sleep(rng.uniform(0.3, 2.5))
        place = rng.randrange(len(workers))
        workers[place].kill()
        workers[place].wait()
        workers[place] = bench.start(tries=40)
    bench.wait(240)
    for number, case_id in enumerate(ids):
        case = cases.get(bench.engine, case_id)
        assert case is not None
        assert (case.status, case.decision, case.score) == ("done", "normal", float(number + 1))
        result = bench.folders.result(case, "detection.json")
        assert result is not None
        assert json.loads(result.read_text()) == {"length": number + 1}
        assert [path.name for path in sorted(result.parent.parent.glob("results-*"))] == [result.parent.name]
    finished = [line for line in audit(bench.data) if line["action"] == "case.finish"]
    assert sorted(line["case"] for line in finished) == sorted(ids)


def audit(data: Path) -> list[dict]:
    return [json.loads(line) for line in (data / "audit.log").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_fifty_cases_survive_ten_kills_on_sqlite(bench):
    crash(bench, count=50, kills=10)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_fifty_cases_survive_ten_kills_on_postgresql(postgres_url, tmp_path):
    bench = Bench(postgres_url, tmp_path)
    try:
        crash(bench, count=50, kills=10)
    finally:
        bench.close()


def test_a_killed_worker_loses_nothing(bench):
    """The short form of the crash test, for every run of the suite."""
    crash(bench, count=4, kills=1)


def test_bad_cases_end_with_their_error_and_good_ones_go_on(bench):
    """A case that raises, one that kills its worker each time, and one that never ends."""
    poison, endless, good = bench.submit(b"poison"), bench.submit(b"endless"), bench.submit(b"good")
    first = bench.start(tries=2, case_seconds=6.0)
    first.wait(200)
    deadly = bench.submit(b"deadly")
    for _ in range(2):
        bench.start(tries=2, case_seconds=6.0)
    deadline = time.monotonic() + 200
    while cases.count_unfinished(bench.engine) > 0 and time.monotonic() < deadline:
        if all(worker.poll() is not None for worker in bench.workers):
            bench.start(tries=2, case_seconds=6.0)
        time.sleep(0.2)
    ended = {name: cases.get(bench.engine, name) for name in (poison, endless, good, deadly)}
    assert ended[poison].status == "failed"
    assert ended[poison].error == "gave up after 2 tries; RuntimeError: no good: T1w.nii"
    assert (ended[endless].status, ended[endless].error) == ("failed", "took longer than 6 s and was ended")
    assert ended[deadly].status == "failed"
    assert "each time the worker ended before it could say why" in ended[deadly].error
    assert (ended[good].status, ended[good].score) == ("done", 4.0)


def test_a_worker_stops_when_told_and_another_takes_over(bench):
    names = [bench.submit(b"x") for _ in range(3)]
    worker = bench.start()
    while cases.get(bench.engine, names[0]).status != "done":
        time.sleep(0.05)
    worker.terminate()
    assert worker.wait(200) == 0
    bench.start()
    bench.wait()
    assert all(cases.get(bench.engine, name).status == "done" for name in names)


def test_a_deleted_case_leaves_nothing_behind(bench):
    name = bench.submit(b"x" * 10)
    cases.delete(bench.engine, name)
    bench.folders.delete(name)
    other = bench.submit(b"y")
    bench.start()
    bench.wait()
    assert bench.folders.names() == [other]
    assert cases.get(bench.engine, name) is None


def test_a_full_queue_takes_no_more(bench):
    small = JobQueue(bench.engine, limit=1)
    small.submit(Submission("demo", "a", {}, "0" * 64))
    with pytest.raises(QueueFullError):
        small.submit(Submission("demo", "a", {}, "0" * 64))


def test_the_same_key_gives_the_same_case_also_when_the_queue_is_full(bench):
    small = JobQueue(bench.engine, limit=1)
    first, new = small.submit(Submission("demo", "a", {}, "0" * 64, idempotency_key="k"))
    again, repeated = small.submit(Submission("demo", "a", {}, "0" * 64, idempotency_key="k"))
    assert (first.id, new, repeated) == (again.id, True, False)
