"""One scan in, one decision out, with everything a person needs to check it."""

from __future__ import annotations

import csv
import datetime
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sanum
from sanum.calibration.explain import with_healthy_place, with_members
from sanum.calibration.findings import Regions, find_regions, finding_level, map_scale
from sanum.calibration.groups import Person
from sanum.calibration.judge import control_sentence, finding_level_alpha, judge_findings, judge_slices
from sanum.calibration.rules import decide
from sanum.cohort.table import Row
from sanum.core.errors import CalibrationError, ModelFileError, ScanError, StorageError
from sanum.core.files import write_text
from sanum.core.modalities import AnyOf
from sanum.core.records import Calibration, Finding, MemberMap, Prepared, Provenance, Scan
from sanum.dicom.write import MapKind, require_extra
from sanum.formats import modality_of, read_scan, scan_stem, split_part
from sanum.model import Model, load
from sanum.prepare.presets import Preparation, Template
from sanum.prepare.way_back import labels_to_model, reconstruction_to_native, to_native
from sanum.workflow.cohort_report import write_cohort_report
from sanum.workflow.detection import CaseDetection as CaseDetection
from sanum.workflow.dicom_results import add_dicom
from sanum.workflow.disagreement import (
    made_warning,
    named,
    pair_warnings,
    sides,
    single_modality,
    single_modality_warning,
)
from sanum.workflow.executor import map_cases
from sanum.workflow.fluid import in_fluid
from sanum.workflow.model_cache import cached_model
from sanum.workflow.prepare import prepare_scans, read_row, reason_of

RECOGNISED = 0.9
"""Least share of the likeliest sequence at which a scan without a telling name is taken for it."""


@dataclass(frozen=True)
class _Job:
    model_path: Path
    model_sha256: str
    row: Row
    folder: Path
    dicom: MapKind | None = None


def _quiet(stage: str) -> None:
    del stage


def detect(
    model: Model, row: Row, *, on_stage: Callable[[str], None] = _quiet, reconstruct: bool = True
) -> CaseDetection:
    """Judge one case. A scan that can't be judged is refused with the reason, never called normal.

    Args:
        model: calibrated.
        row: names the files.
        on_stage: told what comes next: "reading", "preparing", "scoring", "deciding".
        reconstruct: rebuild the scan as it would look in health too, where the detector can.

    Raises:
        CalibrationError: the model is not calibrated.
    """
    model.calibrated()
    if isinstance(model.takes, AnyOf):
        return _detect_any(model, row, on_stage, reconstruct)
    who = Person(row.site, row.age, row.sex)
    started = time.perf_counter()
    scan: Scan | None = None
    try:
        on_stage("reading")
        present = usable_modalities(model, row)
        files = read_row(row, present)
        scan = files.scans.get(present[0])
        on_stage("preparing")
        _require_input_kind(model, scan)
        preparation = replace(model.preparation, modalities=present)
        prepared = prepare_scans(files, preparation)
        only = single_modality(model, present)
        calibration = model.calibrated(only)
        on_stage("scoring")
        scored, members = model.detector.score_with_members(prepared)
        restored = model.detector.restored(prepared) if reconstruct else None
        on_stage("deciding")
        score = scored.summary(calibration.summary)
        native = to_native(scored, prepared)
        native.inside()
        decision = decide(score, calibration, who)
        regions = find_regions(native, finding_level(calibration), is_image=prepared.is_image)
        on_model = Regions(regions.findings, labels_to_model(regions.labels, prepared))
        found = judge_findings(on_model, scored, calibration, who)
    except (ScanError, CalibrationError) as error:
        return refused(model, row, scan, str(error), started)
    return CaseDetection(
        case=row.case,
        status="abnormal" if decision.abnormal else "normal",
        provenance=_provenance(model, started, prepared),
        score=score,
        threshold=decision.threshold,
        p_value=decision.p_value,
        rule=calibration.rule,
        findings=named(
            _explained(found, prepared, model.preparation, calibration, who, members), scored, prepared
        ),
        anomaly_map=native,
        map_scale=map_scale(calibration),
        is_image=prepared.is_image,
        slices=judge_slices(scored, calibration, who),
        finding_control=control_sentence(calibration),
        healthy_group=decision.healthy_group,
        healthy_count=decision.healthy_count,
        healthy_as_high=decision.healthy_as_high,
        warnings=(*_warnings(decision.warning, model, present), *pair_warnings(scored)),
        restored=None
        if restored is None or scan is None
        else reconstruction_to_native(restored, prepared, preparation, scan),
        scan=scan,
        card=model.card,
        sides=sides(files.scans, prepared, scored),
        labels=regions.labels,
    )


