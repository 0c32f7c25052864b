"""What a case costs among 100, 1,000 and 10,000: is anything more than linear in the rows of a cohort?

    python -m benchmarks.many_rows [--sizes 100 1000 10000] [--reports]

Cases are made pictures of 48 x 48 pixels and the detector is the simplest, so that what remains is what the cohort itself
costs. Every size runs in a process of its own, on one worker; a line a step gives processor milliseconds a case and the
highest memory until then.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from sanum.cohort.table import read_cohort
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow.detect_many import detect_rows
from sanum.workflow.fit import fit_and_calibrate
from sanum.workflow.memory import peak_memory_mb
from sanum.workflow.prepare import prepare_cohort

SIDE = 48
TAUGHT = 40
"""Rows that make the model: half teach, half calibrate."""

Found = TypeVar("Found")


def make_table(folder: Path, count: int) -> Path:
    """Pictures of discs with noise, and their table."""
    i, j = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    disc, rng = i**2 + j**2 < 0.7, np.random.default_rng(0)
    (folder / "pictures").mkdir()
    lines = ["case\tsubject\tFLAIR\tlabel\tsplit\tas_called"]
    for n in range(count):
        grey = np.where(disc, 120 + 40 * np.cos(5 * i) + rng.normal(0, 8, disc.shape), 0)
        Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(folder / f"pictures/{n}.png")
        split = "train" if n < TAUGHT / 2 else "calibration" if n < TAUGHT else "test"
        lines.append(f"c{n}\ts{n}\tpictures/{n}.png\thealthy\t{split}\tyes")
    (folder / "cohort.tsv").write_text("\n".join(lines) + "\n")
    return folder / "cohort.tsv"


class Steps:
    """Prints what each step took."""

    def __init__(self, cases: int) -> None:
        self._cases = cases

    def __call__(self, name: str, step: Callable[[], Found]) -> Found:
        """Run it."""
        started = time.process_time()
        found = step()
        spent = 1000 * (time.process_time() - started) / self._cases
        line = {"cases": self._cases, "step": name, "ms_a_case": round(spent, 3), "peak_mb": peak_memory_mb()}
        print(json.dumps(line), flush=True)
        return found


def run(count: int, reports: bool) -> None:
    """All steps over so many rows."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, step = Path(scratch), Steps(count)
        table = make_table(folder, count)
        cohort = step("read the table", lambda: read_cohort(table))
        preparation = Slices(("FLAIR",), size=SIDE, scaling="minmax", crop="full")
        prepare = lambda: prepare_cohort(cohort, folder / "store", preparation, workers=1)  # noqa: E731
        step("prepare", prepare)
        step("prepare again, all kept", prepare)
        step("open the store, all rows", lambda: list(Store.open(folder / "store").manifest()))
        taught = replace(cohort, rows=tuple(row for row in cohort if row.split != "test"))
        prepare_cohort(taught, folder / "taught", preparation, workers=1)
        model = folder / "model.safetensors"
        fit_and_calibrate(Store.open(folder / "taught"), "intensity", {}, out=model)
        step(
            "detect, the table alone",
            lambda: detect_rows(model, list(cohort), folder / "lines", workers=1, reports=False),
        )
        if reports:
            step(
                "detect, with reports",
                lambda: detect_rows(model, list(cohort), folder / "reports", workers=1),
            )


def main() -> None:
    """Run each size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--reports", action="store_true")
    asked = parser.parse_args()
    if len(asked.sizes) == 1:
        run(asked.sizes[0], asked.reports)
        return
    flags = ["--reports"] if asked.reports else []
    for size in asked.sizes:
        subprocess.run(
            [sys.executable, "-m", "benchmarks.many_rows", "--sizes", str(size), *flags], check=True
        )


if __name__ == "__main__":
    main()
