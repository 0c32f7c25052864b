"""Names that public data sets really have: BraTS, MSLUB, NiChart, and patterns for all others."""

from __future__ import annotations

import pytest

from sanum.cohort.discover import discover
from sanum.core.errors import CohortError, ConfigError
from sanum.workflow.inputs import gather
from tests.cohort.test_discover import touch


def cases(found) -> dict[str, tuple[str, dict[str, str], str | None]]:
    """Case to subject, file names by modality, and the lesion mask's name."""
    return {
        row.case: (
            row.subject,
            {name: path.name for name, path in row.scans.items()},
            row.lesion and row.lesion.name,
        )
        for row in found
    }


def test_brats_with_a_folder_a_case_and_its_tumour_masks(tmp_path):
    for case in ("HGG/BraTS18_A_1", "LGG/BraTS18_B_1"):
        stem = case.split("/")[1]
        touch(tmp_path, *(f"{case}/{stem}_{word}.nii.gz" for word in ("t1", "t1ce", "t2", "flair", "seg")))
    scans = {"T1w": "t1", "T2w": "t2", "FLAIR": "flair", "T1ce": "t1ce"}
    assert cases(discover(tmp_path)) == {
        stem: (
            stem,
            {name: f"{stem}_{word}.nii.gz" for name, word in scans.items()},
            f"{stem}_seg.nii.gz",
        )
        for stem in ("BraTS18_A_1", "BraTS18_B_1")
    }


def test_brats_since_2023_names_subject_and_time_point(tmp_path):
    for time in ("000", "001"):
        stem = f"BraTS-GLI-00005-{time}"
        touch(tmp_path, *(f"{stem}/{stem}-{word}.nii.gz" for word in ("t1n", "t1c", "t2w", "t2f", "seg")))
    found = cases(discover(tmp_path))
    assert [(case, subject) for case, (subject, _, _) in found.items()] == [
        ("BraTS-GLI-00005-000", "BraTS-GLI-00005"),
        ("BraTS-GLI-00005-001", "BraTS-GLI-00005"),
    ]
    _, scans, lesion = found["BraTS-GLI-00005-000"]
    assert sorted(scans) == ["FLAIR", "T1ce", "T1w", "T2w"]
    assert lesion == "BraTS-GLI-00005-000-seg.nii.gz"


def test_scans_called_alike_take_the_name_of_their_folder(tmp_path):
    touch(tmp_path, "case_8/T1.nii.gz", "case_8/FLAIR.nii.gz", "case_8/GT_W.nii.gz", "case_9/T1.nii.gz")
    assert cases(discover(tmp_path)) == {
        "case_8": ("case_8", {"T1w": "T1.nii.gz", "FLAIR": "FLAIR.nii.gz"}, "GT_W.nii.gz"),
        "case_9": ("case_9", {"T1w": "T1.nii.gz"}, None),
    }
    inputs = [tmp_path / case / "T1.nii.gz" for case in ("case_8", "case_9")]
    rows = gather(inputs, ("T1w",))
    assert [(row.case, row.subject, row.scans["T1w"]) for row in rows] == [
        ("case_8", "case_8", inputs[0]),
        ("case_9", "case_9", inputs[1]),
    ]
    touch(tmp_path, "a b/anat/T1.nii.gz", "c/anat/T1.nii.gz")
    rows = gather([tmp_path / name / "anat" / "T1.nii.gz" for name in ("a b", "c")], ("T1w",))
    assert [row.case for row in rows] == ["a-b_anat", "c_anat"]
    with pytest.raises(CohortError, match="two inputs are both case"):
        gather([inputs[0], inputs[0]], ("T1w",))


def test_names_that_begin_with_the_modality_as_mslub_has_them(tmp_path):
    for number in ("07", "19"):
        names = (
            "T1_N4_brain",
            "T1POST_N4_brain",
            "T2_N4_brain",
            "FLAIR_N4_brain",
            "GOLD_STANDARD_N4",
            "T1_mask",
        )
        touch(tmp_path, *(f"patient{number}/{name}.nii.gz" for name in names))
    found = discover(tmp_path)
    assert cases(found)["patient07"] == (
        "patient07",
        {
            "T1w": "T1_N4_brain.nii.gz",
            "T2w": "T2_N4_brain.nii.gz",
            "FLAIR": "FLAIR_N4_brain.nii.gz",
            "T1ce": "T1POST_N4_brain.nii.gz",
        },
        "GOLD_STANDARD_N4.nii.gz",
    )
    assert "left out, no scan of their own by name: patient07/T1_mask.nii.gz" in found.notes[1]
    touch(tmp_path, "patient07/T1_raw.nii.gz")
    with pytest.raises(CohortError, match=r"two T1w scans, T1_N4_brain\.nii\.gz and T1_raw\.nii\.gz"):
        discover(tmp_path)


