"""Held-out faults of registered pairs: something that one modality shows and the other does not.

They test the `cross-modal` detector, which trains on the faults of `one_sided` and never on these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.config import did_you_mean
from sanum.core.errors import ConfigError
from sanum.core.modalities import CHANNEL_MARK, TABLE, modality_of_channel
from sanum.core.records import Prepared
from sanum.core.units import Mask, Volume
from sanum.synthesis import cross_paints as paints
from sanum.synthesis import shapes
from sanum.synthesis.cross_paints import BRAIN_HU, CrossBrush, CrossPaint
from sanum.synthesis.draws import Draws
from sanum.synthesis.plant import DARK_LESIONS, EDGE, radius_of
from sanum.synthesis.whole_faults import (
    Original,
    Whole,
    foreign,
    ghosted,
    levelled,
    shaken,
    slipped,
    swapped,
)

AIR_HU = -1000.0
"""What 0 means on a CT of grey levels, whose scale starts at air."""

HISTOGRAM, LEAST_TISSUE = 180, 0.1
"""Bins of the histogram in which brain is looked for, and the intensity below which nothing counts as tissue."""

GREY_LEVELS = 255.0
"""Steps of an 8-bit picture; what they can't show is not shown in a planted picture either."""

SEEN = 0.05
"""Least change of intensity that marks a voxel as part of a skull defect."""


@dataclass(frozen=True)
class CrossKind:
    """One kind of held-out fault.

    Attributes:
        name: unique.
        side: the modalities it is planted in: "CT", "MR" or "any".
        shape: where it lies, and its paint; None where the whole modality is replaced.
        paint: what it looks like.
        whole: gives the whole modality anew.
        below_grey: its contrast is at most one or two grey levels of an 8-bit CT picture, which can't show it.
        taught: something of the kind is among the training faults, so it is not held out.
    """

    name: str
    side: str
    shape: shapes.Shape | None = None
    paint: CrossPaint | None = None
    whole: Whole | None = None
    below_grey: bool = False
    taught: bool = False


CROSS_KINDS: tuple[CrossKind, ...] = (
    CrossKind("bleed-on-CT", "CT", shapes.egg, paints.bleed),
    CrossKind("calcification-on-CT", "CT", shapes.egg, paints.calcium),
    CrossKind("resection-on-CT", "CT", shapes.surface_ball, paints.cavity_ct),
    CrossKind("skull-defect-on-CT", "CT", shapes.surface_ball, paints.no_bone),
    CrossKind("metal-on-CT", "CT", shapes.ball, paints.metal_ct),
    CrossKind("infarct-on-CT", "CT", shapes.egg, paints.hypodense, below_grey=True),
    CrossKind("oedema-on-CT", "CT", shapes.egg, paints.swollen_ct, below_grey=True),
    CrossKind("bleed-on-MR", "MR", shapes.egg, paints.blood_mr),
    CrossKind("infarct-on-MR", "MR", shapes.egg, paints.infarct_mr),
    CrossKind("oedema-on-MR", "MR", shapes.egg, paints.oedema_mr),
    CrossKind("resection-on-MR", "MR", shapes.surface_ball, paints.cavity_mr),
    CrossKind("metal-on-MR", "MR", shapes.ball, paints.metal_mr),
    CrossKind("motion-on-MR", "MR", whole=shaken),
    CrossKind("ghosting-on-MR", "MR", whole=ghosted),
    CrossKind("left-right-swap", "any", whole=swapped),
    CrossKind("misregistered", "any", whole=slipped),
    CrossKind("level-shift", "any", whole=levelled),
    CrossKind("foreign-slice", "any", whole=foreign, taught=True),
)
"""Every held-out fault; "foreign-slice" is listed beside them and is taught, by other pairs."""


def find_cross_kind(name: str) -> CrossKind:
    """Look up a kind.

    Raises:
        ConfigError: no kind of that name.
    """
    for kind in CROSS_KINDS:
        if kind.name == name:
            return kind
    raise ConfigError(
        f"unknown cross-modal fault {name!r}; {did_you_mean(name, (k.name for k in CROSS_KINDS))}"
    )


