"""`sanum inspect`: read a model card or a scan's header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer


def run(
    path: Annotated[Path, typer.Argument(help="Model file, scan, DICOM folder, or prepared store.")],
    series: Annotated[
        Optional[str], typer.Option(help="DICOM series by number or UID ending; PATH#NUMBER means the same.")
    ] = None,
) -> None:
    """Print a model card or a scan's header as JSON, without loading weights or voxels."""
    from sanum.workflow.inspect import inspect

    print(json.dumps(inspect(path, series), indent=2, ensure_ascii=False))
