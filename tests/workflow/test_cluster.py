"""The same commands on a Dask cluster: nothing lost and nothing twice when a worker is killed; Slurm's job script."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

import sanum
from sanum.cohort.table import read_cohort
from sanum.core.errors import ConfigError, SanumError
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow import cluster as place
from sanum.workflow.cluster import slurm_cluster
from sanum.workflow.detect_many import detect_rows
from sanum.workflow.evaluate import EvaluateOptions, evaluate
from sanum.workflow.executor import map_cases
from sanum.workflow.prepare import prepare_cohort

STARTS = 120
"""Seconds that a worker may take to import everything on a busy machine."""


@contextlib.contextmanager
def worker(address: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process that nobody starts again."""
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--nthreads", "1"]
    process = subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler with one worker process."""
    with LocalCluster(n_workers=0, dashboard_address=None) as made, worker(made.scheduler_address):
        with Client(made.scheduler_address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=STARTS)
        yield made.scheduler_address


def square(number: int) -> int:
    return number * number


def kills_its_worker(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def refuses(number: int) -> int:
    raise SanumError(f"case {number} is wrong")


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_loses_nothing_and_doubles_nothing(address, cohort_path, tmp_path):
    cohort, folder, seen = read_cohort(cohort_path), tmp_path / "prepared", []
    with worker(address) as doomed:
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=STARTS)

        def kill_after_the_second(outcome):
            seen.append(outcome)
            if len(seen) == 2:
                doomed.send_signal(signal.SIGKILL)

        manifest = prepare_cohort(
            cohort, folder, Slices(("T1w",)), cluster=address, on_done=kill_after_the_second
        )
        assert doomed.wait(10) == -signal.SIGKILL
    wanted = [row.case for row in cohort]
    assert sorted(outcome.case for outcome in seen) == wanted
    assert {outcome.status for outcome in seen} <= {"ready", "kept"}
    assert [row.case for row in manifest] == wanted
    assert all(Store.open(folder).load(case).mask.any() for case in wanted)


@pytest.mark.slow
def test_detect_and_evaluate_find_the_same_there_as_here(
    address, model_path, cohort, store, tmp_path, monkeypatch
):
    rows = [row for row in cohort if row.split == "test"][-2:]
    here = detect_rows(model_path, rows, tmp_path / "here", workers=1)
    monkeypatch.chdir(tmp_path)
    there = detect_rows(model_path, rows, Path("there"), cluster=address)
    for one, other in zip(here, there, strict=True):
        assert {**one, "seconds": ""} == {**other, "seconds": ""}
    assert (tmp_path / "there" / rows[0].case / "report.html").exists()
    local = evaluate(model_path, store.folder, tmp_path / "a", options=EvaluateOptions(draws=20, workers=1))
    remote = evaluate(model_path, store.folder, Path("b"), options=EvaluateOptions(draws=20, cluster=address))
    assert remote.lines() == local.lines()
    with pytest.raises(ConfigError, match="give --out"):
        evaluate(model_path, store.folder, options=EvaluateOptions(cluster=address))


@pytest.mark.slow
def test_errors_arrive_and_another_version_is_refused(address, monkeypatch):
    assert sorted(map_cases(square, range(5), cluster=address)) == [(n, n * n) for n in range(5)]
    with pytest.raises(SanumError, match="is wrong"):
        list(map_cases(refuses, [1, 2], cluster=address))
    installed = sanum.__version__
    monkeypatch.setattr(sanum, "__version__", "9.9")
    with pytest.raises(ConfigError, match=rf"has sanum {installed}, this is 9.9"):
        list(map_cases(square, [1], cluster=address))


@pytest.mark.slow
def test_a_case_that_kills_every_worker_is_given_up():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as made:
        found = list(
            map_cases(kills_its_worker, [7], cluster=made.scheduler_address, lost=lambda n, why: (n, why))
        )
    ((item, (number, reason)),) = found
    assert (item, number) == (7, 7)
    assert "every worker process that took it died" in reason


def test_no_scheduler_is_said(monkeypatch):
    monkeypatch.setattr(place, "CONNECT_SECONDS", 1)
    with pytest.raises(ConfigError, match=r"--cluster tcp://127\.0\.0\.1:9: no Dask scheduler answers there"):
        list(map_cases(square, [1], cluster="tcp://127.0.0.1:9"))
    with pytest.raises(ConfigError, match="expected tcp://host:port or slurm"):
        list(map_cases(square, [1], cluster="nonsense:"))


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"pip install 'sanum\[cluster\]'"):
        list(map_cases(square, [1], cluster="tcp://127.0.0.1:9"))


def test_a_slurm_job_is_one_worker_of_one_thread():
    with slurm_cluster(4) as made:
        script = made.job_script()
        assert made.scheduler_address in script
    for part in ("#SBATCH -n 1\n", "#SBATCH --cpus-per-task=1\n", "#SBATCH --mem=4G\n", "--nthreads 1 "):
        assert part in script
    with pytest.raises(ConfigError, match="how many jobs may run at a time with --workers"):
        slurm_cluster(None)