def sides_of(kind: CrossKind, modalities: tuple[str, ...]) -> tuple[str, ...]:
    """The modalities of a case in which a kind can be planted."""
    if kind.side == "any":
        return modalities
    return tuple(name for name in modalities if (modality_of_channel(name) == "CT") == (kind.side == "CT"))


def plant_cross(
    case: Prepared,
    kind: str,
    modality: str,
    *,
    size: float,
    severity: float = 1.0,
    seed: int = 0,
    donor: Prepared | None = None,
) -> Prepared:
    """Plant one fault in one modality of a healthy case; the others stay as they are.

    Args:
        case: with two modalities or more.
        kind: a name of `CROSS_KINDS`.
        modality: the one that is changed.
        size: of a lesion in a volume in ml, in a picture in pixels of the picture as it came.
        severity: above 0 up to 1, the textbook's level.
        seed: the same seed plants the same fault.
        donor: somebody else's case on a grid of the same shape, for "foreign-slice".

    Returns:
        The case with that modality changed, and where: of a whole modality the mask.

    Raises:
        ConfigError: unknown kind, a modality or plane it can't be planted in, CT in several windows, no donor, or a
            size or severity out of range.
    """
    chosen = find_cross_kind(kind)
    if modality not in sides_of(chosen, case.modalities):
        raise ConfigError(f"{case.case}: {kind} can't be planted in {modality}")
    if len(_ct_channels(case.modalities)) > 1:
        raise ConfigError(f'{case.case}: faults are planted in CT of one window, such as ct_windows=["bone"]')
    if not 0.0 < severity <= 1.0:
        raise ConfigError(f"severity: expected above 0 and up to 1, got {severity:g}")
    channel, rng = case.modalities.index(modality), np.random.default_rng(seed)
    healthy = np.array(case.voxels[channel])
    if chosen.whole is not None:
        given = None if donor is None else np.asarray(donor.voxels[channel])
        changed = chosen.whole(Original(healthy, case.mask, given, case.grid.spacing[2], rng))
        lesion = case.mask.copy()
    else:
        soft, lesion = _placed(chosen, case, size, seed)
        dark = modality_of_channel(modality) == "CT" or modality in DARK_LESIONS
        changed = _painted(chosen, case, channel, soft, CrossBrush(rng, severity, case.mask, dark))
        if chosen.paint is paints.no_bone:
            lesion &= np.abs(changed - healthy) > SEEN
    voxels = np.array(case.voxels)
    voxels[channel] = np.clip(changed, 0.0, 1.0) * case.mask
    return replace(case, voxels=voxels, lesion=lesion)


