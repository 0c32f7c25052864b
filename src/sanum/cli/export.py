"""`sanum export`: a model for ONNX Runtime, behind a check that its scores stay the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    model: Annotated[Path, typer.Argument(help="Model file whose detector rebuilds slices.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write (.onnx); beside the model by default.")
    ] = None,
) -> None:
    """Write the network as ONNX; `sanum serve` runs it when it lies beside the model."""
    from sanum.workflow.export import export

    path, differences = export(model, out)
    for runtime, difference in differences.items():
        print(f"{runtime}: scores differ from PyTorch's by at most {difference:.1e} (relative)")
    print(path)
