"""Work that stands beside other work of one case, on a core that nothing else of the process needs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Found = TypeVar("Found")

THREADS = "OMP_NUM_THREADS"
"""Environment variable that says how many cores a process may take; "1" in a worker of a cohort, whose neighbours have
the others."""


def has_a_core_to_spare() -> bool:
    """Whether this process may take more than one core."""
    return os.environ.get(THREADS) != "1" and (os.cpu_count() or 1) > 1


@contextlib.contextmanager
def beside(work: Callable[[], Found]) -> Iterator[Callable[[], Found]]:
    """Begin some work in a thread while the block runs; without a core to spare it is done when it is asked for.

    Args:
        work: needs nothing that the block changes, and changes nothing that it reads.

    Yields:
        Gives the work's result, or raises what it raised. The block ends when both have ended.
    """
    if not has_a_core_to_spare():
        yield work
        return
    with ThreadPoolExecutor(max_workers=1) as thread:
        yield thread.submit(work).result
