"""`sanum worker`: one more process that judges cases, here or on another host."""

from __future__ import annotations

from sanum.cli.arguments import Device, ModelFiles
from sanum.cli.serve import DATA, CaseSeconds, Data, Database, KeepCases, KeepInputs


def run(
    models: ModelFiles,
    data: Data = DATA,
    database: Database = None,
    case_seconds: CaseSeconds = 900.0,
    keep_inputs_hours: KeepInputs = 24.0,
    keep_cases_days: KeepCases = 30.0,
    device: Device = "cpu",
) -> None:
    """Judge cases of a service until stopped; its database and data folder must be reachable from here."""
    del device  # told to the models by its callback
    from sanum.service.launch import ServeConfig, work
    from sanum.service.retention import Retention

    work(
        ServeConfig(
            models=tuple(str(model) for model in models),
            data=str(data),
            database=database,
            case_seconds=case_seconds,
            retention=Retention(keep_inputs_hours, keep_cases_days),
        )
    )
