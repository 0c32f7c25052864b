"""Every data set there is an adapter for: what it is, where and how to get it, its licence, its folder layout."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sanum.core.config import did_you_mean
from sanum.core.errors import ConfigError
from sanum.core.records import Label, Split
from sanum.evaluation.datasets.layout import BRAIN, LESION, FoundCase, Pattern, People, find_cases

_BRATS = {"t1": "T1w", "t1ce": "T1ce", "t2": "T2w", "flair": "FLAIR", "seg": LESION, "Segm": LESION}
_BRATS_2023 = {"t1n": "T1w", "t1c": "T1ce", "t2w": "T2w", "t2f": "FLAIR", "seg": LESION}
_MS = {
    "T1W": "T1w",
    "T1WKS": "T1ce",
    "T2W": "T2w",
    "FLAIR": "FLAIR",
    "brainmask": BRAIN,
    "consensus_gt": LESION,
}
_MS_MNI = {"T1": "T1w", "T1POST": "T1ce", "T2": "T2w", "FLAIR": "FLAIR", "GOLD_STANDARD": LESION}


@dataclass(frozen=True)
class Dataset:
    """One public data set.

    Attributes:
        name: short name on the command line.
        title: what it is.
        modalities: that its cases may have.
        address: page where it is to be had.
        licence: terms of use in a few words.
        steps: what to click or ask for.
        patterns: of its own file names.
        people: its table of subjects, if it has one.
        openneuro: accession number where `sanum data get` may download it, else empty.
    """

    name: str
    title: str
    modalities: tuple[str, ...]
    address: str
    licence: str
    steps: str
    patterns: tuple[Pattern, ...]
    people: People | None = None
    openneuro: str = ""

    def find(self, folder: Path) -> list[FoundCase]:
        """Its cases below a folder.

        Raises:
            CohortError: nothing there in this data set's layout.
        """
        return find_cases(folder, self.patterns, self.people)


def _pattern(
    path: str,
    kinds: Mapping[str, str],
    label: Label | None = "lesion",
    labels: Mapping[str, Label] = MappingProxyType({}),
    splits: Mapping[str, Split] = MappingProxyType({}),
    channel: int = 0,
) -> Pattern:
    return Pattern(re.compile(path), kinds, label, labels, splits, channel)


def _brats(year: str, folder: str, steps: str) -> Dataset:
    odd = r"|W39_1998\.09\.19_"  # the mask of BraTS20_Training_355 kept the patient's name
    files = rf"(?P<subject>{folder})/(?:{folder}_{odd})(?P<kind>flair|t1|t1ce|t2|seg|Segm)\.nii(\.gz)?$"
    return Dataset(
        f"brats{year}",
        f"BraTS {year}: gliomas, four modalities, skull-stripped, 1 mm",
        ("T1w", "T1ce", "T2w", "FLAIR"),
        f"https://www.med.upenn.edu/cbica/brats{year}/data.html"
        if year != "2021"
        else "https://www.synapse.org/brats",
        "research only, registration",
        steps,
        (_pattern(files, _BRATS),),
    )


DATASETS: tuple[Dataset, ...] = (
    _brats(
        "2018",
        r"Brats18_\w+",
        "Register at CBICA's Image Processing Portal, request BraTS 2018 training data.",
    ),
    _brats(
        "2020",
        r"BraTS20_Training_\d+",
        "Register at CBICA's Image Processing Portal, request BraTS 2020 training data.",
    ),
    _brats(
        "2021", r"BraTS2021_\d+", "Make a Synapse account, join the BraTS 2021 challenge, download task 1."
    ),
    Dataset(
        "brats2023",
        "BraTS 2023 adult glioma: four modalities, skull-stripped, 1 mm",
        ("T1w", "T1ce", "T2w", "FLAIR"),
        "https://www.synapse.org/brats2023",
        "CC BY 4.0, registration",
        "Make a Synapse account, register for BraTS 2023, download the GLI training data.",
        (
            _pattern(
                r"(?P<subject>BraTS-GLI-\d+)-(?P<session>\d+)-(?P<kind>t1n|t1c|t2w|t2f|seg)\.nii\.gz$",
                _BRATS_2023,
            ),
        ),
    ),
    Dataset(
        "mslub",
        "Multiple sclerosis, University of Ljubljana: 30 patients, manual consensus",
        ("T1w", "T1ce", "T2w", "FLAIR"),
        "https://github.com/muschellij2/open_ms_data",
        "CC BY 4.0",
        "Clone the repository with its large files, or download 3D-MR-MS.zip from Ljubljana; coregistered or MNI.",
        (
            _pattern(
                r"(?<!raw/)(?P<subject>patient\d+)/(?:patient\d+_)?"
                r"(?P<kind>FLAIR|T1W|T1WKS|T2W|brainmask|consensus_gt)\.nii\.gz$",
                _MS,
            ),
            _pattern(
                r"MNI/(?P<subject>patient\d+)/(?P<kind>FLAIR|T1|T1POST|T2|GOLD_STANDARD)_N4_\w+\.nii\.gz$",
                _MS_MNI,
            ),
        ),
    ),
    Dataset(
        "wmh",
        "White matter hyperintensities challenge 2017: T1w and FLAIR of three centres; mask value 2 is other pathology",
        ("T1w", "FLAIR"),
        "https://doi.org/10.34894/AECRSD",
        "CC BY-NC 4.0",
        "Open the DataverseNL page, accept the terms, download the training and test archives.",
        (
            _pattern(
                r"(?P<site>Utrecht|Singapore|Amsterdam(?:/\w+)?)/(?P<subject>\d+)/(?:pre/(?=FLAIR|T1)|(?=wmh))"
                r"(?P<kind>FLAIR|T1|wmh)\.nii\.gz$",
                {"FLAIR": "FLAIR", "T1": "T1w", "wmh": LESION},
            ),
        ),
    ),
    Dataset(
        "atlas",
        "ATLAS R2.0: chronic stroke on T1w, MNI space, manual masks",
        ("T1w",),
        "https://fcon_1000.projects.nitrc.org/indi/retro/atlas.html",
        "CC BY-NC-SA 4.0, encrypted archive",
        "Fill in the form on the INDI page; the password of the archive comes by mail.",
        (
            _pattern(
                r"(?P<site>R\d+)/sub-(?P<subject>r\d+s\d+)/ses-(?P<session>\d+)/anat/sub-\w+?_ses-\d+_"
                r"space-MNI152NLin2009aSym_(?P<kind>T1w|label-L_desc-T1lesion_mask)\.nii\.gz$",
                {"T1w": "T1w", "label-L_desc-T1lesion_mask": LESION},
            ),
        ),
    ),
    Dataset(
        "isles2022",
        "ISLES 2022: acute ischaemic stroke; the mask lies on the diffusion grid, FLAIR on its own",
        ("FLAIR",),
        "https://zenodo.org/records/7960856",
        "CC BY 4.0",
        "Download ISLES-2022.zip from Zenodo and unpack it.",
        (
            _pattern(
                r"sub-(?P<subject>strokecase\d+)/ses-(?P<session>\d+)/(?:anat/)?sub-strokecase\d+_ses-\d+_"
                r"(?P<kind>FLAIR|msk)\.nii\.gz$",
                {"FLAIR": "FLAIR", "msk": LESION},
            ),
        ),
    ),
    Dataset(
        "ixi",
        "IXI: about 600 healthy adults, three London scanners, whole heads",
        ("T1w", "T2w", "PDw"),
        "https://brain-development.org/ixi-dataset/",
        "CC BY-SA 3.0",
        "Download IXI-T1.tar, IXI-T2.tar, IXI-PD.tar from the page; no account.",
        (
            _pattern(
                r"(?P<subject>IXI\d+)-(?P<site>Guys|HH|IOP)-\d+-(?P<kind>T1|T2|PD)\.nii\.gz$",
                {"T1": "T1w", "T2": "T2w", "PD": "PDw"},
                label="healthy",
            ),
        ),
    ),
    Dataset(
        "oasis1",
        "OASIS-1: 416 adults of 18 to 96 years, some with dementia (CDR above 0 is left unknown)",
        ("T1w",),
        "https://sites.wustl.edu/oasisbrains/",
        "OASIS data use agreement",
        "Accept the agreement, download disc1 to disc12 and oasis_cross-sectional.csv; convert the masked "
        "T88_111 pairs to .nii.gz, keeping their names.",
        (
            _pattern(
                r"(?P<subject>OAS1_\d+)_(?P<session>MR\d+)_mpr_n[\dn]_anon_111_t88_(?P<kind>masked_gfc)\.nii(\.gz)?$",
                {"masked_gfc": "T1w"},
            ),
        ),
        People(
            "oasis_cross-sectional.csv",
            "ID",
            re.compile(r"(OAS1_\d+)_MR1"),
            age="Age",
            sex="M/F",
            healthy=("CDR", ("", "0", "0.0", "N/A")),
        ),
    ),
    Dataset(
        "oasis3",
        "OASIS-3: ageing and dementia, several sessions; health is not in the file names, so labels are unknown",
        ("T1w", "T2w", "FLAIR"),
        "https://sites.wustl.edu/oasisbrains/",
        "OASIS data use agreement",
        "Accept the agreement, download with the project's own scripts from XNAT Central.",
        (
            _pattern(
                r"sub-(?P<subject>OAS3\d+)_(?:ses|sess)-(?P<session>d\d+)(?:_run-01)?_(?P<kind>T1w|T2w|FLAIR)\.nii\.gz$",
                {"T1w": "T1w", "T2w": "T2w", "FLAIR": "FLAIR"},
                label="unknown",
            ),
        ),
    ),
    Dataset(
        "camcan",
        "Cam-CAN: about 650 healthy adults of 18 to 88 years, one scanner, whole heads",
        ("T1w", "T2w"),
        "https://www.cam-can.org/index.php?content=dataset",
        "registration, no redistribution",
        "Apply on the page; ask for the anatomical BIDS release cc700.",
        (
            _pattern(
                r"sub-(?P<subject>CC\d+)/anat/sub-CC\d+_(?P<kind>T1w|T2w)\.nii\.gz$",
                {"T1w": "T1w", "T2w": "T2w"},
                label="healthy",
            ),
        ),
        People("participants.tsv", "participant_id", re.compile(r"(CC\d+)"), age="age", sex="gender_text"),
    ),
    Dataset(
        "fastmri",
        "fastMRI+ brains: volumes reviewed by radiologists; those listed without a box are healthy",
        ("T1w", "T2w", "FLAIR", "T1ce"),
        "https://fastmri.med.nyu.edu/ and https://github.com/microsoft/fastmri-plus",
        "fastMRI data use agreement; annotations CC BY 4.0",
        "Apply at NYU for the brain archives; put Annotations/ of fastMRI+ beside them; convert each .h5 to .nii.gz "
        "under its own name.",
        (
            _pattern(
                r"(?P<subject>file_brain_AX(?P<kind>FLAIR|T1POST|T1PRE|T1|T2)_\d+_\d+)\.nii\.gz$",
                {"FLAIR": "FLAIR", "T1": "T1w", "T1PRE": "T1w", "T1POST": "T1ce", "T2": "T2w"},
                label="unknown",
            ),
        ),
    ),
    Dataset(
        "bmad",
        "BMAD Brain_AD: axial FLAIR slices of BraTS 2021, with splits of its own; ten of its validation slices lie in "
        "the test folder too and are taken from there, the other lesions of its validation are in no split",
        ("FLAIR",),
        "https://github.com/DorisBao/BMAD",
        "CC BY-NC-SA 4.0",
        "Follow the repository's link to the Brain archive and unpack it.",
        (
            _pattern(
                r"train/(?P<kind>good)/(?P<subject>\d{5})_(?P<session>\d+)\.png$",
                {"good": "FLAIR"},
                label="healthy",
                splits={"": "train"},
            ),
            _pattern(
                r"test/(?P<group>good|Ungood)/(?P<kind>img|anomaly_mask|label)/(?P<subject>\d{5})_(?P<session>\d+)\.png$",
                {"img": "FLAIR", "anomaly_mask": LESION, "label": LESION},
                labels={"good": "healthy", "Ungood": "lesion"},
                splits={"good": "test", "Ungood": "test"},
            ),
            _pattern(
                r"valid/(?P<group>good|Ungood)/(?P<kind>img|anomaly_mask|label)/(?P<subject>\d{5})_(?P<session>\d+)\.png$",
                {"img": "FLAIR", "anomaly_mask": LESION, "label": LESION},
                labels={"good": "healthy", "Ungood": "lesion"},
                splits={"good": "calibration"},
            ),
        ),
    ),
    Dataset(
        "medianomaly",
        "MedIAnomaly BraTS2021: axial FLAIR slices, with splits of its own",
        ("FLAIR",),
        "https://zenodo.org/records/12677223",
        "CC BY-NC 4.0",
        "Download BraTS2021.tar.gz from Zenodo and unpack it.",
        (
            _pattern(
                r"(?P<group>train)/(?P<subject>BraTS2021_\d+)_(?P<kind>flair)_(?P<session>\d+)\.png$",
                {"flair": "FLAIR"},
                label="healthy",
                splits={"train": "train"},
            ),
            _pattern(
                r"test/(?P<group>normal|tumor|annotation)/(?P<subject>BraTS2021_\d+)_(?P<kind>flair|seg)_"
                r"(?P<session>\d+)\.png$",
                {"flair": "FLAIR", "seg": LESION},
                labels={"normal": "healthy", "tumor": "lesion", "annotation": "lesion"},
                splits={"normal": "test", "tumor": "test", "annotation": "test"},
            ),
        ),
    ),
    Dataset(
        "kaggle_3m",
        "LGG segmentation: low-grade gliomas, slices of three channels with masks, not skull-stripped",
        ("FLAIR",),
        "https://www.kaggle.com/datasets/mateuszbuda/lgg-mri-segmentation",
        "CC BY-NC-SA 4.0",
        "Download from Kaggle with an account and unpack it; each .tif holds pre-contrast, FLAIR and post-contrast as "
        "colours, of which the FLAIR is taken: it is the only one that no case lacks.",
        (
            _pattern(
                r"(?P<subject>TCGA_\w{2}_\w+?_\d{8})/TCGA_\w{2}_\w+?_\d{8}_(?P<session>\d+)(?P<kind>_mask|)\.tif$",
                {"": "FLAIR", "_mask": LESION},
                label=None,
                channel=2,
            ),
        ),
    ),
    Dataset(
        "ds002748",
        "OpenNeuro ds002748: T1w of 72 adults, controls and mild depression, structurally healthy",
        ("T1w",),
        "https://openneuro.org/datasets/ds002748",
        "CC0",
        "`sanum data get ds002748` downloads it.",
        (
            _pattern(
                r"sub-(?P<subject>\d+)/anat/sub-\d+_(?P<kind>T1w)\.nii\.gz$", {"T1w": "T1w"}, label="healthy"
            ),
        ),
        People("participants.tsv", "participant_id", re.compile(r"sub-(\d+)"), age="age", sex="gender"),
        openneuro="ds002748",
    ),
    Dataset(
        "soop",
        "OpenNeuro ds004889 (SOOP): acute stroke, T1w and FLAIR, lesion masks",
        ("T1w", "FLAIR"),
        "https://openneuro.org/datasets/ds004889",
        "CC0",
        "`sanum data get soop` downloads it.",
        (
            _pattern(
                r"sub-(?P<subject>\d+)/(?:anat|dwi)/sub-\d+(?:_acq-\w+)?(?:_space-\w+)?_(?:desc-)?"
                r"(?P<kind>T1w|FLAIR|lesion_mask)\.nii\.gz$",
                {"T1w": "T1w", "FLAIR": "FLAIR", "lesion_mask": LESION},
            ),
        ),
        People("participants.tsv", "participant_id", re.compile(r"sub-(\d+)"), age="age", sex="sex"),
        openneuro="ds004889",
    ),
)
"""The explicit list; a new data set is one entry here and one tiny tree in the tests."""


def find_dataset(name: str) -> Dataset:
    """Look a data set up.

    Raises:
        ConfigError: no data set of that name.
    """
    for entry in DATASETS:
        if entry.name == name:
            return entry
    raise ConfigError(f"unknown data set {name!r}; {did_you_mean(name, (entry.name for entry in DATASETS))}")
