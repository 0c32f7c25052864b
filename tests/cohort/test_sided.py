"""Pairs in one folder a modality, and in the folders of image-translation data sets."""

import pytest

from sanum.cohort.discover import discover
from sanum.core.errors import CohortError


def fill(root, **folders):
    for folder, names in folders.items():
        (root / folder).mkdir()
        for name in names:
            (root / folder / name).write_bytes(b"x")
    return root


def test_files_of_one_name_are_a_pair(tmp_path):
    found = discover(fill(tmp_path, CT=["a.png", "b.png", "c.png"], MRI=["a.png", "b.png"]))
    assert [row.case for row in found] == ["a", "b"]
    assert {name: path.parent.name for name, path in found.rows[0].scans.items()} == {
        "CT": "CT",
        "T1w": "MRI",
    }
    assert any("without a partner of the same name: c.png" in note for note in found.notes)
    assert any("taken for T1w" in note for note in found.notes)


def test_what_mri_shows_can_be_said(tmp_path):
    found = discover(fill(tmp_path, CT=["a.png"], MRI=["a.png"]), modality="FLAIR")
    assert set(found.rows[0].scans) == {"CT", "FLAIR"}


def test_translation_folders_are_paired_by_number(tmp_path):
    root = fill(
        tmp_path,
        trainA=["ct1.png", "ct2.png"],
        trainB=["mri1.png", "mri2.png"],
        testA=["ct7.png"],
        testB=["mri7.png"],
    )
    found = discover(root)
    assert [row.case for row in found] == ["test-7", "train-1", "train-2"]
    assert any("does not prove that they belong together" in note for note in found.notes)


def test_files_with_nothing_in_common_are_refused(tmp_path):
    with pytest.raises(CohortError, match="no name and no number is common"):
        discover(fill(tmp_path, CT=["a.png"], MRI=["b.png"]))
