"""Give people without lesion labels something to test on: healthy test cases, each once more with a lesion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sanum.core.errors import CohortError
from sanum.core.files import json_sha256
from sanum.core.records import Prepared, Source
from sanum.prepare.store import ManifestRow, Store
from sanum.synthesis.kinds import EVALUATION_KINDS
from sanum.synthesis.plant import plant


@dataclass(frozen=True)
class Planting:
    """What is planted.

    Attributes:
        kinds: taken in turn, case by case; kinds for evaluation by default, which no detector trains on.
        size: of each lesion, in ml (pixels in an image).
        severity: above 0 (hardly visible) up to 1 (glaring).
        seed: of shape and place.
    """

    kinds: tuple[str, ...] = tuple(kind.name for kind in EVALUATION_KINDS)
    size: float = 8.0
    severity: float = 0.7
    seed: int = 0


def plant_store(source: Path, out: Path, planting: Planting, *, split: str = "test") -> Store:
    """Write a store that holds each healthy case of a split as it is, and once more with a planted lesion.

    Args:
        source: prepared store.
        out: the new store; it has the same preparation, and every case stands in split "test".
        planting: what is planted.
        split: of the source to take.

    Raises:
        CohortError: the split has no ready healthy case, or `out` holds another preparation.
        ConfigError: unknown kind, or a size or severity out of range.
        StorageError: `out` can't be written.
    """
    origin = Store.open(source)
    rows = [
        row
        for row in origin.manifest()
        if row.split == split and row.status == "ready" and row.label == "healthy"
    ]
    if not rows:
        raise CohortError(f"{source}: no ready healthy case with split '{split}' to plant a lesion in")
    store = Store.create(out, origin.preparation)
    written = []
    for number, row in enumerate(rows):
        healthy = origin.load(row.case)
        kind = planting.kinds[number % len(planting.kinds)]
        ill = _planted(healthy, kind, number, planting)
        store.write(healthy, _fields(row, row.case, "healthy"))
        store.write(ill, _fields(row, ill.case, "lesion"))
        written += [row.case, ill.case]
    store.follow(written)
    store.write_manifest()
    return store


def _planted(healthy: Prepared, kind: str, number: int, planting: Planting) -> Prepared:
    seed = int(np.random.SeedSequence([planting.seed, number]).generate_state(1)[0])
    ill = plant(healthy, kind, size=planting.size, severity=planting.severity, seed=seed)
    recipe: dict[str, Any] = {
        "kind": kind,
        "size": planting.size,
        "severity": planting.severity,
        "seed": seed,
        "healthy": [source.sha256 for source in healthy.sources],
    }
    made = Source(f"planted in {healthy.case}: {kind}", json_sha256(recipe))
    return replace(ill, case=f"{healthy.case}-{kind}", sources=(made,))


def _fields(row: ManifestRow, case: str, label: str) -> dict[str, str]:
    return {
        "case": case,
        "subject": row.subject,
        "label": label,
        "split": "test",
        "site": row.site,
        "age": row.age,
        "sex": row.sex,
        "seconds": "",
    }
