"""Given comes before extracted, extracted before estimated; a restriction is obeyed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.records import Scan, Source
from sanum.prepare.steps import brain
from sanum.prepare.steps.brain import find_brain
from tests.phantoms import RAS_2MM, brain_scan

WIDE = RAS_2MM + np.array([[0, 0, 0, -12.0], [0, 0, 0, -26], [0, 0, 0, -14], [0] * 4])


def extracted() -> Scan:
    """The phantom in a field that holds it with a margin."""
    return brain_scan(affine=WIDE, shape=(74, 94, 74))


@pytest.fixture
def estimates(monkeypatch) -> list[str]:
    """Modalities for which an estimate was asked; each gives the phantom's brain with a flag."""
    asked: list[str] = []

    def estimated(scan: Scan, modality: str):
        asked.append(modality)
        return extracted().voxels > 0, {"by": "deepbet", "flags": ["look"]}

    monkeypatch.setattr(brain, "estimated_brain", estimated)
    return asked


def head() -> Scan:
    scan = extracted()
    return dataclasses.replace(scan, voxels=scan.voxels + np.float32(7) * np.indices(scan.voxels.shape)[0])


def test_a_given_mask_comes_first(estimates):
    scan = extracted()
    given = dataclasses.replace(scan, voxels=(scan.voxels > 600).astype(np.float32))
    found = find_brain(head(), given, "auto", "T1w")
    assert found.route == "given"
    np.testing.assert_array_equal(found.mask, scan.voxels > 600)
    assert estimates == []


def test_an_extracted_brain_is_taken_as_it_is(estimates):
    found = find_brain(extracted(), None, "auto", "T1w")
    assert found.route == "extracted"
    assert found.facts["ml"] == pytest.approx(1150, rel=0.1)
    assert (found.facts["border"], found.facts["flags"], estimates) == (0.0, [], [])


def test_a_whole_head_is_estimated_with_all_flags_kept(estimates):
    found = find_brain(head(), None, "auto", "FLAIR")
    assert (found.route, estimates) == ("estimated", ["FLAIR"])
    assert found.facts["by"] == "deepbet"
    assert found.facts["flags"] == ["look"]
    assert found.facts["ml"] == pytest.approx(1150, rel=0.1)


def test_a_lab_can_forbid_estimates(estimates):
    with pytest.raises(PreparationError, match=r"no brain mask given and the scan is not brain-extracted"):
        find_brain(head(), None, "given-or-extracted", "T1w")
    assert find_brain(extracted(), None, "given-or-extracted", "T1w").route == "extracted"
    assert estimates == []


def test_a_picture_never_goes_through_the_network(estimates):
    full = np.random.default_rng(0).random((40, 50, 1)).astype(np.float32)
    scan = Scan(full, Grid(full.shape, np.eye(4)), None, Source("a.png", ""), is_image=True)
    with pytest.raises(PreparationError, match=r"a\.png: the picture is empty"):
        find_brain(scan, None, "auto", "FLAIR")
    assert estimates == []
