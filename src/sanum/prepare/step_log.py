"""What each step of a preparation did, measured and took; and slow steps that were done before."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from numpy.typing import NDArray

from sanum.core.errors import PreparationError
from sanum.core.files import json_sha256
from sanum.core.names import split_part
from sanum.core.records import Scan, Step
from sanum.prepare.kept_steps import KeptStep, KeptSteps

WORTH_KEEPING = 0.3
"""Seconds from which a result is kept: to read it back takes a few hundredths."""

Array = TypeVar("Array", bound=NDArray[Any])


@dataclass
class StepLog:
    """The steps so far; each takes the seconds since the one before.

    Attributes:
        kept: where the results of slow steps are kept; None keeps nothing.
        identity: hash of all that the slow steps so far came from.
    """

    kept: KeptSteps | None = None
    identity: str = ""
    steps: list[Step] = field(default_factory=list)
    last: float = field(default_factory=time.perf_counter)

    def __call__(self, name: str, /, **facts: Any) -> None:
        """Log a step that has just been done."""
        now = time.perf_counter()
        self.steps.append(Step(name, {**facts, "seconds": round(now - self.last, 3)}))
        self.last = now

    def comes_from(self, *scans: Scan | None) -> None:
        """Say what goes into the slow steps: files, by their bytes and the part of them that was read."""
        files = [scan and [scan.source.sha256, split_part(Path(scan.source.path))[1]] for scan in scans]
        self.identity = json_sha256([self.identity, files])

    def once(self, name: str, settings: Sequence[Any], make: Callable[[], Array]) -> Array:
        """The result of a slow step, done now or taken from an earlier run that had the same files and settings.

        Args:
            name: of the step.
            settings: all that it depends on beside the files and the slow steps before it.
            make: does it, and logs its facts here; a kept result logs them again, with `kept` for true.
        """
        if self.kept is None:
            return make()
        self.identity = json_sha256([self.identity, self.kept.version, name, list(settings)])
        found = self.kept.find(self.identity)
        if found is not None:
            for step in found.steps:
                self(step.name, **{**step.facts, "kept": True})
            return cast(Array, found.array)
        begun, started = len(self.steps), time.perf_counter()
        array = make()
        if time.perf_counter() - started >= WORTH_KEEPING:
            self.kept.keep(self.identity, KeptStep(array, tuple(self.steps[begun:])))
        return array


@contextlib.contextmanager
def about(scan: Scan) -> Iterator[None]:
    """Name the file in the message of a step that sees arrays only."""
    try:
        yield
    except PreparationError as error:
        raise PreparationError(f"{scan.source.path}: {error}") from error
