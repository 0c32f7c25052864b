"""Stages of warm cases in one process, as JSON: python -m benchmarks.waterfall_stages SCAN MODEL ROUNDS."""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

STAGES: dict[str, tuple[str, ...]] = {
    "read": ("sanum.workflow.detect:read_row",),
    "look": ("sanum.prepare.pipeline:look_at",),
    "mask": ("sanum.prepare.pipeline:find_brain",),
    "register": ("sanum.prepare.placing:align_to_template",),
    "resample": ("sanum.prepare.pipeline:sample",),
    "measure": ("sanum.prepare.pipeline:measure_case",),
    "scale and check": ("sanum.prepare.pipeline:prepare",),
    "score": (
        "sanum.detectors.multi_contrast:MultiContrast.judge",
        "sanum.detectors.multi_contrast:MultiContrast.score",
        "sanum.detectors.restore:Restore.judge",
        "sanum.detectors.restore:Restore.score",
    ),
    "restore": (
        "sanum.detectors.multi_contrast:MultiContrast.restored",
        "sanum.detectors.restore:Restore.restored",
    ),
    "way back": (
        "sanum.prepare.way_back:to_native",
        "sanum.prepare.way_back:reconstruction_to_native",
        "sanum.prepare.way_back:labels_to_model",
    ),
    "decide": ("sanum.workflow.detect:detect",),
    "overlay": ("sanum.report.case:case_pictures",),
    "report": ("sanum.report.case:case_page",),
    "write": ("sanum.workflow.detection:CaseDetection.save",),
}
"""Functions that a stage is made of; those that a checkout lacks are left out."""


class Clock:
    """Wall and processor seconds of each stage, without the stages that it calls."""

    def __init__(self) -> None:
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._inner: list[list[float]] = [[0.0, 0.0]]

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, on the clock."""

        @functools.wraps(function)
        def run(*given: Any, **named: Any) -> Any:
            self._inner.append([0.0, 0.0])
            started = (time.perf_counter(), time.process_time())
            try:
                return function(*given, **named)
            finally:
                whole = (time.perf_counter() - started[0], time.process_time() - started[1])
                inner = self._inner.pop()
                for clock in (0, 1):
                    self.spent[stage][clock] += whole[clock] - inner[clock]
                    self._inner[-1][clock] += whole[clock]

        return run


def put_on_the_clock(clock: Clock) -> None:
    """Replace every function of `STAGES`, wherever a module of sanum holds it by name."""
    for stage, places in STAGES.items():
        for place in places:
            module_name, _, name = place.partition(":")
            with contextlib.suppress(ImportError, AttributeError):
                owner: Any = importlib.import_module(module_name)
                *path, last = name.split(".")
                for part in path:
                    owner = getattr(owner, part)
                original = getattr(owner, last)
                timed = clock.timed(stage, original)
                setattr(owner, last, timed)
                for module in [one for key, one in sys.modules.items() if key.startswith("sanum.")]:
                    if getattr(module, last, None) is original:
                        setattr(module, last, timed)


def main(scan: Path, model_name: str, rounds: int) -> None:
    """Print one line of JSON."""
    started = (time.perf_counter(), time.process_time())
    from sanum.core.shipped import find_model
    from sanum.model import load
    from sanum.workflow import detect as detecting
    from sanum.workflow.inputs import gather

    model = load(find_model(Path(model_name)))
    loaded = (time.perf_counter() - started[0], time.process_time() - started[1])
    (row, *_) = gather([scan], model.takes)
    clock = Clock()
    put_on_the_clock(clock)
    taken: list[tuple[float, float]] = []
    stages: list[dict[str, list[float]]] = []
    for _ in range(rounds + 1):
        clock.spent.clear()
        started = (time.perf_counter(), time.process_time())
        with tempfile.TemporaryDirectory() as folder:
            found = detecting.detect(model, row)
            found.save(Path(folder) / "case")
        taken.append((time.perf_counter() - started[0], time.process_time() - started[1]))
        stages.append(dict(clock.spent))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    told = {
        "status": f"{found.status} {found.reason}".strip(),
        "totals": {
            "import and load": _pair(*loaded),
            "first case": _pair(*taken[0]),
            "warm case": {**_pair(*map(statistics.median, zip(*taken[1:], strict=True))), "peak_mb": peak},
        },
        "stages": {name: _medians([one.get(name, [0.0, 0.0]) for one in stages[1:]]) for name in STAGES},
    }
    print(json.dumps(told))


def _medians(pairs: list[list[float]]) -> dict[str, float]:
    return _pair(*(statistics.median(one) for one in zip(*pairs, strict=True)))


def _pair(wall: float, processor: float) -> dict[str, float]:
    return {"wall_s": round(wall, 3), "processor_s": round(processor, 3)}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
