"""`sanum export`: a model for ONNX Runtime, behind a check that its scores stay the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanum.cli.arguments import ModelFile


def run(
    model: ModelFile,
    out: Annotated[
        Path | None, typer.Option(help="File to write (.onnx); beside the model by default.")
    ] = None,
) -> None:
    """Write a model as ONNX: the file may be given wherever a model may, and `sanum serve` runs one beside its model."""
    from sanum.core.shipped import refuse_to_write_beside
    from sanum.workflow.export import export

    refuse_to_write_beside(out or model)
    path, differences = export(model, out)
    for runtime, difference in differences.items():
        print(f"{runtime}: scores differ from PyTorch's by at most {difference:.1e} (relative)")
    print(path)
