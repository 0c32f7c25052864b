"""Cases of pictures whose colour channels are modalities, in folders of patients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sanum.cohort.cells import check_case_name
from sanum.cohort.folders import SUBJECT
from sanum.cohort.table import Row
from sanum.core.config import did_you_mean
from sanum.core.errors import CohortError
from sanum.core.names import IMAGE_SUFFIXES, scan_stem, with_part
from sanum.core.units import MODALITIES

MASK = "_mask"
NO_MODALITY = "-"


def find_channels(root: Path, channels: Sequence[str]) -> tuple[list[Row], tuple[str, ...]]:
    """One row a picture; `a_mask` beside `a` is its lesion mask; the folder it lies in is the subject.

    Args:
        root: pictures right inside, or in folders of patients.
        channels: modality of each channel in its order; "-" leaves one out.

    Raises:
        CohortError: an unknown modality, one that is named twice, or two pictures of one name.
    """
    named = [name for name in channels if name != NO_MODALITY]
    for name in named:
        if name not in MODALITIES:
            raise CohortError(f"channel {name!r} is not known; {did_you_mean(name, MODALITIES)}")
    if not named or len(set(named)) != len(named):
        raise CohortError(f"channels: expected different modalities, got {', '.join(channels)}")
    pictures = {
        path.with_name(scan_stem(path)): path
        for path in sorted(root.rglob("*"))
        if path.name.lower().endswith(IMAGE_SUFFIXES) and not path.name.startswith(".")
    }
    rows: dict[str, Row] = {}
    for place, path in pictures.items():
        if place.name.endswith(MASK):
            continue
        if place.name in rows:
            raise CohortError(f"{root}: two pictures are both case {place.name!r}; rename one")
        check_case_name(str(path), place.name)
        scans = {
            name: with_part(path, str(number)) for number, name in enumerate(channels, 1) if name in named
        }
        lesion = pictures.get(place.with_name(place.name + MASK))
        rows[place.name] = Row(place.name, _subject(root, place), scans, lesion=lesion)
    return list(rows.values()), ("the folder that a picture lies in is taken for its subject",)


def _subject(root: Path, place: Path) -> str:
    if place.parent != root:
        return place.relative_to(root).parts[0]
    named = SUBJECT.match(place.name)
    return place.name if named is None else named.group()
