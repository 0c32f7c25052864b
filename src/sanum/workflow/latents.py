"""Latent vectors of a store's cases, kept on disk like maps, and their distances to healthy ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sanum.core.files import atomic_path
from sanum.detectors.codes import encoder_of, slice_codes
from sanum.detectors.encoders import Encoder
from sanum.evaluation.latent import latent_distances
from sanum.model import Model
from sanum.prepare.store import ManifestRow, Store


def distances(
    model: Model, store: Store, rows: Sequence[ManifestRow], folder: Path
) -> NDArray[np.float64] | None:
    """How far each case lies from the store's healthy calibration cases in the model's latent space.

    Args:
        model: fitted.
        store: prepared as the model demands.
        rows: cases to measure.
        folder: keeps the latent vectors; those of another detector state lie apart.

    Returns:
        (rows,); None where the detector has no encoder or the store no healthy calibration case.
    """
    encoder = encoder_of(model.detector)
    healthy = [
        row
        for row in store.manifest()
        if row.split == "calibration" and row.status == "ready" and row.label == "healthy"
    ]
    if encoder is None or not healthy:
        return None
    kept = folder / f"codes-{model.detector.state_sha256()[:12]}"
    tested = [_codes(encoder, store, row, kept) for row in rows]
    return latent_distances(tested, [_codes(encoder, store, row, kept) for row in healthy])


def _codes(encoder: Encoder, store: Store, row: ManifestRow, folder: Path) -> NDArray[np.float32]:
    path = folder / f"{row.case}.npy"
    if not path.exists():
        codes = slice_codes(encoder, store.load(row.case))
        with atomic_path(path) as partial:
            np.save(partial, codes)
    found: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return found
