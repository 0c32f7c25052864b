"""`sanum benchmark`: detectors by data sets by seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sanum.cli.arguments import Device


def run(
    plans: Annotated[
        list[Path], typer.Argument(help="YAML files: train, tests, detectors, seeds, …; one table over all.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for models, records and tables.")] = Path("benchmark"),
    workers: Annotated[int, typer.Option(help="Runs at a time.")] = 1,
    device: Device = "cpu",
) -> None:
    """Run every detector on every test set with every seed; what has a record already is not run again."""
    del device  # told to the models by its callback
    from sanum.cli.terminal import leave_partial
    from sanum.workflow.benchmark import failed, run_benchmark

    def show(record: dict[str, Any]) -> None:
        print(f"{record['detector']} seed {record['seed']} on {record['test']}: {record['status']}")

    records = run_benchmark(plans, out, workers=workers, on_done=show)
    print((out / "results.md").read_text(encoding="utf-8"))
    print(f"tables: {out}/results.md, .csv, .html; one record a run: {out}/records")
    for line in failed(records):
        print(f"FAILED {line}")
    if failed(records):
        leave_partial()
