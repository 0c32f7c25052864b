"""Run one function over many cases: in this process, in several, or on a Dask cluster, with the same guarantees."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def default_workers() -> int:
    """One process a core this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_cases(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int | None = None,
    *,
    cluster: str | None = None,
    lost: Callable[[Item, str], Result] | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Yield (item, result) once for each item, as it finishes, in any order.

    An item whose worker process dies is run again, on a cluster as often as Dask allows and then once more alone;
    so a function may run twice on one item and must leave the same behind as one run does. An item that kills its
    worker again is given up, and the others go on.

    Args:
        function: a module-level function; it turns the failures of one case into a result itself.
        items: what to run it on; must pickle. On a cluster, paths in them must be absolute.
        workers: processes on this machine, one a core by default, 1 runs in this one; or jobs of a Slurm cluster.
        cluster: address of a Dask scheduler (`tcp://host:port`), or "slurm"; None runs here.
        lost: gives the result of an item that was given up, from the reason.

    Raises:
        SanumError: raised by the function; or an item was given up and there is no `lost`. Items that have not
            begun are dropped, those under way are finished.
        ConfigError: the cluster can't be reached, or its workers run another version of sanum.
    """
    if cluster is not None:
        from sanum.workflow.cluster import map_on_cluster

        return map_on_cluster(function, items, cluster, workers, lost)
    count = min(workers or default_workers(), len(items))
    if count <= 1:
        return ((item, function(item)) for item in items)
    from sanum.workflow.processes import map_in_processes

    return map_in_processes(function, items, count, lost)
