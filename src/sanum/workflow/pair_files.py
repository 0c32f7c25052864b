"""Figures of an evaluation on pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sanum.core.files import atomic_path
from sanum.evaluation.faults import HEALTHY, Judged

DISTANCES = ("pair: latent cosine", "pair: mispaired", "latent distance")
"""Scores that say how far the two sides of a pair lie apart."""


def write_figures(judged: Sequence[Judged], out: Path) -> None:
    """Distributions of pair distances and of the first model's score, as SVG.

    Raises:
        StorageError: the folder can't be written.
    """
    from sanum.report.pair_figures import distributions

    groups = {
        kind or "healthy": [one for one in judged if one.kind == kind]
        for kind in (HEALTHY, "re-paired", "foreign-slice")
    }
    groups = {name: group for name, group in groups.items() if group}
    own = next(iter(judged[0].scores))
    wanted = {"score": own}
    wanted |= {name.rpartition("/ ")[2]: name for name in judged[0].scores if name.endswith(DISTANCES)}
    for label, name in wanted.items():
        values = {group: [one.scores[name] for one in cases] for group, cases in groups.items()}
        file = label.replace("pair: ", "").replace(" ", "-").lower()
        with atomic_path(out / f"distribution-{file}.svg") as partial:
            partial.write_bytes(distributions(values, name))
