"""`sanum listen`: scans arrive from a PACS by themselves, and results go back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanum.cli.serve import DATA, Data, Database


def run(
    config: Annotated[
        Path, typer.Argument(help="TOML file: who may send, which model judges what, where results go.")
    ],
    data: Data = DATA,
    database: Database = None,
) -> None:
    """Receive studies by C-STORE or DICOMweb, judge them by rules, and send DICOM results back until stopped."""
    from sanum.pacs.launch import ListenConfig, listen

    listen(ListenConfig(str(config.absolute()), str(data), database))
