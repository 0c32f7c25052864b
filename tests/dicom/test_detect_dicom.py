"""`sanum detect --dicom`: judged series get their results beside them; what gets none says why."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread

pytest.importorskip("highdicom")

from sanum.cohort.table import Row
from sanum.core.errors import ConfigError
from sanum.core.grid import Grid
from sanum.dicom import write
from sanum.workflow.detect_many import detect_rows
from tests.dicom.test_results import AFFINES, SHAPE, TAGS
from tests.formats.dicom_files import slices, write_series
from tests.phantoms import brain_voxels


def ill_series(folder, **tags):
    voxels, _ = brain_voxels(Grid(SHAPE, AFFINES["axial"]), seed=11, lesion=True)
    made = slices(voxels.astype(np.uint16), AFFINES["axial"], **{**TAGS, **tags})
    return write_series(folder, made)


def test_a_judged_series_gets_dicom_results_and_the_table_says_how_many(model_path, tmp_path):
    rows = [
        Row("ill", "ill", {"T1w": ill_series(tmp_path / "ill_T1w")}),
        Row("lost", "lost", {"T1w": ill_series(tmp_path / "lost_T1w", StudyInstanceUID="")}),
    ]
    lines = detect_rows(model_path, rows, tmp_path / "out", workers=1, dicom="parametric")
    files = sorted((tmp_path / "out" / "ill" / "dicom").glob("*.dcm"))
    assert lines[0]["status"] == "abnormal"
    assert lines[0]["dicom"] == f"{len(files)} files"
    assert {"segmentation", "map", "measurements", "page-01", "page-02", "report"} <= {f.stem for f in files}
    assert dcmread(files[0]).StudyInstanceUID == "1.2.3.4"
    assert lines[1]["status"] == "abnormal"
    assert "without StudyInstanceUID" in lines[1]["dicom"]


def test_patients_names_stay_in_dicom(model_path, tmp_path, recwarn):
    row = Row("ill", "ill", {"T1w": ill_series(tmp_path / "ill_T1w")})
    detect_rows(model_path, [row], tmp_path / "out", workers=1, dicom="parametric")
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file() and path.suffix != ".dcm":
            assert b"Geheim" not in path.read_bytes()
    assert not [warning for warning in recwarn if "Geheim" in str(warning.message)]


def test_without_the_extra_nothing_is_judged_first(model_path, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "highdicom", None)
    with pytest.raises(ConfigError, match=r"need an extra: pip install 'sanum\[dicom\]'"):
        write.require_extra()
    with pytest.raises(ConfigError):
        detect_rows(model_path, [], tmp_path, dicom="parametric")
