"""Real DICOM files: the same voxels as an independent converter makes of them, and repairs that are told."""

from __future__ import annotations

import gzip
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sanum.core.errors import ScanError
from sanum.formats import read_scan


def converted(source: Path, folder: Path, *options: str) -> dict[str, Path]:
    """NIfTI files by series number as dcm2niix, an independent converter, makes them."""
    tool = pytest.importorskip("dcm2niix")
    folder.mkdir()
    command = [tool.bin, "-z", "n", "-b", "n", *options, "-f", "%s", "-o", str(folder), str(source)]
    subprocess.run(command, check=False, capture_output=True, timeout=120)
    return {path.stem: path for path in folder.glob("*.nii")}


def own_order(voxels: np.ndarray, affine: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Voxels in the axis order of `affine`, from that of `other`, which must differ by flips only."""
    between = np.linalg.inv(other) @ affine
    turns = np.rint(between[:3, :3])
    np.testing.assert_allclose(between[:3, :3], turns, atol=1e-3)
    np.testing.assert_array_equal(np.abs(turns), np.eye(3))
    flips = np.diag(turns) < 0
    ends = np.where(flips, np.array(voxels.shape[:3]) - 1, 0)
    np.testing.assert_allclose(between[:3, 3], ends, atol=1e-2)
    return voxels[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]


@pytest.mark.real
def test_real_t1_agrees_with_dcm2niix(real_data, tmp_path):
    """175 of 176 slices; dcm2niix keeps the 175, so the filled one is left out of the comparison."""
    import nibabel

    archive = real_data / "dicom" / "mr-t1-and-perfusion.zip"
    scan = read_scan(archive, "T1w")
    assert scan.notes[0] == "slices missing: 1 of 176; interpolated from both neighbours"
    assert "series taken, by rule: 5: T1w mocoMEMPRAGE_220FOV RMS" in scan.notes[1]
    assert scan.notes[2] == "series not taken: 17 Perfusion_Weighted (perfusion); 18 relCBF (perfusion)"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "files")
    other = nibabel.load(converted(tmp_path / "files", tmp_path / "nii")["5"])
    stored = own_order(np.asarray(other.dataobj), scan.grid.affine, other.affine)
    np.testing.assert_array_equal(np.delete(scan.voxels, 114, axis=2), stored)


@pytest.mark.real
def test_real_enhanced_mr_agrees_with_dcm2niix(real_data, tmp_path):
    """Six volumes of one enhanced Philips file, in the scanner's display values (dcm2niix -p n)."""
    import nibabel

    packed = real_data / "dicom" / "mr-enhanced-multiframe.dcm.gz"
    with pytest.raises(ScanError, match=r"no series fits a 3D series[\s\S]*1903\.6.*perfusion"):
        read_scan(packed)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(gzip.decompress(packed.read_bytes()))
    other = nibabel.load(converted(tmp_path / "in", tmp_path / "nii", "-p", "n")["1903"])
    values = np.asarray(other.dataobj)
    for number, volume in enumerate((0, 3, 1, 4, 2, 5), 1):  # dcm2niix: all controls, then all labels
        scan = read_scan(packed, series=f"1903.{number}")
        stored = own_order(values[..., volume], scan.grid.affine, other.affine)
        np.testing.assert_allclose(scan.voxels, stored, rtol=1e-5)


@pytest.mark.real
def test_real_tilted_ct_is_repaired_with_notes(real_data):
    scan = read_scan(real_data / "dicom" / "ct-ge-tilted.zip", "CT")
    assert "gantry tilt of 18.5 degrees" in scan.notes[0]
    assert "uneven slice spacing, 1.08 to 7.00 mm" in scan.notes[1]
    brain = scan.voxels[200:312, 200:312, 18:28]
    assert 15 < np.median(brain) < 50  # Hounsfield units of grey and white matter
