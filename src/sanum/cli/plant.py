"""`sanum plant`: plant synthetic lesions in healthy cases, to test on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def run(
    prepared: Annotated[Path, typer.Argument(help="Prepared store with healthy test cases.")],
    out: Annotated[Path, typer.Option(help="Store to write: each healthy case, and again with a lesion.")],
    kind: Annotated[
        Optional[list[str]],
        typer.Option(help="Kind of lesion; repeat it. By default those that no detector trains on."),
    ] = None,
    size: Annotated[float, typer.Option(help="Size in ml (pixels in images).")] = 8.0,
    severity: Annotated[float, typer.Option(help="Above 0 (hardly visible) up to 1 (glaring).")] = 0.7,
    split: Annotated[str, typer.Option(help="Split to take healthy cases from.")] = "test",
    seed: Annotated[int, typer.Option(help="Seed of shapes and places.")] = 0,
) -> None:
    """Plant synthetic lesions in healthy test cases; `sanum evaluate` takes the store that comes out."""
    from sanum.workflow.plant import Planting, plant_store

    planting = Planting(tuple(kind) if kind else Planting().kinds, size, severity, seed)
    store = plant_store(prepared, out, planting, split=split)
    print(f"{out}: {len(store.manifest())} cases, kinds {', '.join(planting.kinds)}")
