"""Whether what a scan is called and what it shows go together: its looks, and its tissues once it is registered."""

from __future__ import annotations

from sanum.core.sequence import Looks

UNLIKELY = 0.02
"""Highest share of what a scan is called, and of what is alike, at which the name is surely wrong. Of made scans that
taught nothing .2 % have less under their right name."""

LIKELY = 0.5
"""Least share of what the scan is called at which there is no doubt, whatever looks likelier."""

SURELY = 0.95
"""Share of what a scan is called, and of what is alike, from which unusual tissues are the brain's and not the name's."""

UNLIKELY_IN_SLICE, LIKELY_IN_SLICE = 0.01, 0.2
"""The same two for a picture of one slice, the second with what is alike: of 60 slices of 20 scans 1 has less under its
right name, and of the wrong names 70 % do."""

ALIKE = (frozenset({"T1w", "T1ce"}), frozenset({"T2w", "PDw"}), frozenset({"PDw", "FLAIR"}))
"""Pairs that differ in little more than vessels or fluid: one taken for the other is doubtful, never surely wrong."""

LEAST_T1W = 1.1
"""Least ratio of white to grey matter on a T1w scan. Of 95 healthy adults on two scanners the lowest had 1.17 (its
neck was left on), the next 1.38, half of them 1.6 or more; FLAIR without large lesions has .8 to .9."""

LEAST_DOUBTFUL_T1W = 1.2
"""The same where the looks leave a doubt. Eight old brains had 1.26 to 1.60 on T1w and 1.06 to 1.22 on FLAIR."""

USUAL_T1W = 1.35
"""White matter is at least so many times as bright as grey on T1w, but for one of 95 healthy adults on two scanners."""

DARK_WHITE = ("FLAIR", "T2w", "PDw")
"""Where white matter is usually not the brighter one."""

MOST_DOUBTFUL, SELDOM = 1.3, 0.2
"""Ratio above which one of those is none where its share is below the second."""

USUAL_FLAIR = 1.2
"""Nor is white matter so much brighter than grey on FLAIR and T2w without large lesions (.8 to .9)."""


def share_of(called: str, looks: Looks) -> float:
    """How likely a scan is what it is called, or alike, 0 to 1."""
    return sum(share for name, share in looks.shares.items() if name == called or {called, name} in ALIKE)


def contradicts(called: str, looks: Looks) -> bool:
    """Whether the picture surely shows another sequence than `called`."""
    return share_of(called, looks) <= (UNLIKELY_IN_SLICE if looks.one_slice else UNLIKELY)


def is_doubtful(called: str, looks: Looks) -> bool:
    """Whether something else than `called` is likelier; in a picture of one slice, far likelier."""
    if looks.one_slice:
        return share_of(called, looks) <= LIKELY_IN_SLICE
    return looks.sequence != called and looks.shares[called] < LIKELY


def tissues_contradict(called: str, ratio: float, looks: Looks) -> bool:
    """Whether the ratio of white to grey matter, with the looks, surely shows another sequence than `called`."""
    share = share_of(called, looks)
    if called == "T1w":
        return ratio < LEAST_T1W or (ratio < LEAST_DOUBTFUL_T1W and share < SURELY)
    return called in DARK_WHITE and ratio > MOST_DOUBTFUL and share < SELDOM


def tissues_are_odd(called: str, ratio: float, looks: Looks) -> bool:
    """Whether that ratio is unusual for `called`, and the looks don't say that the name is right all the same."""
    if share_of(called, looks) >= SURELY and not tissues_contradict(called, ratio, looks):
        return False
    return ratio < USUAL_T1W if called == "T1w" else called in ("FLAIR", "T2w") and ratio > USUAL_FLAIR
