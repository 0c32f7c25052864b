"""`sanum inspect`: read a model card or a scan's header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer


def run(
    path: Annotated[
        Path, typer.Argument(help="Model file or shipped model, scan, DICOM folder, or prepared store.")
    ],
    series: Annotated[
        Optional[str], typer.Option(help="DICOM series by number or UID ending; PATH#NUMBER means the same.")
    ] = None,
) -> None:
    """Print a model card or a scan's header as JSON, without loading weights or voxels."""
    from sanum.core.shipped import shipped_models
    from sanum.workflow.inspect import inspect

    meant = path if path.exists() else shipped_models().get(str(path), path)
    print(json.dumps(inspect(meant, series), indent=2, ensure_ascii=False))
