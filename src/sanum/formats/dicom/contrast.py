"""What an MR series shows, where its description says so plainly; a wrong guess is worse than none."""

from __future__ import annotations

import re

UNPLAIN = re.compile(
    r"map|star|\*|swi|dwi|adc|trace|diff|perf|cbf|asl|bold|epi|loc|scout|survey|mra|tof|angio|phase|calib|sub"
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


def contrast_of(description: str, agent: bool) -> str | None:
    """Modality by a series' description, or None where it does not say plainly.

    Args:
        description: as the scanner's operator wrote it.
        agent: whether the header names a contrast agent.
    """
    text = description.lower()
    if UNPLAIN.search(text):
        return None
    told = [name for name, sign in SIGNS if sign.search(text)]
    if told == ["FLAIR", "T2w"]:
        return "FLAIR"
    if len(told) != 1:
        return None
    enhanced = agent or AGENT.search(text) is not None
    if told[0] != "T1w" or not enhanced:
        return told[0]
    return None if NO_AGENT.search(text) else "T1ce"
