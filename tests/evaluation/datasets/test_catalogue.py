"""Each data set in its own folder layout, with the true file names."""

import re

import pytest

from sanum.core.errors import CohortError, ConfigError
from sanum.core.names import split_part
from sanum.evaluation.datasets.catalogue import DATASETS, find_dataset
from sanum.evaluation.datasets.fastmri import add_labels

TREES = {
    "brats2018": (
        [
            f"HGG/Brats18_2013_10_1/Brats18_2013_10_1_{kind}.nii.gz"
            for kind in ("flair", "t1", "t1ce", "t2", "seg")
        ]
        + ["LGG/Brats18_TCIA09_462_1/Brats18_TCIA09_462_1_flair.nii.gz", "survival_data.csv"],
        {"Brats18_2013_10_1": "lesion", "Brats18_TCIA09_462_1": "lesion"},
    ),
    "brats2020": (
        [
            "MICCAI_BraTS2020_TrainingData/BraTS20_Training_001/BraTS20_Training_001_flair.nii",
            "MICCAI_BraTS2020_TrainingData/BraTS20_Training_001/BraTS20_Training_001_seg.nii",
            "MICCAI_BraTS2020_TrainingData/name_mapping.csv",
        ],
        {"BraTS20_Training_001": "lesion"},
    ),
    "brats2021": (
        [f"BraTS2021_00000/BraTS2021_00000_{kind}.nii.gz" for kind in ("flair", "t1", "t1ce", "t2", "seg")],
        {"BraTS2021_00000": "lesion"},
    ),
    "brats2023": (
        [
            f"ASNR-MICCAI-BraTS2023-GLI-Challenge-TrainingData/BraTS-GLI-00002-{visit}/BraTS-GLI-00002-{visit}-{kind}"
            for visit in ("000", "001")
            for kind in ("t1n.nii.gz", "t1c.nii.gz", "t2w.nii.gz", "t2f.nii.gz", "seg.nii.gz")
        ],
        {"BraTS-GLI-00002_000": "lesion", "BraTS-GLI-00002_001": "lesion"},
    ),
    "mslub": (
        [
            "cross_sectional/coregistered/patient01/FLAIR.nii.gz",
            "cross_sectional/coregistered/patient01/T1W.nii.gz",
            "cross_sectional/coregistered/patient01/T1WKS.nii.gz",
            "cross_sectional/coregistered/patient01/patient01_brainmask.nii.gz",
            "cross_sectional/coregistered/patient01/consensus_gt.nii.gz",
            "cross_sectional/raw/patient01/FLAIR.nii.gz",
            "cross_sectional/coregistered/patient01/T2W_to_FLAIR.txt",
            "cross_sectional/MNI/patient07/FLAIR_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz",
            "cross_sectional/MNI/patient07/GOLD_STANDARD_N4_noneck_reduced_winsor_regtoFLAIR_regtoMNI.nii.gz",
        ],
        {"patient01": "lesion", "patient07": "lesion"},
    ),
    "wmh": (
        [
            "training/Amsterdam/GE3T/100/pre/FLAIR.nii.gz",
            "training/Amsterdam/GE3T/100/pre/T1.nii.gz",
            "training/Amsterdam/GE3T/100/orig/FLAIR.nii.gz",
            "training/Amsterdam/GE3T/100/wmh.nii.gz",
            "training/Singapore/50/pre/FLAIR.nii.gz",
            "training/Singapore/50/wmh.nii.gz",
            "training/Utrecht/0/pre/FLAIR.nii.gz",
        ],
        {"Amsterdam-GE3T_100": "lesion", "Singapore_50": "lesion", "Utrecht_0": "lesion"},
    ),
    "atlas": (
        [
            "ATLAS_2/Training/R001/sub-r001s001/ses-1/anat/sub-r001s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz",
            "ATLAS_2/Training/R001/sub-r001s001/ses-1/anat/"
            "sub-r001s001_ses-1_space-MNI152NLin2009aSym_label-L_desc-T1lesion_mask.nii.gz",
        ],
        {"R001_r001s001_1": "lesion"},
    ),
    "isles2022": (
        [
            "ISLES-2022/sub-strokecase0001/ses-0001/anat/sub-strokecase0001_ses-0001_FLAIR.nii.gz",
            "ISLES-2022/sub-strokecase0001/ses-0001/dwi/sub-strokecase0001_ses-0001_dwi.nii.gz",
            "ISLES-2022/derivatives/sub-strokecase0001/ses-0001/sub-strokecase0001_ses-0001_msk.nii.gz",
        ],
        {"strokecase0001_0001": "lesion"},
    ),
    "ixi": (
        [
            "IXI-T1/IXI002-Guys-0828-T1.nii.gz",
            "IXI-T2/IXI002-Guys-0828-T2.nii.gz",
            "IXI-T1/IXI025-Guys-0852-T1.nii.gz",
        ],
        {"Guys_IXI002": "healthy", "Guys_IXI025": "healthy"},
    ),
    "oasis1": (
        [
            f"disc1/OAS1_000{n}_MR1/PROCESSED/MPRAGE/T88_111/OAS1_000{n}_MR1_mpr_n4_anon_111_t88_masked_gfc.nii.gz"
            for n in (1, 3)
        ],
        {"OAS1_0001_MR1": "healthy", "OAS1_0003_MR1": "unknown"},
    ),
    "oasis3": (
        ["OAS30001_MR_d0129/anat2/sub-OAS30001_ses-d0129_run-01_T1w.nii.gz"],
        {"OAS30001_d0129": "unknown"},
    ),
    "camcan": (
        [
            "cc700/mri/pipeline/release004/BIDS_20190411/anat/sub-CC110033/anat/sub-CC110033_T1w.nii.gz",
            "cc700/mri/pipeline/release004/BIDS_20190411/anat/sub-CC110033/anat/sub-CC110033_T1w.json",
        ],
        {"CC110033": "healthy"},
    ),
    "fastmri": (
        [
            "nifti/file_brain_AXFLAIR_200_6002462.nii.gz",
            "nifti/file_brain_AXT1POST_200_6002026.nii.gz",
            "nifti/file_brain_AXT2_200_2000019.nii.gz",
        ],
        {
            "file_brain_AXFLAIR_200_6002462": "lesion",
            "file_brain_AXT1POST_200_6002026": "healthy",
            "file_brain_AXT2_200_2000019": "unknown",
        },
    ),
    "bmad": (
        [
            "Brain_AD/train/good/00003_60.png",
            "Brain_AD/valid/good/img/00014_70.png",
            "Brain_AD/test/Ungood/img/00124_70.png",
            "Brain_AD/test/Ungood/anomaly_mask/00124_70.png",
            "Brain_AD/test/good/label/00200_70.png",
            "Brain_AD/test/good/img/00200_70.png",
            "Brain_AD/valid/Ungood/img/00124_70.png",
            "Brain_AD/valid/Ungood/label/00124_70.png",
            "Brain_AD/valid/Ungood/img/00803_70.png",
        ],
        {
            "00003_60": "healthy",
            "00014_70": "healthy",
            "00124_70": "lesion",
            "00200_70": "healthy",
            "00803_70": "lesion",
        },
    ),
    "medianomaly": (
        [
            "BraTS2021/train/BraTS2021_00003_flair_70.png",
            "BraTS2021/test/normal/BraTS2021_00005_flair_75.png",
            "BraTS2021/test/tumor/BraTS2021_00009_flair_80.png",
            "BraTS2021/test/annotation/BraTS2021_00009_seg_80.png",
        ],
        {"BraTS2021_00003_70": "healthy", "BraTS2021_00005_75": "healthy", "BraTS2021_00009_80": "lesion"},
    ),
    "kaggle_3m": (
        [
            "kaggle_3m/TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif",
            "kaggle_3m/TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1_mask.tif",
            "kaggle_3m/data.csv",
        ],
        {"TCGA_CS_4941_19960909_1": None},
    ),
    "ds002748": (
        ["sub-01/anat/sub-01_T1w.nii.gz", "sub-01/func/sub-01_task-rest_bold.nii.gz"],
        {"01": "healthy"},
    ),
    "soop": (
        [
            "sub-1/anat/sub-1_FLAIR.nii.gz",
            "sub-1/anat/sub-1_T1w.nii.gz",
            "sub-1/dwi/sub-1_space-TRACE_desc-lesion_mask.nii.gz",
        ],
        {"1": "lesion"},
    ),
}
TABLES = {
    "disc1/oasis_cross-sectional.csv": "ID,M/F,Hand,Age,Educ,SES,MMSE,CDR\n"
    "OAS1_0001_MR1,F,R,74,2,3,29,0\nOAS1_0003_MR1,F,R,73,4,3,27,0.5\n",
    "cc700/participants.tsv": "participant_id\tage\tgender_text\nsub-CC110033\t24\tMALE\n",
    "Annotations/brain.csv": "file,slice,study_level,x,y,width,height,label\n"
    "file_brain_AXFLAIR_200_6002462,5,No,1,2,3,4,Nonspecific white matter lesion\n",
    "Annotations/brain_file_list.csv": "file_brain_AXFLAIR_200_6002462\nfile_brain_AXT1POST_200_6002026\n",
}


