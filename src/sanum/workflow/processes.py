"""Cases in processes of this machine; a process that dies costs its own case at most."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from sanum.core.errors import SanumError

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 2
"""Processes of its own that a case may cost."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
"""What libraries ask for how many threads they may have."""

DIED = "its worker process died twice, most likely for want of memory; run again with fewer --workers"


def map_in_processes(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    lost: Callable[[Item, str], Result] | None,
) -> Iterator[tuple[Item, Result]]:
    """As `executor.map_cases`, in `workers` processes.

    When a process dies, Python ends the whole pool and does not say whose case it was: each case that was under
    way is run again alone, then the others go on in a new pool.
    """
    waiting = deque(items)
    while waiting:
        under_way: dict[Future[Result], Item] = {}
        with _pool(min(workers, len(waiting))) as pool:
            yield from _until_a_death(pool, function, waiting, under_way, workers)
        for item in under_way.values():
            yield item, _alone(function, item, lost)


def give_up(item: Item, reason: str, lost: Callable[[Item, str], Result] | None) -> Result:
    """The result of an item that can't be run.

    Raises:
        SanumError: there is no result for such an item.
    """
    if lost is None:
        raise SanumError(f"a case was given up: {reason}; finished cases are kept")
    return lost(item, reason)


def _until_a_death(
    pool: ProcessPoolExecutor,
    function: Callable[[Item], Result],
    waiting: deque[Item],
    under_way: dict[Future[Result], Item],
    workers: int,
) -> Iterator[tuple[Item, Result]]:
    """Run until nothing waits, or a process died; then `under_way` holds what must be run again.

    No more than `workers` items are handed over at a time, so that few are under suspicion.
    """
    died = False
    while (waiting or under_way) and not died:
        while waiting and len(under_way) < workers:
            try:
                under_way[pool.submit(function, waiting[0])] = waiting[0]
            except BrokenProcessPool:
                return
            waiting.popleft()
        for done in wait(under_way, return_when=FIRST_COMPLETED).done:
            if isinstance(done.exception(), BrokenProcessPool):
                died = True
            else:
                yield under_way.pop(done), done.result()


def _alone(
    function: Callable[[Item], Result], item: Item, lost: Callable[[Item, str], Result] | None
) -> Result:
    """In a process of its own, twice if need be: what was under suspicion may never have begun before."""
    for _ in range(TRIES):
        with _pool(1) as pool, contextlib.suppress(BrokenProcessPool):
            return pool.submit(function, item).result()
    return give_up(item, DIED, lost)


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that finish the case under way when the block is left, by an error or Ctrl-C too."""
    context = multiprocessing.get_context("spawn")
    with _one_thread_a_library():
        pool = ProcessPoolExecutor(workers, context, initializer=_begin)
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _one_thread_a_library() -> Iterator[None]:
    """Of processes that begin meanwhile. They import numpy before anything can be called in them, so it has to be said
    here, where they take it over: else numpy's threads, one a core in each process, take the cores from each other."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            os.environ.update({} if value is None else {name: value})


def _begin() -> None:
    """Ctrl-C is the parent's to act on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
