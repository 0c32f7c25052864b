"""What each step of a preparation did, measured and took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sanum.core.errors import PreparationError
from sanum.core.records import Scan, Step


@dataclass
class StepLog:
    """The steps so far; each takes the seconds since the one before."""

    steps: list[Step] = field(default_factory=list)
    last: float = field(default_factory=time.perf_counter)

    def __call__(self, name: str, /, **facts: Any) -> None:
        """Note a step that has just ended."""
        now = time.perf_counter()
        self.steps.append(Step(name, {**facts, "seconds": round(now - self.last, 3)}))
        self.last = now


@contextlib.contextmanager
def about(scan: Scan) -> Iterator[None]:
    """Name the file in the message of a step that sees arrays only."""
    try:
        yield
    except PreparationError as error:
        raise PreparationError(f"{scan.source.path}: {error}") from error
