"""Results beside real series: Siemens T1 with a missing slice, GE CT with a tilted gantry, Philips enhanced MR."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("highdicom")

from sanum.core.findings import Finding
from sanum.core.records import AnomalyMap, Detection, Rule
from sanum.formats import read_scan
from sanum.workflow.dicom_results import add_dicom
from tests.detections import provenance
from tests.dicom.dicom_checks import errors_of, map_points, segment_points
from tests.dicom.test_results import saved

SERIES = {
    "siemens-t1": ("mr-t1-and-perfusion.zip", "T1w"),
    "ge-tilted-ct": ("ct-ge-tilted.zip", "CT"),
    "philips-enhanced": ("mr-enhanced-multiframe.dcm.gz#1903.4", "T1w"),
}


def marked(source: Path, modality: str) -> Detection:
    """A made finding: a slab on the patient's left half of the volume, where the map is 1; elsewhere it is a ramp."""
    scan = read_scan(source, modality)
    index = np.stack(np.meshgrid(*[np.arange(size) for size in scan.grid.shape], indexing="ij"), axis=-1)
    world = scan.grid.to_world(index)
    centre = scan.grid.corners().mean(axis=0)
    inside = np.abs(world - centre - [-30.0, 12.0, 8.0]).max(axis=-1) < 14.0
    ramp = (0.3 * (index[..., 2] + 1) / scan.grid.shape[2]).astype(np.float32)
    values = np.where(inside, np.float32(1.0), ramp)
    values[: scan.grid.shape[0] // 8] = np.nan
    peak = tuple(int(v) for v in np.argwhere(inside)[inside.sum() // 2])
    mm = tuple(float(v) for v in scan.grid.to_world(np.array(peak)))
    finding = Finding(
        1,
        float(inside.sum() * scan.grid.voxel_ml),
        "ml",
        1.0,
        1.0,
        mm,
        peak,
        score=1.0,
        p_value=0.02,
        significant=True,
    )
    return Detection(
        "case", "abnormal", provenance(scan), score=1.0, threshold=0.5, p_value=0.05,
        rule=Rule("conformal", 0.05), findings=(finding,),
        anomaly_map=AnomalyMap("case", values, scan.grid, "restore"), map_scale=(0.25, 1.0),
    )  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize("kind", SERIES)
def test_real_series_get_their_results_where_the_map_says(kind, real_data, tmp_path):
    file, modality = SERIES[kind]
    source = real_data / "dicom" / file
    found = marked(source, modality)
    saved(found, tmp_path)
    files = add_dicom(tmp_path, source, modality)
    grid, values = found.anomaly_map.grid, found.anomaly_map.values
    points = segment_points(tmp_path / "dicom" / "segmentation.dcm")[1]
    place = np.rint(grid.to_voxel(points)).astype(int)
    assert (values[tuple(place.T)] == 1.0).mean() > 0.999
    assert len({tuple(v) for v in place}) == len(place)
    assert points[:, 0].mean() < grid.corners()[:, 0].mean()
    world, told = map_points(tmp_path / "dicom" / "map.dcm")
    exact = grid.to_voxel(world)
    np.testing.assert_allclose(exact[:, :2], np.rint(exact[:, :2]), atol=0.01)
    on_slice = np.abs(exact[:, 2] - np.rint(exact[:, 2])) < 1e-3
    np.testing.assert_array_equal(told[on_slice], values[tuple(np.rint(exact[on_slice]).astype(int).T)])
    for path in files:
        assert errors_of(path) == []