def plant_tree(folder, name):
    for path in TREES[name][0]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    for path, text in TABLES.items():
        if (
            any(path.split("/")[0] == planted.split("/")[0] for planted in TREES[name][0])
            or name == "fastmri"
        ):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)


def found_in(folder, name):
    plant_tree(folder, name)
    cases = find_dataset(name).find(folder)
    if name == "fastmri":
        add_labels(folder, cases)
    return {case.case: case for case in cases}


def test_every_data_set_has_a_tree():
    assert {entry.name for entry in DATASETS} == set(TREES)


@pytest.mark.parametrize("name", TREES)
def test_cases_and_labels_of_the_tree(tmp_path, name):
    found = found_in(tmp_path, name)
    assert {case: one.label for case, one in found.items()} == TREES[name][1]
    known = set(find_dataset(name).modalities)
    for one in found.values():
        assert set(one.scans) <= known
        assert all(split_part(path)[0].is_file() for path in one.scans.values())


def test_masks_sites_splits_and_people(tmp_path):
    wmh = found_in(tmp_path / "wmh", "wmh")["Amsterdam-GE3T_100"]
    assert (wmh.site, wmh.lesion.name, set(wmh.scans)) == ("Amsterdam/GE3T", "wmh.nii.gz", {"FLAIR", "T1w"})
    assert "pre" in wmh.scans["FLAIR"].parts
    mslub = found_in(tmp_path / "mslub", "mslub")["patient01"]
    assert (mslub.brain.name, mslub.lesion.name) == ("patient01_brainmask.nii.gz", "consensus_gt.nii.gz")
    assert "coregistered" in mslub.scans["FLAIR"].parts
    bmad = found_in(tmp_path / "bmad", "bmad")
    assert (bmad["00003_60"].split, bmad["00124_70"].split) == ("train", "test")
    assert bmad["00124_70"].lesion.parent.name == "anomaly_mask"
    visits = found_in(tmp_path / "brats2023", "brats2023")
    assert {visit.subject for visit in visits.values()} == {"BraTS-GLI-00002"}
    camcan = found_in(tmp_path / "camcan", "camcan")["CC110033"]
    assert (camcan.age, camcan.sex) == (24.0, "MALE")


