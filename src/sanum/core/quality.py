"""The quality record of a prepared case, and what each of its measures means. See docs/quality.md for the formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "usual"]
"""Which way is good; "usual": neither end, what the rest of the cohort has."""


@dataclass(frozen=True)
class ScanQuality:
    """Measures of one scan in its own grid, before anything was changed. None: the scan does not hold what it needs.

    Attributes:
        modality: BIDS suffix.
        snr_grey, snr_white: median over standard deviation within the tissue (T1w, T1ce, T2w).
        cnr: grey–white contrast over noise.
        cjv: joint variation of grey and white matter.
        noise: finest detail within the brain, share of its median.
        unevenness: spread of the bright level over the brain, as of a coil's uneven field.
        gradient_entropy: how evenly edges are spread within the brain; motion and ringing raise it.
        snr_air: median of the brain over the noise in air.
        fber: mean energy of the brain over that of air.
        efc: entropy of the whole picture.
        white_to_grey: median of white over that of grey matter, by the template.
    """

    modality: str
    snr_grey: float | None = None
    snr_white: float | None = None
    cnr: float | None = None
    cjv: float | None = None
    noise: float | None = None
    unevenness: float | None = None
    gradient_entropy: float | None = None
    snr_air: float | None = None
    fber: float | None = None
    efc: float | None = None
    white_to_grey: float | None = None


@dataclass(frozen=True)
class CaseQuality:
    """What tells a person whether to trust a prepared case.

    Attributes:
        scans: one a modality.
        brain_ml: volume of the brain mask; None for a picture.
        border: share of the mask's outline on the border of the field.
        overlap: Dice of the brain with the template's, after registration or, without one, after a fit of moments.
        mutual_information: with the template, in nats, at the same place.
        determinant: volume in the template over volume in the scan; None where nothing was registered.
        flags: what is surely or likely wrong, in words.
    """

    scans: tuple[ScanQuality, ...]
    brain_ml: float | None = None
    border: float | None = None
    overlap: float | None = None
    mutual_information: float | None = None
    determinant: float | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measure:
    """One measure, as a page shows it.

    Attributes:
        name: field of `ScanQuality` or `CaseQuality`.
        title: in words, with the unit.
        better: which way is good.
        ratio: positive values whose ratios count, so that outliers are sought among logarithms.
        least: standard deviation (of the logarithm of a ratio) below which a cohort's spread is taken for rounding.
        of_case: belongs to the case and not to one of its scans.
    """

    name: str
    title: str
    better: Better
    ratio: bool
    least: float
    of_case: bool = False


MEASURES = (
    Measure("snr_grey", "SNR of grey matter", "higher", True, 0.02),
    Measure("snr_white", "SNR of white matter", "higher", True, 0.02),
    Measure("cnr", "Contrast to noise, grey and white", "higher", True, 0.02),
    Measure("cjv", "Joint variation, grey and white", "lower", True, 0.02),
    Measure("noise", "Noise within the brain, of its median", "lower", True, 0.05),
    Measure("unevenness", "Unevenness of the bright level", "lower", True, 0.05),
    Measure("gradient_entropy", "Motion and ringing (gradient entropy)", "lower", False, 0.0005),
    Measure("snr_air", "SNR against air", "higher", True, 0.05),
    Measure("fber", "Brain over air, energy (FBER)", "higher", True, 0.10),
    Measure("efc", "Entropy focus (EFC)", "lower", False, 0.005),
    Measure("white_to_grey", "White over grey matter", "usual", True, 0.02),
    Measure("brain_ml", "Brain volume, ml", "usual", True, 0.02, of_case=True),
    Measure("border", "Brain outline on the field's border", "lower", False, 0.003, of_case=True),
    Measure("overlap", "Overlap with the template (Dice)", "higher", False, 0.005, of_case=True),
    Measure("mutual_information", "Mutual information with the template", "higher", True, 0.05, of_case=True),
    Measure("determinant", "Volume ratio of the affine", "usual", True, 0.02, of_case=True),
)
"""Every measure of a record, in the order in which pages and tables list them."""
