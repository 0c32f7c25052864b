"""Cases run in processes of their own; one that kills its process costs nobody else."""

import os
import time
from pathlib import Path

import pytest

from sanum.core.errors import SanumError
from sanum.workflow.executor import map_cases
from sanum.workflow.processes import THREADS


def square(number: int) -> int:
    return number * number


def dies(number: int) -> int:
    os._exit(9)


def dies_at_two(number: int) -> int:
    if number == 2:
        os._exit(9)
    time.sleep(0.05)
    return number * number


def dies_once(path: Path) -> str:
    """Leaves its result behind, and the first time dies before it can tell."""
    if path.exists():
        return "kept"
    path.write_text("done")
    os._exit(9)


def refuses(number: int) -> int:
    raise SanumError(f"case {number} is wrong")


def minus_one(number: int, reason: str) -> int:
    assert "died twice" in reason
    return -1


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_comes_back_once(workers):
    assert sorted(map_cases(square, [1, 2, 3], workers)) == [(1, 1), (2, 4), (3, 9)]


def test_a_case_that_kills_its_process_is_given_up_and_the_others_go_on():
    found = sorted(map_cases(dies_at_two, range(6), 2, lost=minus_one))
    assert found == [(0, 0), (1, 1), (2, -1), (3, 9), (4, 16), (5, 25)]


def test_a_case_whose_process_died_is_run_again_and_recorded_once(tmp_path):
    paths = [tmp_path / name for name in "ab"]
    assert sorted(map_cases(dies_once, paths, 2)) == [(path, "kept") for path in paths]


def test_where_every_case_is_needed_a_death_is_said():
    with pytest.raises(SanumError, match="given up: its worker process died twice"):
        list(map_cases(dies, [1, 2], 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_function_arrives(workers):
    with pytest.raises(SanumError, match="is wrong"):
        list(map_cases(refuses, [1, 2], workers))


def threads_it_began_with(_: int) -> set[str]:
    began = Path("/proc/self/environ").read_bytes().decode().split("\0")
    return {told for told in began if told.partition("=")[0] in THREADS}


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this system does not tell")
def test_processes_begin_with_one_thread_a_library_and_this_one_keeps_its_own(monkeypatch):
    """A library that is imported before a process can be told so would take a thread a core in each process."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    found = [threads for _, threads in map_cases(threads_it_began_with, [0, 1], 2)]
    assert found == [{f"{name}=1" for name in THREADS}] * 2
    assert (os.environ["OMP_NUM_THREADS"], os.environ.get("OPENBLAS_NUM_THREADS")) == ("3", None)
