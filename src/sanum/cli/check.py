"""`sanum check`: look over a prepared store, and stop what follows where something is wrong."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Optional

import typer

NAMED = 10
"""Cases named in the output of each kind; the table has all."""


class FailOn(StrEnum):
    """From which fault on the exit code is 3; each includes those before it."""

    never = "never"
    failed = "failed"
    flagged = "flagged"
    unusual = "unusual"


def run(
    prepared: Annotated[Path, typer.Argument(help="Folder of a prepared store.")],
    out: Annotated[
        Optional[Path], typer.Option(help="Page to write; check.html in the store by default.")
    ] = None,
    fail_on: Annotated[
        FailOn,
        typer.Option(help="Exit code 3 when a case failed, is flagged too, or has an unusual measure too."),
    ] = FailOn.flagged,
    seed: Annotated[int, typer.Option(help="Seed of the choice of usual cases that are drawn.")] = 0,
) -> None:
    """Write a page (pictures, outliers first, measures, what failed and why) and a table; a gate before training."""
    from sanum.cli.terminal import leave_partial
    from sanum.workflow.check import check

    found = check(prepared, out or prepared / "check.html", seed=seed)
    print(
        f"{found.ready} ready, {len(found.failed)} failed, {len(found.flagged)} flagged, "
        f"{len(found.unusual)} with an unusual measure"
    )
    for kind, cases in (("failed", found.failed), ("flagged", found.flagged), ("unusual", found.unusual)):
        if cases:
            for case, why in list(cases.items())[:NAMED]:
                print(f"  {kind}: {case}: {why}")
            if len(cases) > NAMED:
                print(f"  {kind}: and {len(cases) - NAMED} more")
    print(f"look at {found.page}; every measure is in {found.table}")
    if not found.passes(fail_on.value):
        leave_partial()
