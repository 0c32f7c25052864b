"""The promise of the queue: what was accepted ends exactly once, whoever is killed meanwhile."""

from __future__ import annotations

import errno
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy

from sanum.service import cases, database, jobs
from sanum.service.case_folder import CaseFolders
from sanum.service.cases import Submission
from sanum.service.jobs import JobQueue, QueueFullError
from sanum.service.worker import Worker, WorkerSettings
from tests.service.fakes import SlowJudge

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


def seen(bench: Bench, name: str, seconds_ago: float) -> None:
    jobs.heartbeat(bench.engine, name)
    with bench.engine.begin() as connection:
        table = database.workers
        connection.execute(table.update().where(table.c.id == name).values(seen=time.time() - seconds_ago))


def test_a_worker_takes_the_oldest_case_once_it_is_known(bench):
    first, second = bench.submit(b"x"), bench.submit(b"y")
    assert jobs.take(bench.engine, "a") is None
    for name in ("a", "b"):
        jobs.heartbeat(bench.engine, name)
    taken = [jobs.take(bench.engine, name) for name in ("a", "b")]
    assert [(case.id, case.attempts, case.worker) for case in taken] == [(first, 1, "a"), (second, 1, "b")]


def test_a_case_that_was_taken_without_the_worker_being_told_is_taken_again(bench):
    """The connection may break between the commit and its answer; the case must not wait for ever."""
    name = bench.submit(b"x")
    jobs.heartbeat(bench.engine, "a")
    lost = jobs.take(bench.engine, "a")
    again = jobs.take(bench.engine, "a")
    assert (again.id, again.attempts) == (name, 2)
    assert not cases.end(bench.engine, lost, "done")
    assert cases.end(bench.engine, again, "done")
    assert cases.end(bench.engine, again, "done"), "it did end it, though it was not told"
    assert not cases.end(bench.engine, again, "failed")
    assert cases.begin_again(bench.engine, again) is None


def test_cases_of_dead_workers_wait_again_and_those_of_others_do_not(bench):
    names = [bench.submit(b"x") for _ in range(3)]
    for worker in ("released", "silent", "alive"):
        jobs.heartbeat(bench.engine, worker)
        assert jobs.take(bench.engine, worker) is not None
    seen(bench, "silent", 100.0)
    jobs.heartbeat(bench.engine, "alive")
    jobs.release(bench.engine, "released", excused=False)
    jobs.rescue(bench.engine, None)
    states = [cases.get(bench.engine, name).status for name in names]
    assert states == ["queued", "running", "running"], "nobody is held for dead"
    jobs.rescue(bench.engine, time.time() - 30)
    states = [cases.get(bench.engine, name).status for name in names]
    assert states == ["queued", "queued", "running"]


def test_an_attempt_that_was_ended_from_outside_does_not_count(bench):
    """An operator who stops the service six times must not make a case fail; its fence still counts on."""
    name = bench.submit(b"x")
    jobs.heartbeat(bench.engine, "a")
    for _ in range(6):
        jobs.take(bench.engine, "a")
        jobs.release(bench.engine, "a", excused=True)
        jobs.heartbeat(bench.engine, "a")
    taken = jobs.take(bench.engine, "a")
    assert (taken.id, taken.attempts, taken.tries) == (name, 7, 1)
    jobs.release(bench.engine, "a", excused=False)
    jobs.heartbeat(bench.engine, "a")
    assert jobs.take(bench.engine, "a").tries == 2


def test_a_worker_that_was_silent_itself_holds_nobody_for_dead(bench):
    """A database that was away made all workers silent; the first to come back must not take the others' cases."""
    name = bench.submit(b"x")
    jobs.heartbeat(bench.engine, "other")
    jobs.take(bench.engine, "other")
    worker = Worker(bench.engine, bench.data, SlowJudge(0.0), WorkerSettings())
    seen(bench, "other", 100.0)
    worker._heard = time.time() - 100.0
    worker._keep_house()
    assert cases.get(bench.engine, name).status == "running"
    worker._trusts_others_until = 0.0
    worker._keep_house()
    assert cases.get(bench.engine, name).status == "queued"


def test_a_fault_ends_no_worker_and_is_told_once(bench, monkeypatch, caplog):
    worker = Worker(bench.engine, bench.data, SlowJudge(0.0), WorkerSettings())
    errors = [ValueError("a mistake"), OSError(errno.EIO, "disk"), sqlalchemy.exc.TimeoutError("pool")]

    def heartbeat(*_args) -> None:
        raise errors[-1]

    monkeypatch.setattr(jobs, "heartbeat", heartbeat)
    for _ in range(2):
        worker._keep_house()
    errors.pop()
    worker._keep_house()
    assert caplog.messages == ["worker: the database does not answer; trying again every second"]
    errors.pop()
    with pytest.raises(ValueError, match="a mistake"):
        worker._keep_house()


def test_waiting_for_room_counts_for_no_attempt_and_not_for_the_time_of_a_case(bench):
    """The judge finds the disk full twice; the case ends at its first attempt, and is not overdue meanwhile."""
    failures = [OSError(errno.ENOSPC, "full")] * 2
    busy = []

    class FullJudge(SlowJudge):
        def judge(self, *args, **kwargs):
            busy.append(time.monotonic() - worker._busy[1])
            time.sleep(0.3)
            if failures:
                raise failures.pop()
            return super().judge(*args, **kwargs)

    name = bench.submit(b"xy")
    worker = Worker(bench.engine, bench.data, FullJudge(0.0), WorkerSettings(), "me")
    jobs.heartbeat(bench.engine, "me")
    worker._judge_case(jobs.take(bench.engine, "me"))
    case = cases.get(bench.engine, name)
    assert (case.status, case.attempts, case.score) == ("done", 1, 2.0)
    assert len(busy) == 3
    assert max(busy) < 0.25, "each try begins with all of the time"
    assert [line["action"] for line in audit(bench.data)] == ["case.finish"]


def test_a_database_of_an_earlier_version_is_taken_over(tmp_path):
    url = database.default_url(tmp_path)
    engine = database.open_database(url)
    with engine.begin() as connection:
        waiting = cases.insert(connection, Submission("demo", "a", {}, "0" * 64))
        connection.exec_driver_sql("ALTER TABLE cases DROP COLUMN worker")
    engine.dispose()
    engine = database.open_database(url)
    jobs.heartbeat(engine, "a")
    assert jobs.take(engine, "a").id == waiting.id
