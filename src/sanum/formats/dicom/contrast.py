"""What an MR series shows, where its headers say so plainly; a wrong guess is worse than none."""

from __future__ import annotations

import re

from sanum.formats.dicom.acquisition import Acquisition

UNTOLD = Acquisition()

UNPLAIN = re.compile(
    r"map|star|\*|swi|dwi|adc|trace|diff|perf|cbf|asl|bold|(?<![a-z])epi(?![a-z])|loc|scout|survey|mra|tof|angio|phase|calib|sub|mp2rage"
)
"""Words of other images, among them such as hold T1 or T2 in their names."""

SIGNS = (
    ("FLAIR", re.compile(r"flair|(?<![a-z])tirm(?![a-z])|dark.?fluid")),
    ("T1w", re.compile(r"(?<![a-z0-9])t1|mprage|bravo|fspgr|(?<![a-z])mpr(?![a-z])")),
    ("T2w", re.compile(r"(?<![a-z0-9])t2")),
    ("PDw", re.compile(r"(?<![a-z0-9])pd(?![a-z])|proton")),
)

AGENT = re.compile(r"post|gad|(?<![a-z])gd(?![a-z])|\+ ?c(?![a-z])|(?<![a-z])ce(?![a-z])|contrast|enhanced")
NO_AGENT = re.compile(r"pre(?![a-z])|without|(?<![a-z])no[ _-]|non|w/o")

SHORTEST_ECHO_MS, SHORT_ECHO_MS, LONG_ECHO_MS = 10.0, 30.0, 70.0
"""Gradient echoes below the first and spin echoes below the second show no T2, spin echoes above the third do."""

SHORT_REPETITION_MS, LONG_REPETITION_MS = 1000.0, 2000.0
"""Spin echoes repeated faster than the first show T1, slower than the second they do not."""

FLUID_INVERSION_MS = 1500.0
"""Inversion times that take the signal of fluid away are longer, at 1.5 T and above."""

MPRAGE_INVERSION_MS = (500.0, 1500.0)
"""Inversion times that set white matter apart from grey in an inversion-prepared gradient echo."""


def contrast_of(
    description: str, agent: bool, acquisition: Acquisition = UNTOLD, echo_ms: float | None = None
) -> str | None:
    """Modality by a series' description, else by its protocol's name, else by its times; None where they leave a doubt.

    Args:
        description: as the scanner's operator wrote it.
        agent: whether the header names a contrast agent.
        acquisition: as the headers tell.
        echo_ms: echo time of the volume.
    """
    names = description.lower(), acquisition.protocol.lower()
    if any(UNPLAIN.search(name) for name in names):
        return None
    told = next(filter(None, ([name for name, sign in SIGNS if sign.search(text)] for text in names)), None)
    if told is None:
        told = [shown] if (shown := _by_times(acquisition, echo_ms)) else []
    if told == ["FLAIR", "T2w"]:
        return "FLAIR"
    if len(told) != 1:
        return None
    enhanced = agent or any(AGENT.search(name) for name in names)
    if told[0] != "T1w" or not enhanced:
        return told[0]
    return None if any(NO_AGENT.search(name) for name in names) else "T1ce"


def _by_times(acquisition: Acquisition, echo_ms: float | None) -> str | None:
    how, repetition, inversion = acquisition.techniques, acquisition.repetition_ms, acquisition.inversion_ms
    if "EP" in how or echo_ms is None or repetition is None:
        return None
    if "GR" in how:
        low, high = MPRAGE_INVERSION_MS
        prepared = "IR" in how and inversion is not None and low <= inversion <= high
        return "T1w" if prepared and acquisition.three_d and echo_ms < SHORTEST_ECHO_MS else None
    if not how & {"SE", "IR"}:
        return None
    if inversion is not None:
        return "FLAIR" if inversion >= FLUID_INVERSION_MS and echo_ms >= LONG_ECHO_MS else None
    if echo_ms >= LONG_ECHO_MS:
        return "T2w" if repetition >= LONG_REPETITION_MS else None
    if echo_ms > SHORT_ECHO_MS or SHORT_REPETITION_MS < repetition < LONG_REPETITION_MS:
        return None
    return "T1w" if repetition <= SHORT_REPETITION_MS else "PDw"
