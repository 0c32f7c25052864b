"""Arguments that several verbs share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sanum.core.config import SCORING_DEVICE
from sanum.core.shipped import find_model

HELP = "Model file, or the name of one that comes with sanum (`sanum models`)."


def _found_all(paths: list[Path]) -> list[Path]:
    return [find_model(path) for path in paths]


def _told_all(device: str) -> str:
    """Tell the models of this process and of those it starts where to score."""
    if device != os.environ.get(SCORING_DEVICE, "cpu"):
        from sanum.training.device import use_device

        use_device(device)
    return device


Device = Annotated[
    str,
    typer.Option(
        help="Where networks score: cpu, auto (CUDA where there is one), cuda, cuda:1, …",
        envvar=SCORING_DEVICE,
        callback=_told_all,
    ),
]
ModelFile = Annotated[Path, typer.Argument(help=HELP, callback=find_model)]
Workers = Annotated[
    int | None,
    typer.Option(help="Processes, one a core by default; or jobs of a Slurm cluster."),
]
Cluster = Annotated[
    str | None, typer.Option(help="Dask scheduler tcp://host:port, or slurm; docs/large_cohorts.md.")
]
AsCalled = Annotated[
    bool,
    typer.Option("--as-called", help="The scans show what they are called, whatever they look like."),
]
ModelFiles = Annotated[list[Path], typer.Argument(help=HELP, callback=_found_all)]
