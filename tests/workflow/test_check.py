"""The gate: what is wrong in a cohort is found, named, written down, and stops what follows."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from sanum.cli.app import app
from sanum.cohort.table import read_cohort
from sanum.core.grid import Grid
from sanum.core.sequence import SEQUENCES, Looks
from sanum.formats import read_scan, write_volume
from sanum.prepare import contrast
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow.check import _fullest_slice, check
from sanum.workflow.prepare import prepare_cohort
from tests.phantoms import RAS_2MM, brain_voxels
from tests.report.html_checks import words

WIDE = Grid((90, 100, 90), RAS_2MM - np.array([[0, 0, 0, 26], [0, 0, 0, 20], [0, 0, 0, 30], [0, 0, 0, 0]]))


def store_of(folder, scans, modality="T1w"):
    """Prepare scans {case: (voxels, grid)} as slices; returns the store's folder."""
    lines = [f"case\tsubject\t{modality}\tsite"]
    for case, (voxels, grid) in scans.items():
        write_volume(folder / f"{case}.nii.gz", voxels, grid)
        lines.append(f"{case}\t{case}\t{case}.nii.gz\tmade")
    (folder / "cohort.tsv").write_text("\n".join(lines) + "\n")
    prepare_cohort(read_cohort(folder / "cohort.tsv"), folder / "store", Slices((modality,)), workers=1)
    return folder / "store"