def _detect_any(model: Model, row: Row, on_stage: Callable[[str], None], reconstruct: bool) -> CaseDetection:
    """Judge each modality that the case has by itself, and fuse where there are several."""
    from sanum.workflow.each_modality import fuse

    found = {
        name: _detect_one_modality(model, row, name, on_stage, reconstruct)
        for name in model.takes
        if name in row.scans
    }
    if not found:
        lacking = f"{row.case}: model {model.name} judges any of {', '.join(model.takes)}; the case has "
        reason = lacking + (f"{', '.join(row.scans)} only" if row.scans else "no scan")
        return refused(model, row, None, reason, time.perf_counter())
    if len(found) == 1:
        return next(iter(found.values()))
    return fuse(found, finding_level_alpha(model.calibrated().rule))


def _detect_one_modality(
    model: Model, row: Row, name: str, on_stage: Callable[[str], None], reconstruct: bool
) -> CaseDetection:
    started = time.perf_counter()
    try:
        narrow = model.suited_to(replace(model.preparation, modalities=(name,)))
    except CalibrationError as error:
        return refused(model, row, None, str(error), started)
    only = replace(row, scans={name: row.scans[name]})
    return detect(narrow, only, on_stage=on_stage, reconstruct=reconstruct)


def usable_modalities(model: Model, row: Row) -> tuple[str, ...]:
    """The modalities of a row that a model can judge it by: all it takes, or fewer where it was trained so.

    The first one is always needed, because masks and registration lie on its grid; but for a single one that the
    detector judges alone.
    """
    wanted = model.preparation.modalities
    here = tuple(name for name in wanted if name in row.scans)
    if single_modality(model, here):
        return here
    if not model.detector.takes_missing or wanted[0] not in row.scans:
        return wanted
    return here


def _warnings(given: str, model: Model, present: tuple[str, ...]) -> tuple[str, ...]:
    lacking = [name for name in model.preparation.modalities if name not in present]
    without = (
        f"judged without {', '.join(lacking)}: the healthy scores it is compared with had all modalities, so the "
        "guarantee about false alarms does not hold"
    )
    by_itself = single_modality_warning(model, present) or made_warning(model)
    return tuple(text for text in (given, by_itself or (without if lacking else "")) if text)


def _explained(
    found: tuple[Finding, ...],
    prepared: Prepared,
    preparation: Preparation,
    calibration: Calibration,
    who: Person,
    members: Sequence[MemberMap],
) -> tuple[Finding, ...]:
    """Findings with what members say of them; on the template also what is near and what healthy maps show there."""
    from sanum.report.regions import region_name

    explained = []
    for one in found:
        i, j, k = (float(value) for value in (prepared.to_model @ [*one.peak_mm, 1.0])[:3])
        one = with_members(one, (i, j, k), prepared.grid, members)
        if isinstance(preparation, Template):
            one = with_healthy_place(one, (i, j, k), prepared.grid, calibration, who)
            mni = (round(i, 1), round(j, 1), round(k, 1))
            region = region_name((i, j, k), fluid=in_fluid(one, (i, j, k), prepared))
            one = replace(one, region=region, mni_mm=mni)
        explained.append(one)
    return tuple(explained)


