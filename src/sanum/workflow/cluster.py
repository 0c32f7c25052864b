"""Cases on a Dask cluster: one that runs already, or one that Slurm jobs make up for the length of a command.

Dask is an extra (`pip install 'sanum[cluster]'`). A task whose worker dies is given to another by the scheduler.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import sanum
from sanum.core.errors import ConfigError
from sanum.workflow.processes import give_up

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 1000
"""Cases that the scheduler holds at a time: more than a cluster has workers, and few beside 100,000."""

CONNECT_SECONDS = 30

JOB_MEMORY = "4GB"
"""Of a Slurm job with one worker, where Dask's own configuration says nothing; see docs/large_cohorts.md."""

DIED = "every worker process that took it died, most likely for want of memory; give the workers more"


def map_on_cluster(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    cluster: str,
    jobs: int | None,
    lost: Callable[[Item, str], Result] | None,
) -> Iterator[tuple[Item, Result]]:
    """As `executor.map_cases`, on the workers of a cluster.

    A dead worker puts suspicion on all tasks it held. So a task that Dask gives up is tried once more, alone, when
    all others are done; only then is it given up here.
    """
    if not items:
        return
    with _connected(cluster, jobs) as client:
        suspects: list[Item] = []
        killed = _dask("distributed").KilledWorker
        for item, future in _finished(client, function, items):
            if isinstance(future.exception(), killed):
                suspects.append(item)
            else:
                yield item, future.result()
        for item in suspects:
            future = _submit(client, function, item)
            died = isinstance(future.exception(), killed)
            yield item, give_up(item, DIED, lost) if died else future.result()


def slurm_cluster(jobs: int | None) -> Any:
    """A Dask cluster of Slurm jobs with one worker of one thread each; nothing is submitted before it is scaled.

    Queue, account, walltime and all else come from Dask's own configuration (`jobqueue.slurm`).

    Raises:
        ConfigError: dask-jobqueue is missing, or the number of jobs.
    """
    if jobs is None:
        raise ConfigError("--cluster slurm: say how many jobs may run at a time with --workers")
    queue = _dask("dask_jobqueue")
    memory = importlib.import_module("dask").config.get("jobqueue.slurm.memory", None) or JOB_MEMORY
    return queue.SLURMCluster(cores=1, processes=1, memory=memory, scheduler_options={"dashboard": False})


@contextlib.contextmanager
def _connected(cluster: str, jobs: int | None) -> Iterator[Any]:
    """A client of the cluster; a cluster of Slurm jobs ends with the block."""
    client_class = _dask("distributed").Client
    if cluster == "slurm":
        with slurm_cluster(jobs) as made, client_class(made) as client:
            made.adapt(minimum_jobs=1, maximum_jobs=jobs)
            yield client
        return
    try:
        client = client_class(cluster, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--cluster {cluster}: no Dask scheduler answers there ({error}); expected tcp://host:port or slurm"
        ) from error
    with client:
        yield client


def _finished(
    client: Any, function: Callable[[Item], Result], items: Sequence[Item]
) -> Iterator[tuple[Item, Any]]:
    """Futures with an outcome, each with its item; what is under way is cancelled when the caller stops early."""
    waiting = iter(items)
    running: dict[str, tuple[Item, Any]] = {}
    completed = _dask("distributed").as_completed(loop=client.loop)

    def hand_over(count: int) -> None:
        for item in islice(waiting, count):
            future = _submit(client, function, item)
            running[future.key] = (item, future)
            completed.add(future)

    try:
        hand_over(IN_FLIGHT)
        for future in completed:
            yield running.pop(future.key)
            hand_over(1)
    finally:
        client.cancel([future for _, future in running.values()])


def _submit(client: Any, function: Callable[[Item], Result], item: Item) -> Any:
    return client.submit(_run_there, sanum.__version__, function, item, pure=False)


def _run_there(version: str, function: Callable[[Item], Result], item: Item) -> Result:
    """On a worker: the same sanum must be there, else results would differ from case to case."""
    if version != sanum.__version__:
        raise ConfigError(
            f"a worker of the cluster has sanum {sanum.__version__}, this is {version}; install one version"
        )
    return function(item)


def _dask(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f"--cluster needs Dask: pip install 'sanum[cluster]' ({error})") from error