def lines_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Ten brains, one much noisier than the others, and one file without a brain."""
    scans = {f"c{n}": (brain_voxels(WIDE, seed=n)[0], WIDE) for n in range(10)}
    voxels, grid = scans["c9"]
    rng = np.random.default_rng(0)
    scans["c9"] = (
        np.where(voxels > 0, np.maximum(voxels + 150 * rng.standard_normal(grid.shape), 1), 0),
        grid,
    )
    scans["empty"] = (np.zeros(WIDE.shape, np.float32), WIDE)
    return store_of(tmp_path_factory.mktemp("made"), scans)


def test_a_scan_under_a_wrong_name_fails_until_a_person_vouches_and_is_flagged_then(tmp_path, monkeypatch):
    """By `sanum prepare` and `sanum check`, whose table and exit code tell it."""
    looks = Looks({name: float(name == "FLAIR") for name in SEQUENCES})
    monkeypatch.setattr(contrast, "recognise", lambda scan: looks)
    write_volume(tmp_path / "a.nii.gz", brain_voxels(WIDE, seed=0)[0], WIDE)
    (tmp_path / "cohort.tsv").write_text("case\tsubject\tT1w\na\ta\ta.nii.gz\n")
    asked = ["prepare", str(tmp_path / "cohort.tsv"), "--preset", "slices", "--workers", "1"]
    refused = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "store")])
    assert refused.exit_code == 3
    assert "FAILED a: " in refused.output
    assert "a.nii.gz: taken for T1w, but looks like FLAIR (99% sure)" in refused.output
    taken = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "store"), "--as-called"])
    assert taken.exit_code == 0
    found = check(tmp_path / "store", tmp_path / "check.html")
    assert "taken as called" in found.flagged["a"]
    assert not found.passes("flagged")
    assert "taken as called" in lines_of(found.table)[0]["flags"]


def test_failed_and_unusual_cases_are_named_on_the_page_and_in_the_table(made, tmp_path):
    found = check(made, tmp_path / "check.html")
    assert list(found.failed) == ["empty"]
    assert found.failed["empty"]
    assert re.search(r"Noise within the brain, of its median 0\.\d+, usual 0\.\d+", found.unusual["c9"])
    assert found.ready == 10
    text = words(found.page.read_text(encoding="utf-8"))
    assert "empty" in text[text.index("Failed") : text.index("Look at these first")]
    lines = lines_of(found.table)
    assert len(lines) == 11
    (noisy,) = [line for line in lines if line["case"] == "c9"]
    assert "noise" in noisy["unusual"].split()
    assert noisy["modality"] == "T1w"
    assert float(noisy["noise"]) > 0.1
    assert noisy["fber"] == ""
    assert lines[-1]["status"] == "failed"
    assert lines[-1]["reason"]


def test_the_slice_with_the_most_brain_is_drawn(made):
    prepared = Store.open(made).load("c0")
    areas = prepared.mask.sum(axis=(0, 1))
    shown = _fullest_slice(prepared)
    assert (shown == prepared.voxels[..., areas.argmax()]).all()
    assert shown.shape == prepared.voxels.shape[:3]


def test_the_exit_code_is_a_gate(made, tmp_path):
    out = ["--out", str(tmp_path / "check.html")]
    run = CliRunner().invoke
    stopped = run(app, ["check", str(made), *out])
    assert stopped.exit_code == 3
    assert f"failed: empty: {Store.open(made).manifest()[-1].reason}" in stopped.stdout
    assert "unusual: c9: " in stopped.stdout
    assert run(app, ["check", str(made), *out, "--fail-on", "never"]).exit_code == 0


def test_each_level_of_the_gate_includes_those_before(made, tmp_path):
    found = check(made, tmp_path / "check.html")
    import dataclasses

    fine = dataclasses.replace(found, failed={}, flagged={}, unusual={})
    flagged, unusual = (
        dataclasses.replace(fine, flagged={"a": "x"}),
        dataclasses.replace(fine, unusual={"a": "x"}),
    )
    levels = ("never", "failed", "flagged", "unusual")
    assert [found.passes(level) for level in levels] == [True, False, False, False]
    assert [flagged.passes(level) for level in levels] == [True, True, False, False]
    assert [unusual.passes(level) for level in levels] == [True, True, True, False]
    assert all(fine.passes(level) for level in levels)


def oasis(real_data):
    scan = read_scan(real_data / "oasis/1001_T1w.nii.gz", "T1w")
    return scan.voxels, scan.grid


def flags_of(folder, voxels, grid, modality="T1w"):
    """What a check says of one scan: its flags, or why it failed."""
    found = check(store_of(folder, {"it": (voxels, grid)}, modality), folder / "check.html")
    (line,) = lines_of(found.table)
    assert found.passes("flagged") == (not line["flags"] and line["status"] == "ready")
    return line["flags"] + line["reason"]


@pytest.mark.real
def test_a_good_scan_passes(real_data, tmp_path):
    assert flags_of(tmp_path, *oasis(real_data)) == ""


@pytest.mark.real
def test_a_cropped_scan_is_caught(real_data, tmp_path):
    voxels, grid = oasis(real_data)
    kept = voxels[:, :, 45:]
    affine = grid.affine.copy()
    affine[:3, 3] = (grid.affine @ [0, 0, 45, 1])[:3]
    assert "lies on the border of the field" in flags_of(tmp_path, kept, Grid(kept.shape, affine))


@pytest.mark.real
def test_a_scan_that_is_upside_down_in_its_header_is_caught(real_data, tmp_path):
    voxels, grid = oasis(real_data)
    turned = Grid(grid.shape, np.diag([1.0, -1, -1, 1]) @ grid.affine)
    assert "turned by 180° about x" in flags_of(tmp_path, voxels, turned)


@pytest.mark.real
def test_a_t1w_scan_in_the_flair_column_is_caught(real_data, tmp_path):
    assert "FLAIR, but looks like T1w" in flags_of(tmp_path, *oasis(real_data), modality="FLAIR")


@pytest.mark.real
def test_a_flair_scan_in_the_t1w_column_is_caught(real_data, tmp_path):
    scan = read_scan(real_data / "mslub/patient07_FLAIR.nii.gz", "FLAIR")
    assert "T1w: looks more like FLAIR" in flags_of(tmp_path, scan.voxels, scan.grid)


@pytest.mark.real
def test_what_is_no_head_is_caught(real_data, tmp_path):
    voxels, grid = oasis(real_data)
    noise = np.where(voxels > 0, np.random.default_rng(0).uniform(50, 100, grid.shape), 0)
    assert "taken for T1w, but looks like" in flags_of(tmp_path, noise.astype(np.float32), grid)
