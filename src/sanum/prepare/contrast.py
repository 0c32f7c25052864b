"""Whether a scan shows what it is called: refused where it surely does not, warned about where it is doubtful."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sanum.core.errors import PreparationError
from sanum.core.names import modality_of
from sanum.core.records import Scan, Step
from sanum.core.sequence import OTHER, Looks
from sanum.core.units import Volume
from sanum.prepare.sequence import recognise
from sanum.prepare.sequence.verdict import contradicts, is_doubtful, tissues_are_odd, tissues_contradict

OTHER_WORDS = "none of T1w, T2w, FLAIR, PDw, T1ce and CT, but a field, phase, perfusion or diffusion image"

ROUGHLY_T1W = (1.0, 1.35)
"""Where the template lies on the brain by a fit of moments only, a T1w scan below the first is none, and a FLAIR,
T2w or PDw scan above the second is T1w. Seven T1w scans had 1.12 to 1.50 so, six FLAIR .90 to 1.13."""

VOUCH = "say as_called (--as-called; as_called=yes in a table or form)"
MEANINGLESS = "If it is not what it is called, the verdict most likely means nothing: look at the scan"

LEAST_SHOWN = 0.005
"""Share of the voxels that are not 0 below which a scan is too empty to be looked at; the next step says so."""

Medians = Mapping[str, Mapping[str, float | None]]
"""By channel, the medians of "white" and "grey" matter; None where too little of it was seen."""


def contrast_warnings(steps: Iterable[Step]) -> tuple[str, ...]:
    """Every doubt that a preparation had about what its scans show."""
    return tuple(flag for step in steps for flag in step.facts.get("contrast", {}).get("flags", ()))


def look_at(scans: Mapping[str, Scan]) -> dict[str, Looks]:
    """What each scan of a case looks like. Masks and what is nearly empty are not looked at: they show too little."""
    return {called: recognise(scan) for called, scan in scans.items() if _has_contrast(scan.voxels)}


def _has_contrast(voxels: Volume) -> bool:
    seen = np.count_nonzero(voxels)
    if seen <= LEAST_SHOWN * voxels.size:
        return False
    extreme = float(voxels.max()) or float(voxels.min())
    return bool(np.count_nonzero(voxels == extreme) < seen)


def check_looks(
    scans: Mapping[str, Scan], looks: Mapping[str, Looks], *, as_called: bool = False
) -> dict[str, Any]:
    """Compare what every volume of a case looks like with the modality it is called by.

    Args:
        scans: by modality.
        looks: of the volumes.
        as_called: a person vouches for the names; what would be refused becomes a warning.

    Returns:
        By modality what the scan looks like and how surely, and as `contrast` the `flags`: doubts in words.

    Raises:
        PreparationError: a scan surely shows another sequence.
    """
    facts: dict[str, Any] = {}
    flags: list[str] = []
    for called, seen in looks.items():
        facts[called] = {"looks": seen.sequence, "share": round(seen.confidence, 3)}
        wrong, doubtful = contradicts(called, seen), is_doubtful(called, seen)
        if wrong and not as_called:
            raise PreparationError(_refusal(called, scans[called], seen))
        if wrong or doubtful:
            flags.append(_vouched(called, seen) if as_called else _doubt(called, seen))
    return {**facts, "contrast": {"flags": flags}}


def check_tissues(
    medians: Medians, looks: Mapping[str, Looks], *, as_called: bool = False
) -> dict[str, list[str]]:
    """Compare white with grey matter of a registered case, which tells some that looks alone do not.

    Args:
        medians: of each channel.
        looks: of the volumes, by modality.
        as_called: a person vouches for the names; what would be refused becomes a warning.

    Returns:
        `flags`: doubts in words.

    Raises:
        PreparationError: tissues and looks of a scan surely show another sequence.
    """
    flags = []
    for channel, tissue in medians.items():
        white, grey, seen = tissue.get("white"), tissue.get("grey"), looks.get(channel)
        if white is None or grey is None or grey <= 0 or seen is None:
            continue
        ratio = white / grey
        if tissues_contradict(channel, ratio, seen) and not as_called:
            raise PreparationError(_tissue_refusal(channel, ratio, seen))
        if tissues_are_odd(channel, ratio, seen):
            low, other = ("low", "T2w or FLAIR") if channel == "T1w" else ("high", "T1w")
            flags.append(
                f"white/grey = {ratio:.2f} is {low} for {channel}: is it {other}, or is there a large lesion? "
                f"{MEANINGLESS}"
            )
    return {"flags": flags}


def rough_contrast_flags(ratios: Mapping[str, float]) -> list[str]:
    """The same where nothing was registered, so that only what is sure is said.

    Args:
        ratios: by modality, median of white over grey matter by a fit of moments.
    """
    lowest, highest = ROUGHLY_T1W
    flags = []
    for modality, ratio in ratios.items():
        if modality in ("T1w", "T1ce") and ratio < lowest:
            flags.append(f"{modality} looks like T2w or FLAIR: white/grey is {ratio:.2f}. {MEANINGLESS}")
        if modality in ("T2w", "FLAIR", "PDw") and ratio > highest:
            flags.append(f"{modality} looks like T1w: white/grey is {ratio:.2f}. {MEANINGLESS}")
    return flags


def _refusal(called: str, scan: Scan, looks: Looks) -> str:
    named = modality_of(Path(scan.source.path)) == called
    return (
        f"{scan.source.path}: {'called' if named else 'taken for'} {called}, but looks like {_words(looks)}; "
        f"{_way_out(looks)}; or, if it is {called}, {VOUCH}"
    )


def _tissue_refusal(called: str, ratio: float, looks: Looks) -> str:
    other = "T2w or FLAIR" if called == "T1w" else "T1w"
    seen = "" if looks.sequence == called else f", and the picture looks like {_words(looks)}"
    return (
        f"looks like {other}, not {called}: white/grey = {ratio:.2f}{seen}; check the column or file name, or, if it is "
        f"{called}, {VOUCH}"
    )


def _doubt(called: str, looks: Looks) -> str:
    return (
        f"{called}: looks more like {_words(looks)}. If it is {called} all the same, nothing is wrong, and as_called "
        f"(--as-called) says so. {MEANINGLESS}; where it is not {called}, {_way_out(looks)}"
    )


def _vouched(called: str, looks: Looks) -> str:
    return (
        f"{called}: looks like {_words(looks)}, but is taken as called, as told (as_called). If the name is wrong, the "
        "verdict means nothing"
    )


def _way_out(looks: Looks) -> str:
    if looks.sequence == OTHER:
        return "give the scan that was meant: no model reads such images"
    return f"name it {looks.sequence}, for a model that reads that (`sanum models` lists them)"


def _words(looks: Looks) -> str:
    what = OTHER_WORDS if looks.sequence == OTHER else looks.sequence
    return f"{what} ({min(looks.confidence, 0.99):.0%} sure)"