def detect_file(
    model: Model, path: Path, modality: str | None = None, brain: Path | None = None
) -> CaseDetection:
    """Judge one file with a model of one modality.

    Args:
        model: calibrated.
        path: volume or image.
        modality: what it shows, where the file name does not tell; the model's by default.
        brain: brain mask on the same grid.
    """
    row = file_row(path, model.takes, modality)
    return detect(model, replace(row, brain=brain))


def file_row(path: Path, modalities: tuple[str, ...], modality: str | None = None) -> Row:
    """A cohort row for a single file, or for a DICOM study, which may hold all modalities that a model needs.

    Raises:
        ScanError: the model needs several modalities, and one file is not a case.
    """
    stem = scan_stem(path.absolute())
    one_file = path.is_file() or split_part(path)[1] is not None
    if isinstance(modalities, AnyOf) and one_file and path.suffix.lower() != ".zip":
        shown = modality or modality_of(path) or recognised(path, modalities)
        return Row(case=stem, subject=stem, scans={shown: path})
    if (
        len(modalities) > 1
        and split_part(path)[1] is None
        and (path.is_dir() or path.suffix.lower() == ".zip")
    ):
        return Row(case=stem, subject=stem, scans=dict.fromkeys(modalities, path))
    if len(modalities) > 1:
        raise ScanError(
            f"{path}: the model needs {', '.join(modalities)} of each case; give a cohort table with these columns"
        )
    shown = modality or modality_of(path) or modalities[0]
    return Row(case=stem, subject=stem, scans={shown: path})


def recognised(path: Path, modalities: tuple[str, ...]) -> str:
    """The modality that a scan without a telling name looks like.

    Raises:
        ScanError: it can't be read, looks like none of the modalities, or like none for sure.
    """
    from sanum.prepare.sequence import recognise

    scan = read_scan(path)
    if scan.modality is not None:
        return scan.modality
    looks = recognise(scan)
    if looks.sequence in modalities and looks.confidence >= RECOGNISED:
        return looks.sequence
    raise ScanError(
        f"{path}: neither name nor header tells the sequence, and it looks like {looks.sequence} "
        f"({looks.confidence:.0%} sure); say which of {', '.join(modalities)} it is with --modality"
    )


