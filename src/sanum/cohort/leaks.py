"""Nobody may stand on both sides of a split."""

from __future__ import annotations

import os

from sanum.cohort.cells import listed
from sanum.cohort.table import Cohort
from sanum.core.errors import CohortError


def check_leaks(cohort: Cohort) -> None:
    """Make sure that no subject and no scan file is in two splits. Rows without a split do not count.

    Files are the same when they are one file on disk, links resolved. Masks may be shared.

    Raises:
        CohortError: naming the subjects or files.
    """
    splits_of_subject: dict[str, set[str]] = {}
    splits_of_file: dict[str, set[str]] = {}
    for row in cohort:
        if row.split is None:
            continue
        splits_of_subject.setdefault(row.subject, set()).add(row.split)
        for scan in row.scans.values():
            splits_of_file.setdefault(os.path.realpath(scan), set()).add(row.split)
    _refuse(cohort, "subjects", splits_of_subject, "give every subject one split")
    _refuse(cohort, "files", splits_of_file, "list every scan once")


def _refuse(cohort: Cohort, what: str, splits: dict[str, set[str]], remedy: str) -> None:
    leaks = [f"{name} ({', '.join(sorted(found))})" for name, found in splits.items() if len(found) > 1]
    if leaks:
        raise CohortError(
            f"{cohort.path}: {what} in more than one split ({len(leaks)}): {listed(leaks)}; {remedy}"
        )
