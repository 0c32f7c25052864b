"""`sanum guarantee`: whether the false-alarm rate is kept on held-out healthy scans, and what it is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanum.cli.arguments import Device, ModelFile


def run(
    model: ModelFile,
    prepared: Annotated[Path, typer.Argument(help="Prepared store with healthy cases.")],
    other: Annotated[
        Path | None,
        typer.Option(help="Store of another scanner: tested before and after calibrating on its own scans."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for guarantee.json, guarantee.svg and the scores.")
    ] = None,
    resplits: Annotated[int, typer.Option(help="Random re-splits into calibration and test.")] = 200,
    calibration: Annotated[
        int | None, typer.Option(help="Subjects that calibrate in each; half of them by default.")
    ] = None,
    level: Annotated[
        list[float] | None, typer.Option(help="False-alarm level; repeat it. 0.05 and 0.1 by default.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Kind of planted lesion; repeat it. By default those that no detector trains on."),
    ] = None,
    size: Annotated[float, typer.Option(help="Of planted lesions, ml (pixels in images).")] = 5.0,
    severity: Annotated[float, typer.Option(help="Above 0 (hardly visible) up to 1 (glaring).")] = 0.7,
    seed: Annotated[int, typer.Option(help="Seed of re-splits, shapes and places.")] = 0,
    workers: Annotated[int | None, typer.Option(help="Processes that score; one a core by default.")] = None,
    device: Device = "cpu",
) -> None:
    """Test the guarantee: false alarms over re-splits of held-out healthy scans, sensitivity beside them."""
    del device  # told to the models by its callback
    from dataclasses import replace

    from sanum.cli.terminal import progress
    from sanum.workflow.guarantee import GuaranteeOptions, check_guarantee

    how = GuaranteeOptions(
        splits=resplits, calibration=calibration, size=size, severity=severity, seed=seed, workers=workers
    )
    how = replace(how, levels=tuple(level)) if level else how
    how = replace(how, kinds=tuple(kind)) if kind else how
    with progress("scoring", None) as advance:
        result = check_guarantee(model, prepared, other, out, how, on_done=advance)
    for line in result.lines():
        print(line)
