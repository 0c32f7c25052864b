"""What a detection says about one region of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec


@dataclass(frozen=True)
class MemberAnswer:
    """What one member of an ensemble says about a finding of the ensemble.

    Attributes:
        name: of the member.
        highest: its own map's highest value near the finding's peak.
        level: above which the member alone would take it for a finding.
        agrees: whether it would.
    """

    name: str
    highest: float
    level: float
    agrees: bool


@dataclass(frozen=True)
class Finding:
    """One connected region of a map above the healthy level.

    Attributes:
        rank: 1 is the most striking.
        size: millilitres in a volume, pixels in an image.
        unit: "ml" or "px".
        peak_score: highest map value.
        mean_score: mean map value.
        peak_mm: world RAS+ mm of the peak in the scan's own space (pixels in an image).
        peak_voxel: index of the peak in the scan's own grid.
        mni_mm: the peak in mm of the template (MNI); None where the scan was not brought onto it.
        excess: height above the healthy level summed over the region, in map units times ml (or px); findings
            are ranked by it.
        score: what a typical healthy scan would score with this finding alone in it, on the scale of the case's score
            and never above that.
        p_value: of that score among healthy scans (or by false-discovery control, if the calibration has it); None
            where nothing was tested.
        significant: whether the case's rule calls that score abnormal; None where nothing was tested.
        region: what lies near the peak, in words; "" where the scan was not brought onto the template.
        healthy_mean: mean of the healthy maps at the place of the peak; None where it is not known.
        healthy_std: their standard deviation there.
        healthy_peaks: highest value of each healthy subject's map in the block of the template around the peak,
            ascending; empty where it is not known.
        members: what each member of an ensemble says by itself; empty for a single detector.
        modality: the one most at odds at the peak, where the detector judges modalities against each other.
        seen_by: the score of it that is most surprised there.
    """

    rank: int
    size: float
    unit: Literal["ml", "px"]
    peak_score: float
    mean_score: float
    peak_mm: tuple[float, float, float]
    peak_voxel: tuple[int, int, int]
    mni_mm: tuple[float, float, float] | None = None
    excess: float | None = None
    score: float | None = None
    p_value: float | None = None
    significant: bool | None = None
    region: str = ""
    healthy_mean: float | None = None
    healthy_std: float | None = None
    healthy_peaks: tuple[float, ...] = ()
    members: tuple[MemberAnswer, ...] = ()
    modality: str = ""
    seen_by: str = ""

    @property
    def healthy_as_high(self) -> int | None:
        """How many healthy subjects reach the finding's peak value at its place."""
        if not self.healthy_peaks:
            return None
        return sum(value >= self.peak_score for value in self.healthy_peaks)

    @property
    def deviations(self) -> float | None:
        """How many healthy standard deviations the peak lies above the healthy mean at its place."""
        if self.healthy_mean is None or not self.healthy_std:
            return None
        return (self.peak_score - self.healthy_mean) / self.healthy_std

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form, with what follows from the fields.

        >>> found = Finding(1, 2.5, "ml", 9.0, 4.0, (1.0, 2.0, 3.0), (4, 5, 6), healthy_mean=1.0, healthy_std=2.0)
        >>> found.to_dict()["deviations"]
        4.0
        """
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return {**plain, "deviations": self.deviations, "healthy_as_high": self.healthy_as_high}
