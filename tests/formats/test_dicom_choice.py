"""Which series of a study is judged: a localizer, a map or another contrast never is, unless it is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sanum.core.errors import ScanError
from sanum.formats import inspect_scan, read_scan, study_of
from sanum.formats.dicom.acquisition import Acquisition
from sanum.formats.dicom.contrast import contrast_of
from sanum.formats.dicom.kinds import unfit
from tests.formats.dicom_files import NAME, enhanced, picture, save, slices, write_series

AFFINE = np.diag([-1.0, -1.0, 10.0, 1.0])
STORED = np.random.default_rng(0).integers(0, 4000, (7, 6, 12)).astype(np.uint16)
PRIMARY = ["ORIGINAL", "PRIMARY", "M", "ND"]


def add(study: Path, number: int, description: str, stored: np.ndarray = STORED, **tags) -> Path:
    """One series in a folder of its own; its voxels are `STORED` plus its number."""
    told = {"ImageType": PRIMARY, "MRAcquisitionType": "2D", **tags}
    told |= {
        "SeriesNumber": number,
        "SeriesDescription": description,
        "SeriesInstanceUID": f"1.2.3.{number}9",
    }
    write_series(study / f"S{number:02d}", slices(stored + number, told.pop("affine", AFFINE), **told))
    return study


def taken(study: Path, modality: str) -> int:
    """Number of the series that is read."""
    scan = read_scan(study, modality)
    assert scan.source.path == f"{study}#{scan.source.series.split()[0]}"
    return int(scan.source.series.split()[0])


def test_a_hospital_study_is_one_scan_and_says_which_series_and_why_not_the_others(tmp_path):
    study = add(tmp_path / "study", 1, "localizer", STORED[..., :3])
    add(study, 2, "gre_field_mapping", SequenceName="*fm2d2r")
    add(study, 3, "t1_se_tra")
    add(study, 4, "t1_mprage_sag_p2", MRAcquisitionType="3D")
    add(study, 5, "t1_mprage_MPR_tra", MRAcquisitionType="3D", ImageType=["DERIVED", "SECONDARY", "MPR"])
    add(study, 6, "t2_flair")
    add(study, 7, "asl_3d", ImageType=["ORIGINAL", "PRIMARY", "PERFUSION"])
    add(study, 8, "t1_mprage_post_gad", MRAcquisitionType="3D")
    add(study, 9, "b0 something", ImageType=["ORIGINAL", "PRIMARY", "P", "ND"])
    (study / "notes.txt").write_text("no scan")
    (study / "preview.png").write_bytes(b"no scan either")
    scan = read_scan(study, "T1w")
    np.testing.assert_array_equal(scan.voxels, STORED + 4)
    assert scan.source.path == f"{study}#4"
    assert scan.source.series == "4 t1_mprage_sag_p2"
    first, second, last = scan.notes
    assert first == "series taken, by rule: 4: T1w t1_mprage_sag_p2; 12 frames, 7 x 6 x 12"
    for words in (
        "1 localizer (a localizer)",
        "2 gre_field_mapping (a field map)",
        "3 t1_se_tra (not acquired in 3D)",
        "5 t1_mprage_MPR_tra (a reformat)",
        "6 t2_flair (shows FLAIR)",
        "7 asl_3d (perfusion)",
        "8 t1_mprage_post_gad (shows T1ce)",
        "9 b0 something (a phase image)",
    ):
        assert words in second
    assert last == "files passed over, no DICOM picture in them: 2"
    assert (taken(study, "FLAIR"), taken(study, "T1ce")) == (6, 8)
    with pytest.raises(ScanError, match=r"(?s)no series fits T2w.*4: T1w t1_mprage_sag_p2.*; shows T1w"):
        read_scan(study, "T2w")


def test_a_flat_folder_of_mixed_series_is_a_study_too(tmp_path):
    datasets = slices(STORED, AFFINE, SeriesDescription="t1 mprage", SeriesInstanceUID="1.4", SeriesNumber=4)
    datasets += slices(STORED, AFFINE, SeriesDescription="t2 tse", SeriesInstanceUID="1.6", SeriesNumber=6)
    assert taken(write_series(tmp_path / "flat", datasets), "T2w") == 6


RANKS = {
    "whole heads before pieces": (
        ("t1 mprage orbits", {"MRAcquisitionType": "3D", "affine": np.diag([-1.0, -1, 3, 1])}),
        ("t1 se", {}),
    ),
    "originals before reformats": (
        ("t1 mprage cor", {"ImageType": ["DERIVED", "SECONDARY", "MPR"], "MRAcquisitionType": "3D"}),
        ("t1 tra", {}),
    ),
    "3D before 2D": (("t1 mprage 2d", {}), ("t1 space", {"MRAcquisitionType": "3D"})),
    "MPRAGE before others": (("t1 space", {}), ("t1 mprage", {})),
    "by the sequence too": (("t1 a", {}), ("t1 b", {"SequenceName": "*tfl3d1_16ns"})),
    "more slices": (("t1 a", {"stored": STORED[..., :11]}), ("t1 b", {})),
    "the last one made": (("t1 a", {}), ("t1 a", {})),
}


@pytest.mark.parametrize("rule", RANKS)
def test_the_rule_prefers(tmp_path, rule):
    (worse, tags), (better, other) = RANKS[rule]
    study = add(tmp_path / "study", 11, better, **other)
    add(study, 4, worse, **tags)
    assert taken(study, "T1w") == 11
    if rule != "the last one made":
        study = add(tmp_path / "other", 4, better, **other)
        add(study, 11, worse, **tags)
        assert taken(study, "T1w") == 4


def test_soft_kernels_of_ct_come_before_sharp_ones(tmp_path):
    for number, kernel in ((2, "H31s"), (3, "H70h")):
        tags = {
            "ConvolutionKernel": kernel,
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "SeriesNumber": number,
        }
        datasets = slices(STORED, AFFINE, "CT", SeriesInstanceUID=f"1.{number}", **tags)
        write_series(tmp_path / "ct" / str(number), datasets)
    assert taken(tmp_path / "ct", "CT") == 2


def test_what_is_named_is_read_with_a_note(tmp_path):
    study = add(tmp_path / "study", 2, "gre_field_mapping")
    add(study, 4, "t1 mprage")
    scan = read_scan(study, "T1w", series="2")
    np.testing.assert_array_equal(scan.voxels, STORED + 2)
    assert scan.notes[0] == "series 2 looks like a field map; taken as named"
    assert read_scan(study, "T2w", series="4").notes[0] == (
        "the series' headers read like T1w; taken as T2w as told"
    )


@pytest.mark.parametrize(
    ("description", "tags", "reason"),
    [
        ("gre_field_mapping", {}, "a field map"),
        ("t1 ax", {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "a localizer"),
        ("t2 tse", {}, "shows T2w"),
    ],
)
def test_a_folder_with_nothing_else_is_refused_too(tmp_path, description, tags, reason):
    """A single series used to be taken for whatever the model wanted."""
    with pytest.raises(ScanError, match=rf"(?s)no series fits T1w.*{reason}"):
        read_scan(add(tmp_path / "study", 3, description, **tags), "T1w")


def test_a_lone_head_whose_headers_say_nothing_is_taken_with_a_note(tmp_path):
    study = add(tmp_path / "study", 1, "scout", STORED[..., :3])
    add(study, 2, "head")
    assert "no header says what series 2 shows; taken as T1w" in read_scan(study, "T1w").notes[0]
    add(study, 3, "another head")
    with pytest.raises(ScanError, match=r"(?s)no series fits T1w.*2: MR head.*its headers do not say"):
        read_scan(study, "T1w")


def test_volumes_that_nothing_sets_apart_are_left_to_the_user(tmp_path):
    first = slices(STORED, AFFINE, EchoTime=2, SeriesDescription="t1 mprage")
    write_series(tmp_path / "a", first + slices(STORED, AFFINE, EchoTime=4, SeriesDescription="t1 mprage"))
    with pytest.raises(ScanError, match=r"several series fit T1w.*name one: --series"):
        read_scan(tmp_path / "a", "T1w")


def test_magnitude_is_taken_where_phase_lies_in_the_same_series(tmp_path):
    both = slices(STORED, AFFINE, ImageType=PRIMARY, SeriesDescription="t1 mprage")
    both += slices(STORED * 0, AFFINE, ImageType=["ORIGINAL", "PRIMARY", "P"], SeriesDescription="t1 mprage")
    np.testing.assert_array_equal(read_scan(write_series(tmp_path / "a", both), "T1w").voxels, STORED)


def test_series_of_two_studies_are_not_mixed(tmp_path):
    study = add(tmp_path / "both", 4, "t1 mprage", StudyInstanceUID="1.1")
    add(study, 5, "t1 mprage", StudyInstanceUID="1.2")
    with pytest.raises(ScanError, match="series of several studies fit T1w"):
        read_scan(study, "T1w")


def test_inspecting_a_study_lists_every_series_and_never_refuses(tmp_path):
    study = add(tmp_path / "study", 1, "localizer", STORED[..., :3])
    add(study, 4, "t1 mprage")
    add(study, 5, "t1 se")
    add(study, 6, "t2 tse")
    facts = inspect_scan(study)
    assert facts["chosen"] is None
    assert "shape" not in facts
    told = {one["number"]: one.get("taken_for") or one["why_not"] for one in facts["series"]}
    assert told == {"1": "a localizer", "4": ["T1w"], "5": "not MPRAGE", "6": ["T2w"]}
    with pytest.raises(ScanError, match="no series fits series 77"):
        inspect_scan(tmp_path / "study#77")
    assert inspect_scan(tmp_path / "study#5")["shape"] == [7, 6, 12]


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("t1_mprage_sag_p2_iso", ""),
        ("3D T1 FSPGR epilepsy", ""),
        ("AX T2 FLAIR", ""),
        ("AAHead_Scout", "a localizer"),
        ("3-plane loc", "a localizer"),
        ("gre_field_mapping_2mm", "a field map"),
        ("SpinEchoFieldMap_AP", "a field map"),
        ("ep2d_diff_3scan_trace_ADC", "diffusion"),
        ("DTI 32 dir", "diffusion"),
        ("pCASL", "perfusion"),
        ("rCBF", "perfusion"),
        ("rfMRI_REST_AP", "functional imaging"),
        ("cmrr_mbep2d", "echo-planar imaging"),
        ("TOF_3D_multi-slab", "angiography"),
        ("SWI_Images", "susceptibility weighting or T2*"),
        ("AX GRE T2*", "susceptibility weighting or T2*"),
        ("mIP_Images(SW)", "a projection of maxima or minima"),
        ("T1_Map", "a derived map"),
        ("T1 post sub", "a difference of images"),
        ("Phoenix ZIPReport", "a picture of a screen"),
        ("ASSET calibration", "a calibration scan"),
        ("svs_se_30", "spectroscopy"),
    ],
)
def test_kinds_are_told_by_description(description, kind):
    assert unfit(description, Acquisition(), PRIMARY, is_ct=False, b_value=0, slices=20) == kind


def test_kinds_are_told_by_tags_that_no_operator_writes():
    def told(types=PRIMARY, slices=20, is_ct=False, b_value=0.0, **acquired):
        return unfit("t1", Acquisition(**acquired), types, is_ct=is_ct, b_value=b_value, slices=slices)

    assert told() == ""
    assert told(captured=True) == "a picture of a screen"
    assert told(b_value=1000.0) == "diffusion"
    assert told(sequence="ep_b0") == "diffusion"
    assert told(sequence="epfid2d1_64") == "echo-planar imaging"
    assert told(types=["DERIVED", "PRIMARY", "PROJECTION IMAGE"]) == "a projection of maxima or minima"
    assert told(slices=7) == "7 slices only"
    assert told(slices=8) == ""
    assert unfit("head haemorrhage", Acquisition(), [], is_ct=True, b_value=0, slices=20) == ""


def mr(how: str, repetition: float, inversion: float | None = None, three_d: bool = False) -> Acquisition:
    return Acquisition(
        techniques=frozenset(how.split()), three_d=three_d, repetition_ms=repetition, inversion_ms=inversion
    )


@pytest.mark.parametrize(
    ("acquired", "echo", "contrast"),
    [
        (mr("GR IR", 2300, 900, three_d=True), 3, "T1w"),
        (mr("GR IR", 2300, 900), 3, None),
        (mr("GR IR", 2300, 2500, three_d=True), 3, None),
        (mr("GR", 30, three_d=True), 3, None),
        (mr("SE", 500), 10, "T1w"),
        (mr("SE", 1500), 10, None),
        (mr("SE", 4000), 10, "PDw"),
        (mr("SE", 4000), 50, None),
        (mr("SE", 4000), 100, "T2w"),
        (mr("SE", 900), 100, None),
        (mr("SE IR", 9000, 2500), 100, "FLAIR"),
        (mr("SE IR", 4000, 150), 100, None),
        (mr("SE EP", 4000), 100, None),
        (mr("SE", 4000), None, None),
        (Acquisition(), 100, None),
    ],
)
def test_contrast_is_told_by_times_where_no_name_tells(acquired, echo, contrast):
    assert contrast_of("head", False, acquired, echo) == contrast
    assert contrast_of("head", True, acquired, echo) == ("T1ce" if contrast == "T1w" else contrast)


def test_names_outweigh_times_and_doubt_in_them_is_kept():
    spin = mr("SE", 4000)
    assert contrast_of("t1 tse", False, spin, 100) == "T1w"
    assert contrast_of("mp2rage inv2", False, mr("GR IR", 5000, 700, three_d=True), 3) is None
    assert contrast_of("", False, Acquisition(protocol="t2 tra"), None) == "T2w"


def test_times_of_enhanced_files_are_read_from_their_groups(tmp_path):
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    made = enhanced([STORED], AFFINE, ImageType=PRIMARY)
    timing, echo = Dataset(), Dataset()
    timing.RepetitionTime, echo.EffectiveEchoTime = 4000, 100
    shared = made.SharedFunctionalGroupsSequence[0]
    shared.MRTimingAndRelatedParametersSequence = Sequence([timing])
    shared.MREchoSequence = Sequence([echo])
    made.ScanningSequence = "SE"
    save(made, tmp_path / "a.dcm")
    assert read_scan(tmp_path / "a.dcm").modality == "T2w"


def test_the_study_of_a_folder_is_that_of_its_first_picture(tmp_path):
    folder = write_series(tmp_path / "a", slices(STORED, AFFINE))
    report = picture("SR")
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    save(report, folder / "0-report")
    (folder / "0.txt").write_text("text")
    assert study_of(folder) == ("GEHEIM77", "1.2.3.4")
    assert study_of(tmp_path) is None
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:400])
    assert study_of(folder) == ("", "")
    assert NAME not in str(study_of(folder))
