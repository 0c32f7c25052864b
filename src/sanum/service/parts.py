"""What the routes work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.engine import Engine

from sanum.service.access import AccessControl
from sanum.service.audit import AuditLog
from sanum.service.case_folder import CaseFolders
from sanum.service.concurrency import ConcurrencyLimit
from sanum.service.jobs import JobQueue
from sanum.service.limits import Limits
from sanum.service.metrics import Metrics

if TYPE_CHECKING:
    from sanum.model import Model


@dataclass(frozen=True)
class Parts:
    """Everything behind the routes, made once by `create_app`."""

    engine: Engine
    folders: CaseFolders
    queue: JobQueue
    models: Mapping[str, Model]
    limits: Limits
    access: AccessControl
    audit: AuditLog
    metrics: Metrics
    predictions: ConcurrencyLimit
