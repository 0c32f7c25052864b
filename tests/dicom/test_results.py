"""Results as DICOM lie on the voxels that they speak of, whatever the series, and left stays left."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from pydicom import dcmread

pytest.importorskip("highdicom")

from sanum.core.errors import GeometryError, ScanError
from sanum.core.files import write_json
from sanum.core.grid import Grid
from sanum.dicom.deidentify import Deidentifier
from sanum.formats import read_scan, write_map
from sanum.workflow.detect import CaseDetection
from sanum.workflow.dicom_results import add_dicom
from tests.detections import abnormal, normal, refused
from tests.dicom.dicom_checks import errors_of, map_points, segment_points
from tests.formats.dicom_files import NAME, enhanced, save, slices, write_series
from tests.phantoms import RAS_2MM, brain_voxels

TAGS = {"FrameOfReferenceUID": "1.2.3.4.9", "StudyDate": "20260101", "StudyTime": "101500", "StudyID": "7"}
SHAPE = (64, 84, 64)


def turned(axis: int, degrees: float) -> np.ndarray:
    """The standard affine turned about a world axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(4)
    a, b = [other for other in range(3) if other != axis]
    turn[a, a] = turn[b, b] = c
    turn[a, b], turn[b, a] = -s, s
    return turn @ RAS_2MM


def tilted() -> np.ndarray:
    """Slices stacked aslant, as by a gantry."""
    affine = RAS_2MM.copy()
    affine[1, 2] = 0.7
    return affine


def lying(flips: tuple[int, int, int]) -> np.ndarray:
    """The standard affine with axes that run the other way, over the same voxels."""
    signs = np.array(flips, dtype=float)
    affine = RAS_2MM @ np.diag([*signs, 1.0])
    affine[:3, 3] += np.where(signs < 0, 2.0 * (np.array(SHAPE) - 1), 0.0)
    return affine


AFFINES = {
    "axial": lying((-1, -1, 1)),
    "reversed": lying((-1, -1, -1)),
    "neurological": lying((1, -1, 1)),
    "oblique": turned(0, 20) @ np.linalg.inv(RAS_2MM) @ lying((-1, -1, 1)),
    "tilted": tilted(),
}


def saved(detection: CaseDetection, folder: Path) -> Path:
    """The case's folder as `detect` leaves it, without the pictures."""
    write_json(folder / "detection.json", detection.to_dict())
    found = detection.anomaly_map
    if found is not None:
        write_map(folder, found.values, found.grid, detection.map_scale, False)
    return folder


def judged(source: Path, folder: Path, make=abnormal) -> CaseDetection:
    detection = make(read_scan(source, "T1w"))
    saved(detection, folder)
    return detection


def series(folder: Path, affine: np.ndarray, **tags) -> Path:
    voxels, _ = brain_voxels(Grid(SHAPE, affine), lesion=True)
    return write_series(folder, slices(voxels.astype(np.uint16), affine, **{**TAGS, **tags}))


def nearest(points: np.ndarray, grid: Grid) -> np.ndarray:
    """Voxel indices of world points, which must lie on voxel centres."""
    place = grid.to_voxel(points)
    np.testing.assert_allclose(place, np.rint(place), atol=0.02)
    return np.rint(place).astype(int)


@pytest.mark.parametrize("kind", AFFINES)
def test_results_land_on_the_voxels_of_the_map(kind, tmp_path):
    source = series(tmp_path / "in", AFFINES[kind])
    found = judged(source, tmp_path / "out")
    add_dicom(tmp_path / "out", source, "T1w")
    grid, values = found.anomaly_map.grid, found.anomaly_map.values
    marked = segment_points(tmp_path / "out" / "dicom" / "segmentation.dcm")
    assert list(marked) == [1]
    voxels = nearest(marked[1], grid)
    assert {tuple(v) for v in voxels} == {tuple(v) for v in np.argwhere(values > 0.25)}
    assert marked[1][:, 0].max() < 0  # the lesion lies on the patient's left, RAS
    world, told = map_points(tmp_path / "out" / "dicom" / "map.dcm")
    assert len(told) == np.isfinite(values).sum()
    np.testing.assert_array_equal(told, values[tuple(nearest(world, grid).T)])


