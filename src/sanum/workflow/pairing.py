"""Whether the files that stand in one row are really of one head at one level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sanum.cohort.table import Cohort, Row
from sanum.core.errors import SanumError
from sanum.core.records import Scan
from sanum.formats import read_scan

SIDE = 64
"""Pixels of the thumbnails that are compared."""

BINS = 16
"""Grey levels of a thumbnail, for mutual information."""

MOST_PAIRS = 60
"""Pairs that are looked at; enough to tell, and quick."""

FEWEST = 8
"""Pairs below which nothing is said: chance alone decides."""

REALLY_PAIRED = 0.85
"""Share of strangers that a file's partner must beat, on average, for a table to count as paired; chance is 0.5."""


@dataclass(frozen=True)
class Pairing:
    """How well partners know each other.

    Attributes:
        share: mean share of strangers that a partner beats in mutual information; 0.5 by chance, 1 for true pairs.
        pairs: compared.
        sizes_differ: pairs whose two pictures differ in size.
        modalities: that the files show.
    """

    share: float
    pairs: int
    sizes_differ: int
    modalities: tuple[str, ...]

    @property
    def really(self) -> bool:
        """Whether the files count as true pairs."""
        return self.share >= REALLY_PAIRED

    def sentence(self) -> str:
        """What a person should know."""
        told = (
            f"of {self.pairs} pairs a file's partner is likelier than {self.share:.0%} of the other files "
            "(50 % by chance, near 100 % in true pairs)"
        )
        if self.really:
            return f"pairs checked: {told}"
        return (
            f"NOT REALLY PAIRED: {told}. The same number or name stands for different anatomy here, so nothing may be "
            "learned from comparing the two; each file is listed as a case of its own. "
            f"To go on with one of them: `sanum prepare … --modality {self.modalities[0]}`"
        )


def check_pairing(cohort: Cohort) -> Pairing | None:
    """Compare partners with strangers over the pictures of a table; None where there is nothing to compare.

    Volumes are compared by their middle axial slice. Files that can't be read are passed over: preparing names them.
    """
    first, second = [], []
    sizes_differ = 0
    for row in _spread([row for row in cohort if len(row.scans) > 1], MOST_PAIRS):
        try:
            one, other = (read_scan(path, name) for name, path in list(row.scans.items())[:2])
        except SanumError:
            continue
        sizes_differ += one.grid.shape != other.grid.shape
        first.append(_thumbnail(one))
        second.append(_thumbnail(other))
    if len(first) < FEWEST:
        return None
    shared = np.array([[_mutual_information(a, b) for b in second] for a in first])
    own = np.diag(shared)[:, None]
    others = ~np.eye(len(first), dtype=bool)
    beaten = np.where(others, (own > shared) + 0.5 * (own == shared), 0.0).sum(1) / others.sum(1)
    return Pairing(float(beaten.mean()), len(first), sizes_differ, cohort.modalities)


def separated(cohort: Cohort) -> Cohort:
    """The same files, each as a case and subject of its own."""
    rows = tuple(
        Row(f"{row.case}_{name}", f"{row.subject}_{name}", {name: path}, label=row.label)
        for row in cohort
        for name, path in row.scans.items()
    )
    return Cohort(cohort.path, rows, cohort.modalities, cohort.notes)


def _spread(rows: Sequence[Row], most: int) -> list[Row]:
    places = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))
    return [rows[place] for place in places]


def _thumbnail(scan: Scan) -> NDArray[np.int64]:
    """The middle slice, small and in `BINS` levels of equal count of what is not background."""
    plane = scan.voxels[..., scan.voxels.shape[2] // 2]
    small = np.asarray(Image.fromarray(plane).resize((SIDE, SIDE), Image.Resampling.BOX))
    edges = np.quantile(small, np.linspace(0.0, 1.0, BINS + 1)[1:-1])
    return np.searchsorted(np.unique(edges), small.ravel())


def _mutual_information(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Of two thumbnails, in nats, over the square root of the product of their entropies."""
    joint = np.bincount(one * BINS + other, minlength=BINS * BINS).reshape(BINS, BINS) / one.size
    left, right = joint.sum(1), joint.sum(0)
    entropy = [-float((part[part > 0] * np.log(part[part > 0])).sum()) for part in (left, right, joint)]
    scale = float(np.sqrt(max(entropy[0] * entropy[1], 1e-12)))
    return (entropy[0] + entropy[1] - entropy[2]) / scale
