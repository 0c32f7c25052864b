"""Whether a test can be trusted: nobody in two splits, no scan seen in training or calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sanum.core.errors import CohortError
from sanum.core.modalities import modality_of_channel
from sanum.core.records import Prepared
from sanum.evaluation.fingerprint import ALIKE, SAME, Duplicate, Fingerprint, duplicates, look, seen_before
from sanum.model import Model
from sanum.prepare.store import ManifestRow, Store

IDENTITY = 16
"""Hexadecimal digits of a file's SHA-256 that a model keeps of each scan it learned from."""

LISTED = 5


@dataclass(frozen=True)
class Leaks:
    """What a leak check found and did not refuse.

    Attributes:
        dropped: test cases that are not tested, each with its reason.
        suspects: pairs of images of different splits that may show one head; a person should look.
    """

    dropped: dict[str, str]
    suspects: tuple[str, ...] = ()


def identities(case: Prepared) -> tuple[str, ...]:
    """Short hashes of the case's scan files, without its masks."""
    scans = len({modality_of_channel(name) for name in case.modalities})
    return tuple(source.sha256[:IDENTITY] for source in case.sources[:scans])


def check_test_split(model: Model, store: Store, *, drop_duplicates: bool = False) -> Leaks:
    """Refuse a test that would flatter the model.

    Args:
        model: whose training and calibration scans must not be tested.
        store: all its splits are looked at.
        drop_duplicates: leave out test cases that are the same picture as a training or calibration case, or an
            image that may show the same head, instead of refusing; the evaluation states how many.

    Raises:
        CohortError: a subject in two splits, a test scan that the model was trained or calibrated on, or the
            same picture in two splits.
    """
    rows = [row for row in store.manifest() if row.status == "ready" and row.split is not None]
    _check_subjects(store, rows)
    prints = [_fingerprint(store, row) for row in rows]
    tested = {one.case: one.sources for one in prints if one.split == "test"}
    known = [*model.facts.get("training_sources", ()), *model.facts.get("calibration_sources", ())]
    seen = seen_before(tested, known)
    if seen:
        raise CohortError(
            f"{store.folder}: model {model.name} was trained or calibrated on {len(seen)} of the test scans: "
            f"{_listed(seen)}; a threshold from test data is no test. Split by subject and train again"
        )
    least = ALIKE if rows and store.load(rows[0].case).is_image else SAME
    found = [
        duplicate
        for duplicate in duplicates(prints, least)
        if duplicate.first in tested or duplicate.second in tested
    ]
    certain = [
        _pair(duplicate) for duplicate in found if duplicate.how == "same file" or duplicate.likeness >= SAME
    ]
    if certain and not drop_duplicates:
        raise CohortError(
            f"{store.folder}: {len(certain)} test case(s) are the same picture as a case of another split: "
            f"{_listed(certain)}. Give both one subject and split again, or leave them out of the test with "
            "--drop-duplicates"
        )
    if drop_duplicates:
        return Leaks(
            {
                (duplicate.first if duplicate.first in tested else duplicate.second): _pair(duplicate)
                for duplicate in found
            }
        )
    return Leaks({}, tuple(_pair(duplicate) for duplicate in found))


def _check_subjects(store: Store, rows: Sequence[ManifestRow]) -> None:
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row.subject, set()).add(row.split or "")
    leaks = [f"{name} ({', '.join(sorted(found))})" for name, found in splits.items() if len(found) > 1]
    if leaks:
        raise CohortError(
            f"{store.folder}: {len(leaks)} subject(s) in more than one split: {_listed(leaks)}; "
            "give every subject one split and prepare again"
        )


def _fingerprint(store: Store, row: ManifestRow) -> Fingerprint:
    case = store.load(row.case)
    return Fingerprint(row.case, row.split or "", identities(case), look(case))


def _pair(duplicate: Duplicate) -> str:
    return f"{duplicate.first} and {duplicate.second} ({duplicate.how}, likeness {duplicate.likeness:.3f})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:LISTED]) + (", …" if len(names) > LISTED else "")
