"""Finding cases by names alone, in the layouts people have."""

from __future__ import annotations

from pathlib import Path

import pytest

from sanum.cohort.discover import discover
from sanum.cohort.table import read_cohort, write_cohort
from sanum.core.errors import CohortError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def names(row) -> dict[str, str]:
    return {modality: path.name for modality, path in row.scans.items()}


def test_bids_gives_one_case_for_each_subject_session_and_run(tmp_path):
    touch(
        tmp_path,
        "dataset_description.json",
        "sub-01/anat/sub-01_acq-mprage_T1w.nii.gz",
        "sub-01/anat/sub-01_acq-3d_FLAIR.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_run-1_T1w.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_run-2_T1w.nii.gz",
        "sub-02/ses-b/anat/sub-02_ses-b_T1w.nii",
        "sub-02/ses-b/func/sub-02_ses-b_bold.nii.gz",
    )
    cohort = discover(tmp_path)
    assert [(row.case, row.subject, row.session) for row in cohort] == [
        ("sub-01", "sub-01", None),
        ("sub-02_ses-a_run-1", "sub-02", "ses-a"),
        ("sub-02_ses-a_run-2", "sub-02", "ses-a"),
        ("sub-02_ses-b", "sub-02", "ses-b"),
    ]
    assert names(cohort.rows[0]) == {
        "T1w": "sub-01_acq-mprage_T1w.nii.gz",
        "FLAIR": "sub-01_acq-3d_FLAIR.nii.gz",
    }
    assert cohort.modalities == ("T1w", "FLAIR")
    assert {row.label for row in cohort} == {"unknown"}
    assert cohort.notes == ()


def test_bids_second_scans_and_other_kinds_are_left_out_and_told(tmp_path):
    touch(
        tmp_path,
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_rec-norm_T1w.nii.gz",
        "sub-01/anat/sub-01_T2starw.nii.gz",
        "sub-02/anat/sub-02_T2starw.nii.gz",
    )
    cohort = discover(tmp_path)
    assert [names(row) for row in cohort] == [{"T1w": "sub-01_T1w.nii.gz"}]
    (note,) = cohort.notes
    for name in ("sub-01_rec-norm_T1w", "sub-01_T2starw", "sub-02_T2starw"):
        assert name in note


def test_bids_contrast_scans_are_not_taken_for_plain_ones(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_ce-gd_T1w.nii.gz", "sub-01/anat/sub-01_T1w.nii.gz")
    assert names(discover(tmp_path).rows[0]) == {
        "T1ce": "sub-01_ce-gd_T1w.nii.gz",
        "T1w": "sub-01_T1w.nii.gz",
    }


def test_participants_are_carried_along(tmp_path):
    touch(
        tmp_path,
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-03/anat/sub-03_T1w.nii",
    )
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tAge\tgender\tsite\tgroup\tlabel\tscore\n"
        "sub-01\t39\tm\tOslo\tcontrol\tx\tn/a\n"
        "02\tunder 20\tFemale\tn/a\tpatient\tn/a\t7\n"
    )
    first, second, third = discover(tmp_path, label="healthy")
    assert (first.age, first.sex, first.site, first.label) == (39.0, "M", "Oslo", "healthy")
    assert first.extra == {"group": "control", "participant_label": "x"}
    assert (second.age, second.sex, second.site) == (None, "F", None)
    assert second.extra == {"group": "patient", "score": "7", "participant_Age": "under 20"}
    assert (third.age, third.sex, dict(third.extra)) == (None, None, {})


def test_participants_without_their_key_column_are_refused(tmp_path):
    touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz")
    (tmp_path / "participants.tsv").write_text("id\tage\nsub-01\t4\n")
    with pytest.raises(CohortError, match=r"participants\.tsv: column 'participant_id' is missing"):
        discover(tmp_path)


def test_plain_folder_groups_modalities_and_finds_masks(tmp_path):
    touch(
        tmp_path,
        "case_0_FLAIR.nii.gz",
        "case_0_T1w.nii.gz",
        "case_0_lesion.nii.gz",
        "case_1_T1w.nii.gz",
        "case_1_T1w_brain_mask.nii.gz",
        "case_1_T1w_brain.nii.gz",
        "case_1_T1w_labels.nii.gz",
        "case_1_wml.nii.gz",
        "notes.txt",
        ".partial-x_T1w.nii.gz",
    )
    zero, one = cohort = discover(tmp_path)
    assert names(zero) == {"T1w": "case_0_T1w.nii.gz", "FLAIR": "case_0_FLAIR.nii.gz"}
    assert zero.lesion == tmp_path / "case_0_lesion.nii.gz"
    assert zero.brain is None
    assert names(one) == {"T1w": "case_1_T1w.nii.gz"}
    assert one.brain == tmp_path / "case_1_T1w_brain_mask.nii.gz"
    assert one.lesion is None
    assert "case_1_T1w_brain.nii.gz" in cohort.notes[0]
    assert "case_1_T1w_labels.nii.gz" in cohort.notes[0]
    assert "case_1_wml.nii.gz" in cohort.notes[0]


def test_files_that_tell_no_modality_need_one(tmp_path):
    touch(tmp_path, "p1.png", "p2.png", "p2_mask.png", "p2_segmentation.png")
    with pytest.raises(
        CohortError, match=r"the name p1\.png does not tell the modality; .*give the modality"
    ):
        discover(tmp_path)
    first, second = cohort = discover(tmp_path, modality="FLAIR", label="healthy")
    assert names(first) == {"FLAIR": "p1.png"}
    assert second.lesion == tmp_path / "p2_mask.png"
    assert {row.label for row in cohort} == {"healthy"}
    assert "p2_segmentation.png" in cohort.notes[0]