def detect_rows(
    model_path: Path,
    rows: Sequence[Row],
    out: Path,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    dicom: MapKind | None = None,
    on_done: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Judge many cases: one folder a case under `out`, and `detections.tsv` over all of them.

    Args:
        model_path: calibrated model file.
        rows: the cases.
        out: where results go.
        workers: processes, or jobs of a Slurm cluster; see `executor.map_cases`.
        cluster: address of a Dask scheduler, or "slurm"; None runs here.
        dicom: write results of DICOM series as DICOM too, the map in this form; the lines then tell of it.
        on_done: called with the line of each case.

    Returns:
        One line a case, as in the table, in the order of `rows`.

    Raises:
        ModelFileError: the model can't be loaded.
        ConfigError: the cluster can't be reached, or `dicom` is wanted without its extra.
        StorageError: `out` can't be written.
    """
    if dicom is not None:
        require_extra()
    model = load(model_path)
    model.calibrated()
    there = model_path.absolute()
    known = rows if cluster is None else [_absolute(row) for row in rows]
    jobs = [_Job(there, model.sha256, row, out.absolute() / row.case, dicom) for row in known]
    lines: dict[str, dict[str, Any]] = {}
    for job, line in map_cases(_detect_one, jobs, workers, cluster=cluster, lost=_given_up):
        lines[job.row.case] = line
        if on_done is not None:
            on_done(line)
    ordered = [lines[row.case] for row in rows]
    write_text(out / "detections.tsv", _table(ordered))
    write_cohort_report(out, model=model.name)
    return ordered


def _absolute(row: Row) -> Row:
    """The row as a worker in another folder finds its files."""
    scans = {name: path.absolute() for name, path in row.scans.items()}
    brain, lesion = (None if mask is None else mask.absolute() for mask in (row.brain, row.lesion))
    return replace(row, scans=scans, brain=brain, lesion=lesion)


def _detect_one(job: _Job) -> dict[str, Any]:
    model = cached_model(job.model_path, job.model_sha256)
    return _saved(job, detect_or_refuse(model, job.row))


def detect_or_refuse(model: Model, row: Row) -> CaseDetection:
    """As `detect`; whatever goes wrong with one of many cases is its own refusal.

    Raises:
        StorageError, ModelFileError: a disk or model that is wrong is wrong for all cases.
    """
    started = time.perf_counter()
    try:
        return detect(model, row)
    except (StorageError, ModelFileError):
        raise
    except Exception as error:
        return refused(model, row, None, reason_of(error), started)


def given_up(model: Model, row: Row, reason: str) -> CaseDetection:
    """The refusal of a case whose worker process died."""
    return refused(model, row, None, reason, time.perf_counter())


def _given_up(job: _Job, reason: str) -> dict[str, Any]:
    return _saved(job, given_up(cached_model(job.model_path, job.model_sha256), job.row, reason))


def _saved(job: _Job, found: CaseDetection) -> dict[str, Any]:
    found.save(job.folder)
    from sanum.report.wording import p_value_sentence

    top = found.findings[0] if found.findings else None
    significant = [one for one in found.findings if one.significant]
    return {
        "case": found.case,
        "subject": job.row.subject,
        "label": job.row.label,
        "split": job.row.split or "",
        "status": found.status,
        "score": _cell(found.score),
        "threshold": _cell(found.threshold),
        "p_value": _cell(found.p_value),
        "series": "; ".join(source.series for source in found.provenance.sources if source.series),
        "findings": len(found.findings),
        "largest_finding": "" if top is None else f"{top.size:.2f} {top.unit}",
        "significant_findings": len(significant),
        "significant_size": f"{sum(one.size for one in significant):.2f} {significant[0].unit}"
        if significant
        else "",
        "meaning": p_value_sentence(found, found.card),
        "seconds": f"{found.provenance.seconds:.2f}",
        "reason": found.reason,
        **({} if job.dicom is None else {"dicom": _dicom(job, job.dicom)}),
    }


def _dicom(job: _Job, kind: MapKind) -> str:
    """How many DICOM files were written, or why none; the decision stands either way."""
    taken = usable_modalities(cached_model(job.model_path, job.model_sha256), job.row)
    modality = next((name for name in taken if name in job.row.scans), next(iter(job.row.scans)))
    try:
        return f"{len(add_dicom(job.folder, job.row.scans[modality], modality, kind))} files"
    except ScanError as error:
        return str(error)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _table(lines: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]) if lines else ["case"], delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _require_input_kind(model: Model, scan: Scan | None) -> None:
    """Healthy scores of volumes say nothing about a picture's score, nor the other way round."""
    learned = model.facts.get("input")
    if scan is None or learned is None:
        return
    shown = "image" if scan.is_image else "volume"
    if shown != learned:
        raise ScanError(
            f"{scan.source.path}: a {_KINDS[shown]}, but model {model.name} was trained and calibrated on "
            f"{_KINDS[learned]}s"
        )


_KINDS = {"image": "2D image", "volume": "3D volume"}


def refused(model: Model, row: Row, scan: Scan | None, reason: str, started: float) -> CaseDetection:
    """A case that was not judged, and why; `started` by `time.perf_counter`."""
    return CaseDetection(
        case=row.case,
        status="refused",
        reason=reason,
        provenance=_provenance(model, started, None),
        is_image=scan is not None and scan.is_image,
        scan=scan,
        card=model.card,
    )


def _provenance(model: Model, started: float, prepared: Prepared | None) -> Provenance:
    return Provenance(
        model_name=model.name,
        model_sha256=model.sha256,
        detector=model.detector.name,
        version=sanum.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - started, 3),
        sources=() if prepared is None else prepared.sources,
        steps=() if prepared is None else prepared.steps,
    )
