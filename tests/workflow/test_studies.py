"""DICOM as hospitals keep it: one study is one case, whatever folders its series lie in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sanum.cohort.discover import discover
from sanum.core.errors import CohortError, ScanError
from sanum.core.grid import Grid
from sanum.formats import read_scan, study_of
from sanum.workflow.detect_many import detect_rows
from sanum.workflow.inputs import gather
from sanum.workflow.inspect import inspect
from tests.formats.dicom_files import picture, save, slices, write_series
from tests.phantoms import RAS_2MM, brain_voxels

GRID = Grid((64, 84, 64), RAS_2MM)
AFFINE = np.diag([-1.0, -1.0, 10.0, 1.0])
STORED = np.random.default_rng(0).integers(0, 4000, (7, 6, 12)).astype(np.uint16)


def add(folder: Path, number: int, description: str, patient: str = "A", study: str = "1.1") -> Path:
    """A folder with one series of 12 slices."""
    tags = {
        "SeriesNumber": number,
        "SeriesDescription": description,
        "SeriesInstanceUID": f"{study}.{number}",
    }
    return write_series(folder, slices(STORED, AFFINE, PatientID=patient, StudyInstanceUID=study, **tags))


def found(root: Path, *modalities: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Case to subject and, by modality, the path below the root."""
    rows = discover(root, modalities=modalities or ("T1w",), study_of=study_of)
    return {
        row.case: (row.subject, {name: path.relative_to(root).as_posix() for name, path in row.scans.items()})
        for row in rows
    }


def test_a_study_with_one_folder_a_series_is_one_case(tmp_path):
    study = tmp_path / "MR 2024"
    add(study / "S1", 1, "localizer")
    add(study / "S2", 2, "field map")
    add(study / "deep" / "S4", 4, "t1 mprage")
    (study / "preview.png").write_bytes(b"x")
    (study / "README").write_text("x")
    directory = picture("MR")
    directory.SOPClassUID = "1.2.840.10008.1.3.10"
    save(directory, study / "DICOMDIR")
    assert found(study) == {"MR-2024": ("MR-2024", {"T1w": "."})}
    assert read_scan(study, "T1w").source.series == "4 t1 mprage"
    assert found(study, "T1w", "FLAIR")["MR-2024"][1] == {"T1w": ".", "FLAIR": "."}


def test_folders_of_patients_and_of_studies_give_one_case_a_study(tmp_path):
    for day in ("d1", "d2"):
        for number in (1, 2):
            add(tmp_path / "DICOM" / "anna" / day / f"S{number}", number, "t1", "A", f"1.{day[1]}")
    add(tmp_path / "DICOM" / "ben", 1, "t1", "B", "2.1")
    assert found(tmp_path) == {
        "anna_d1": ("anna", {"T1w": "DICOM/anna/d1"}),
        "anna_d2": ("anna", {"T1w": "DICOM/anna/d2"}),
        "ben": ("ben", {"T1w": "DICOM/ben"}),
    }


def test_two_studies_of_one_patient_keep_their_subject(tmp_path):
    for day in ("d1", "d2"):
        add(tmp_path / "anna" / day, 1, "t1", "A", f"1.{day[1]}")
    assert {case: subject for case, (subject, _) in found(tmp_path).items()} == {
        "anna_d1": "anna",
        "anna_d2": "anna",
    }


def test_subjects_that_carry_one_patient_id_are_pointed_out(tmp_path):
    """Two visits in two folders may be one person, and would else stand on both sides of a split."""
    for name in ("p1", "p2"):
        add(tmp_path / name, 1, "t1", "SECRET", f"1.{name[1]}")
    notes = discover(tmp_path, modality="T1w", study_of=study_of).notes
    assert "subjects whose files name one patient: p1, p2; correct the table" in notes[1]
    assert "SECRET" not in str(notes)


def test_folders_named_by_modality_are_taken_at_their_word(tmp_path):
    add(tmp_path / "s" / "x_T1w", 1, "anything")
    add(tmp_path / "s" / "FLAIR", 2, "anything")
    add(tmp_path / "s" / "y", 3, "t2")
    assert found(tmp_path / "s", "T1w", "T2w")["s"][1] == {"T1w": "x_T1w", "T2w": ".", "FLAIR": "FLAIR"}
    add(tmp_path / "s" / "z_T1w", 4, "again")
    assert found(tmp_path / "s", "T1w")["s"][1] == {"T1w": ".", "FLAIR": "FLAIR"}


