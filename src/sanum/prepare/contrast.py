"""Whether a picture's contrast is the one that its column says, where tissue medians tell it."""

from __future__ import annotations

from collections.abc import Mapping

USUAL_T1W = 1.35
"""White matter is at least so many times as bright as grey on T1w, but for one of 95 healthy adults on two scanners."""

USUAL_FLAIR = 1.20
"""Nor is white matter so much brighter than grey on FLAIR and T2w without large lesions (.8 to .9)."""

ROUGHLY_T1W = (1.0, 1.35)
"""Where the template lies on the brain by a fit of moments only, a T1w scan below the first is none, and a FLAIR,
T2w or PDw scan above the second is T1w. Seven T1w scans had 1.12 to 1.50 so, six FLAIR .90 to 1.13."""


def contrast_flags(medians: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    """What a person should check about the contrast of each channel.

    Args:
        medians: by channel, the medians of "white" and "grey" matter; None where too little of it was seen.
    """
    flags = []
    for channel, tissue in medians.items():
        white, grey = tissue.get("white"), tissue.get("grey")
        if white is None or grey is None or grey <= 0:
            continue
        ratio = white / grey
        if channel == "T1w" and ratio < USUAL_T1W:
            flags.append(
                f"white/grey = {ratio:.2f} is low for T1w: is it T2w or FLAIR, or is there a large lesion?"
            )
        if channel in ("FLAIR", "T2w") and ratio > USUAL_FLAIR:
            flags.append(
                f"white/grey = {ratio:.2f} is high for {channel}: is it T1w, or is there a large lesion?"
            )
    return flags


def rough_contrast_flags(ratios: Mapping[str, float]) -> list[str]:
    """The same where nothing was registered, so that only what is sure is said.

    Args:
        ratios: by modality, median of white over grey matter by a fit of moments.
    """
    lowest, highest = ROUGHLY_T1W
    flags = []
    for modality, ratio in ratios.items():
        if modality in ("T1w", "T1ce") and ratio < lowest:
            flags.append(f"{modality} looks like T2w or FLAIR: white/grey is {ratio:.2f}")
        if modality in ("T2w", "FLAIR", "PDw") and ratio > highest:
            flags.append(f"{modality} looks like T1w: white/grey is {ratio:.2f}")
    return flags
