"""What a model sees: every setting of preparation, as a frozen config with an identity."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sanum.core.config import did_you_mean, from_dict, identity_of, later, to_dict
from sanum.core.errors import ConfigError
from sanum.core.files import json_sha256
from sanum.core.modalities import CHANNEL_MARK, MRI_SEQUENCES, TABLE
from sanum.core.units import MAX_SPACING_MM, MIN_SPACING_MM, MODALITIES
from sanum.synthesis.tissues import HEAD_CHANNELS

NEAR_ZERO = 5 / 255
"""Scaled intensity that counts as empty: five grey levels of an 8-bit picture. Background noise of magnitude
images and traces of lossy compression lie below, tissue and CSF of a robustly scaled scan above."""

CT_WINDOWS = tuple(TABLE["CT"].windows)
"""Names of the windows of CT: brain, subdural, bone."""

BrainSource: TypeAlias = Literal["auto", "given-or-extracted"]


@dataclass(frozen=True)
class Slices:
    """The classic rule: axial slices, near-empty ones dropped, scaled to [0, 1], one square size.

    Attributes:
        modalities: one channel each, in this order.
        trim: share of the axial slices dropped at each end of a volume; 0.15 keeps the middle 70 %.
        empty: a slice is dropped when more than this share of its pixels is near zero.
        near_zero: scaled intensity up to which a pixel counts as near zero.
        size: pixels along I and J.
        scaling: "percentile" maps the 0.5 and 99.5 percentiles within the brain to 0 and 1, "minmax" the
            lowest and highest value.
        crop: "brain" cuts one square around the brain of each volume, "full" stretches the whole slice.
        margin: free border around the brain, as a share of the brain's longer side, on each side.
        brain: where no mask is given, "auto" takes an extracted scan as it is and estimates the brain in a whole
            head; "given-or-extracted" refuses whole heads.
        ct_windows: windows of CT in Hounsfield units, one channel each, by their names in `core.modalities`; none
            scales CT like MRI, for pictures of CT that hold grey levels.
        coregister: whether a volume on another grid than the case's first is registered to it; otherwise the headers
            are trusted.
        region: what counts where no mask is given: the "brain", or the whole "head" with skull and scalp, as pairs
            of CT and MRI want it. A given mask counts either way.

    With scaling="minmax" and crop="full" this is the classic rule to the letter, and needs no brain mask.
    It has the letter's faults: a wide field of view can drop every slice, and a scan with negative values
    has a background above near zero, so that none is.

    >>> Slices(("FLAIR",), size=128).channels
    ('FLAIR',)

    Raises:
        ValueError: a setting out of range.
    """

    modalities: tuple[str, ...] = ("T1w",)
    trim: float = 0.15
    empty: float = 0.70
    near_zero: float = NEAR_ZERO
    size: int = 128
    scaling: Literal["percentile", "minmax"] = "percentile"
    crop: Literal["brain", "full"] = "brain"
    margin: float = 0.03
    brain: BrainSource = later("auto")
    ct_windows: tuple[str, ...] = CT_WINDOWS
    coregister: bool = True
    region: Literal["brain", "head"] = later("brain")

    def __post_init__(self) -> None:
        _check_modalities(self.modalities)
        _check_range("trim", self.trim, 0.0, 0.49)
        _check_range("empty", self.empty, 0.0, 1.0)
        _check_range("near_zero", self.near_zero, 0.0, 0.5)
        _check_range("size", self.size, 8, 1024)
        _check_range("margin", self.margin, 0.0, 1.0)
        _check_windows(self.ct_windows)

    @property
    def channels(self) -> tuple[str, ...]:
        """Name of each channel: a modality, or one window of CT; the classic rule has no windows."""
        return self.modalities if self.scaling == "minmax" else _channels(self.modalities, self.ct_windows)

    @property
    def needs_brain(self) -> bool:
        """Whether a brain mask must be given or evident."""
        return self.crop == "brain" or self.scaling == "percentile"


@dataclass(frozen=True)
class Template:
    """Affine to the ICBM152 template, one common grid, landmark intensity scale.

    Attributes:
        modalities: one channel each, in this order; the first one is registered.
        spacing: voxel size of the model grid in mm, the same along I, J and K.
        shape: voxels of the model grid; 128 x 128 x 96 at 1.5 mm hold 99.8 % of the template's brain.
        median: value in [0, 1] that the brain's median takes; see `steps.scale`.
        brain: where no mask is given, "auto" takes an extracted scan as it is and estimates the brain in a whole
            head; "given-or-extracted" refuses whole heads.
        ct_windows: windows of CT in Hounsfield units, one channel each, by their names in `core.modalities`; none
            scales CT like MRI, for pictures of CT that hold grey levels.
        coregister: whether a volume on another grid than the case's first is registered to it; otherwise the headers
            are trusted.
        bias: whether N4 evens out the coil's shading of MRI scans.

    >>> Template(("T1w", "FLAIR")).channels
    ('T1w', 'FLAIR')

    Raises:
        ValueError: a setting out of range.
    """

    modalities: tuple[str, ...] = ("T1w",)
    spacing: float = 1.5
    shape: tuple[int, int, int] = (128, 128, 96)
    median: float = 0.5
    brain: BrainSource = later("auto")
    ct_windows: tuple[str, ...] = CT_WINDOWS
    coregister: bool = True
    bias: bool = later(False, step="sanum.prepare.steps.bias")

    def __post_init__(self) -> None:
        _check_modalities(self.modalities)
        _check_range("spacing", self.spacing, MIN_SPACING_MM, MAX_SPACING_MM)
        _check_range("shape", min(self.shape), 8, 1024)
        _check_range("median", self.median, 0.05, 0.95)
        _check_windows(self.ct_windows)

    @property
    def channels(self) -> tuple[str, ...]:
        """Name of each channel: a modality, or one window of CT."""
        return _channels(self.modalities, self.ct_windows)


@dataclass(frozen=True)
class Heads(Template):
    """Healthy heads to make contrasts of: the T1w scan on the template, 0 where there is none, and what it is made of.

    Made by `sanum tissues`, not from scans alone; the settings are those of `Template`.
    """

    @property
    def channels(self) -> tuple[str, ...]:
        """Scan, tissue memberships and brain mask, see `sanum.synthesis.tissues`."""
        return HEAD_CHANNELS


Preparation: TypeAlias = Slices | Template

PRESETS: dict[str, type[Slices] | type[Template]] = {"slices": Slices, "template": Template, "heads": Heads}


def judged_as(preparation: Preparation, of_heads: tuple[str, ...] = MRI_SEQUENCES) -> Preparation:
    """How scans are prepared for a model that learns from a store of this preparation: the same, but for heads.

    Of heads any sequence of MRI can be made, and CT.

    Args:
        preparation: of the store.
        of_heads: modalities that the model judges if it learns from heads.
    """
    if not isinstance(preparation, Heads):
        return preparation
    scans = Template(**{one.name: getattr(preparation, one.name) for one in dataclasses.fields(preparation)})
    return dataclasses.replace(scans, modalities=of_heads)


def preparation_to_dict(preparation: Preparation) -> dict[str, Any]:
    """Plain JSON form; the key "preset" names the kind."""
    preset = next(name for name, kind in PRESETS.items() if type(preparation) is kind)
    return {"preset": preset, **to_dict(preparation)}


def preparation_from_dict(values: Mapping[str, Any], where: str = "preparation") -> Preparation:
    """Inverse of `preparation_to_dict`; settings left out take their defaults.

    Raises:
        ConfigError: an unknown preset or key, or a value of another type or range.
    """
    settings = dict(values)
    preset = settings.pop("preset", None)
    if preset is None:
        raise ConfigError(f"{where}: no preset; {did_you_mean('', PRESETS)}")
    if preset not in PRESETS:
        raise ConfigError(f"{where}: unknown preset {preset!r}; {did_you_mean(str(preset), PRESETS)}")
    return from_dict(PRESETS[preset], settings, where)


@functools.lru_cache(maxsize=64)
def preparation_sha256(preparation: Preparation) -> str:
    """Identity of a preparation: two with one hash give a model the same picture of a scan.

    A setting that came later counts only where it changes the picture, so that models and stores made before stay
    valid: `later` ones where they are not at their default, `ct_windows` where there is CT, `coregister` where there are
    several modalities.
    """
    values = identity_of(preparation)
    if "CT" not in preparation.modalities:
        del values["ct_windows"]
    if len(preparation.modalities) == 1:
        del values["coregister"]
    return json_sha256({"kind": type(preparation).__name__, **values})


def _check_modalities(modalities: tuple[str, ...]) -> None:
    if not modalities or len(set(modalities)) != len(modalities):
        raise ValueError(f"modalities: expected one or more different names, got {list(modalities)}")
    for name in modalities:
        if name not in MODALITIES:
            raise ValueError(f"modalities: unknown {name!r}; {did_you_mean(name, MODALITIES)}")


def _check_windows(windows: tuple[str, ...]) -> None:
    if len(set(windows)) != len(windows):
        raise ValueError(f"ct_windows: expected different names, got {list(windows)}")
    for name in windows:
        if name not in CT_WINDOWS:
            raise ValueError(f"ct_windows: unknown {name!r}; {did_you_mean(name, CT_WINDOWS)}")


def _channels(modalities: tuple[str, ...], ct_windows: tuple[str, ...]) -> tuple[str, ...]:
    """Every modality in order, CT as one channel a window."""
    windowed = {"CT": tuple(f"CT{CHANNEL_MARK}{window}" for window in ct_windows)} if ct_windows else {}
    return tuple(channel for name in modalities for channel in windowed.get(name, (name,)))


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: expected {low} to {high}, got {value}")
