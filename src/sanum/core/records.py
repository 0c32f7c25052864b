"""The records that travel between rooms. Each is frozen and says what it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from sanum.core.decision import MAP_QUANTILES as MAP_QUANTILES
from sanum.core.decision import PLACE_BLOCK as PLACE_BLOCK
from sanum.core.decision import PLACE_STEP as PLACE_STEP
from sanum.core.decision import Calibration as Calibration
from sanum.core.decision import FindingControl as FindingControl
from sanum.core.decision import GroupColumn as GroupColumn
from sanum.core.decision import Grouping as Grouping
from sanum.core.decision import Rule as Rule
from sanum.core.decision import Summary as Summary
from sanum.core.errors import GeometryError
from sanum.core.findings import Finding as Finding
from sanum.core.grid import Grid
from sanum.core.quality import CaseQuality
from sanum.core.units import Affine, Channels, Mask, Volume

Label = Literal["healthy", "lesion", "unknown"]
Split = Literal["train", "calibration", "test"]
Status = Literal["normal", "abnormal", "refused"]


@dataclass(frozen=True)
class Source:
    """The file a scan came from.

    Attributes:
        path: as given, with `#part` where one part of several was read.
        sha256: of its bytes.
        series: number and description of the DICOM series that was read, where there were several.
        notes: what the reader found worth telling (sform and qform disagree, series passed over, …).
    """

    path: str
    sha256: str
    series: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Scan:
    """One modality of one case as it was read, in its own grid.

    Attributes:
        voxels: (I, J, K) float32, scanner units (HU for CT); finite.
        grid: where they lie.
        modality: BIDS suffix ("T1w", "FLAIR", …) or None where nothing tells it.
        source: the file.
        is_image: a 2D picture without millimetres; then K = 1.
    """

    voxels: Volume
    grid: Grid
    modality: str | None
    source: Source
    is_image: bool = False

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader found worth telling."""
        return self.source.notes

    def __post_init__(self) -> None:
        if self.voxels.shape != self.grid.shape:
            raise GeometryError(
                f"{self.source.path}: voxels {self.voxels.shape} and grid {self.grid.shape} differ"
            )


@dataclass(frozen=True)
class Step:
    """What one preparation step did, for the report.

    Attributes:
        name: of the step.
        facts: what it measured.
    """

    name: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Prepared:
    """One case on the model grid, and the way back.

    Attributes:
        case: unique name.
        subject: whom it shows; the unit of splitting and calibration.
        voxels: (C, I, J, K) float32 in [0, 1], one channel a modality.
        mask: (I, J, K), the voxels that count.
        grid: the model grid, in model world mm.
        modalities: name of each channel: a modality, or a window of CT ("CT:brain").
        preparation: SHA-256 of the preparation config.
        native: grid of the first modality's scan.
        to_model: (4, 4), scan world mm to model world mm; the identity where nothing was registered.
        is_image: the case is a 2D picture.
        sources: one a modality, then the masks'.
        steps: what preparation did and measured.
        lesion: (I, J, K) marked lesion on the model grid, for evaluation only; None where none was given.
        quality: measures of the scans as they came; None for cases that were not made from files.
    """

    case: str
    subject: str
    voxels: Channels
    mask: Mask
    grid: Grid
    modalities: tuple[str, ...]
    preparation: str
    native: Grid
    to_model: Affine
    is_image: bool
    sources: tuple[Source, ...] = ()
    steps: tuple[Step, ...] = ()
    lesion: Mask | None = None
    quality: CaseQuality | None = None


MIN_SLICE_VOXELS = 200
"""A slice with less mask has no mean worth comparing: the tip of the brain is noise."""


@dataclass(frozen=True, eq=False)
class AnomalyMap:
    """A detector's opinion at each voxel: float32, higher = more anomalous, NaN outside the mask.

    Attributes:
        case: unique name.
        values: (I, J, K).
        grid: where they lie.
        detector: its name.
        parts: maps of the scores that `values` were fused of, by "<modality>: <score>", on the same grid and in
            one unit, so that they can be compared; empty where a detector has one score only.
    """

    case: str
    values: Volume
    grid: Grid
    detector: str
    parts: Mapping[str, Volume] = field(default_factory=dict)

    def inside(self) -> NDArray[np.float32]:
        """Values within the mask, one dimension.

        Raises:
            GeometryError: the map has no voxel inside.
        """
        inside: NDArray[np.float32] = self.values[~np.isnan(self.values)]
        if inside.size == 0:
            raise GeometryError(f"{self.case}: the anomaly map has no voxel inside the mask")
        return inside

    def slice_means(self) -> NDArray[np.float64]:
        """Mean of each axial slice (K,), NaN where the slice has too little mask."""
        known = ~np.isnan(self.values)
        counts = known.sum(axis=(0, 1))
        sums = np.where(known, self.values, 0.0).sum(axis=(0, 1), dtype=np.float64)
        floor = min(MIN_SLICE_VOXELS, int(counts.max()))
        return np.where(counts >= max(floor, 1), sums / np.maximum(counts, 1), np.nan)

    def summary(self, how: Summary) -> float:
        """The case's score under a summary rule.

        >>> import numpy as np
        >>> values = np.array([[[np.nan, 1.0], [2.0, 3.0]]], np.float32)
        >>> found = AnomalyMap("a", values, Grid(values.shape, np.eye(4)), "atlas")
        >>> found.summary(Summary("mean")), found.summary(Summary("top", share=0.3))
        (2.0, 3.0)
        """
        inside = self.inside()
        if how.rule == "mean":
            return float(inside.mean(dtype=np.float64))
        if how.rule == "slice":
            return float(np.nanmax(self.slice_means()))
        count = max(1, round(how.share * inside.size))
        return float(np.partition(inside, inside.size - count)[-count:].mean(dtype=np.float64))


