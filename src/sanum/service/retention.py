"""What is deleted when: inputs early, whole cases later, and leftovers of interrupted uploads."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass

from sqlalchemy.engine import Engine

from sanum.core.errors import ConfigError
from sanum.service import cases
from sanum.service.audit import AuditLog
from sanum.service.case_folder import CaseFolders, modified

LEFTOVER_SECONDS = 3600.0
"""A folder without a case that is older was left by an interrupted upload."""


@dataclass(frozen=True)
class Retention:
    """How long things are kept after a case has ended.

    Attributes:
        inputs_hours: what was sent, and the copy of the scan that the viewer shows.
        cases_days: results and the case itself.
    """

    inputs_hours: float = 24.0
    cases_days: float = 30.0

    def __post_init__(self) -> None:
        if self.inputs_hours < 0 or self.cases_days < 0:
            raise ConfigError(
                f"retention: expected 0 or more, got {self.inputs_hours} hours and {self.cases_days} days"
            )


def sweep(engine: Engine, folders: CaseFolders, retention: Retention, audit: AuditLog) -> None:
    """Delete what the policy no longer keeps. Safe to run in several workers at once."""
    now = time.time()
    for case in cases.ended_before(engine, now - retention.cases_days * 86_400):
        if cases.delete(engine, case):
            folders.delete(case)
            audit.write("service", "case.expire", case)
    for case in cases.ended_before(engine, now - retention.inputs_hours * 3600, inputs_kept=True):
        folders.delete_inputs(case)
        cases.forget_inputs(engine, case)
        audit.write("service", "inputs.expire", case)
    _sweep_leftovers(engine, folders, now - LEFTOVER_SECONDS)


def _sweep_leftovers(engine: Engine, folders: CaseFolders, before: float) -> None:
    for left in folders.incoming.iterdir():
        if modified(left) < before:
            shutil.rmtree(left, ignore_errors=True)
    names = folders.names()
    known = cases.known(engine, names)
    for name in names:
        if name not in known and folders.modified(name) < before:
            folders.delete(name)