def test_the_ten_slices_that_bmad_has_twice_are_test_slices(tmp_path):
    found = found_in(tmp_path, "bmad")
    assert "test" in found["00124_70"].scans["FLAIR"].parts
    assert (found["00014_70"].split, found["00803_70"].split) == ("calibration", None)


def test_colours_of_kaggle_3m_are_taken_apart(tmp_path):
    (case,) = found_in(tmp_path, "kaggle_3m").values()
    assert case.scans["FLAIR"].name == "TCGA_CS_4941_19960909_1.tif#2"
    assert case.lesion.name == "TCGA_CS_4941_19960909_1_mask.tif"


def test_the_misnamed_mask_of_brats_2020(tmp_path):
    folder = tmp_path / "BraTS20_Training_355"
    folder.mkdir()
    for name in ("BraTS20_Training_355_flair.nii", "W39_1998.09.19_Segm.nii"):
        (folder / name).touch()
    (case,) = find_dataset("brats2020").find(tmp_path)
    assert case.lesion.name == "W39_1998.09.19_Segm.nii"


def test_what_does_not_fit_is_an_error(tmp_path):
    with pytest.raises(CohortError, match="own layout"):
        find_dataset("ixi").find(tmp_path)
    with pytest.raises(CohortError, match="no such folder"):
        find_dataset("ixi").find(tmp_path / "missing")
    with pytest.raises(ConfigError, match=re.escape("did you mean 'camcan'?")):
        find_dataset("camcam")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "IXI002-Guys-0828-T1.nii.gz").touch()
    with pytest.raises(CohortError, match="two files for T1w"):
        find_dataset("ixi").find(tmp_path)
