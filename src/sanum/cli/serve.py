"""`sanum serve`: the HTTP service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    model: Annotated[Path, typer.Argument(help="Calibrated model file.")],
    host: Annotated[str, typer.Option(help="Address to listen on; loopback by default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8417,
    workers: Annotated[int, typer.Option(help="Server processes; each holds the model.")] = 1,
    max_upload_mb: Annotated[int, typer.Option(help="Largest upload in MB.")] = 256,
) -> None:
    """Answer `POST /v1/predict` with decision, score, p-value and heatmap."""
    from sanum.service.app import Settings
    from sanum.service.serve import serve

    serve(model, host=host, port=port, workers=workers, settings=Settings(max_upload_mb=max_upload_mb))
