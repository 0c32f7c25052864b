"""A decision at the prompt and in a notebook: one line, a card, a drawing, images and a table."""

import sys
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from matplotlib.figure import Figure

from sanum.core.errors import ScanError
from sanum.core.records import Scan
from sanum.workflow.detection import CaseDetection
from tests.detections import abnormal
from tests.phantoms import brain_scan


@pytest.fixture(scope="module")
def found() -> CaseDetection:
    scan: Scan = brain_scan(lesion=True)
    made = abnormal(scan)
    fields = {name: getattr(made, name) for name in made.__dataclass_fields__ if name != "sides"}
    return CaseDetection(**fields)


@pytest.fixture(scope="module")
def refused(found) -> CaseDetection:
    return CaseDetection(case="c", status="refused", provenance=found.provenance, reason="no contrast")


def test_one_line_says_the_decision_and_what_it_rests_on(found, refused):
    assert repr(found) == (
        "<case-1: abnormal (rule: conformal, p ≤ 0.05), score 0.4 (threshold 0.2), "
        "p = 0.048, 1 findings, the largest 7.2 ml>"
    )
    assert repr(refused) == "<c: refused, no contrast>"


def test_the_card_escapes_shows_a_picture_and_runs_nothing(found, refused):
    card = replace(found, case="<script>x</script>")._repr_html_()
    assert "Abnormal: departs from the healthy reference" in card
    assert "7.20 ml" in card
    assert card.count("<img") == 1
    assert "<script" not in card
    assert "not a medical device" in card
    assert "no contrast" in refused._repr_html_()


def test_the_drawing_lies_on_the_axes_that_were_given(found, refused):
    axes = Figure().add_subplot()
    assert found.plot(axes) is axes
    assert len(axes.images) == 2
    assert "abnormal" in axes.get_title()
    with pytest.raises(ScanError, match="nothing to draw, the scan was not read"):
        refused.plot()


def test_volumes_come_as_nibabel_images_in_the_scans_space(found, refused):
    image = found.to_nibabel()
    assert isinstance(image, nib.Nifti1Image)
    np.testing.assert_allclose(image.affine, found.scan.grid.affine)
    np.testing.assert_array_equal(image.get_fdata(dtype=np.float32), found.anomaly_map.values)
    np.testing.assert_array_equal(found.to_nibabel("scan").get_fdata(dtype=np.float32), found.scan.voxels)
    with pytest.raises(ScanError, match="there is no restored, status abnormal"):
        found.to_nibabel("restored")
    with pytest.raises(ScanError, match=r"there is no map, status refused \(no contrast\)"):
        refused.to_nibabel()
    with pytest.raises(ScanError, match="'heat' is none of map, scan, restored"):
        found.to_nibabel("heat")


def test_findings_come_as_a_table(found, refused):
    pytest.importorskip("pandas")
    table = found.findings_frame()
    assert list(table.index) == [1]
    assert table.loc[1, "size"] == 7.2
    assert table.loc[1, "unit"] == "ml"
    assert len(refused.findings_frame()) == 0
    assert "size" in refused.findings_frame().columns


def test_a_table_without_pandas_says_what_to_install(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        found.findings_frame()
