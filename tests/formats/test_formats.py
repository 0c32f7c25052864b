"""The door of the room: choosing a reader, modality, provenance, masks, header facts."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from sanum.core.errors import ConfigError, GeometryError, ScanError
from sanum.core.grid import Grid
from sanum.formats import (
    inspect_scan,
    read_grid,
    read_mask,
    read_scan,
    write_image,
    write_map,
    write_volume,
)
from tests.phantoms import RAS_2MM

GRID = Grid((5, 6, 7), RAS_2MM)


@pytest.fixture
def ramp() -> np.ndarray:
    return np.arange(5 * 6 * 7, dtype=np.float32).reshape(5, 6, 7)


def test_scan_carries_the_path_as_given_and_the_hash_of_its_bytes(tmp_path, ramp):
    path = tmp_path / "a_T1w.nii.gz"
    write_volume(path, ramp, GRID)
    scan = read_scan(path)
    assert scan.source.path == str(path)
    assert scan.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert scan.modality == "T1w"


def test_a_path_may_be_text(tmp_path, ramp):
    path = tmp_path / "scan_T1w.nii.gz"
    write_volume(path, ramp, GRID)
    assert np.array_equal(read_scan(str(path)).voxels, ramp)
    assert inspect_scan(str(path))["shape"] == [5, 6, 7]


def test_modality_is_taken_from_the_argument_where_the_name_tells_none(tmp_path, ramp):
    write_volume(tmp_path / "a.nii", ramp, GRID)
    assert read_scan(tmp_path / "a.nii").modality is None
    assert read_scan(tmp_path / "a.nii", "CT").modality == "CT"


def test_modality_against_the_name_is_refused(tmp_path, ramp):
    path = tmp_path / "a_FLAIR.nii.gz"
    write_volume(path, ramp, GRID)
    assert read_scan(path, "FLAIR").modality == "FLAIR"
    with pytest.raises(ScanError, match=r"a_FLAIR\.nii\.gz: named _FLAIR but given as T1w"):
        read_scan(path, "T1w")


def test_unknown_modality_is_refused_with_the_nearest(tmp_path, ramp):
    write_volume(tmp_path / "a.nii", ramp, GRID)
    with pytest.raises(ConfigError, match=r"'T1' is not known; did you mean 'T1"):
        read_scan(tmp_path / "a.nii", "T1")


@pytest.mark.parametrize("read", [read_scan, read_mask, read_grid, inspect_scan])
def test_missing_file_folder_and_foreign_suffix_are_refused(tmp_path, read):
    with pytest.raises(ScanError, match=r"gone\.nii\.gz: no such file"):
        read(tmp_path / "gone.nii.gz")
    with pytest.raises(ScanError, match="no DICOM picture among 0 files"):
        read(tmp_path)
    (tmp_path / "a.doc").write_bytes(b"text")
    with pytest.raises(ScanError, match=r"a\.doc: not a format that sanum reads"):
        read(tmp_path / "a.doc")


def test_constant_and_non_finite_scans_are_refused(tmp_path, ramp):
    path = tmp_path / "a.nii.gz"
    write_volume(path, np.full_like(ramp, 3), GRID)
    with pytest.raises(ScanError, match=r"a\.nii\.gz: holds no contrast, every voxel is 3"):
        read_scan(path)
    ramp[0, 0, :2] = np.nan
    ramp[1, 1, 1] = np.inf
    write_volume(path, ramp, GRID)
    with pytest.raises(ScanError, match=r"3 of 210 voxels \(1\.43%\) are NaN or infinite"):
        read_scan(path)


def test_part_of_a_file_that_has_none_is_refused(tmp_path, ramp):
    write_volume(tmp_path / "a.nii.gz", ramp, GRID)
    with pytest.raises(ScanError, match=r"a NIfTI file holds one scan; leave out #2"):
        read_scan(tmp_path / "a.nii.gz#2")


def test_file_whose_own_name_holds_the_mark_is_that_file(tmp_path, ramp):
    write_volume(tmp_path / "a#1.nii.gz", ramp, GRID)
    assert read_scan(tmp_path / "a#1.nii.gz").voxels.shape == (5, 6, 7)


def test_mask_is_binary_and_may_be_empty(tmp_path):
    """A healthy case with an empty lesion mask must be readable."""
    labels = np.zeros((5, 6, 7), np.uint8)
    write_volume(tmp_path / "a.nii.gz", labels, GRID)
    assert read_mask(tmp_path / "a.nii.gz").voxels.sum() == 0
    labels[1, 2, 3] = 7
    write_volume(tmp_path / "a.nii.gz", labels, GRID)
    mask = read_mask(tmp_path / "a.nii.gz")
    assert mask.voxels[1, 2, 3] == 1.0
    assert mask.voxels.sum() == 1.0
    assert mask.grid.same_as(GRID)


def test_inspect_tells_json_facts_of_volume_and_picture(tmp_path, ramp):
    write_volume(tmp_path / "a_T1w.nii.gz", ramp, GRID)
    write_image(tmp_path / "b.png", ramp[..., 0].astype(np.uint8))
    volume = json.loads(json.dumps(inspect_scan(tmp_path / "a_T1w.nii.gz")))
    assert (volume["format"], volume["modality"], volume["dtype"]) == ("NIfTI", "T1w", "float32")
    assert volume["shape"] == [5, 6, 7]
    assert volume["spacing_mm"] == [2.0, 2.0, 2.0]
    assert volume["axes"] == "RAS"
    picture = json.loads(json.dumps(inspect_scan(tmp_path / "b.png")))
    assert (picture["format"], picture["encoding"], picture["spacing_mm"]) == ("image", "PNG", None)


def test_header_is_read_without_voxels(tmp_path, ramp):
    """`read_grid` works on a file whose voxels are cut off, so it can't have read them."""
    path = tmp_path / "a.nii"
    write_volume(path, ramp, GRID)
    path.write_bytes(path.read_bytes()[:420])
    assert read_grid(path).same_as(GRID)
    with pytest.raises(ScanError, match="cut short"):
        read_scan(path)


def test_map_of_a_volume_keeps_values_and_nan(tmp_path, ramp):
    ramp[0] = np.nan
    path = write_map(tmp_path / "out", ramp, GRID, (0.0, 1.0), is_image=False)
    assert path.name == "anomaly_map.nii.gz"
    import nibabel

    stored = np.asarray(nibabel.load(path).dataobj)
    np.testing.assert_array_equal(stored, ramp)


def test_map_of_a_picture_is_a_png_from_zero_to_the_scale_end(tmp_path):
    values = np.full((4, 3, 1), np.nan, np.float32)
    values[1, 2, 0], values[2, 1, 0] = 1.0, 4.0
    path = write_map(tmp_path, values, Grid((4, 3, 1), np.eye(4)), (1.0, 4.0), is_image=True)
    grey = read_scan(path).voxels
    assert path.name == "anomaly_map.png"
    assert grey[1, 2, 0] == 1 + round(65534 / 4)
    assert grey[2, 1, 0] == 65535
    assert np.count_nonzero(grey) == 2


def test_map_that_does_not_fit_its_grid_is_not_written(tmp_path, ramp):
    with pytest.raises(GeometryError, match=r"expected values of the grid's shape"):
        write_map(tmp_path, ramp[1:], GRID, (0.0, 1.0), is_image=False)
    assert list(tmp_path.iterdir()) == []


def test_importing_the_room_does_not_import_heavy_libraries():
    code = "import sys, sanum.formats; print({'nibabel', 'PIL', 'torch', 'scipy'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
