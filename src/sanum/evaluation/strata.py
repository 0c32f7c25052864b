"""The same figures for parts of a test set: by lesion size, site, age and sex."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sanum.evaluation.cases import CaseFigures

SIZE_EDGES_ML = (1.0, 5.0, 20.0)
SIZE_EDGES_PX = (50.0, 250.0, 1000.0)
AGE_EDGES = (40.0, 60.0, 75.0)


@dataclass(frozen=True)
class Stratum:
    """Cases that belong together.

    Attributes:
        by: what tells them apart.
        name: of the part.
        members: indices into the cases.
    """

    by: str
    name: str
    members: tuple[int, ...]


def strata(cases: Sequence[CaseFigures], *, is_image: bool) -> list[Stratum]:
    """Part the cases by lesion size (lesion cases only), site, age and sex, where more than one part exists."""
    edges, unit = (SIZE_EDGES_PX, "px") if is_image else (SIZE_EDGES_ML, "ml")
    keys: dict[str, Callable[[CaseFigures], str | None]] = {
        f"lesion size ({unit})": lambda case: band(edges, case.lesion_size) if case.lesion_size > 0 else None,
        "site": lambda case: case.subject.site,
        "age": lambda case: None if case.subject.age is None else band(AGE_EDGES, case.subject.age),
        "sex": lambda case: case.subject.sex,
    }
    found = []
    for by, key in keys.items():
        parts: dict[str, list[int]] = {}
        for index, case in enumerate(cases):
            name = key(case)
            if name is not None:
                parts.setdefault(name, []).append(index)
        if len(parts) > 1:
            found += [Stratum(by, name, tuple(parts[name])) for name in sorted(parts, key=_by_number)]
    return found


def band(edges: Sequence[float], value: float) -> str:
    """The band of a value between ascending edges, such as "1-5" or "20+"; the lower edge belongs to it."""
    place = int(np.searchsorted(edges, value, side="right"))
    low = f"{edges[place - 1]:g}" if place else "0"
    return f"{low}-{edges[place]:g}" if place < len(edges) else f"{low}+"


def _by_number(name: str) -> tuple[float, str]:
    head = name.rstrip("+").partition("-")[0]
    return (float(head), name) if head.replace(".", "", 1).isdigit() else (np.inf, name)
