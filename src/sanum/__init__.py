"""sanum: learns what normal brains look like, then finds, shows and explains what is not normal.

Research software, not a medical device.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sanum.cohort.discover import discover
    from sanum.cohort.table import Cohort, read_cohort, write_cohort
    from sanum.core.errors import SanumError
    from sanum.core.records import AnomalyMap, Detection, Finding, Rule, Summary
    from sanum.evaluation.summary import Evaluation
    from sanum.model import LoadedModel, Model
    from sanum.prepare.presets import Slices, Template
    from sanum.prepare.store import Store
    from sanum.workflow.estimator import AnomalyDetector
    from sanum.workflow.loaded import detect, load
    from sanum.workflow.own_data import calibrate, evaluate, train
    from sanum.workflow.prepare import prepare_cohort

_HOMES = {
    "AnomalyDetector": "sanum.workflow.estimator",
    "AnomalyMap": "sanum.core.records",
    "Cohort": "sanum.cohort.table",
    "Detection": "sanum.core.records",
    "Evaluation": "sanum.evaluation.summary",
    "Finding": "sanum.core.records",
    "LoadedModel": "sanum.model",
    "Model": "sanum.model",
    "Rule": "sanum.core.records",
    "SanumError": "sanum.core.errors",
    "Slices": "sanum.prepare.presets",
    "Store": "sanum.prepare.store",
    "Summary": "sanum.core.records",
    "Template": "sanum.prepare.presets",
    "calibrate": "sanum.workflow.own_data",
    "detect": "sanum.workflow.loaded",
    "discover": "sanum.cohort.discover",
    "evaluate": "sanum.workflow.own_data",
    "load": "sanum.workflow.loaded",
    "prepare_cohort": "sanum.workflow.prepare",
    "read_cohort": "sanum.cohort.table",
    "train": "sanum.workflow.own_data",
    "write_cohort": "sanum.cohort.table",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """Import a public name at first use, so that light commands stay light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sanum' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
