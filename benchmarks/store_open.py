"""How long a store of many cases takes to open, on a made manifest.

    python -m benchmarks.store_open [cases]

"open" is what every command does first: `Store.open(…).manifest()`;
"csv" is the plain way to read the same file (csv.DictReader). Seconds are of this process alone, the file is in the
system's cache, and the best of five rounds counts, taken in turns.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sanum.prepare.manifest import COLUMNS, write_manifest
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store

ROUNDS = 5


def made_store(folder: Path, cases: int) -> Store:
    """A store whose manifest names cases that are not there."""
    store = Store.create(folder, Slices())
    rows = (
        (f"sub-{n:06d}", f"sub-{n:06d}", "healthy", "train", "site-A", "34", "F", "ready", "", 70, 1.25)
        for n in range(cases)
    )
    write_manifest(folder / "manifest.tsv", rows)
    return store


def plain(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def seconds(task: Callable[[], object]) -> float:
    started = time.process_time()
    task()
    return time.process_time() - started


def main(cases: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        made_store(folder, cases)
        size = (folder / "manifest.tsv").stat().st_size / 1e6
        tasks: dict[str, Callable[[], object]] = {
            "open": lambda: Store.open(folder).manifest(),
            "csv": lambda: plain(folder),
        }
        taken = [{name: seconds(task) for name, task in tasks.items()} for _ in range(ROUNDS)]
    best = {name: min(one[name] for one in taken) for name in tasks}
    print(f"{cases} cases, {len(COLUMNS)} columns, manifest of {size:.1f} MB, best of {ROUNDS} rounds")
    for name, value in best.items():
        print(f"{name:9} {1000 * value:8.1f} ms   {value / best['csv']:.4f} of csv")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
