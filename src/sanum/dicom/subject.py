"""What every result of one case shares: whose it is, which series it joins, and its unique identifiers."""

from __future__ import annotations

import copy
import datetime
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from sanum.core.errors import ScanError
from sanum.core.files import json_sha256
from sanum.core.records import NOTICE, Detection
from sanum.core.source_series import SourceSeries

Kind = Literal["segmentation", "map", "measurements", "pages", "report"]

SERIES: dict[Kind, str] = {
    "segmentation": "sanum findings",
    "map": "sanum anomaly map",
    "measurements": "sanum measurements",
    "pages": "sanum pages",
    "report": "sanum report",
}
"""Each kind of result is a series of its own, with this description."""

REQUIRED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
PATIENT_AND_STUDY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
"""May be empty but must be there; export tools that hide identities often leave them out."""

SAME_IN_STUDY = ("StudyDescription", "PatientAge", "PatientSize", "PatientWeight")
"""Must not differ between the objects of a study, so each result has them where the source has."""

FIRST_NUMBER = 9000
"""Series numbers of results start here where the source has none."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One case: its decision and the series it was made from.

    Attributes:
        detection: the decision.
        source: the series.

    Raises:
        ScanError: the series lacks what DICOM results must refer to.
    """

    detection: Detection
    source: SourceSeries

    def __post_init__(self) -> None:
        for header in self.source.headers:
            for name in REQUIRED:
                if not str(header.get(name) or ""):
                    raise ScanError(
                        f"{self.detection.case}: a DICOM file without {name}; results can't refer to it, export again"
                    )

    @cached_property
    def headers(self) -> tuple[Any, ...]:
        """The files' headers, complete in what every DICOM object must have; of one study."""
        return tuple(_completed(header) for header in self.source.headers)

    @property
    def study(self) -> str:
        """Study instance UID."""
        return str(self.headers[0].StudyInstanceUID)

    @property
    def placed(self) -> bool:
        """Whether results can be given places: the slices make a volume, in a frame of reference."""
        return bool(self.source.frames) and all(
            str(header.get("FrameOfReferenceUID") or "") for header in self.source.headers
        )

    @property
    def moment(self) -> datetime.datetime:
        """When the case was judged, UTC."""
        return datetime.datetime.fromisoformat(self.detection.provenance.created)

    def uid(self, *parts: str | int) -> str:
        """A unique identifier that follows from the source files, the model and the program.

        So a repeated run gives the same ones, and its results take the place of the earlier ones.
        """
        told = self.detection.provenance
        files = sorted(str(header.SOPInstanceUID) for header in self.source.headers)
        frames = [list(pair) for pair in self.source.frames]
        key = json_sha256([self.study, files, frames, told.model_sha256, told.version, *parts])
        return "2.25." + str(int(key[:32], 16))

    def series(self, kind: Kind, number: int = 1) -> dict[str, Any]:
        """The arguments that all constructors of highdicom take alike."""
        order = list(SERIES).index(kind) + 1
        own = self.headers[0].get("SeriesNumber")
        return {
            "series_instance_uid": self.uid(kind),
            "series_number": FIRST_NUMBER + order if own is None else int(own) * 100 + order,
            "sop_instance_uid": self.uid(kind, number),
            "instance_number": number,
            "manufacturer": "sanum",
            "series_description": SERIES[kind],
        }

    @property
    def device(self) -> dict[str, Any]:
        """What made the results, for constructors that ask."""
        told = self.detection.provenance
        return {
            "manufacturer_model_name": told.model_name[:64],
            "software_versions": f"sanum {told.version}",
            "device_serial_number": told.model_sha256[:16],
        }

    def finish(self, dataset: Any) -> Any:
        """Give a result the time of the judgement instead of that of its writing, and what all of its kind have."""
        day, time = self.moment.strftime("%Y%m%d"), self.moment.strftime("%H%M%S")
        for name in ("InstanceCreation", "Content", "Series"):
            if f"{name}Date" in dataset:
                setattr(dataset, f"{name}Date", day)
                setattr(dataset, f"{name}Time", time)
        for name in SAME_IN_STUDY:
            if name in self.headers[0]:
                dataset[name] = self.headers[0][name]
        dataset.TimezoneOffsetFromUTC = "+0000"
        if dataset.Modality not in ("SR", "DOC"):
            dataset.BodyPartExamined = "BRAIN"
            dataset.ImageComments = NOTICE
        return dataset


def duplicate(header: Any) -> Any:
    """A data set with the same elements, to be changed by itself; pydicom's own shallow copies share their values."""
    from pydicom import Dataset

    made = Dataset()
    for element in header:
        made.add(copy.copy(element))
    if hasattr(header, "file_meta"):
        made.file_meta = header.file_meta
    return made


def _completed(header: Any) -> Any:
    full = duplicate(header)
    for name in PATIENT_AND_STUDY:
        if full.get(name) is None:
            setattr(full, name, "")
    if "DeidentificationMethod" in full and not full.DeidentificationMethod:
        full.DeidentificationMethod = (
            "not told"  # may not be empty, nor missing where identities were removed
        )
    return full