def test_nichart_flat_and_in_one_folder_a_modality(tmp_path):
    expected = {"Subj1": ("Subj1", {"T1w": "Subj1_T1.nii.gz", "FLAIR": "Subj1_FL.nii.gz"}, None)}
    flat = touch(tmp_path / "flat", "Subj1_T1.nii.gz", "Subj1_FL.nii.gz", "Subj1_T1_DLMUSE.nii.gz")
    assert cases(discover(flat)) == expected
    sided = touch(tmp_path / "sided", "t1/Subj1_T1.nii.gz", "fl/Subj1_FL.nii.gz", "fl/Subj1_FL_DLWMLS.nii.gz")
    assert cases(discover(sided)) == expected


def test_visits_that_are_called_alike_keep_their_subject(tmp_path):
    touch(tmp_path, "p1/v1/T1.nii.gz", "p1/v2/T1.nii.gz", "p2/v1/T1.nii.gz")
    assert [(case, subject) for case, (subject, _, _) in cases(discover(tmp_path)).items()] == [
        ("p1_v1", "p1"),
        ("p1_v2", "p1"),
        ("p2_v1", "p2"),
    ]


def test_segmentations_of_anatomy_are_no_lesion_masks(tmp_path):
    touch(tmp_path, "a/T1.nii.gz", "a/seg.nii.gz", "b/b_T1.nii.gz", "b/b_seg.nii.gz")
    assert all(lesion is None for _, _, lesion in cases(discover(tmp_path)).values())


def test_folders_in_which_no_name_tells_need_a_modality_or_a_pattern(tmp_path):
    touch(tmp_path, "a/head.nii.gz", "b/head.nii.gz")
    with pytest.raises(
        CohortError, match=r"no name tells the modality, a/head\.nii\.gz for one; .*--pattern"
    ):
        discover(tmp_path)
    assert sorted(cases(discover(tmp_path, modality="T1w"))) == ["a_head", "b_head"]


def test_a_pattern_says_what_names_do_not(tmp_path):
    touch(tmp_path, "x/s1/s1_T1.nii.gz", "x/s1/s1_FL.nii.gz", "x/s1/s1_lesion.nii.gz", "x/s1/s2_T1.nii.gz")
    found = discover(tmp_path, pattern="*/{subject}/{subject}_{modality}.nii.gz")
    scans = {"T1w": "s1_T1.nii.gz", "FLAIR": "s1_FL.nii.gz"}
    assert cases(found) == {"s1": ("s1", scans, "s1_lesion.nii.gz")}
    assert found.notes == ("left out, not of the pattern: x/s1/s2_T1.nii.gz",)


def test_a_pattern_tells_sessions_and_runs_apart(tmp_path):
    touch(tmp_path, "p 1-a-1.nii", "p 1-a-2.nii", "p2-b-1.nii")
    found = cases(discover(tmp_path, pattern="{subject}-{session}-{run}.nii", modality="T1w"))
    assert [(case, subject) for case, (subject, _, _) in found.items()] == [
        ("p-1_a_1", "p-1"),
        ("p-1_a_2", "p-1"),
        ("p2_b_1", "p2"),
    ]
    assert {
        row.session for row in discover(tmp_path, pattern="p2-{session}-{subject}.nii", modality="CT")
    } == {"b"}
    with pytest.raises(CohortError, match=r"are both the T1w of one case; add \{session\} or \{run\}"):
        discover(tmp_path, pattern="{subject}-*.nii", modality="T1w")


@pytest.mark.parametrize(
    ("pattern", "error", "message"),
    [
        ("{who}.nii", ConfigError, r"\{who\} is not known; expected subject, session, run, modality"),
        ("{modality}.nii", ConfigError, r"\{subject\} is missing"),
        ("{subject}.nii", ConfigError, r"\{modality\} is missing; add it, or give the modality"),
        ("{subject}+{modality}.nii", CohortError, r"no file fits the pattern .*; found a_T1\.nii"),
    ],
)
def test_patterns_that_cannot_be_used_are_refused(tmp_path, pattern, error, message):
    touch(tmp_path, "a_T1.nii")
    with pytest.raises(error, match=message):
        discover(tmp_path, pattern=pattern)
