"""Arguments that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanum.core.shipped import find_model

HELP = "Model file, or the name of one that comes with sanum (`sanum models`)."


def _found_all(paths: list[Path]) -> list[Path]:
    return [find_model(path) for path in paths]


ModelFile = Annotated[Path, typer.Argument(help=HELP, callback=find_model)]
ModelFiles = Annotated[list[Path], typer.Argument(help=HELP, callback=_found_all)]
