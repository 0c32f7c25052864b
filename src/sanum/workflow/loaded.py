"""The Python face of a model file: load it once, ask it often."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sanum.cohort.table import Row
from sanum.core.files import file_sha256
from sanum.core.records import Rule
from sanum.core.shipped import DEFAULT_MODEL, find_model
from sanum.model import Model, save
from sanum.model import load as load_model
from sanum.workflow.detect import detect as detect_row
from sanum.workflow.detect_many import detect_or_refuse, given_up
from sanum.workflow.detection import CaseDetection
from sanum.workflow.executor import map_cases
from sanum.workflow.given import Handover
from sanum.workflow.model_cache import cached_model
from sanum.workflow.progress import progress

PathLike = Path | str


@dataclass(frozen=True, eq=False, repr=False)
class LoadedModel:
    """A model that judges scans.

    >>> import sanum
    >>> model = sanum.load("sanum-t1-restore")
    >>> model
    <sanum-t1-restore: restore for T1w, calibrated on 19 healthy subjects, rule conformal 0.05>
    >>> model.card["modalities"]
    ['T1w']
    """

    model: Model

    def __repr__(self) -> str:
        takes = ", ".join(self.model.preparation.modalities)
        singles = self.model.single_calibrations
        kept = self.model.calibration or next(iter(singles.values()), None)
        if kept is None:
            return f"<{self.model.name}: {self.model.detector.name} for {takes}, not calibrated>"
        return (
            f"<{self.model.name}: {self.model.detector.name} for {takes}, calibrated on {len(kept.scores)} healthy "
            f"subjects, rule {kept.rule.name} {kept.rule.level:g}>"
        )

    @property
    def card(self) -> dict[str, Any]:
        """The model card as plain JSON."""
        return self.model.card

    def detect(
        self,
        scan: Any,
        *,
        affine: Any = None,
        modality: str | None = None,
        brain: Any = None,
        case: str = "",
        as_called: bool = False,
        workers: int = 1,
        device: str | None = None,
    ) -> Any:
        """Judge one scan, or many.

        Args:
            scan: a path; a nibabel image; an array (I, J, K) with `affine`, or the pair `(array, affine)`; an array
                (rows, columns), a picture; a mapping from modality to one of these, for a case of several; or a list of
                any of them. A path may also be a folder (BIDS, DICOM, or plain) or a cohort table of several cases.
            affine: (4, 4), voxel index of an array to world RAS+ mm.
            modality: what a single scan shows, where its name does not tell.
            brain: brain mask of one case on its first scan's grid, a path, image or array; not needed when the scan is
                brain-extracted, or a whole head.
            case: name of one case.
            as_called: you vouch that the scans show what they are called, whatever they look like.
            workers: processes that judge a list, a folder or a table. A script that asks for several needs
                `if __name__ == "__main__":`.
            device: where networks run from now on: "cpu", "auto" (CUDA where there is one), "cuda", "cuda:1", …; where
                they are by default, at first on the CPU. Scores differ by rounding.

        Returns:
            One `CaseDetection` for one case; a list of them for a list, a folder of several cases or a table, in their
            order. The status of a scan that can't be judged is "refused", with the reason.

        Raises:
            TypeError: what was given is no scan.
            ScanError: a file does not exist.
            CalibrationError: the model is not calibrated.
            ConfigError: the device is not there.

        >>> detection = sanum.load(model_file).detect(scan)
        >>> detection.status, detection.abnormal, len(detection.findings) > 0
        ('abnormal', True, True)
        """
        self.model.calibrated()
        if device is not None:
            self.model.detector.to(device)
        with tempfile.TemporaryDirectory(prefix="sanum-") as scratch:
            given = Handover(Path(scratch), self.model.takes, modality)
            rows, single = given.rows(scan, affine=affine, case=case)
            if brain is not None and len(rows) > 1:
                raise TypeError(
                    "a brain mask belongs to one case; name the masks of several in a cohort table"
                )
            if brain is not None:
                rows = [replace(rows[0], brain=given.file(brain, affine, "brain"))]
            if as_called:
                rows = [replace(row, as_called=True) for row in rows]
            if single:
                return given.told(detect_row(self.model, rows[0]))
            run = _Run(self.model, workers, Path(scratch), device)
            return [given.told(found) for found in _detect_all(run, rows)]

    def with_rule(self, rule: Rule) -> LoadedModel:
        """The same model deciding by another rule or level.

        >>> sanum.load(model_file).with_rule(sanum.Rule("quantile", 0.9)).model.calibration.rule
        Rule(name='quantile', level=0.9)
        """
        return LoadedModel(self.model.with_rule(rule))

    def save(self, path: PathLike) -> None:
        """Write the model file."""
        save(self.model, Path(path))


def load(path: PathLike = DEFAULT_MODEL) -> LoadedModel:
    """Load a model file, or a model that comes with sanum by its name.

    Raises:
        ModelFileError: missing, damaged, or not a sanum model file.

    >>> sanum.load(model_file)
    <brightness: intensity for T1w, calibrated on 4 healthy subjects, rule mean+3std 3>
    """
    return LoadedModel(load_model(find_model(Path(path))))


def detect(scan: Any, model: PathLike | LoadedModel = DEFAULT_MODEL, **how: Any) -> Any:
    """Judge one scan or many, by the model that comes with sanum or by another.

    Args:
        scan: see `LoadedModel.detect`.
        model: a loaded model, a model file, or the name of a model that comes with sanum.
        how: further arguments of `LoadedModel.detect`.

    Returns:
        One detection, or a list; see `LoadedModel.detect`.

    Raises:
        ModelFileError: no such model.
        TypeError, ScanError, CalibrationError: see `LoadedModel.detect`.

    >>> sanum.detect(scan, model_file).status
    'abnormal'
    >>> [one.status for one in sanum.detect([scan, healthy_scan], model_file)]
    ['abnormal', 'normal']
    """
    loaded = model if isinstance(model, LoadedModel) else load(model)
    return loaded.detect(scan, **how)


@dataclass(frozen=True, eq=False)
class _Run:
    model: Model
    workers: int
    scratch: Path
    device: str | None


@dataclass(frozen=True)
class _Job:
    model_path: Path
    model_sha256: str
    device: str | None
    row: Row


def _detect_all(run: _Run, rows: Sequence[Row]) -> list[CaseDetection]:
    """Judge rows in this process, or in others that read the model from a file."""
    with progress("detecting", len(rows)) as advance:
        found: dict[int, CaseDetection] = {}
        for number, one in _judged(run, rows):
            found[number] = one
            advance(one.case)
    return [found[number] for number in range(len(rows))]


def _judged(run: _Run, rows: Sequence[Row]) -> Iterator[tuple[int, CaseDetection]]:
    model = run.model
    if min(run.workers, len(rows)) <= 1:
        for number, row in enumerate(rows):
            yield number, detect_or_refuse(model, row)
        return
    path = run.scratch / f"{model.name}.safetensors"
    save(model, path)
    jobs = [_Job(path, file_sha256(path), run.device, row) for row in rows]
    places = {id(job): number for number, job in enumerate(jobs)}
    for job, one in map_cases(_detect_job, jobs, run.workers, lost=_lost_job):
        yield places[id(job)], replace(one, provenance=replace(one.provenance, model_sha256=model.sha256))


def _detect_job(job: _Job) -> CaseDetection:
    model = cached_model(job.model_path, job.model_sha256)
    if job.device is not None:
        model.detector.to(job.device)
    return detect_or_refuse(model, job.row)


def _lost_job(job: _Job, reason: str) -> CaseDetection:
    return given_up(cached_model(job.model_path, job.model_sha256), job.row, reason)
