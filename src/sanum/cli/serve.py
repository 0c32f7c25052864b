"""`sanum serve`: the HTTP service with its viewer and its workers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sanum.cli.arguments import Device, ModelFiles

Data = Annotated[Path, typer.Option(help="Folder for cases, uploads, audit log and the embedded database.")]
Database = Annotated[
    str | None,
    typer.Option(help="postgresql://… instead of the embedded SQLite file.", envvar="SANUM_DATABASE"),
]
CaseSeconds = Annotated[float, typer.Option(help="A case that takes longer fails.")]
KeepInputs = Annotated[float, typer.Option(help="Hours that scans are kept after their case has ended.")]
KeepCases = Annotated[float, typer.Option(help="Days that cases and results are kept.")]

DATA = Path("sanum-service")


def run(
    models: ModelFiles,
    data: Data = DATA,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback need tokens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8417,
    name: Annotated[
        list[str] | None, typer.Option(help="A further name under which clients reach it, such as a proxy's.")
    ] = None,
    database: Database = None,
    servers: Annotated[
        int, typer.Option(help="Web processes; each holds the models. 0: one a core, at most 4.")
    ] = 0,
    workers: Annotated[int, typer.Option(help="Processes that judge cases; 0 where other hosts do.")] = 1,
    case_seconds: CaseSeconds = 900.0,
    keep_inputs_hours: KeepInputs = 24.0,
    keep_cases_days: KeepCases = 30.0,
    max_upload_mb: Annotated[float, typer.Option(help="Largest request in MB.")] = 512.0,
    max_queue: Annotated[int, typer.Option(help="Most cases that wait or run; more are answered 429.")] = 200,
    max_requests_per_minute: Annotated[float, typer.Option(help="Of each token.")] = 1200.0,
    device: Device = "cpu",
) -> None:
    """Serve the viewer at /, the API under /v1, and its documentation at /docs."""
    del device  # told to the models by its callback
    from sanum.service.launch import ServeConfig, serve
    from sanum.service.limits import Limits
    from sanum.service.retention import Retention

    limits = Limits(upload_mb=max_upload_mb, queue=max_queue, requests_per_minute=max_requests_per_minute)
    retention = Retention(keep_inputs_hours, keep_cases_days)
    serve(
        ServeConfig(
            models=tuple(str(model) for model in models),
            data=str(data),
            host=host,
            port=port,
            hosts=tuple(name or ()),
            database=database,
            servers=servers,
            workers=workers,
            case_seconds=case_seconds,
            limits=limits,
            retention=retention,
        )
    )
