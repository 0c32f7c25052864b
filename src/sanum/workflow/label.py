"""Labels from lesion masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sanum.cohort.table import Cohort, Row
from sanum.core.errors import CohortError
from sanum.formats import read_mask


def label_by_mask(cohort: Cohort) -> Cohort:
    """Label each case by its lesion mask: lesion where it marks anything, else healthy.

    "Healthy" then means no more than: nothing is marked here. Someone with a lesion elsewhere stays someone
    with a lesion.

    Raises:
        CohortError: a case has no lesion mask.
        ScanError: a mask can't be read.
    """
    return replace(cohort, rows=tuple(_labelled(row) for row in cohort))


def _labelled(row: Row) -> Row:
    if row.lesion is None:
        raise CohortError(f"{row.case}: no lesion mask to label it by; give a mask, or a label by hand")
    return replace(row, label="lesion" if np.any(read_mask(row.lesion).voxels > 0) else "healthy")
