"""`sanum drift`: whether incoming scans still look like those of the calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanum.cli.arguments import ModelFile


def run(
    model: ModelFile,
    detections: Annotated[
        Path, typer.Argument(help="detections.tsv of presumed-healthy scans, in order of arrival.")
    ],
    out: Annotated[Path | None, typer.Option(help="JSON file for p-values and evidence.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the tie-breaking.")] = 0,
) -> None:
    """Run the drift watch over a table of detections; the exit code is 3 when drift is called."""
    from sanum.cli.terminal import leave_partial
    from sanum.workflow.drift import drift

    found = drift(model, detections, out, seed=seed)
    print(found.sentence())
    if found.state == "alarm":
        leave_partial()