@pytest.mark.parametrize(
    ("patient", "study", "words"),
    [
        ("B", "2.1", "files of 2 patients; give each patient's"),
        ("A", "1.2", "files of 2 studies; give each study's"),
    ],
)
def test_a_folder_with_two_patients_or_studies_is_refused(tmp_path, patient, study, words):
    add(tmp_path / "x" / "S1", 1, "t1")
    add(tmp_path / "x" / "S2", 2, "t2")
    add(tmp_path / "x" / "S3", 3, "t1", patient, study)
    with pytest.raises(CohortError, match=rf"x: {words} files their own folder"):
        discover(tmp_path, modality="T1w", study_of=study_of)
    with pytest.raises(CohortError, match=words):
        gather([tmp_path / "x"], ("T1w",))


def test_gather_takes_a_study_for_every_modality_a_model_needs_and_narrows_it_to_a_series(tmp_path):
    study = tmp_path / "study"
    add(study / "S4", 4, "t1 mprage")
    add(study / "S6", 6, "t2 flair")
    (row,) = gather([study], ("T1w",))
    assert dict(row.scans) == {"T1w": study}
    (row,) = gather([study], ("T1w",), series="4")
    assert dict(row.scans) == {"T1w": study.with_name("study#4")}
    (row,) = gather([study.with_name("study#4")], ("T1w",))
    assert dict(row.scans) == {"T1w": study.with_name("study#4")}
    (row,) = gather([study], ("T1w", "FLAIR"))
    assert dict(row.scans) == {"T1w": study, "FLAIR": study}
    with pytest.raises(ScanError, match="the model needs T1w, FLAIR of each case"):
        gather([study.with_name("study#4")], ("T1w", "FLAIR"))
    with pytest.raises(CohortError, match="the folder's name does not tell the modality"):
        discover(study, study_of=study_of)


def test_inspect_lists_the_series_of_a_study(tmp_path):
    study = tmp_path / "study"
    add(study / "S2", 2, "field map")
    add(study / "S4", 4, "t1 mprage")
    told = inspect(study)
    assert told["study"] == str(study)
    assert [(one["number"], one.get("taken_for"), one.get("why_not")) for one in told["series"]] == [
        ("2", None, "a field map"),
        ("4", ["T1w"], None),
    ]
    assert inspect(study, "2")["chosen"] == "2"


def test_results_name_the_series_and_list_the_others(tmp_path, model_path):
    """In the table, on the console, in the JSON and on the page."""
    from sanum.cli.detect import _sentence

    study, voxels = tmp_path / "study", np.rint(brain_voxels(GRID)[0]).astype(np.uint16)
    tags = {"SeriesNumber": 4, "SeriesInstanceUID": "1.4", "SeriesDescription": "t1 mprage", "PatientID": "A"}
    write_series(study / "S4", slices(voxels, RAS_2MM, StudyInstanceUID="1.1", **tags))
    add(study / "S2", 2, "gre_field_mapping")
    (line,) = detect_rows(model_path, gather([study], ("T1w",)), tmp_path / "out", workers=1)
    assert (line["case"], line["series"]) == ("study", "4 t1 mprage")
    assert _sentence(line).startswith("study, series 4 t1 mprage: ")
    (source,) = json.loads((tmp_path / "out/study/detection.json").read_text())["provenance"]["sources"]
    assert source["path"] == f"{study}#4"
    assert source["series"] == "4 t1 mprage"
    assert "series not taken: 2 gre_field_mapping (a field map)" in source["notes"]
    page = (tmp_path / "out/study/report.html").read_text()
    assert "series not taken: 2 gre_field_mapping (a field map)" in page


def test_a_study_of_field_maps_alone_is_refused_and_never_judged(tmp_path, model_path):
    add(tmp_path / "study" / "S2", 2, "gre_field_mapping")
    (line,) = detect_rows(model_path, gather([tmp_path / "study"], ("T1w",)), tmp_path / "out", workers=1)
    assert line["status"] == "refused"
    assert "no series fits T1w; name one: --series NUMBER" in line["reason"]
    assert "a field map" in line["reason"]


@pytest.mark.real
def test_real_study_with_its_t2_and_perfusion_beside_the_t1(real_data):
    (row,) = gather([real_data / "dicom" / "mr-t1-and-perfusion.zip"], ("T1w",))
    assert read_scan(row.scans["T1w"], "T1w").source.series == "5 mocoMEMPRAGE_220FOV RMS"
