"""`sanum pairs`: plant held-out faults in registered pairs and see which scores find them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def run(
    model: Annotated[Path, typer.Argument(help="Model of two modalities, such as recipe cross-modal.")],
    prepared: Annotated[Path, typer.Argument(help="Prepared store with healthy test cases.")],
    out: Annotated[Optional[Path], typer.Option(help="Folder for the tables and figures.")] = None,
    beside: Annotated[
        Optional[list[Path]],
        typer.Option(help="Further model to stand beside, of both modalities or one; repeat it."),
    ] = None,
    kind: Annotated[
        Optional[list[str]], typer.Option(help="Kind of fault; repeat it. All by default.")
    ] = None,
    size: Annotated[
        Optional[list[float]],
        typer.Option(help="Size in ml (in pictures: their own pixels); repeat it, they are taken in turn."),
    ] = None,
    cases: Annotated[int, typer.Option(help="Test cases taken of each label, at most.")] = 1000,
    level: Annotated[float, typer.Option(help="Level of the false-alarm rate.")] = 0.05,
    draws: Annotated[int, typer.Option(help="Bootstrap samples over subjects.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of places, donors and bootstrap.")] = 0,
) -> None:
    """Plant faults in one modality of healthy test pairs: AUROC and pixel average precision by kind and score.

    Also told apart: re-paired cases, and test cases that are not labelled healthy.
    """
    from sanum.cli.terminal import progress
    from sanum.workflow.pairs import PairOptions, evaluate_pairs

    usual = PairOptions()
    options = PairOptions(
        tuple(kind) if kind else usual.kinds,
        tuple(size) if size else usual.sizes,
        level,
        cases,
        draws,
        seed,
    )
    with progress("judging pairs", None) as advance:
        result = evaluate_pairs(model, prepared, out, beside=beside or (), options=options, on_done=advance)
    for line in result.lines():
        print(line)
    if out is not None:
        print(f"tables: {out / 'pairs.tsv'}, {out / 'cases.tsv'}")
