"""All results of one case as DICOM files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ConfigError, ScanError
from sanum.core.files import atomic_folder, write_json
from sanum.core.findings import Finding
from sanum.core.records import Detection
from sanum.core.source_series import SourceSeries
from sanum.core.units import Volume
from sanum.dicom.subject import Subject

MapKind = Literal["parametric", "fractional"]


@dataclass(frozen=True, eq=False)
class Shown:
    """What the results are made of, besides the decision.

    Attributes:
        values: (I, J, K) map on the grid of the scan, NaN outside the mask; None for a refused case.
        labels: (I, J, K), rank of the finding that a voxel belongs to, 0 for none; None without findings.
        pages: (rows, columns, 3) RGB each.
        pdf: the report.
    """

    values: Volume | None
    labels: NDArray[Any] | None
    pages: Sequence[NDArray[np.uint8]]
    pdf: bytes


def require_extra() -> None:
    """Fail at once where the extra is not installed, before any scan is judged.

    Raises:
        ConfigError: it is not.
    """
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise ConfigError("results as DICOM need an extra: pip install 'sanum[dicom]'") from error


def written_findings(detection: Detection) -> tuple[Finding, ...]:
    """The findings that become segments: significant and untested ones.

    Of an abnormal case without any significant finding all are written, each marked as not significant, because the
    case would otherwise be called abnormal with nothing to look at.
    """
    kept = tuple(one for one in detection.findings if one.significant is not False)
    return kept or (detection.findings if detection.status == "abnormal" else ())


def write_results(
    folder: Path, detection: Detection, source: SourceSeries, shown: Shown, map_kind: MapKind = "parametric"
) -> list[Path]:
    """Write a segmentation, the map, a structured report, pages and a PDF into a folder, all or nothing.

    `diagnostic-report.json` beside them says the same in FHIR.

    A refused case, or one whose files have no frame of reference, gets what needs no place: report, pages and PDF.

    Args:
        folder: replaced where it is there.
        detection: the decision.
        source: the series that the case was read from.
        shown: map, labels and pages.
        map_kind: the map as floats, or as shares of the colour scale for viewers that know no parametric maps.

    Returns:
        The DICOM files.

    Raises:
        ScanError: the source lacks what every DICOM object must refer to.
        StorageError: the folder can't be written.
    """
    from sanum.dicom.fhir import diagnostic_report

    subject = Subject(detection, source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values, which may be names
        try:
            made = _made(subject, shown, map_kind)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise ScanError(
                f"{detection.case}: DICOM results can't be made of these files ({type(error).__name__}); a header "
                "is damaged or incomplete, export the series again"
            ) from error
        with atomic_folder(folder) as partial:
            for name, dataset in made.items():
                dataset.save_as(partial / f"{name}.dcm", enforce_file_format=True)
            findings = _segmented(subject, shown)
            write_json(partial / "diagnostic-report.json", diagnostic_report(subject, findings))
    return [folder / f"{name}.dcm" for name in made]


def _segmented(subject: Subject, shown: Shown) -> tuple[Finding, ...]:
    return written_findings(subject.detection) if subject.placed and shown.labels is not None else ()


def _made(subject: Subject, shown: Shown, map_kind: MapKind) -> dict[str, Any]:
    from sanum.dicom import image_results, measurements, page_results

    findings = _segmented(subject, shown)
    made: dict[str, Any] = {}
    if findings and shown.labels is not None:
        made["segmentation"] = image_results.segmentation(subject, shown.labels, findings)
    if subject.placed and shown.values is not None:
        build = image_results.parametric_map if map_kind == "parametric" else image_results.share_map
        made["map"] = build(subject, shown.values)
    made["measurements"] = measurements.measurements(subject, findings, made.get("segmentation"))
    for number, page in enumerate(page_results.pages(subject, shown.pages), start=1):
        made[f"page-{number:02d}"] = page
    made["report"] = page_results.report(subject, shown.pdf)
    return made
