"""Results that lie voxel by voxel on the source frames: findings as a segmentation, the map as floats or shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from highdicom.content import AlgorithmIdentificationSequence, VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray

from sanum.core.findings import Finding
from sanum.core.units import Volume
from sanum.dicom import codes
from sanum.dicom.subject import Subject, duplicate


def segmentation(subject: Subject, labels: NDArray[Any], findings: Sequence[Finding]) -> Any:
    """A binary segmentation, one segment a finding in the order given.

    Args:
        subject: with a source that has places.
        labels: (I, J, K) on the volume's grid, the rank of the finding that a voxel belongs to, 0 for none.
        findings: those to write; at least one.
    """
    lookup = np.zeros(max(int(labels.max()), *(one.rank for one in findings)) + 1, np.uint8)
    for number, one in enumerate(findings, start=1):
        lookup[one.rank] = number
    frames = lookup[subject.source.labels(labels)]
    told = [_segment(subject, number, one) for number, one in enumerate(findings, start=1)]
    return _built(
        subject, Segmentation, frames, "segmentation", segmentation_type="BINARY", segment_descriptions=told
    )


def share_map(subject: Subject, values: Volume) -> Any:
    """The map as a fractional segmentation, for viewers that know no parametric maps.

    Args:
        subject: with a source that has places.
        values: (I, J, K) map, NaN outside the mask. The calibrated colour scale runs from 0 to 1.
    """
    low, high = subject.detection.map_scale
    frames = np.nan_to_num(subject.source.values(values), nan=low)
    shares = np.clip((frames - low) / (high - low), 0.0, 1.0)
    described = _described(
        subject, 1, f"anomaly score, {low:.3g} to {high:.3g}", subject.uid("map", "tracked")
    )
    return _built(
        subject, Segmentation, shares, "map", segmentation_type="FRACTIONAL", segment_descriptions=[described]
    )


def parametric_map(subject: Subject, values: Volume) -> Any:
    """The map as 32-bit floats; voxels outside the mask hold the padding value, which is below all others.

    Args:
        subject: with a source that has places.
        values: (I, J, K) map, NaN outside the mask.
    """
    frames = subject.source.values(values)
    padding = float(np.floor(np.nanmin(frames)) - 1.0)
    frames = np.nan_to_num(frames, nan=padding)
    low, high = subject.detection.map_scale
    made = _built(
        subject,
        ParametricMap,
        frames,
        "map",
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[
            RealWorldValueMapping(
                "surprise",
                "anomaly score by the model",
                codes.SURPRISE,
                (float(frames.min()), float(frames.max())),
                slope=1.0,
                intercept=0.0,
                quantity_definition=codes.SCORE,
            )
        ],
        voi_lut_transformations=[
            VOILUTTransformation((low + high) / 2.0, high - low, voi_lut_function="LINEAR_EXACT")
        ],
        content_label="ANOMALY_MAP",
    )
    made.FloatPixelPaddingValue = made.FloatPixelPaddingRangeLimit = padding
    return made


def _built(subject: Subject, kind: Any, frames: NDArray[Any], series: Any, **settings: Any) -> Any:
    """Build a multi-frame result whose frames follow the chosen frames of the source, and refer to them."""
    sources, chosen = _sources(subject)
    made = kind(
        source_images=sources, pixel_array=frames, **subject.series(series), **subject.device, **settings
    )
    if chosen is not None:
        _refer(made, chosen)
    organization = subject.uid(series, "dimensions")
    for item in (*made.DimensionOrganizationSequence, *made.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    return subject.finish(made)


def _sources(subject: Subject) -> tuple[list[Any], list[int] | None]:
    """Headers in the order of the frames; of a multi-frame file, one with the chosen ones only, and their numbers."""
    frames, headers = subject.source.frames, subject.headers
    if len(headers) > 1 or "PerFrameFunctionalGroupsSequence" not in headers[0]:
        return [headers[file] for file, _ in frames], None
    chosen = [frame for _, frame in frames]
    header = duplicate(headers[0])
    groups = header.PerFrameFunctionalGroupsSequence
    header.PerFrameFunctionalGroupsSequence = [groups[frame] for frame in chosen]
    header.SharedFunctionalGroupsSequence = [_shared(header, groups[chosen[0]])]
    header.NumberOfFrames = len(chosen)
    return [header], [frame + 1 for frame in chosen]


def _shared(header: Any, first: Any) -> Any:
    """The shared groups with pixel size and directions, which some scanners repeat for every frame instead."""
    shared = duplicate(header.SharedFunctionalGroupsSequence[0])
    for name in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        if name not in shared:
            shared[name] = first[name]
    return shared


def _refer(made: Any, numbers: Sequence[int]) -> None:
    """Put the true frame numbers where the chosen frames were counted from 1."""
    for group in made.PerFrameFunctionalGroupsSequence:
        for derivation in group.get("DerivationImageSequence", []):
            for image in derivation.SourceImageSequence:
                image.ReferencedFrameNumber = numbers[int(image.ReferencedFrameNumber) - 1]


def _segment(subject: Subject, number: int, finding: Finding) -> SegmentDescription:
    region = f", {finding.region}" if finding.region else ""
    return _described(subject, number, f"Finding {finding.rank}{region}"[:64], tracking_uid(subject, finding))


def tracking_uid(subject: Subject, finding: Finding) -> str:
    """By what the segmentation and the measurements know that they speak of one finding."""
    return subject.uid("finding", finding.rank)


def _described(subject: Subject, number: int, label: str, tracking: str) -> SegmentDescription:
    told = subject.detection.provenance
    return SegmentDescription(
        number,
        label,
        codes.ABNORMAL_STRUCTURE,
        codes.DEPARTURE,
        "AUTOMATIC",
        AlgorithmIdentificationSequence(
            told.model_name[:64],
            codes.AI,
            f"sanum {told.version}",
            parameters={"model_sha256": told.model_sha256, "detector": told.detector},
        ),
        tracking_uid=tracking,
        tracking_id=label,
        anatomic_regions=[codes.BRAIN],
    )
