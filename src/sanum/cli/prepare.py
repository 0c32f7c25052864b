"""`sanum prepare`: bring every case of a cohort onto the model grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer

from sanum.cli.arguments import AsCalled, Cluster, Workers


def run(
    cohort: Annotated[Path, typer.Argument(help="Cohort table.")],
    out: Annotated[Path, typer.Option(help="Folder of the prepared store.")],
    preset: Annotated[str, typer.Option(help="slices (classic) or template.")] = "slices",
    modality: Annotated[
        Optional[list[str]],
        typer.Option(help="Modalities to use, in channel order: CT,T1w, or repeat it. All by default."),
    ] = None,
    setting: Annotated[
        Optional[list[str]], typer.Option("--set", help="Preset setting key=value; repeat it.")
    ] = None,
    reuse: Annotated[
        Optional[list[Path]],
        typer.Option(help="Store whose brain masks and registrations are taken where they fit; repeat it."),
    ] = None,
    as_called: AsCalled = False,
    workers: Workers = None,
    cluster: Cluster = None,
) -> None:
    """Prepare every case of a cohort: resumable, in parallel, a failed case never stops the rest."""
    from sanum.cli.terminal import leave_partial, progress
    from sanum.cohort.table import read_cohort
    from sanum.core.config import parse_settings
    from sanum.prepare.presets import preparation_from_dict
    from sanum.workflow.prepare import CaseOutcome, prepare_cohort

    table = read_cohort(cohort)
    if as_called:
        table = replace(table, rows=tuple(replace(row, as_called=True) for row in table))
    named = [name.strip() for each in modality or () for name in each.split(",")]
    modalities = named or list(table.modalities)
    table = table.showing(modalities)
    for note in table.notes:
        print(f"note: {note}")
    preparation = preparation_from_dict(
        {"preset": preset, "modalities": modalities, **parse_settings(setting or [])}
    )
    failed: list[CaseOutcome] = []
    aside: list[str] = []
    peak_mb = 0
    with progress("preparing", len(table)) as advance:

        def show(outcome: CaseOutcome) -> None:
            nonlocal peak_mb
            if outcome.status == "set aside":
                aside.append(outcome.case)
                return
            advance(outcome.case)
            peak_mb = max(peak_mb, outcome.peak_mb)
            if outcome.status == "failed":
                failed.append(outcome)

        manifest = prepare_cohort(
            table,
            out,
            preparation,
            workers=workers,
            cluster=cluster,
            reuse=reuse or (),
            on_done=show,
        )
    ready = sum(row.status == "ready" for row in manifest)
    print(f"{out}: {ready} of {len(table)} cases ready; look at them with `sanum check {out}`")
    if peak_mb:
        print(f"highest memory of a worker: {peak_mb} MB")
    if aside:
        print(
            f"set aside, no longer in {cohort}, not to be used: {', '.join(aside)} (in {out / 'set-aside'})"
        )
    for outcome in failed:
        print(f"FAILED {outcome.case}: {outcome.reason}")
    if failed:
        leave_partial()
