"""`sanum models`: the models that come with the package."""

from __future__ import annotations

from typing import Annotated

import typer


def run(
    name: Annotated[str | None, typer.Argument(help="Print the card of this model.")] = None,
) -> None:
    """List the models that come with sanum, or print the card of one; a name stands for its file in every verb."""
    from sanum.core.header import read_header
    from sanum.core.shipped import model_card, shipped_models

    if name is not None:
        print(model_card(name))
        return
    for shipped, path in shipped_models().items():
        header, megabytes = read_header(path), path.stat().st_size / 1e6
        facts = header["facts"]
        print(
            f"{shipped}  {header['detector']} on {', '.join(header['modalities'])}, {megabytes:.1f} MB, trained on "
            f"{facts['training_subjects']} healthy subjects; card: `sanum models {shipped}`"
        )
