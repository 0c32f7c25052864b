"""Public data sets: list them, fetch those that allow it, and turn their folders into cohort tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from sanum.cohort.table import Cohort, Row, write_cohort
from sanum.core.errors import ConfigError
from sanum.core.records import Label
from sanum.core.units import MODALITIES
from sanum.evaluation.datasets.catalogue import DATASETS, find_dataset
from sanum.evaluation.datasets.download import OPENNEURO_API, fetch_all, openneuro_files
from sanum.evaluation.datasets.fastmri import add_labels
from sanum.evaluation.datasets.layout import FoundCase
from sanum.formats import read_mask


def dataset_cohort(name: str, folder: Path) -> Cohort:
    """The cases of a public data set that was unpacked as it was downloaded.

    Where only a lesion mask tells whether a case is healthy, the mask is read.

    Args:
        name: of the data set, see `sanum data list`.
        folder: where it lies.

    Raises:
        ConfigError: unknown data set.
        CohortError: nothing there in its layout.
        ScanError: a mask that can't be read.
    """
    entry = find_dataset(name)
    cases = entry.find(folder)
    if name == "fastmri":
        add_labels(folder, cases)
    rows = tuple(_row(case) for case in cases)
    present = {modality for row in rows for modality in row.scans}
    return Cohort(folder, rows, tuple(modality for modality in MODALITIES if modality in present))


def write_dataset_table(name: str, folder: Path, out: Path) -> Cohort:
    """Write a data set's cohort table.

    Raises:
        ConfigError, CohortError, ScanError: see `dataset_cohort`.
        StorageError: the table can't be written.
    """
    cohort = replace(dataset_cohort(name, folder), path=out)
    write_cohort(cohort, out)
    return cohort


def download(
    name: str,
    folder: Path,
    *,
    only: str = "",
    api: str = OPENNEURO_API,
    on_done: Callable[[str], None] = lambda _: None,
) -> int:
    """Download a data set that may be downloaded; a broken download goes on.

    Args:
        name: of the data set.
        folder: where it shall lie.
        only: text that a file's path must hold; all files by default.
        api: address of OpenNeuro's interface.
        on_done: called with the path of each file.

    Returns:
        Number of files.

    Raises:
        ConfigError: unknown, or to be had by hand only; the message says how.
        DownloadError: not reachable, or wrong bytes.
    """
    entry = find_dataset(name)
    if not entry.openneuro:
        raise ConfigError(
            f"{name} can't be downloaded by a program ({entry.licence}): {entry.steps} See {entry.address}"
        )
    files = [file for file in openneuro_files(entry.openneuro, api) if only in file.path]
    fetch_all(files, folder, on_done)
    return len(files)


def listing() -> list[str]:
    """One paragraph a data set: what, where, licence, what to click."""
    return [
        f"{entry.name}: {entry.title}\n  modalities: {', '.join(entry.modalities)}\n  from: {entry.address}\n"
        f"  licence: {entry.licence}\n  how: {entry.steps}"
        for entry in DATASETS
    ]


def _row(case: FoundCase) -> Row:
    return Row(
        case=case.case,
        subject=case.subject,
        scans=dict(case.scans),
        brain=case.brain,
        lesion=case.lesion,
        label=_label(case) if case.label is None else case.label,
        split=case.split,
        site=case.site,
        age=case.age,
        sex=case.sex,
    )


def _label(case: FoundCase) -> Label:
    if case.lesion is None:
        return "unknown"
    return "lesion" if np.any(read_mask(case.lesion).voxels > 0) else "healthy"
