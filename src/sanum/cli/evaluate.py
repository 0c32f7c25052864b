"""`sanum evaluate`: how well a model tells lesions from healthy scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanum.cli.arguments import Cluster, Device, ModelFile


def run(
    model: ModelFile,
    prepared: Annotated[Path, typer.Argument(help="Prepared store with a test split.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for maps, figures, cases.tsv and evaluation.json.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Another model file: test whether the two differ on the same cases.")
    ] = None,
    draws: Annotated[int, typer.Option(help="Bootstrap samples over subjects.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    drop_duplicates: Annotated[
        bool,
        typer.Option(
            "--drop-duplicates", help="Leave out test cases that look like a case of another split."
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes that measure volumes, one a core by default; or jobs of a Slurm cluster."
        ),
    ] = None,
    cluster: Cluster = None,
    device: Device = "cpu",
) -> None:
    """Score the test split of a store: decisions by healthy scans alone first, best-possible figures last."""
    del device  # told to the models by its callback
    from sanum.workflow.compare import compare
    from sanum.workflow.evaluate import EvaluateOptions, evaluate

    how = EvaluateOptions(draws, seed, drop_duplicates, workers, cluster)
    result = evaluate(model, prepared, out, options=how)
    for line in result.lines():
        print(line)
    if against is not None:
        for line in compare(model, against, prepared, out, how).lines():
            print(line)
