"""`sanum bids`: sanum as a BIDS App."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

from sanum.cli.arguments import AsCalled, Device
from sanum.core.shipped import DEFAULT_MODEL, find_model


class Level(StrEnum):
    """What a BIDS App is asked to do."""

    participant = "participant"
    group = "group"


def run(
    bids_dir: Annotated[Path, typer.Argument(help="BIDS data set.")],
    output_dir: Annotated[Path, typer.Argument(help="Folder for the derivatives.")],
    level: Annotated[Level, typer.Argument(help="Judge participants, or report on all that were judged.")],
    participant_label: Annotated[
        Optional[list[str]],
        typer.Option(
            "--participant-label",
            "--participant_label",
            help="Only this participant, with or without sub-; repeat it.",
        ),
    ] = None,
    model: Annotated[
        Path, typer.Option(help="Model file, or the name of one that comes with sanum.", callback=find_model)
    ] = Path(DEFAULT_MODEL),
    as_called: AsCalled = False,
    workers: Annotated[Optional[int], typer.Option(help="Processes, one a core by default.")] = None,
    device: Device = "cpu",
) -> None:
    """Judge a BIDS data set and leave BIDS derivatives: maps, sidecars with provenance, and a group page.

    A scan that can't be judged is refused with the reason; then the exit code is 3.
    """
    del device  # told to the models by its callback
    from sanum.cli.terminal import leave_partial, progress
    from sanum.workflow.bids_app import judge_participants, report_group

    if level is Level.group:
        print(f"group report: {report_group(output_dir)}")
        return
    with progress("judging", None) as advance:
        found = judge_participants(
            bids_dir,
            output_dir,
            model,
            labels=participant_label or (),
            as_called=as_called,
            workers=workers,
            on_done=advance,
        )
    for one in found:
        print(one)
    if any(one.status == "refused" for one in found):
        leave_partial()
