"""What file names say."""

from __future__ import annotations

from pathlib import Path

import pytest

from sanum.core.names import SCAN_SUFFIXES, is_scan, modality_of, scan_stem


@pytest.mark.parametrize(
    ("name", "modality"),
    [
        ("sub-01_ses-2_T1w.nii.gz", "T1w"),
        ("case_flair.NII.GZ", "FLAIR"),
        ("a_T1CE.nii", "T1ce"),
        ("a_ct.png", "CT"),
        ("T2w.nii.gz", "T2w"),
        ("sub-01_ce-gadolinium_T1w.nii.gz", "T1ce"),
        ("sub-01_ce-gadolinium_FLAIR.nii.gz", "FLAIR"),
        ("Subj1_T1w_labels.nii.gz", None),
        ("sub-0001.png", None),
        ("aT1w.nii.gz", None),
        ("BraTS18_2013_2_1_t1.nii.gz", "T1w"),
        ("BraTS18_2013_2_1_t1ce.nii.gz", "T1ce"),
        ("BraTS-GLI-00005-000-t1c.nii.gz", "T1ce"),
        ("BraTS-GLI-00005-000-t2f.nii.gz", "FLAIR"),
        ("Subj1_FL.nii.gz", "FLAIR"),
        ("T1.nii.gz", "T1w"),
        ("x_PD.nii", "PDw"),
        ("x_t10.nii", None),
    ],
)
def test_modality_is_the_last_part_of_the_name(name, modality):
    assert modality_of(Path("folder_FLAIR") / name) == modality


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a.b_T1w.nii.gz", "a.b_T1w"), ("x.NII", "x"), ("x.v2.tiff", "x.v2"), ("table.tsv", "table.tsv")],
)
def test_stem_loses_the_whole_scan_suffix_and_nothing_else(name, stem):
    assert scan_stem(Path("d") / name) == stem


def test_hidden_files_and_other_suffixes_are_no_scans():
    assert not is_scan(Path(".partial-a.nii.gz"))
    assert not is_scan(Path("cohort.tsv"))
    assert not is_scan(Path("a.gz"))
    assert all(is_scan(Path("a" + suffix)) for suffix in SCAN_SUFFIXES)


def test_part_of_a_path_goes_there_and_back(tmp_path):
    """`#` names a part, unless a file is really called so."""
    from sanum.core.names import split_part, with_part

    study = tmp_path / "study.zip"
    assert split_part(with_part(study, "5.2")) == (study, "5.2")
    assert split_part(study) == (study, None)
    assert with_part(study, None) == study
    assert scan_stem(with_part(study, "5")) == "study"
    assert is_scan(with_part(tmp_path / "a.tif", "2"))
    own = tmp_path / "a#1.nii"
    own.touch()
    assert split_part(own) == (own, None)