def test_of_a_multi_frame_file_the_frames_of_the_judged_volume_are_meant(tmp_path):
    affine = AFFINES["axial"]
    voxels, _ = brain_voxels(Grid(SHAPE, affine), lesion=True)
    stored = voxels.astype(np.uint16)
    file = tmp_path / "in.dcm"
    save(enhanced([stored // 4, stored], affine, **TAGS), file)
    source = file.with_name("in.dcm#5.2")
    found = judged(source, tmp_path / "out")
    add_dicom(tmp_path / "out", source, "T1w")
    marked = segment_points(tmp_path / "out" / "dicom" / "segmentation.dcm")[1]
    expected = np.argwhere(found.anomaly_map.values > 0.25)
    assert {tuple(v) for v in nearest(marked, found.anomaly_map.grid)} == {tuple(v) for v in expected}
    times = referred_times(dcmread(file), dcmread(tmp_path / "out" / "dicom" / "segmentation.dcm"))
    assert times == {2}


def referred_times(source, result) -> set[int]:
    """Temporal positions of the source frames that a result says it was derived from, checked to lie where it lies."""
    times = set()
    for group in result.PerFrameFunctionalGroupsSequence:
        number = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
        frame = source.PerFrameFunctionalGroupsSequence[int(number) - 1]
        assert (
            frame.PlanePositionSequence[0].ImagePositionPatient
            == group.PlanePositionSequence[0].ImagePositionPatient
        )
        times.add(int(frame.FrameContentSequence[0].TemporalPositionIndex))
    return times


def test_where_slices_were_interpolated_results_lie_on_the_slices_that_were_taken(tmp_path):
    """Uneven spacing: the volume's slices are not the file's, so values come from between them."""
    affine = AFFINES["axial"]
    voxels, _ = brain_voxels(Grid(SHAPE, affine), lesion=True)
    taken = slices(voxels.astype(np.uint16), affine, **TAGS)
    for k, one in enumerate(taken):
        x, y, z = one.ImagePositionPatient
        one.ImagePositionPatient = [x, y, round(float(z) + 0.6 * np.sin(k), 4)]
    source = write_series(tmp_path / "in", taken)
    scan = read_scan(source, "T1w")
    assert "uneven slice spacing" in scan.notes[0]
    found = judged(source, tmp_path / "out")
    heights = np.linspace(1.0, 2.0, scan.voxels.shape[2], dtype=np.float32)
    values = np.where(np.isnan(found.anomaly_map.values), np.nan, heights).astype(np.float32)
    write_map(tmp_path / "out", values, scan.grid, (0.1, 0.5), False)
    add_dicom(tmp_path / "out", source, "T1w")
    world, told = map_points(tmp_path / "out" / "dicom" / "map.dcm")
    place = scan.grid.to_voxel(world)[:, 2]
    inside = np.abs(told - np.interp(place, np.arange(len(heights)), heights)) < 1e-4
    assert inside.mean() > 0.95  # next to the mask's edge the nearer slice is taken


def test_every_result_is_a_valid_object_of_the_same_study_and_of_a_new_series(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"])
    judged(source, tmp_path / "out")
    files = add_dicom(tmp_path / "out", source, "T1w")
    assert [path.stem for path in files] == ["segmentation", "map", "measurements", "page-01", "report"]
    read = [dcmread(path) for path in files]
    assert {one.StudyInstanceUID for one in read} == {"1.2.3.4"}
    assert len({one.SeriesInstanceUID for one in read} - {"1.2.3.4.5"}) == 5
    assert {str(one.PatientName) for one in read} == {NAME}
    assert {one.get("FrameOfReferenceUID") for one in read[:2]} == {"1.2.3.4.9"}
    for path in files:
        assert errors_of(path) == []


def test_a_repeated_run_gives_the_same_identifiers_and_another_model_gives_others(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"])
    judged(source, tmp_path / "out")
    first = [dcmread(path).SOPInstanceUID for path in add_dicom(tmp_path / "out", source, "T1w")]
    again = [dcmread(path).SOPInstanceUID for path in add_dicom(tmp_path / "out", source, "T1w")]
    assert first == again
    told = json.loads((tmp_path / "out" / "detection.json").read_text())
    told["provenance"]["model_sha256"] = "d" * 64
    write_json(tmp_path / "out" / "detection.json", told)
    other = [dcmread(path).SOPInstanceUID for path in add_dicom(tmp_path / "out", source, "T1w")]
    assert not set(first) & set(other)


def test_the_report_speaks_of_the_same_finding_as_the_segmentation(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"])
    found = judged(source, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "detection.json").read_text())
    told["findings"][0] |= {"mni_mm": [-27.0, -39.0, 21.0]}
    write_json(tmp_path / "out" / "detection.json", told)
    add_dicom(tmp_path / "out", source, "T1w")
    segment = dcmread(tmp_path / "out" / "dicom" / "segmentation.dcm").SegmentSequence[0]
    report = dcmread(tmp_path / "out" / "dicom" / "measurements.dcm")
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    items = list(every_item(report))
    assert segment.TrackingUID in {item.get("UID") for item in items}
    numbers = {
        item.ConceptNameCodeSequence[0].CodeMeaning: float(item.MeasuredValueSequence[0].NumericValue)
        for item in items
        if item.ValueType == "NUM"
    }
    finding = found.findings[0]
    assert numbers["Volume"] == pytest.approx(finding.size)
    assert numbers["Peak position towards the patient's left"] == pytest.approx(-finding.peak_mm[0])
    assert numbers["Peak position in the MNI template, x"] == -27.0
    assert numbers["Anomaly score"] == pytest.approx(found.score)
    texts = [item.TextValue for item in items if item.ValueType == "TEXT"]
    assert any("not a medical device" in text for text in texts)
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmName == "demo"
    assert "c" * 64 in algorithm.AlgorithmParameters


def every_item(item):
    """All content items of a structured report."""
    for inner in item.get("ContentSequence", []):
        yield inner
        yield from every_item(inner)


def test_the_notice_is_burnt_into_every_page(tmp_path):
    """A PACS shows nothing beside the pixels: without the band's colour there is no notice."""
    source = series(tmp_path / "in", AFFINES["axial"])
    judged(source, tmp_path / "out")
    add_dicom(tmp_path / "out", source, "T1w")
    for path in (tmp_path / "out" / "dicom").glob("page-*.dcm"):
        pixels = dcmread(path).pixel_array
        band = pixels[15:55].astype(int)
        assert (np.abs(band - [255, 176, 0]).max(axis=-1) < 40).sum() > 1000


def test_a_normal_case_gets_a_report_and_no_segment(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"])
    judged(source, tmp_path / "out", normal)
    names = [path.stem for path in add_dicom(tmp_path / "out", source, "T1w")]
    assert names == ["map", "measurements", "page-01", "report"]


def test_a_refused_case_says_so_and_why_without_its_path(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"])
    saved(refused(f"{source}: too dark to be judged"), tmp_path / "out")
    files = add_dicom(tmp_path / "out", source, "T1w")
    assert [path.stem for path in files] == ["measurements", "page-01", "report"]
    report = dcmread(tmp_path / "out" / "dicom" / "measurements.dcm")
    texts = [item.TextValue for item in every_item(report) if item.ValueType == "TEXT"]
    assert "Not judged: the study: too dark to be judged" in texts
    decision = [
        item.ConceptCodeSequence[0].CodeValue
        for item in every_item(report)
        if item.ValueType == "CODE" and item.ConceptNameCodeSequence[0].CodeValue == "decision"
    ]
    assert decision == ["refused"]


def test_a_refusal_of_several_series_refers_to_the_study(tmp_path):
    one = slices(np.ones((4, 4, 4), np.uint16), RAS_2MM, **TAGS)
    other = slices(
        np.ones((4, 4, 4), np.uint16), RAS_2MM, **TAGS, SeriesInstanceUID="1.2.3.4.6", SeriesNumber=6
    )
    write_series(tmp_path / "in", [*one, *other])
    saved(refused("several series fit"), tmp_path / "out")
    files = add_dicom(tmp_path / "out", tmp_path / "in", "T1w")
    assert dcmread(files[0]).StudyInstanceUID == "1.2.3.4"


def test_results_without_identities_list_no_series(tmp_path):
    """Descriptions are free text, and the reason of a refusal quotes them; it is also drawn into pages."""
    source = series(tmp_path / "in", AFFINES["axial"])
    saved(refused("no series fits T1w:\n  5: T1w Geheim; 64 frames"), tmp_path / "out")
    files = add_dicom(tmp_path / "out", source, "T1w", deidentifier=Deidentifier(b"s" * 32))
    report = json.loads((tmp_path / "out" / "dicom-deidentified" / "diagnostic-report.json").read_text())
    assert report["conclusion"].endswith("Not judged: no series fits T1w:")
    assert not [path for path in files if b"Geheim" in path.read_bytes()]


def test_the_fhir_report_says_what_the_structured_report_says(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"])
    found = judged(source, tmp_path / "out")
    add_dicom(tmp_path / "out", source, "T1w")
    text = (tmp_path / "out" / "dicom" / "diagnostic-report.json").read_text()
    assert "Geheim" not in text
    assert "GEHEIM" not in text
    report = DiagnosticReport.model_validate_json(text)
    assert report.imagingStudy[0].identifier.value == "urn:oid:1.2.3.4"
    device, case, finding = report.contained
    assert device.deviceName[0].name == "demo"
    assert case.valueCodeableConcept.coding[0].code == found.status
    assert [one.reference for one in report.result] == ["#case", "#finding-1"]
    values = {
        one.code.coding[0].display: one.valueQuantity.value for one in finding.component if one.valueQuantity
    }
    assert float(values["Volume"]) == pytest.approx(found.findings[0].size)
    left = float(values["Peak position towards the patient's left"])
    assert left == pytest.approx(-found.findings[0].peak_mm[0])


def test_without_a_frame_of_reference_nothing_is_given_a_place(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"], FrameOfReferenceUID="")
    judged(source, tmp_path / "out")
    names = [path.stem for path in add_dicom(tmp_path / "out", source, "T1w")]
    assert names == ["measurements", "page-01", "report"]


def test_results_lie_on_the_series_that_was_judged_also_where_the_rule_takes_another(tmp_path):
    """Of a study's T1w and FLAIR the one with more evidence leads, and the map is its own."""
    source = tmp_path / "in"
    series(source / "t1", AFFINES["axial"], SeriesDescription="t1_mprage")
    flair = {"SeriesDescription": "t2_flair", "SeriesInstanceUID": "1.2.3.4.6", "SeriesNumber": 6}
    series(source / "flair", AFFINES["oblique"], **flair)
    saved(abnormal(read_scan(source, "FLAIR")), tmp_path / "out")
    add_dicom(tmp_path / "out", source, "T1w")
    segment = dcmread(tmp_path / "out" / "dicom" / "segmentation.dcm")
    assert segment.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.3.4.6"


def test_a_series_without_a_study_is_told(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"], StudyInstanceUID="")
    judged(source, tmp_path / "out")
    with pytest.raises(ScanError, match="a DICOM file without StudyInstanceUID; results can't refer to it"):
        add_dicom(tmp_path / "out", source, "T1w")


def test_a_map_of_another_series_is_told(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"])
    judged(source, tmp_path / "out")
    other = series(tmp_path / "other", AFFINES["neurological"])
    with pytest.raises(GeometryError, match="does not lie where the series lies; judge the series again"):
        add_dicom(tmp_path / "out", other, "T1w")


def test_of_an_abnormal_case_without_significant_findings_all_are_shown_as_such(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"])
    judged(source, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "detection.json").read_text())
    told["findings"][0] |= {"p_value": 0.2, "significant": False}
    write_json(tmp_path / "out" / "detection.json", told)
    add_dicom(tmp_path / "out", source, "T1w")
    assert list(segment_points(tmp_path / "out" / "dicom" / "segmentation.dcm")) == [1]
    report = dcmread(tmp_path / "out" / "dicom" / "measurements.dcm")
    said = [
        item.ConceptCodeSequence[0].CodeMeaning for item in every_item(report) if item.ValueType == "CODE"
    ]
    assert "not significant" in said


def test_the_fractional_map_runs_over_the_calibrated_scale(tmp_path):
    source = series(tmp_path / "in", AFFINES["axial"])
    found = judged(source, tmp_path / "out")
    add_dicom(tmp_path / "out", source, "T1w", "fractional")
    made = dcmread(tmp_path / "out" / "dicom" / "map.dcm")
    assert made.SegmentationType == "FRACTIONAL"
    assert made.pixel_array.max() == made.MaximumFractionalValue
    lesion = (found.anomaly_map.values >= 0.5).sum()
    assert (made.pixel_array == made.MaximumFractionalValue).sum() == lesion
    assert errors_of(tmp_path / "out" / "dicom" / "map.dcm") == []


def test_a_source_that_is_no_dicom_gives_none(tmp_path):
    from sanum.formats import write_volume

    write_volume(tmp_path / "a.nii.gz", np.ones((4, 4, 4), np.float32), Grid((4, 4, 4), RAS_2MM))
    assert add_dicom(tmp_path, tmp_path / "a.nii.gz", "T1w") == []
