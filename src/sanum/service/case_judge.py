"""One attempt at one case: from its uploaded files to a folder of results."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.engine import Engine

from sanum.core.errors import ConfigError
from sanum.service import cases
from sanum.service.case_folder import CaseFolders
from sanum.service.cases import AS_CALLED, BRAIN, Case
from sanum.service.faults import fault_of
from sanum.service.models import judge_files, load_served

if TYPE_CHECKING:
    from sanum.model import Model
    from sanum.workflow.detect import CaseDetection

T = TypeVar("T")


@dataclass(frozen=True)
class Verdict:
    """What the table of cases keeps of a detection."""

    decision: str
    reason: str
    score: float | None
    threshold: float | None
    p_value: float | None
    warnings: tuple[str, ...] = ()


class Judge:
    """Judges cases with models, each loaded at its first case and kept.

    Args:
        models: name to model file.
        load: reads one.
    """

    def __init__(self, models: Mapping[str, Path], load: Callable[[Path], Model] = load_served) -> None:
        self._models = dict(models)
        self._load = functools.cache(load)

    def warm(self) -> None:
        """Load every model now, so that no case waits for it."""
        for path in self._models.values():
            self._load(path)

    def judge(
        self,
        model: str,
        case: str,
        files: Mapping[str, Path],
        results: Path,
        on_stage: Callable[[str], None],
        *,
        as_called: bool = False,
    ) -> Verdict:
        """Write the results of one case into a folder.

        Args:
            model: name of the model.
            case: name of the case in its results.
            files: modality, or `BRAIN`, to file or folder, all in one folder.
            results: folder to write.
            on_stage: told what the judge is at.
            as_called: the sender vouches that the files show what they are called.
        """
        on_stage("loading the model")
        scans = {modality: path for modality, path in files.items() if modality != BRAIN}
        found = judge_files(
            self._model(model),
            scans,
            case=case,
            brain=files.get(BRAIN),
            reconstruct=True,
            on_stage=on_stage,
            as_called=as_called,
        )
        on_stage("writing results")
        folder = next(iter(files.values())).parent
        shown = _without_folder(replace(found, anomaly_map=None, scan=None, restored=None), f"{folder}/")
        shown = replace(shown, anomaly_map=found.anomaly_map, scan=found.scan, restored=found.restored)
        shown.save(results)
        _write_volumes(found, results)
        return Verdict(
            shown.status, shown.reason, shown.score, shown.threshold, shown.p_value, shown.warnings
        )

    def _model(self, name: str) -> Model:
        if name not in self._models:
            raise ConfigError(
                f"this worker does not serve model {name!r}; give it the same models as the server"
            )
        return self._load(self._models[name])


def _write_volumes(found: CaseDetection, results: Path) -> None:
    """What the viewer shows, as NIfTI also for images."""
    from sanum.formats import write_volume

    if found.anomaly_map is not None and found.is_image:
        write_volume(results / "anomaly_map.nii.gz", found.anomaly_map.values, found.anomaly_map.grid)
    if found.scan is not None:
        write_volume(results / "scan.nii.gz", found.scan.voxels, found.scan.grid)
    for side in found.sides:
        if side.modality != found.modality:
            write_volume(results / f"scan-{side.modality}.nii.gz", side.scan.voxels, side.scan.grid)


def attempt(
    engine: Engine,
    folders: CaseFolders,
    judge: Judge,
    case: Case,
    persist: Callable[[Callable[[], Any]], Any] = lambda act: act(),
) -> bool:
    """Judge a case once and record how it ended.

    A result is recorded only while this attempt owns the case, so that two attempts never both count.

    Args:
        engine: the service's database.
        folders: of the cases.
        judge: what judges.
        case: as its attempt began.
        persist: does what needs database or disk, and does it again where these fail: that counts for no attempt.

    Returns:
        Whether this attempt ended the case; otherwise it failed and another may help, or the case is another's now.
    """
    verdict = persist(lambda: _verdict(engine, folders, judge, case))
    if isinstance(verdict, str):
        persist(lambda: cases.note(engine, case, error=verdict))
        return False
    ended: bool = persist(lambda: cases.end(engine, case, "done", error="", **asdict(verdict)))
    if ended:
        folders.drop_other_attempts(case)
    return ended


def _verdict(engine: Engine, folders: CaseFolders, judge: Judge, case: Case) -> Verdict | str:
    """What the judge finds, or why it could not."""
    inputs = folders.inputs(case.id)
    files = {key: inputs / name for key, name in case.files.items() if key != AS_CALLED}
    try:
        return judge.judge(
            case.model,
            case.id,
            files,
            folders.results(case),
            lambda stage: _stage(engine, case, stage),
            as_called=AS_CALLED in case.files,
        )
    except Exception as error:  # whatever a case provokes must end that case only, with its reason kept
        if fault_of(error) is not None:
            raise
        message = str(error).replace(f"{inputs}/", "") or "out of memory"
        return f"{type(error).__name__}: {message}"[:2000]


def _stage(engine: Engine, case: Case, stage: str) -> None:
    """Tell what the attempt is at; where that can't be told it goes on all the same."""
    try:
        cases.note(engine, case, stage=stage)
    except Exception as error:
        if fault_of(error) is None:
            raise


def _without_folder(value: T, folder: str) -> T:
    """The same record with a private folder's name cut out of every text in it."""
    changed: Any = value
    if isinstance(value, str):
        changed = value.replace(folder, "")
    elif isinstance(value, tuple | list):
        changed = type(value)(_without_folder(inner, folder) for inner in value)
    elif isinstance(value, Mapping):
        changed = {key: _without_folder(inner, folder) for key, inner in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        changed = replace(
            value, **{f.name: _without_folder(getattr(value, f.name), folder) for f in fields(value)}
        )
    result: T = changed
    return result
