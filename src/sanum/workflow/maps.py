"""Anomaly maps of prepared cases, kept on disk so that figures can be taken again without scoring again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sanum.core.files import atomic_path
from sanum.core.records import AnomalyMap
from sanum.model import Model
from sanum.prepare.store import ManifestRow, Store
from sanum.workflow.executor import map_cases
from sanum.workflow.model_cache import cached_model


@dataclass(frozen=True)
class Maps:
    """A folder of maps of one model over one store.

    Attributes:
        folder: one `.npy` a case with the values inside its mask, in memory order of the store's mask.
        store: where masks, grids and lesions are.
        detector: name of the detector.
    """

    folder: Path
    store: Store
    detector: str

    def load(self, case: str) -> AnomalyMap:
        """The map of a case that was scored."""
        prepared = self.store.load(case)
        values = np.full(prepared.mask.shape, np.nan, np.float32)
        values[prepared.mask] = np.load(self.folder / f"{case}.npy", allow_pickle=False)
        return AnomalyMap(case, values, prepared.grid, self.detector)


@dataclass(frozen=True)
class Scorer:
    """By what and where cases are scored.

    Attributes:
        path: absolute path of the model file.
        model: as loaded from it.
        jobs: of a Slurm cluster.
        cluster: see `executor.map_cases`; without one the cases are scored in this process, where the network
            has all cores.
    """

    path: Path
    model: Model
    jobs: int | None = None
    cluster: str | None = None


@dataclass(frozen=True)
class _Job:
    model_path: Path
    model_sha256: str
    store: Store
    case: str
    map_path: Path


def score_cases(
    by: Scorer,
    store: Store,
    rows: Sequence[ManifestRow],
    folder: Path,
    *,
    on_done: Callable[[str], None] = lambda _: None,
) -> tuple[Maps, float]:
    """Score cases that have no map yet.

    Args:
        by: the fitted model, and where it runs.
        store: prepared as the model demands.
        rows: cases to score.
        folder: for the maps; those of another detector state lie apart.
        on_done: called after each case.

    Returns:
        The maps, and mean seconds a case over those scored now (0 when all were there).

    Raises:
        StorageError: the folder can't be written.
        ConfigError: the cluster can't be reached.
    """
    detector = by.model.detector
    maps = Maps(folder / f"maps-{detector.state_sha256()[:12]}", store, detector.name)
    jobs = []
    for row in rows:
        path = maps.folder / f"{row.case}.npy"
        if path.exists():
            on_done(row.case)
        else:
            jobs.append(_Job(by.path, by.model.sha256, store, row.case, path))
    seconds = []
    workers = 1 if by.cluster is None else by.jobs
    for job, taken in map_cases(_score_one, jobs, workers, cluster=by.cluster):
        seconds.append(taken)
        on_done(job.case)
    return maps, float(np.mean(seconds)) if seconds else 0.0


def _score_one(job: _Job) -> float:
    """Write the map of one case; returns the seconds that scoring took."""
    detector = cached_model(job.model_path, job.model_sha256).detector
    prepared = job.store.load(job.case)
    started = time.perf_counter()
    found = detector.score(prepared)
    taken = time.perf_counter() - started
    with atomic_path(job.map_path) as partial:
        np.save(partial, found.values[prepared.mask])
    return taken
