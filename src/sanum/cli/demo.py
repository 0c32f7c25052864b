"""`sanum demo`: the whole chain on generated subjects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo-output"),
    seed: Annotated[int, typer.Option(help="Seed of the generated subjects.")] = 0,
) -> None:
    """Make subjects from the ICBM152 template, plant lesions in some, and run the whole chain on them."""
    from sanum.workflow.demo import demo

    for line in demo(out, seed=seed):
        print(line)