def test_files_without_modality_among_those_with_one_are_left_out(tmp_path):
    touch(tmp_path, "a_T1w.nii.gz", "atlas.nii.gz")
    cohort = discover(tmp_path)
    assert [row.case for row in cohort] == ["a"]
    assert "atlas.nii.gz" in cohort.notes[0]
    assert [row.case for row in discover(tmp_path, modality="T2w")] == ["a", "atlas"]


def test_masks_alone_are_never_taken_for_scans(tmp_path):
    touch(tmp_path, "a.png", "b_mask.png", "c_lesion.png")
    cohort = discover(tmp_path, modality="T1w")
    assert [row.case for row in cohort] == ["a"]
    assert "b_mask.png, c_lesion.png" in cohort.notes[0]


def test_numbers_at_the_end_of_a_name_are_no_companions(tmp_path):
    touch(tmp_path, "p_1.tif", "p_10.tif", "p_1_mask.tif", "p_10_mask.tif")
    one, ten = discover(tmp_path, modality="FLAIR")
    assert (one.case, one.lesion.name) == ("p_1", "p_1_mask.tif")
    assert (ten.case, ten.lesion.name) == ("p_10", "p_10_mask.tif")


def test_subject_and_session_come_from_the_name(tmp_path):
    touch(
        tmp_path,
        "sub-07_ses-1_T1w.nii.gz",
        "sub-07_ses-2_run-3_T1w.nii.gz",
        "P9_ses-b_T1w.nii.gz",
        "Q_T1w.nii.gz",
    )
    found = {row.case: (row.subject, row.session) for row in discover(tmp_path)}
    assert found == {
        "sub-07_ses-1": ("sub-07", "ses-1"),
        "sub-07_ses-2_run-3": ("sub-07", "ses-2"),
        "P9_ses-b": ("P9", "ses-b"),
        "Q": ("Q", None),
    }


def test_cases_without_subject_label_are_pointed_out(tmp_path):
    """Slices of one patient would otherwise end up on both sides of a split without a word."""
    touch(tmp_path, "patient_1.png", "patient_2.png")
    assert "taken for a subject of its own" in discover(tmp_path, modality="CT").notes[-1]


def test_two_files_for_one_place_are_refused(tmp_path):
    touch(tmp_path, "a_T1w.nii", "a_T1w.nii.gz")
    with pytest.raises(CohortError, match=r"case 'a' has two T1w scans, a_T1w\.nii and a_T1w\.nii\.gz"):
        discover(tmp_path)


def test_image_and_lesion_folders_are_paired_by_name(tmp_path):
    touch(tmp_path, "image/a.png", "image/b.png", "lesion/b.png", "lesion/z.png")
    a, b = cohort = discover(tmp_path, modality="FLAIR")
    assert a.lesion is None
    assert b.lesion == tmp_path / "lesion" / "b.png"
    assert b.scans["FLAIR"] == tmp_path / "image" / "b.png"
    assert any("lesion masks without an image: z.png" in note for note in cohort.notes)


def test_folders_without_scans_and_bad_arguments_are_refused(tmp_path):
    with pytest.raises(CohortError, match="no such folder"):
        discover(tmp_path / "gone")
    with pytest.raises(CohortError, match="no scan found; expected sub-"):
        discover(tmp_path)
    touch(tmp_path, "a b_T1w.nii.gz")
    with pytest.raises(CohortError, match="case 'a b' can't be a folder name"):
        discover(tmp_path)
    with pytest.raises(CohortError, match="label 'sick'; expected healthy, lesion, unknown"):
        discover(tmp_path, label="sick")
    with pytest.raises(CohortError, match="modality 'T1' is not known; did you mean 'T1w'"):
        discover(tmp_path, modality="T1")


def test_relative_folder_gives_absolute_paths(tmp_path, monkeypatch):
    touch(tmp_path, "in/a_T1w.nii.gz")
    monkeypatch.chdir(tmp_path)
    assert discover(Path("in")).rows[0].scans["T1w"] == tmp_path / "in" / "a_T1w.nii.gz"


@pytest.mark.real
def test_real_bids_data_set(real_data, tmp_path):
    cohort = discover(real_data / "ds002748", label="healthy")
    assert len(cohort) == len(list((real_data / "ds002748").glob("sub-*")))
    first = cohort.rows[0]
    assert (first.case, first.age, first.sex, first.extra["group"]) == ("sub-01", 39.0, "M", "depr")
    write_cohort(cohort, tmp_path / "c.tsv")
    assert read_cohort(tmp_path / "c.tsv").rows == cohort.rows


@pytest.mark.real
def test_real_plain_folders(real_data):
    brats = discover(real_data / "brats2018")
    assert [(row.case, sorted(row.scans)) for row in brats] == [
        (f"case_{number}", ["FLAIR", "T1w"]) for number in range(3)
    ]
    assert all(row.lesion is not None for row in brats)
    assert sorted(row.case for row in discover(real_data / "heads"))[-1] == "fernando"
    nichart = discover(real_data / "nichart")
    assert len(nichart) == 8
    assert all(row.lesion is None and row.brain is None for row in nichart)
    assert "Subj1_FLAIR_wml.nii.gz" in nichart.notes[0]
    soop = discover(real_data / "soop-flair", modality="FLAIR")
    assert len(soop) == 1112
    assert sum(row.lesion is not None for row in soop) == 706
