"""`sanum render`: scans made of heads, where no real ones are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    heads: Annotated[
        list[Path],
        typer.Argument(
            help="Store of heads, made by `sanum tissues`; or whole-head label maps, or a folder of them."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Store to write; of label maps a folder of scans and their table.")
    ],
    modality: Annotated[
        str, typer.Option(help="T1w, T2w, FLAIR or PDw; of label maps one or more of CT,T1w,T2w,FLAIR.")
    ],
    split: Annotated[
        str, typer.Option(help="Split to take heads from; of label maps, to put the scans in.")
    ] = "calibration",
    scans: Annotated[int, typer.Option(help="Scans of each head.")] = 3,
    lesion: Annotated[
        str, typer.Option(help="Of label maps: a lesion that every head has, by its kind.")
    ] = "",
    ml: Annotated[float, typer.Option(help="Size of the lesion.")] = 5.0,
    seed: Annotated[int, typer.Option(help="Seed of contrast, pose and scanner.")] = 0,
) -> None:
    """Make scans where no real ones are at hand; what is calibrated on them guarantees no rate."""
    from sanum.workflow.render import render_store
    from sanum.workflow.render_heads import HeadOptions, label_maps, render_heads

    files = label_maps(heads)
    if len(heads) == 1 and not files:
        store = render_store(heads[0], out, modality, split=split, scans=scans, seed=seed)
        print(f"{out}: {len(store.manifest())} healthy {modality} scans, made")
        return
    options = HeadOptions(tuple(modality.split(",")), split, scans, lesion, ml, seed=seed)
    cohort = render_heads(files, out, options, on_done=print)
    print(f"{cohort.path}: {len(cohort)} heads in {modality}, made")