@dataclass(frozen=True)
class CtScale:
    """What the values of a prepared CT mean.

    Attributes:
        zero: Hounsfield units at 0.
        unit: Hounsfield units from 0 to 1.
    """

    zero: float
    unit: float

    def hounsfield(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Prepared values in Hounsfield units."""
        return values * np.float32(self.unit) + np.float32(self.zero)

    def prepared(self, hounsfield: NDArray[np.floating]) -> NDArray[np.floating]:
        """Inverse of `hounsfield`."""
        return (hounsfield - self.zero) / self.unit


def ct_scale(ct: Volume, mask: Mask, channel: str) -> CtScale:
    """The scale of a prepared CT: of a channel such as "CT:bone" that of its window.

    Grey levels have none of their own: their 0 is taken for air, and the commonest tissue in the mask for brain.
    """
    _, _, window = channel.partition(CHANNEL_MARK)
    if window:
        low, high = TABLE["CT"].windows[window].ends
        return CtScale(low, high - low)
    counts, edges = np.histogram(ct[mask], HISTOGRAM, (LEAST_TISSUE, 1.0))
    smooth = ndimage.uniform_filter1d(counts.astype(np.float64), 5)
    level = float(edges[smooth.argmax()] + edges[smooth.argmax() + 1]) / 2
    return CtScale(AIR_HU, (BRAIN_HU - AIR_HU) / level)


def _ct_channels(modalities: tuple[str, ...]) -> list[int]:
    return [n for n, name in enumerate(modalities) if modality_of_channel(name) == "CT"]


def _placed(kind: CrossKind, case: Prepared, size: float, seed: int) -> tuple[Volume, Mask]:
    """Soft membership and mask of a lesion of the wanted size, within brain, or on the skull for its defects."""
    assert kind.shape is not None
    i, j, _ = case.grid.spacing
    voxel = i * j if case.is_image else case.grid.voxel_ml
    room = _room(kind, case)
    count = size / voxel
    if not 1.0 <= count <= 0.5 * room.sum():
        unit = "px" if case.is_image else "ml"
        raise ConfigError(
            f"{case.case}: lesion size: expected one voxel to half of the room, got {size:g} {unit}"
        )
    where = torch.from_numpy(np.moveaxis(room, 2, 0).astype(np.float32))[None, None]
    counts = torch.tensor([count], dtype=torch.float32)
    level = kind.shape(where, radius_of(counts, where), Draws(seed))
    soft, lesion = shapes.cut(level, where, counts, torch.tensor([EDGE]))
    back = [np.ascontiguousarray(np.moveaxis(part[0, 0].numpy(), 0, 2)) for part in (soft, lesion)]
    return back[0], back[1] > 0.5


def _room(kind: CrossKind, case: Prepared) -> Mask:
    """Where a lesion may lie: inside the skull as the CT shows it, else well inside the mask; or on the skull."""
    channels = _ct_channels(case.modalities)
    if not channels:
        return _eroded(case.mask, 2) if case.mask.sum() > 2000 else case.mask
    ct = np.asarray(case.voxels[channels[0]])
    hu = ct_scale(ct, case.mask, case.modalities[channels[0]]).hounsfield(ct)
    bone = (hu > paints.BONE_HU) & case.mask
    if kind.paint is paints.no_bone:
        near = ndimage.binary_dilation(bone, iterations=2)
        upper = near & (np.indices(bone.shape)[1] > np.median(np.nonzero(case.mask)[1]) - 0.2 * bone.shape[1])
        return np.asarray(upper & case.mask)
    inside = _within_skull(bone, case.mask) & (np.abs(hu - BRAIN_HU) < 60.0)
    opened = ndimage.binary_opening(inside, _disc(2))
    largest = _largest(opened)
    return largest if largest.sum() > 0.05 * case.mask.sum() else case.mask


def _within_skull(bone: Mask, mask: Mask) -> Mask:
    """Voxels of each slice that bone or the edge of the mask surrounds, well away from scalp."""
    closed = ndimage.binary_closing(bone, _disc(4))
    return np.asarray(_eroded(mask, 5) & ~ndimage.binary_dilation(closed, _disc(1)))


def _largest(mask: Mask) -> Mask:
    pieces, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray(pieces == sizes.argmax())


def _eroded(mask: Mask, steps: int) -> Mask:
    return np.asarray(ndimage.binary_erosion(mask, _disc(1), iterations=steps))


def _disc(radius: int) -> Mask:
    i, j = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray((i**2 + j**2 <= radius**2)[..., None])


def _painted(
    kind: CrossKind, case: Prepared, channel: int, soft: Volume, brush: CrossBrush
) -> NDArray[np.floating]:
    assert kind.paint is not None
    healthy = np.array(case.voxels[channel])
    if channel not in _ct_channels(case.modalities):
        return kind.paint(healthy, soft, brush)
    scale = ct_scale(healthy, case.mask, case.modalities[channel])
    changed = scale.prepared(kind.paint(scale.hounsfield(healthy), soft, brush))
    if not case.is_image:
        return changed
    grey = np.round(changed * GREY_LEVELS) / GREY_LEVELS
    return np.where(np.abs(changed - healthy) < 1e-6, healthy, grey)
