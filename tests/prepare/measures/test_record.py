"""What a record holds, what it honestly lacks, and that its formulas are those of docs/quality.md."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sanum.core.grid import Grid
from sanum.core.quality import MEASURES, CaseQuality, ScanQuality
from sanum.core.records import Step
from sanum.prepare.measures.air import air, entropy_focus
from sanum.prepare.measures.detail import gradient_entropy, noise, unevenness
from sanum.prepare.measures.record import case_quality, measure
from sanum.prepare.measures.tissues import tissues
from tests.prepare.measures.heads import GRID, made_head, scan_of

NEEDS_AIR = ("snr_air", "fber", "efc")
CUBE = Grid((60, 60, 60), np.diag([2.0, 2, 2, 1]))


def test_every_measure_of_a_whole_head_is_there():
    scan, brain = made_head()
    found = measure(scan, brain, "T1w")
    missing = {name for name, value in dataclasses.asdict(found).items() if value is None}
    assert missing == {"white_to_grey"}  # is filled in from the fit to the template


def test_without_air_its_measures_are_absent_and_the_others_stay():
    scan, brain = made_head()
    extracted = dataclasses.replace(scan, voxels=scan.voxels * brain)
    found, whole = measure(extracted, brain, "T1w"), measure(scan, brain, "T1w")
    assert all(getattr(found, name) is None for name in NEEDS_AIR)
    assert found.noise == whole.noise
    assert found.gradient_entropy == whole.gradient_entropy
    assert found.snr_white == whole.snr_white


def test_wiped_air_is_no_air():
    scan, brain = made_head()
    wiped = np.where(scan.voxels > 0.06, scan.voxels, 0.0)
    assert measure(scan_of(wiped), brain, "T1w").fber is None


@pytest.mark.parametrize("modality", ["FLAIR", "PDw"])
def test_contrasts_without_three_classes_have_no_tissue_measures(modality):
    scan, brain = made_head()
    found = measure(scan, brain, modality)
    assert found.cnr is found.snr_white is found.cjv is None
    assert found.noise is not None


def test_ct_has_no_measure_of_magnitude_pictures():
    scan, brain = made_head()
    hounsfield = dataclasses.replace(scan, voxels=scan.voxels * 60 - 10)
    found = dataclasses.asdict(measure(hounsfield, brain, "CT"))
    assert {name for name, value in found.items() if value is not None} == {"modality", "gradient_entropy"}


def test_a_picture_has_what_one_slice_tells():
    rng = np.random.default_rng(0)
    grid = Grid((120, 140, 1), np.eye(4))
    i, j = np.meshgrid(np.linspace(-1, 1, 120), np.linspace(-1, 1, 140), indexing="ij")
    brain = (i**2 + j**2 < 0.8)[..., None]
    voxels = np.where(brain, 100 + 20 * np.cos(9 * i)[..., None] + rng.normal(0, 2, brain.shape), 0)
    found = measure(dataclasses.replace(scan_of(voxels, grid), is_image=True), brain, "FLAIR")
    assert found.noise == pytest.approx(2 / np.median(voxels[brain]), rel=0.1)
    assert found.gradient_entropy is not None
    assert found.unevenness is found.fber is None


def test_noise_is_found_within_a_tenth_of_what_was_added():
    rng = np.random.default_rng(0)
    brain = np.zeros(CUBE.shape, bool)
    brain[5:55, 5:55, 5:55] = True
    smooth = 100 + 10 * np.sin(np.arange(60) / 10.0)[:, None, None]
    voxels = np.where(brain, smooth + rng.normal(0, 4, CUBE.shape), 0).astype(np.float32)
    assert noise(voxels, brain) == pytest.approx(4 / np.median(voxels[brain]), rel=0.1)


def test_noise_below_the_steps_of_integers_is_not_zero_but_unknown():
    assert noise(np.full(CUBE.shape, 7.0, np.float32), np.ones(CUBE.shape, bool)) is None


def test_entropy_focus_is_that_of_all_voxels():
    """MRIQC's formula on all voxels, written out."""
    values = np.random.default_rng(0).gamma(0.5, 100, (30, 40, 20))
    share = values / np.sqrt((values**2).sum())
    greatest = np.sqrt(values.size) * np.log(1 / np.sqrt(values.size))
    assert entropy_focus(values, values.size) == pytest.approx((share * np.log(share)).sum() / greatest)
    sampled = entropy_focus(values[::2], values.size)
    assert sampled == pytest.approx(entropy_focus(values, values.size), rel=0.02)


