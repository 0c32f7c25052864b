"""Make a cohort of a folder that has no table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sanum.cohort.bids import find_bids, is_bids
from sanum.cohort.cells import choice_of
from sanum.cohort.channels import find_channels
from sanum.cohort.dicom import StudyOf, dicom_folders, find_dicom
from sanum.cohort.folders import find_paired, find_plain, is_paired
from sanum.cohort.nested import find_nested, scan_folders
from sanum.cohort.pattern import find_pattern
from sanum.cohort.sided import find_sided, is_sided
from sanum.cohort.table import LABELS, Cohort
from sanum.core.config import did_you_mean
from sanum.core.errors import CohortError
from sanum.core.units import MODALITIES


def discover(
    folder: Path | str,
    *,
    modality: str | None = None,
    label: str = "unknown",
    channels: Sequence[str] = (),
    pattern: str | None = None,
    modalities: Sequence[str] = (),
    study_of: StudyOf | None = None,
) -> Cohort:
    """List the cases of a folder by file names; of DICOM, one header a folder is read.

    A BIDS data set (`dataset_description.json` or `sub-*` folders): one case for each subject, session and
    run with a scan in `anat`, and what `participants.tsv` says of the subject. A folder with `image` and
    `lesion`: one case an image, with its lesion mask of the same name. Folders named by modality (`CT` and
    `MRI`), or `trainA` and `trainB`: one case a pair of files of the same name, or else number. With
    `channels`: one case a picture of several modalities, in folders of patients. Folders that hold DICOM
    files, as their first bytes tell: one case a study. A folder with scans only in folders below:
    one case a folder. Any other folder: one case a file, or one for the files
    whose names differ only in the modality (`a_T1w`, `a_FLAIR`); `a_lesion`, `a_mask` and `a_brain` are its
    masks, and other files whose names go on from a scan's (`a_T1w_labels`) are left out. What was left out
    stands in the cohort's notes.

    Args:
        folder: where to look.
        modality: what files show whose names do not tell.
        label: of every case: healthy, lesion or unknown.
        channels: modality of each colour channel of the pictures; "-" leaves one out.
        pattern: how files are named (`find_pattern`); then nothing else is asked.
        modalities: to look for in every DICOM study; `modality` by default.
        study_of: tells patient and study of a folder's DICOM files (`formats.study_of`); without it each folder
            is a study of its own.

    Raises:
        CohortError: no folder, no scan in it, names that tell no modality, or two files for one place.

    >>> found = sanum.discover(table.parent, label="healthy")
    >>> len(found), found.rows[0].case, list(found.rows[0].scans)
    (12, 'c00', ['T1w'])
    """
    folder = Path(folder)
    known = choice_of(str(folder), "label", label, LABELS)
    if modality is not None and modality not in MODALITIES:
        raise CohortError(f"modality {modality!r} is not known; {did_you_mean(modality, MODALITIES)}")
    if not folder.is_dir():
        raise CohortError(f"{folder}: no such folder; give a BIDS data set or a folder of scans")
    root = folder.absolute()
    if pattern is not None:
        rows, notes = find_pattern(root, pattern, modality)
    elif channels:
        rows, notes = find_channels(root, channels)
    elif is_bids(root):
        rows, notes = find_bids(root)
    elif is_paired(root):
        rows, notes = find_paired(root, modality)
    elif is_sided(root):
        rows, notes = find_sided(root, modality)
    elif folders := dicom_folders(root):
        wanted = modalities or ([modality] if modality is not None else [])
        rows, notes = find_dicom(root, folders, wanted, study_of)
    elif folders := scan_folders(root):
        rows, notes = find_nested(root, folders, modality)
    else:
        rows, notes = find_plain(root, modality)
    if not rows:
        raise CohortError(
            f"{folder}: no scan found; expected sub-*/anat (BIDS), folders image and lesion, folders CT and MRI, "
            "or scans by name; otherwise say how they are named by --pattern, or write a cohort table"
        )
    present = {name for row in rows for name in row.scans}
    modalities = tuple(name for name in MODALITIES if name in present)
    return Cohort(folder, tuple(replace(row, label=known) for row in rows), modalities, notes)
