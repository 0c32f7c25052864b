"""`sanum inject`: severity curves with planted lesions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanum.cli.arguments import ModelFile


def run(
    model: ModelFile,
    prepared: Annotated[Path, typer.Argument(help="Prepared store with healthy test cases.")],
    out: Annotated[Path | None, typer.Option(help="Folder for injection.json and injection.svg.")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Kind of lesion; repeat it. By default those that no detector trains on."),
    ] = None,
    size: Annotated[
        list[float] | None, typer.Option(help="Size in ml (pixels in images); repeat it for a series.")
    ] = None,
    severity: Annotated[
        list[float] | None, typer.Option(help="Above 0 (hardly visible) up to 1 (glaring); repeat it.")
    ] = None,
    cases: Annotated[int, typer.Option(help="Healthy test cases taken, at most.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of shapes and places.")] = 0,
) -> None:
    """Plant lesions of known size and severity in healthy test cases: which are found, at which size half."""
    from dataclasses import replace

    from sanum.cli.terminal import progress
    from sanum.workflow.inject import InjectOptions, inject

    how = InjectOptions(sizes=tuple(size or ()), cases=cases, seed=seed)
    how = replace(how, kinds=tuple(kind)) if kind else how
    how = replace(how, severities=tuple(severity)) if severity else how
    with progress("injecting", cases) as advance:
        result = inject(model, prepared, out, how, on_done=advance)
    for line in result.lines():
        print(line)
