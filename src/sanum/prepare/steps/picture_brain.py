"""The brain in a picture of a whole head, told by shape: the deepest bright piece within the dark ring of the skull."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import PreparationError
from sanum.core.units import Mask, Volume
from sanum.prepare.steps.brain_mask import ADVICE, filled, largest_piece

Kind = TypeVar("Kind", bound=np.generic)

NOISE_SIGMAS = 8.0
"""So far above the noise along the border a pixel belongs to the head."""

HEAD_LEVEL = 0.10
"""Nor is a pixel head that is darker than this share of the brightest; for pictures padded with exact zeros."""

HEAD_SHARE = (0.05, 0.80)
"""Share of a picture that a head fills; the rest is air."""

AIR_BORDER = 0.75
"""Least share of the picture's border that shows air; the neck and a tight crop may reach it."""

HEAD_PIECE = 0.80
"""Least share of all that is bright that lies in one piece: pictures of other things have many."""

BRAIN_SHARE = (0.05, 0.85)
"""Share of the head that a brain can fill; outside, the skull's ring was not found."""

DARK_RING = 0.55
"""Skull and air in the sinuses are darker than this share of the median within the head's core."""

PARTED = (0.025, 0.04, 0.06, 0.08)
"""Erosions that part the brain from the scalp, as shares of the head's width; the first that does so is taken."""

SCALP = 0.03
"""Thickness of the scalp that no brain reaches into, as a share of the head's width."""

HALF = 0.3
"""A piece with this share of the deepest one's weight is brain, too: the other hemisphere."""

SCALP_TAKEN = 0.05
"""Most of the scalp that a brain may cover: where more is, the two were not parted."""


def picture_brain(voxels: Volume, path: str) -> tuple[Mask, dict[str, Any]]:
    """Find the brain in one axial picture of a head in the air.

    A threshold and morphology, no more: across the face and the skull base the piece it finds is a guess. Where no
    ring of skull is found the whole head is taken, and flagged.

    Args:
        voxels: (I, J, 1), any unit.
        path: for messages.

    Returns:
        The brain; and facts: share of the picture that is head, share of the head that is brain, `flags`.

    Raises:
        PreparationError: the picture shows no head surrounded by air.
    """
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(voxels[..., 0], 0.8)
    head = _head(smooth, path)
    width = float(np.sqrt(head.sum()))
    depth = ndimage.distance_transform_edt(head)
    core = depth > 0.2 * width
    tissue = head & (smooth > DARK_RING * np.median(smooth[core]))
    scalp = head & (depth <= SCALP * width)
    tried = (_deepest(tissue, depth, max(2, round(share * width))) for share in PARTED)
    brain = next((one for one in tried if _plausible(one, head, scalp)), None)
    flags = ["brain told from the head by shape alone: look at it"]
    if brain is None:
        brain, flags = head, ["no brain is told from the head in this picture: the whole head is taken"]
    share = float(brain.sum() / head.sum())
    facts = {"by": "shape", "head": round(float(head.mean()), 4), "brain": round(share, 4), "flags": flags}
    return brain[..., None], facts


def _plausible(brain: Mask, head: Mask, scalp: Mask) -> bool:
    share = brain.sum() / head.sum()
    return bool(
        BRAIN_SHARE[0] <= share <= BRAIN_SHARE[1] and (brain & scalp).sum() <= SCALP_TAKEN * scalp.sum()
    )


def _head(smooth: NDArray[np.float32], path: str) -> Mask:
    """What stands out from the noise along the border, in one piece, holes filled; (I, J)."""
    border = _border(smooth)
    noise = np.median(border)
    sigma = 1.4826 * np.median(np.abs(border - noise))
    level = max(noise + NOISE_SIGMAS * sigma, noise + HEAD_LEVEL * (np.percentile(smooth, 99.5) - noise))
    bright = smooth > level
    if not bright.any():
        raise PreparationError(f"{path}: the picture is empty; nothing stands out from its border")
    head, _ = largest_piece(filled(bright[..., None])[..., 0])
    air = 1.0 - float(_border(head).mean())
    share, piece = float(head.mean()), float((bright & head).sum() / bright.sum())
    if air < AIR_BORDER or piece < HEAD_PIECE or not HEAD_SHARE[0] <= share <= HEAD_SHARE[1]:
        raise PreparationError(
            f"{path}: shows no head surrounded by air ({air:.0%} of the border is dark, the largest piece fills "
            f"{share:.0%} of the picture and holds {piece:.0%} of all that is bright); {ADVICE}"
        )
    return head


def _border(picture: NDArray[Kind]) -> NDArray[Kind]:
    """The outer pixels, (n,)."""
    return np.concatenate([picture[[0, -1]].ravel(), picture[:, [0, -1]].ravel()])


def _deepest(tissue: Mask, depth: NDArray[np.float64], radius: int) -> Mask:
    """Of the pieces that an erosion parts, those with most depth in the head, grown back, joined and filled; (I, J)."""
    from scipy import ndimage

    ball = _ball(radius)
    pieces, count = ndimage.label(ndimage.binary_erosion(tissue, ball))
    if count == 0:
        return np.zeros_like(tissue)
    weights = ndimage.sum_labels(depth**2, pieces, np.arange(1, count + 1))
    seed = np.isin(pieces, 1 + np.flatnonzero(weights >= HALF * weights.max()))
    grown = ndimage.binary_dilation(seed, ball) & tissue
    closed = ndimage.binary_closing(np.pad(grown, 2 * radius), _ball(2 * radius))
    inner = (slice(2 * radius, -2 * radius),) * 2
    return filled(closed[inner][..., None])[..., 0]


def _ball(radius: int) -> Mask:
    i, j = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    ball: Mask = i**2 + j**2 <= radius**2
    return ball