@dataclass(frozen=True, eq=False)
class MemberMap:
    """What one member of an ensemble says by itself.

    Attributes:
        name: of the member.
        found: its own map, on the model grid.
        level: map value above which the member alone takes a voxel for a finding, from healthy scans.
    """

    name: str
    found: AnomalyMap
    level: float


@dataclass(frozen=True, eq=False)
class Side:
    """One of several modalities of a case, for the pictures.

    Attributes:
        modality: its name.
        scan: on the grid of the case's first modality.
        anomaly_map: what is at odds in this modality, on the same grid; None where the detector does not say.
    """

    modality: str
    scan: Scan
    anomaly_map: AnomalyMap | None


@dataclass(frozen=True)
class SliceScore:
    """One axial slice of the model grid.

    Attributes:
        k: index along K on the model grid.
        score: mean of the map over the slice.
        p_value: chance that a slice drawn at random from a new healthy subject scores as high.
    """

    k: int
    score: float
    p_value: float


@dataclass(frozen=True)
class Provenance:
    """What made a detection: enough to make it again.

    Attributes:
        model_name: of the model that decided.
        model_sha256: of its file; empty where it was never written.
        detector: its name.
        version: of sanum.
        created: date and time in UTC, ISO 8601.
        seconds: that reading to deciding took.
        sources: the files, one a modality, then the masks'.
        steps: what preparation did and measured.
    """

    model_name: str
    model_sha256: str
    detector: str
    version: str
    created: str
    seconds: float
    sources: tuple[Source, ...] = ()
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, eq=False)
class Detection:
    """The decision on one case. A refused case has a reason and no score; it is never "normal".

    Attributes:
        case: unique name.
        status: "normal", "abnormal" or "refused".
        reason: why it was refused, else empty.
        score: summary of the map; None when refused.
        threshold: a score above it is abnormal; None when refused.
        p_value: split-conformal p-value of the score; None when refused.
        rule: the decision rule.
        findings: regions above the healthy level, most striking first.
        anomaly_map: in the scan's own grid; None when refused.
        map_scale: map values where the colour scale starts and ends, from healthy scans.
        is_image: the case is a 2D picture.
        provenance: model, inputs, steps, time.
        slices: axial slices of the model grid with their own p-values, where the calibration supports it.
        finding_control: one sentence on what the calibration guarantees about the findings together.
        healthy_group: the healthy subjects the case was compared with, where the calibration has groups.
        healthy_count: how many they were; None where it was not recorded.
        healthy_as_high: how many of them score as high.
        warnings: where a guarantee does not hold, or holds weakly, in words.
        rate_guaranteed: whether the rule's rate of false alarms holds, as far as is known; False where a warning takes it
            back.
        restored: the first modality as it would look in health, in the scan's own grid and units; None where the
            detector restores nothing.
        modality: of the scan on whose grid the map lies; empty where a scan that was refused could not be read.
    """

    case: str
    status: Status
    provenance: Provenance
    reason: str = ""
    score: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    rule: Rule | None = None
    findings: tuple[Finding, ...] = ()
    anomaly_map: AnomalyMap | None = None
    map_scale: tuple[float, float] = (0.0, 1.0)
    is_image: bool = False
    slices: tuple[SliceScore, ...] = ()
    finding_control: str = ""
    healthy_group: str = ""
    healthy_count: int | None = None
    healthy_as_high: int | None = None
    warnings: tuple[str, ...] = ()
    rate_guaranteed: bool = True
    restored: Volume | None = None
    modality: str = ""

    @property
    def abnormal(self) -> bool | None:
        """True, False, or None when the case was refused."""
        return None if self.status == "refused" else self.status == "abnormal"

    @property
    def control_of_findings(self) -> str:
        """`finding_control`, taken back where the case's own guarantee does not hold."""
        conformal = self.rule is not None and self.rule.name == "conformal"
        if conformal and self.finding_control and not self.rate_guaranteed:
            return "Findings are judged by the same healthy scans, so no rate is guaranteed for them either."
        return self.finding_control

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form, without the map.

        >>> detection = sanum.detect(scan, model_file)
        >>> detection.to_dict()["status"], detection.to_dict()["provenance"]["detector"]
        ('abnormal', 'intensity')
        """
        plain: dict[str, Any] = {
            "case": self.case,
            "status": self.status,
            "abnormal": self.abnormal,
            "reason": self.reason,
            "score": self.score,
            "threshold": self.threshold,
            "p_value": self.p_value,
            "rule": self.rule,
            "findings": [finding.to_dict() for finding in self.findings],
            "map_scale": self.map_scale,
            "is_image": self.is_image,
            "modality": self.modality,
            "slices": self.slices,
            "finding_control": self.control_of_findings,
            "healthy_group": self.healthy_group,
            "healthy_count": self.healthy_count,
            "healthy_as_high": self.healthy_as_high,
            "warnings": self.warnings,
            "rate_guaranteed": self.rate_guaranteed,
            "provenance": self.provenance,
            "notice": NOTICE,
        }
        built: dict[str, Any] = msgspec.to_builtins(plain)
        return built


NOTICE = "Research software, not a medical device; not for diagnosis or treatment decisions."
"""Stands wherever a result is shown."""
