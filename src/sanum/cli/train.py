"""`sanum train`: train a recipe on normal scans and calibrate it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def run(
    prepared: Annotated[Path, typer.Argument(help="Folder of a prepared store.")],
    recipe: Annotated[str, typer.Option(help="Recipe by name, or a TOML file; see `sanum detectors`.")],
    out: Annotated[Path, typer.Option(help="Model file to write (.safetensors).")],
    setting: Annotated[
        Optional[list[str]], typer.Option("--set", help="Recipe setting key=value; repeat it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    allow_label: Annotated[
        Optional[list[str]], typer.Option(help="Label besides healthy that may be trained on; repeat it.")
    ] = None,
) -> None:
    """Train on the healthy training split, then calibrate on the healthy calibration split if there is one."""
    from sanum.core.config import parse_settings
    from sanum.prepare.store import Store
    from sanum.training.process_group import process_group
    from sanum.training.run import Run
    from sanum.workflow.fit import fit_and_calibrate
    from sanum.workflow.progress import training_progress

    checkpoint = out.with_suffix(".checkpoint")
    with process_group(device) as together, training_progress() as on_progress:
        run = Run(device, checkpoint, resume, on_progress, together)
        model = fit_and_calibrate(
            Store.open(prepared),
            recipe,
            parse_settings(setting or []),
            out=out,
            seed=seed,
            run=run,
            allow_labels=allow_label or [],
        )
    if not together.is_main:
        return
    print(f"{out}: {model.detector.name} trained on {model.facts['training_subjects']} subjects")
    if model.calibration is None:
        print("no held-out healthy case (split 'calibration'), so it can't decide yet: run `sanum calibrate`")
    else:
        print(
            f"calibrated on {len(model.calibration.scores)} held-out healthy subjects, "
            f"rule {model.calibration.rule.name}"
        )
