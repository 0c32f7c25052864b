"""The models of a service, by name, each loaded once and asked by one request at a time."""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sanum.core.config import did_you_mean
from sanum.core.errors import CalibrationError, ConfigError, SanumError
from sanum.core.header import read_header
from sanum.service.problems import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sanum.model import Model
    from sanum.workflow.detect import CaseDetection


_log = logging.getLogger("sanum.service")


def load_served(path: Path) -> Model:
    """Read a model file, get it ready, and let it run its exported form where one lies beside it.

    Raises:
        ModelFileError: the model can't be read, or the exported form is of another one.
    """
    from sanum.model import load
    from sanum.workflow.export import exported_beside, use_exported

    model = load(path)
    _get_ready(model)
    if exported_beside(path) != path and exported_beside(path).exists():
        use_exported(model, exported_beside(path))
    return model


def judge_files(
    model: Model,
    files: Mapping[str, Path],
    *,
    case: str,
    brain: Path | None = None,
    reconstruct: bool = False,
    on_stage: Callable[[str], None] = lambda _: None,
    as_called: bool = False,
) -> CaseDetection:
    """Judge the files of one case. What goes wrong with the scan in a way that nobody foresaw is a refusal: it would go
    wrong again.

    Args:
        model: calibrated.
        files: modality to file.
        case: name of the case in its results.
        brain: brain mask on the first modality's grid.
        reconstruct: restore the healthy scan too, where the detector can.
        on_stage: told what comes next.
        as_called: the sender vouches that the files show what they are called.
    """
    from sanum.cohort.table import Row
    from sanum.workflow.detect import refused
    from sanum.workflow.prepare import reason_of

    row = Row(case=case, subject=case, scans=dict(files), brain=brain, as_called=as_called)
    stage, started = _Stage(on_stage), time.perf_counter()
    try:
        return model.judge(row, on_stage=stage, reconstruct=reconstruct)
    except (SanumError, OSError, MemoryError):
        raise
    except Exception as error:
        if stage.failed or "allocate memory" in str(error):  # torch says so by a RuntimeError
            raise
        reason = reason_of(error)
        _log.error("%s: %s", case, reason.replace(f" ({error})", ""))  # its words may hold what a file says
        return refused(model, row, None, reason, started)


class _Stage:
    """Tells what comes next, and remembers when telling it went wrong: that is not the scan's fault."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.failed = False

    def __call__(self, stage: str) -> None:
        self.failed = True
        self._tell(stage)
        self.failed = False


def _get_ready(model: Model) -> None:
    """Load now what the first case would wait for: 3 s of processor time for a volume."""
    from sanum.prepare.presets import Template
    from sanum.prepare.template import icbm152

    import_libraries()
    if isinstance(model.preparation, Template):
        icbm152()


def import_libraries() -> None:
    """Import now what the first case would wait for. No library computes anything yet, so a process may fork after it."""
    for package in ("nibabel", "pydicom"):  # of which two requests that come first at once might import half
        importlib.import_module(package)
    import sanum.model
    import sanum.prepare.pipeline
    import sanum.report.case
    import sanum.report.overlays
    import sanum.workflow.detect
    import sanum.workflow.export  # noqa: F401


def model_files(paths: Sequence[Path]) -> dict[str, Path]:
    """Model files by name, checked without loading them.

    Raises:
        ModelFileError: no model file.
        CalibrationError: not calibrated.
        ConfigError: none, or two of one name.
    """
    if not paths:
        raise ConfigError("no model to serve; name one or more model files")
    files: dict[str, Path] = {}
    for path in paths:
        if not {"calibration", "alone"} & read_header(path).keys():
            raise CalibrationError(f"{path}: not calibrated, so it can't decide; run `sanum calibrate` first")
        if path.stem in files:
            raise ConfigError(f"{path}: another model is called {path.stem!r} too; rename one file")
        files[path.stem] = path.resolve()
    return files


def choose(models: Mapping[str, Model], name: str | None) -> tuple[str, Model]:
    """The model a client means.

    Raises:
        RequestError: 400 where none was named and there are several, 404 for an unknown one.
    """
    if name is None:
        if len(models) > 1:
            raise RequestError(
                400, "which-model", f"Several models are served: name one of {', '.join(models)}."
            )
        name = next(iter(models))
    if name not in models:
        raise RequestError(404, "unknown-model", f"No model {name!r} is served; {did_you_mean(name, models)}")
    return name, models[name]


def modalities(model: Model) -> list[str]:
    """What the model needs of each case."""
    return list(model.card["modalities"])


def takes_any(model: Model) -> bool:
    """Whether any one of its modalities makes a case."""
    return bool(model.card.get("any_of"))
