"""Folders of DICOM series, and pictures whose channels are modalities."""

from __future__ import annotations

from pathlib import Path

import pytest

from sanum.cohort.discover import discover
from sanum.cohort.table import read_cohort, write_cohort
from sanum.core.errors import CohortError

DICOM = bytes(128) + b"DICM"


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_each_dicom_folder_is_a_case_and_the_uppermost_a_subject(tmp_path):
    put(tmp_path / "anna" / "head T1" / "IM1", DICOM)
    put(tmp_path / "anna" / "head T1" / "IM2.dcm", DICOM)
    put(tmp_path / "ben" / "x_FLAIR" / "1", DICOM)
    put(tmp_path / "empty" / "notes.txt")
    found = discover(tmp_path, modality="T1w")
    assert [(row.case, row.subject, dict(row.scans)) for row in found] == [
        ("anna_head-T1", "anna", {"T1w": tmp_path / "anna" / "head T1"}),
        ("ben_x_FLAIR", "ben", {"FLAIR": tmp_path / "ben" / "x_FLAIR"}),
    ]
    write_cohort(found, tmp_path / "c.tsv")
    assert [row.scans for row in read_cohort(tmp_path / "c.tsv")] == [row.scans for row in found]


def test_dicom_folder_that_tells_no_modality_needs_one(tmp_path):
    put(tmp_path / "a" / "1", DICOM)
    with pytest.raises(CohortError, match="the folder's name does not tell the modality"):
        discover(tmp_path)


def test_dicom_files_among_other_scans_do_not_make_a_dicom_folder(tmp_path):
    put(tmp_path / "a_T1w.nii.gz")
    put(tmp_path / "raw" / "1", DICOM)
    assert [row.case for row in discover(tmp_path)] == ["a"]


def test_series_of_a_study_can_stand_in_a_table(tmp_path):
    put(tmp_path / "study" / "1", DICOM)
    (tmp_path / "c.tsv").write_text("case\tsubject\tT1w\tFLAIR\na\ta\tstudy#5\tstudy#7\n")
    (row,) = read_cohort(tmp_path / "c.tsv")
    assert row.scans["FLAIR"] == tmp_path / "study#7"
    (tmp_path / "c.tsv").write_text("case\tsubject\tT1w\na\ta\tgone#5\n")
    with pytest.raises(CohortError, match="files that are not there"):
        read_cohort(tmp_path / "c.tsv")


def test_channels_become_modalities_and_masks_are_found(tmp_path):
    for name in ("p1/a_1.tif", "p1/a_1_mask.tif", "p1/a_2.tif", "p2/b_1.tif"):
        put(tmp_path / name)
    found = discover(tmp_path, channels=("T1w", "-", "T1ce"))
    assert found.modalities == ("T1w", "T1ce")
    first, second, third = found
    assert (first.case, first.subject, third.subject) == ("a_1", "p1", "p2")
    assert first.scans == {"T1w": tmp_path / "p1" / "a_1.tif#1", "T1ce": tmp_path / "p1" / "a_1.tif#3"}
    assert first.lesion == tmp_path / "p1" / "a_1_mask.tif"
    assert second.lesion is None


@pytest.mark.parametrize(
    ("channels", "message"),
    [(("T1w", "T1w"), "different modalities"), (("-",), "different modalities"), (("FLAR",), "did you mean")],
)
def test_wrong_channels_are_refused(tmp_path, channels, message):
    put(tmp_path / "a.tif")
    with pytest.raises(CohortError, match=message):
        discover(tmp_path, channels=channels)
