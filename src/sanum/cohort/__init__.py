"""Who is in a study, what each file shows, and what it is used for."""

from __future__ import annotations

from sanum.cohort.discover import discover
from sanum.cohort.leaks import check_leaks
from sanum.cohort.splits import split_by_subject
from sanum.cohort.table import Cohort, Row, read_cohort, write_cohort

__all__ = ["Cohort", "Row", "check_leaks", "discover", "read_cohort", "split_by_subject", "write_cohort"]
