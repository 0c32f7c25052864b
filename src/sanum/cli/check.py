"""`sanum check`: draw the contact sheet of a prepared store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def run(
    prepared: Annotated[Path, typer.Argument(help="Folder of a prepared store.")],
    out: Annotated[
        Optional[Path], typer.Option(help="Page to write; check.html in the store by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the slices that are drawn.")] = 0,
) -> None:
    """Draw what a person looks at before training: slices, histograms, what was dropped and why."""
    from sanum.workflow.check import check

    page = check(prepared, out or prepared / "check.html", seed=seed)
    print(f"look at {page}")
