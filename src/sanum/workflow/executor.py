"""Run one function over many cases, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from sanum.core.errors import SanumError

Item = TypeVar("Item")
Result = TypeVar("Result")


def default_workers() -> int:
    """One process a core this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_cases(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, Result]]:
    """Yield (item, result) as each finishes, in any order.

    Args:
        function: a module-level function; it turns the failures of one case into a result itself.
        items: what to run it on; must pickle when `workers` is above 1.
        workers: processes; 1 runs in this one.

    Raises:
        SanumError: raised by the function, or a worker process died. Items that have not begun are dropped.
    """
    if workers <= 1 or len(items) <= 1:
        for item in items:
            yield item, function(item)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(items)), context, initializer=_one_thread_each)
    try:
        pending: dict[Future[Result], Item] = {pool.submit(function, item): item for item in items}
        for done in as_completed(pending):
            yield pending[done], done.result()
    except BrokenProcessPool as error:
        raise SanumError(
            "a worker process died, most likely for want of memory; run again with fewer --workers, "
            "finished cases are kept"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_thread_each() -> None:
    """Keep libraries that are not imported yet from starting a thread a core in every process."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"):
        os.environ[name] = "1"
