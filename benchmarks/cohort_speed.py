"""Scans an hour from files to `detections.tsv`, and the peak memory of a worker.

    python -m benchmarks.cohort_speed SCAN … [--model sanum-brain] [--workers 2] [--reports]

All scans go through `detect_rows` once. The first rate counts all, the second what came after the first wave, which loads
libraries, networks and template: that of a long cohort. Processor seconds a scan tell what idle cores would give.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

from sanum.core.shipped import find_model
from sanum.model import load
from sanum.workflow.detect_many import detect_rows
from sanum.workflow.inputs import gather


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--model", default="sanum-brain")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reports", action="store_true")
    options = parser.parse_args()
    model = find_model(Path(options.model))
    rows = gather(options.scans, load(model).takes)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        ended: list[float] = []
        lines = detect_rows(
            model,
            rows,
            Path(folder),
            workers=options.workers,
            reports=options.reports,
            on_done=lambda _: ended.append(time.perf_counter()),
        )
    seconds = time.perf_counter() - started
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    later = len(ended) - options.workers
    steady = 3600 * later / (ended[-1] - ended[options.workers - 1]) if later > 0 else float("nan")
    judged = sum(line["status"] != "refused" for line in lines)
    print(
        f"{len(lines)} scans, {judged} judged, {options.workers} workers, {'with' if options.reports else 'no'} reports: "
        f"{seconds:.0f} s, {3600 * len(lines) / seconds:.0f} an hour, {steady:.0f} after the first {options.workers}; "
        f"processor seconds a scan {(children.ru_utime + children.ru_stime) / len(lines):.1f}; "
        f"largest worker {children.ru_maxrss // 1024} MB"
    )


if __name__ == "__main__":
    main()
