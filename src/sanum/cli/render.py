"""`sanum render`: healthy scans of one sequence, made of heads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    heads: Annotated[Path, typer.Argument(help="Store of heads, made by `sanum tissues`.")],
    out: Annotated[Path, typer.Option(help="Store to write.")],
    modality: Annotated[str, typer.Option(help="T1w, T2w, FLAIR or PDw.")],
    split: Annotated[str, typer.Option(help="Split to take heads from.")] = "calibration",
    scans: Annotated[int, typer.Option(help="Scans of each head.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of contrast, pose and scanner.")] = 0,
) -> None:
    """Make healthy scans where no real ones are at hand; what is calibrated on them guarantees no rate."""
    from sanum.workflow.render import render_store

    store = render_store(heads, out, modality, split=split, scans=scans, seed=seed)
    print(f"{out}: {len(store.manifest())} healthy {modality} scans, made")
