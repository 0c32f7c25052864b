"""Which series of a study is meant: the one that is asked for, or one by a rule that is told and can be checked.

The rule: of the volumes that are no localizer, map or the like (`kinds`) and that show what is wanted
(`contrast`), the first by `_rank`: whole heads before pieces, originals before reformats, 3D before 2D, for T1w
MPRAGE before others, then the one with most slices, then the last one made, because it is the first that is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanum.core.errors import ScanError
from sanum.core.units import MODALITIES
from sanum.formats.dicom.series import Series
from sanum.formats.reader import Selection

WHOLE_HEAD_MM = 100.0
"""A brain is as high; a series that covers less along its slices is a piece, such as the orbits."""

UNTOLD = "its headers do not say what it shows"

MPRAGE = re.compile(r"mprage|bravo|fspgr|(?<![a-z])(mpr|tfl|tfe|ir.?spgr)")
SHARP_KERNEL = re.compile(r"bone|edge|lung|(?<![a-z])[hbj]r?[6-9]\d")


@dataclass(frozen=True)
class Choice:
    """What was chosen of a study, and why not the rest.

    Attributes:
        series: the one to read.
        others: each other series with the reason why it is not meant.
        asked: it was named by the user.
    """

    series: Series
    others: tuple[tuple[Series, str], ...]
    asked: bool

    def notes(self, modality: str | None) -> tuple[str, ...]:
        """What a person should know, without a word where there was no choice and no doubt."""
        taken, told = self.series, []
        if self.asked and taken.unfit:
            told.append(f"series {taken.number} looks like {taken.unfit}; taken as named")
        if modality is not None and taken.contrast not in (None, modality):
            told.append(f"the series' headers read like {taken.contrast}; taken as {modality} as told")
        if modality is not None and taken.contrast is None and self.others and not self.asked:
            told.append(
                f"no header says what series {taken.number} shows; taken as {modality}, the only volume of a head"
            )
        if self.others:
            told.append(f"series taken, {'as named' if self.asked else 'by rule'}: {taken}")
        if self.others and not self.asked:
            rest = "; ".join(f"{one.name} ({why})" for one, why in self.others)
            told.append(f"series not taken: {rest}")
        return tuple(told)


def choose(path: Path, listed: Sequence[Series], selection: Selection) -> Choice:
    """The series that is asked for, or the one by the rule.

    Raises:
        ScanError: none or several fit, or what was asked for can't be read; the message lists all.
    """
    if selection.part is not None:
        return _asked(path, listed, selection.part, selection.modality)
    reasons = {id(one): why_not(one, selection.modality, alone=len(listed) == 1) for one in listed}
    possible = [one for one in listed if not reasons[id(one)] or reasons[id(one)] == UNTOLD]
    if len(possible) == 1:
        reasons[id(possible[0])] = ""
    fitting = sorted(
        (one for one in listed if not reasons[id(one)]), key=lambda one: _rank(one, selection.modality)
    )
    if not fitting:
        raise _undecided(path, listed, f"no series fits {selection.modality or 'a 3D series'}", reasons)
    if fault := _doubt(fitting, selection.modality):
        raise _undecided(path, listed, fault, reasons)
    best = fitting[-1]
    for one in fitting[:-1]:
        reasons[id(one)] = _worse(one, best, selection.modality)
    return Choice(best, tuple((one, reasons[id(one)]) for one in listed if one is not best), asked=False)


def why_not(series: Series, modality: str | None, *, alone: bool = False) -> str:
    """Why a series can't be meant; "" where it can.

    Args:
        series: one volume.
        modality: what is wanted; None takes any.
        alone: there is no other, so that a user's word for a contrast agent counts where the headers name none.
    """
    if series.unfit or series.fault:
        return series.unfit or series.fault
    if modality is None or series.contrast == modality:
        return ""
    if (modality == "CT") != (series.kind == "CT"):
        return series.kind
    if series.contrast is None:
        return UNTOLD
    if alone and (series.contrast, modality) == ("T1w", "T1ce"):
        return ""
    return f"shows {series.contrast}"


def used(listed: Sequence[Series]) -> list[dict[str, Any]]:
    """Every series as plain JSON, with `taken_for`, the modalities that the rule takes it for, or `why_not`."""
    taken: dict[int, list[str]] = {id(one): [] for one in listed}
    reasons = {id(one): why_not(one, None) or ("" if one.contrast else UNTOLD) for one in listed}
    for modality in MODALITIES:
        try:
            choice = choose(Path(), listed, Selection(None, modality))
        except ScanError:
            same = [one for one in listed if one.contrast == modality]
            reasons |= {id(one): reasons[id(one)] or "as good as another; name one" for one in same}
            continue
        taken[id(choice.series)].append(modality)
        reasons |= {id(one): why for one, why in choice.others if one.contrast == modality}
    return [
        {
            **one.to_dict(),
            **({"taken_for": taken[id(one)]} if taken[id(one)] else {"why_not": reasons[id(one)]}),
        }
        for one in listed
    ]


def _asked(path: Path, listed: Sequence[Series], part: str, modality: str | None) -> Choice:
    found = [one for one in listed if one.number == part]
    found = found or [one for one in listed if one.number.split(".")[0] == part or one.uid.endswith(part)]
    if len(found) != 1:
        raise _undecided(
            path, listed, f"{'several series fit' if found else 'no series fits'} series {part}", {}
        )
    chosen = found[0]
    if chosen.arranged is None:
        raise ScanError(f"{path}: series {chosen.number} is not read: {chosen.fault}")
    if modality is not None and (modality == "CT") != (chosen.kind == "CT"):
        raise ScanError(f"{path}: series {chosen.number} is {chosen.kind}, but {modality} is wanted")
    return Choice(chosen, tuple((one, "another is named") for one in listed if one is not chosen), asked=True)


def _doubt(fitting: Sequence[Series], modality: str | None) -> str:
    """Why the rule leaves open which of several fitting series is meant; "" where it does not."""
    best = fitting[-1]
    if len(fitting) > 1 and modality is None:
        return "several series fit a 3D series"
    if len({one.study for one in fitting}) > 1:
        return f"series of several studies fit {modality}"
    same = [
        one for one in fitting if one.uid == best.uid and _merits(one, modality) == _merits(best, modality)
    ]
    return f"several series fit {modality}" if len(same) > 1 else ""


def _rank(series: Series, modality: str | None) -> tuple[float, ...]:
    return (*(value for value, _ in _merits(series, modality)), *series.order)


def _merits(series: Series, modality: str | None) -> tuple[tuple[float, str], ...]:
    """What speaks for a series, the weightiest first: a value, and what to say of one that has less."""
    text = f"{series.description} {series.acquisition.protocol} {series.acquisition.sequence}".lower()
    kernel = f"{series.acquisition.kernel} {series.description.lower()}"
    first = modality == "T1w" and MPRAGE.search(text) is not None
    return (
        (series.coverage_mm >= WHOLE_HEAD_MM, "covers less of the head"),
        ("DERIVED" not in series.types, "a reformat"),
        (
            SHARP_KERNEL.search(kernel) is None if series.kind == "CT" else True,
            "reconstructed with a sharp kernel",
        ),
        (series.acquisition.three_d is True, "not acquired in 3D"),
        (first, "not MPRAGE"),
        (len(series.frames), "fewer slices"),
    )


def _worse(series: Series, best: Series, modality: str | None) -> str:
    for (value, words), (better, _) in zip(_merits(series, modality), _merits(best, modality), strict=True):
        if value < better:
            return f"{words} than {best.number}" if words.startswith(("covers", "fewer")) else words
    return f"the same as {best.number}, which was made later"


def _undecided(path: Path, listed: Sequence[Series], fault: str, reasons: dict[int, str]) -> ScanError:
    shown = "".join(
        f"\n  {one}"
        + (f"; {reasons[id(one)]}" if reasons.get(id(one)) not in ("", None, one.unfit, one.fault) else "")
        for one in listed
    )
    return ScanError(f"{path}: {fault}; name one: --series NUMBER, PATH#NUMBER or the field series:{shown}")
