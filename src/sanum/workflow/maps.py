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


def score_cases(
    model: Model,
    store: Store,
    rows: Sequence[ManifestRow],
    folder: Path,
    *,
    on_done: Callable[[str], None] = lambda _: None,
) -> tuple[Maps, float]:
    """Score cases that have no map yet.

    Args:
        model: fitted.
        store: prepared as the model demands.
        rows: cases to score.
        folder: for the maps; those of another detector state lie apart.
        on_done: called after each case.

    Returns:
        The maps, and mean seconds a case over those scored now (0 when all were there).

    Raises:
        StorageError: the folder can't be written.
    """
    maps = Maps(folder / f"maps-{model.detector.state_sha256()[:12]}", store, model.detector.name)
    seconds = []
    for row in rows:
        path = maps.folder / f"{row.case}.npy"
        if not path.exists():
            prepared = store.load(row.case)
            started = time.perf_counter()
            found = model.detector.score(prepared)
            seconds.append(time.perf_counter() - started)
            with atomic_path(path) as partial:
                np.save(partial, found.values[prepared.mask])
        on_done(row.case)
    return maps, float(np.mean(seconds)) if seconds else 0.0
