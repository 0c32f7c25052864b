"""From a case's folder of results and the DICOM series it was read from to the same results as DICOM."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.errors import GeometryError, ScanError
from sanum.core.names import split_part, with_part
from sanum.core.records import Detection
from sanum.core.source_series import SourceSeries
from sanum.core.units import Volume
from sanum.dicom.deidentify import Deidentifier
from sanum.dicom.write import MapKind, Shown, write_results
from sanum.formats import is_dicom_source, read_any_origin, read_map, read_origin

FOLDER, DEIDENTIFIED = "dicom", "dicom-deidentified"
"""Within the case's folder of results."""


def add_dicom(
    results: Path,
    source: Path,
    modality: str | None,
    map_kind: MapKind = "parametric",
    *,
    deidentifier: Deidentifier | None = None,
) -> list[Path]:
    """Write the results of a judged or refused case as DICOM, into `dicom/` within its folder.

    Args:
        results: the folder that `CaseDetection.save` wrote.
        source: what was judged: a DICOM folder, archive or file; after `#` the series.
        modality: what a refused case was to show; of a judged one the decision names the series.
        map_kind: the map as floats, or as a fractional segmentation for viewers that know no parametric maps.
        deidentifier: takes the patient's identity out, and into `dicom-deidentified/`; None keeps it.

    Returns:
        The files; none where the source is no DICOM.

    Raises:
        ScanError: the source can't be read any more, or lacks what DICOM results must refer to.
        GeometryError: the source is not what the map was made of.
        StorageError: the folder can't be written.
    """
    from sanum.report.pages import page_pdf, page_pixels

    if not is_dicom_source(source):
        return []
    detection = _without_path(saved_detection(results), split_part(source)[0])
    origin = _origin(source, modality, detection)
    if deidentifier is not None:
        detection = _without_descriptions(detection)
    overlays = sorted(results.glob("overlay-*.png"))
    values = _values(results, origin)
    shown = Shown(
        values,
        None if values is None else _labels(detection, values),
        page_pixels(detection, overlays),
        page_pdf(detection, overlays),
    )
    folder = results / FOLDER
    if deidentifier is not None:
        folder = results / DEIDENTIFIED
        origin = replace(origin, headers=tuple(deidentifier.dataset(header) for header in origin.headers))
    return write_results(folder, detection, origin, shown, map_kind)


def saved_detection(results: Path) -> Detection:
    """The decision of a case's folder, without its map.

    Raises:
        ScanError: there is none.
    """
    path = results / "detection.json"
    try:
        return msgspec.convert(json.loads(path.read_text(encoding="utf-8")), Detection)
    except (OSError, ValueError) as error:
        raise ScanError(f"{path}: no decision can be read from it; judge the case again") from error


def _origin(source: Path, modality: str | None, detection: Detection) -> SourceSeries:
    """The series that was judged: of a case with several modalities the one whose map it is, which the rule for
    `modality` need not choose. Of a refused case the series may be just what could not be chosen; then its results
    refer to the study."""
    if detection.status == "refused":
        try:
            return read_origin(source, modality)
        except ScanError:
            return read_any_origin(source)
    file, part = split_part(source)
    judged = next((split_part(Path(one.path))[1] for one in detection.provenance.sources), None)
    return read_origin(source if part or not judged else with_part(file, judged))


def _without_path(detection: Detection, source: Path) -> Detection:
    """The same without the source's path in its reason, which may tell more than a PACS should know."""
    return replace(detection, reason=detection.reason.replace(str(source), "the study"))


def _without_descriptions(detection: Detection) -> Detection:
    """The same without the lists of series that reasons and warnings end with: people write their descriptions freely."""
    told = detection.provenance
    sources = tuple(replace(one, path="", series="", notes=()) for one in told.sources)
    return replace(
        detection,
        reason=detection.reason.partition("\n")[0],
        warnings=tuple(text.partition("\n")[0] for text in detection.warnings),
        provenance=replace(told, sources=sources),
    )


def _values(results: Path, origin: SourceSeries) -> Volume | None:
    path = results / "anomaly_map.nii.gz"
    if not path.is_file():
        return None
    values, grid = read_map(path)
    if origin.grid is None or not origin.grid.same_as(grid):
        raise GeometryError(f"{path}: does not lie where the series lies; judge the series again")
    return values


def _labels(detection: Detection, values: Volume) -> NDArray[np.uint8]:
    """Voxels of each finding: those above the healthy level that hang together with its peak."""
    level = detection.map_scale[1] / 2.0
    regions, _ = ndimage.label(np.nan_to_num(values, nan=-np.inf) > level, structure=np.ones((3, 3, 3)))
    labels = np.zeros(values.shape, np.uint8)
    for one in detection.findings:
        labels[regions == regions[one.peak_voxel]] = one.rank
    return labels
