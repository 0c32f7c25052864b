"""Split by subject, so that no one is both learned from and tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from sanum.cohort.table import SPLITS, Cohort
from sanum.core.errors import CohortError
from sanum.core.records import Split

SHARES: Mapping[str, float] = MappingProxyType({"train": 0.6, "calibration": 0.2, "test": 0.2})

CALIBRATION_SHARE = SHARES["calibration"] / (SHARES["calibration"] + SHARES["train"])
"""Of the subjects that do not test: a quarter, whether some test or none."""

NO_SHARE = 1e-9
"""Shares below are zero: what is left after subtracting decimal fractions from 1."""


def split_by_subject(cohort: Cohort, shares: Mapping[str, float] = SHARES, seed: int = 0) -> Cohort:
    """Give every row a split; a split it had is replaced.

    Subjects whose rows are all labelled healthy are divided by `shares`. A subject with any row labelled
    lesion or unknown goes to test as a whole, since nobody has said that it is healthy; a note counts the
    subjects that stand in test only because a label is unknown. The order of subjects is that of the
    SHA-256 of seed and name: the same on every machine and for any order of rows.

    Args:
        cohort: labelled cases.
        shares: share of the healthy subjects for each split; they add up to 1. Every share above 0 gets
            at least one subject.
        seed: other seeds give other splits.

    Raises:
        CohortError: shares that are none, or fewer healthy subjects than shares.
    """
    _check_shares(shares)
    healthy = sorted(
        {row.subject for row in cohort} - {row.subject for row in cohort if row.label != "healthy"},
        key=lambda subject: hashlib.sha256(f"{seed}:{subject}".encode()).digest(),
    )
    wanted = [split for split in SPLITS if shares.get(split, 0.0) > NO_SHARE]
    split_of: dict[str, Split] = {}
    if healthy:
        counts = _counts(cohort, len(healthy), [shares[split] for split in wanted])
        names = [split for split, count in zip(wanted, counts, strict=True) for _ in range(count)]
        split_of = dict(zip(healthy, names, strict=True))
    rows = tuple(replace(row, split=split_of.get(row.subject, "test")) for row in cohort)
    return replace(cohort, rows=rows, notes=cohort.notes + _notes(cohort))


def _check_shares(shares: Mapping[str, float]) -> None:
    if unknown := [split for split in shares if split not in SPLITS]:
        raise CohortError(f"shares: unknown split {unknown[0]!r}; expected {', '.join(SPLITS)}")
    if min(shares.values(), default=0.0) < -NO_SHARE or abs(sum(shares.values()) - 1.0) > NO_SHARE:
        shown = ", ".join(f"{split} {share:g}" for split, share in shares.items())
        raise CohortError(f"shares: expected shares of 0 or more that add up to 1, got {shown}")


def _counts(cohort: Cohort, subjects: int, shares: Sequence[float]) -> list[int]:
    """Subjects of each split, at least one; the largest share takes what rounding leaves."""
    if subjects < len(shares):
        raise CohortError(
            f"{cohort.path}: {subjects} healthy subjects can't fill {len(shares)} splits; "
            "label more subjects healthy, or set a share to 0"
        )
    counts = [max(1, round(share * subjects)) for share in shares]
    counts[shares.index(max(shares))] += subjects - sum(counts)
    return counts


def _notes(cohort: Cohort) -> tuple[str, ...]:
    unknown = {row.subject for row in cohort if row.label == "unknown"}
    unknown -= {row.subject for row in cohort if row.label == "lesion"}
    if not unknown:
        return ()
    return (
        f"subjects in the test split because a case of theirs is labelled unknown: {len(unknown)}; "
        "label cases healthy to train or calibrate on them",
    )
