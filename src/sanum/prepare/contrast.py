"""Whether a picture's contrast is the one that its column says, where tissue medians tell it."""

from __future__ import annotations

from collections.abc import Mapping

USUAL_T1W = 1.35
"""White matter is at least so many times as bright as grey on T1w, but for one of 95 healthy adults on two scanners."""

USUAL_FLAIR = 1.20
"""Nor is white matter so much brighter than grey on FLAIR and T2w without large lesions (.8 to .9)."""


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
