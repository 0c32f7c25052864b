"""A lesion on the patient's left must be drawn on the documented side, whatever the file's axes."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, ornt_transform

from sanum.core.errors import GeometryError
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Finding, Scan, Source
from sanum.report.display import (
    Cut,
    choose_figures,
    even_axial_cuts,
    intensity_window,
    make_views,
    slice_layout,
)
from tests.detections import abnormal, normal
from tests.phantoms import brain_scan

ORIENTATIONS = ("RAS", "LAS", "LPS", "PSR", "AIL", "SRP")


def turned(scan: Scan, codes: str) -> Scan:
    """The same scan with its voxel axes running towards `codes`; nibabel does it, so that it is independent."""
    image = nib.Nifti1Image(scan.voxels, scan.grid.affine)
    there = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    moved = image.as_reoriented(there)
    return Scan(np.asarray(moved.dataobj), Grid(moved.shape, moved.affine), "T1w", scan.source)


def views(codes: str):
    detection = abnormal(turned(brain_scan(lesion=True, shape=(64, 84, 70)), codes))
    (planes,) = choose_figures(detection.scan, detection)
    return {view.cut.plane: view for view in make_views(detection.scan, detection, planes)}


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_left_back_lesion_is_drawn_on_the_right_and_below(codes):
    axial = views(codes)["axial"]
    assert axial.letters == "RLAP"
    rows, columns = np.nonzero(axial.heat > 0.4)
    brain_rows, brain_columns = np.nonzero(~np.isnan(axial.heat))
    assert columns.mean() > brain_columns.mean() + 8
    assert rows.mean() > brain_rows.mean() + 5


@pytest.mark.parametrize("codes", ORIENTATIONS)
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_every_axis_order_gives_the_same_picture(codes, plane):
    expected, got = views("RAS")[plane], views(codes)[plane]
    np.testing.assert_array_equal(got.scan, expected.scan)
    np.testing.assert_array_equal(got.heat, expected.heat)
    assert got.letters == expected.letters
    assert got.peaks == expected.peaks
    assert got.pixel_mm == pytest.approx(expected.pixel_mm)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_the_peak_mark_lies_on_the_peak(codes):
    for view in views(codes).values():
        ((row, column, rank),) = view.peaks
        assert rank == 1
        assert view.heat[row, column] == pytest.approx(0.9)


def test_planes_look_the_usual_way():
    found = views("LPS")
    assert (found["coronal"].letters, found["sagittal"].letters) == ("RLSI", "APSI")
    assert slice_layout("RA").letters == "RLAP"


def test_anisotropic_pixels_keep_their_sides():
    """A thick-slice axis must stretch the picture along the direction it has in the patient."""
    scan = brain_scan(affine=np.diag([1.0, 2.0, 5.0, 1.0]), shape=(20, 20, 8))
    scan = replace(scan, voxels=np.ones(scan.grid.shape, np.float32))
    detection = replace(normal(scan), findings=(Finding(1, 1, "ml", 1, 1, (0, 0, 0), (5, 5, 4)),))
    (planes,) = choose_figures(scan, detection)
    sizes = {view.cut.plane: view.pixel_mm for view in make_views(scan, detection, planes)}
    assert sizes == {"axial": (2.0, 1.0), "coronal": (5.0, 1.0), "sagittal": (5.0, 2.0)}


def test_an_image_is_shown_exactly_as_it_was():
    original = np.arange(12, dtype=np.float32).reshape(3, 4)  # rows from the top, columns from the left
    voxels = original[::-1].T[..., None].copy()
    scan = Scan(voxels, Grid(voxels.shape, np.eye(4)), None, Source("a.png", "0" * 64), is_image=True)
    detection = replace(normal(scan), is_image=True)
    assert choose_figures(scan, detection) == [(Cut("image", 2, 0),)]
    (view,) = make_views(scan, detection, [Cut("image", 2, 0)])
    np.testing.assert_array_equal(view.scan, original)
    assert view.letters == ""


def test_without_findings_slices_spread_over_the_judged_region():
    scan = brain_scan()
    judged = scan.voxels != 0
    cuts = even_axial_cuts(scan, judged)
    places = [cut.index for cut in cuts]
    assert len(places) == 6
    assert np.ptp(np.diff(places)) <= 1
    assert all(judged[:, :, place].any() for place in places)
    assert [len(group) for group in choose_figures(scan, normal(scan))] == [3, 3]


def test_further_findings_get_axial_slices_once_each():
    scan = brain_scan()
    peaks = [(30, 30, 30), (20, 20, 31), (25, 25, 45), (25, 40, 12)]
    found = tuple(Finding(n + 1, 1.0, "ml", 1.0, 1.0, (0, 0, 0), peak) for n, peak in enumerate(peaks))
    groups = choose_figures(scan, replace(abnormal(scan), findings=found))
    assert [(cut.plane, cut.index) for cut in groups[0]] == [("axial", 30), ("coronal", 30), ("sagittal", 30)]
    assert [cut.index for cut in groups[1]] == [45, 12]


def test_the_window_ignores_what_was_not_judged():
    scan = brain_scan()
    bright = replace(scan, voxels=np.where(scan.voxels == 0, np.float32(90000.0), scan.voxels))
    heat = normal(scan).anomaly_map
    assert intensity_window(bright, heat)[1] < 2000 < intensity_window(bright)[1]


def test_a_flat_scan_still_has_a_window():
    scan = brain_scan()
    assert intensity_window(replace(scan, voxels=np.zeros_like(scan.voxels))) == (0.0, 1.0)
    low, high = intensity_window(replace(scan, voxels=np.full_like(scan.voxels, 7.0)))
    assert low < high


def test_a_map_on_another_grid_is_refused():
    detection = abnormal()
    moved = Grid(detection.scan.grid.shape, detection.scan.grid.affine + np.eye(4, k=3) * 4)
    wrong = replace(
        detection, anomaly_map=AnomalyMap("case-1", detection.anomaly_map.values, moved, "restore")
    )
    with pytest.raises(GeometryError, match="case-1: the map lies on"):
        make_views(detection.scan, wrong, [Cut("axial", 2, 30)])