def test_entropy_focus_ends_at_0_and_1():
    one = np.zeros((20, 20, 20))
    one[3, 4, 5] = 8.0
    assert entropy_focus(one, one.size) == pytest.approx(0, abs=1e-9)
    assert entropy_focus(np.ones_like(one), one.size) == pytest.approx(1)


def test_air_against_the_noise_that_is_in_it():
    rng = np.random.default_rng(0)
    brain = np.zeros(GRID.shape, bool)
    brain[40:70, 40:70, 40:70] = True
    real, imaginary = 3.0 * rng.standard_normal((2, *GRID.shape))
    voxels = np.hypot(np.where(brain, 90.0, 0.0) + real, imaginary).astype(np.float32)
    found = air(voxels, brain, GRID)
    assert found.snr_air == pytest.approx(90 / 3, rel=0.03)
    assert found.fber == pytest.approx(90**2 / (2 * 3**2), rel=0.03)


def test_tissues_by_their_known_levels():
    rng = np.random.default_rng(0)
    level = np.repeat([20.0, 60.0, 100.0], 20)[:, None, None] * np.ones(CUBE.shape)
    voxels = (level + rng.normal(0, 5, CUBE.shape)).astype(np.float32)
    brain = np.ones(CUBE.shape, bool)
    found = tissues(voxels, brain, CUBE, "T1w", air_std=4.0)
    assert found.snr_grey == pytest.approx(60 / 5, rel=0.05)
    assert found.snr_white == pytest.approx(100 / 5, rel=0.05)
    assert found.cnr == pytest.approx(40 / np.sqrt(25 + 25 + 16), rel=0.05)
    assert found.cjv == pytest.approx(10 / 40, rel=0.05)
    turned = tissues(voxels, brain, CUBE, "T2w")
    assert turned.snr_white == pytest.approx(20 / 5, rel=0.05)


def test_edges_spread_everywhere_have_the_most_entropy():
    plain = np.zeros(CUBE.shape, np.float32)
    plain[30:] = 1.0
    brain = np.ones(CUBE.shape, bool)
    rough = np.random.default_rng(0).normal(size=CUBE.shape).astype(np.float32)
    assert gradient_entropy(plain, brain, CUBE) < 0.8 < 0.98 < gradient_entropy(rough, brain, CUBE) <= 1
    assert gradient_entropy(np.ones_like(plain), brain, CUBE) is None


def test_an_even_brain_is_even_and_a_drift_is_its_spread():
    brain = np.ones(CUBE.shape, bool)
    flat = np.full(CUBE.shape, 50.0, np.float32)
    assert unevenness(flat, brain, CUBE) == pytest.approx(0, abs=1e-9)
    drift = (50 * np.exp(np.linspace(-0.3, 0.3, 60)))[:, None, None] * np.ones(CUBE.shape)
    assert unevenness(drift.astype(np.float32), brain, CUBE) == pytest.approx(0.6 / np.sqrt(12), rel=0.1)


def test_the_case_gathers_what_the_steps_measured_and_flagged():
    steps = (
        Step("brain_mask", {"ml": 1400.0, "border": 0.02, "flags": ["cut off"]}),
        Step("align", {"dice": 0.94, "mutual_information": 0.5, "determinant": 1.2, "flags": []}),
        Step("scale", {"CT": {"rule": "percentile", "flags": ["grey levels"]}}),
        Step("quality", {"FLAIR": {"white": 0.6, "grey": 0.4, "csf": 0.1}}),
    )
    found = case_quality([ScanQuality("FLAIR", noise=0.1)], steps)
    assert (found.brain_ml, found.overlap, found.determinant) == (1400.0, 0.94, 1.2)
    assert found.scans[0].white_to_grey == 1.5
    assert found.flags == ("cut off", "grey levels")


def test_the_table_of_measures_names_every_field_once():
    fields = {field.name for kind in (ScanQuality, CaseQuality) for field in dataclasses.fields(kind)}
    names = [one.name for one in MEASURES]
    assert len(names) == len(set(names))
    assert set(names) == fields - {"modality", "scans", "flags"}
