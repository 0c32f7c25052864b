"""The shipped eye tells real scans apart, whatever their file is called."""

from __future__ import annotations

import pytest

from sanum.core.sequence import SEQUENCES
from sanum.formats import read_scan
from sanum.prepare.sequence import recognise
from tests.phantoms import brain_scan


def test_shares_are_of_every_sequence_and_sum_to_1():
    looks = recognise(brain_scan())
    assert tuple(looks.shares) == SEQUENCES
    assert sum(looks.shares.values()) == pytest.approx(1.0)
    assert looks.confidence == looks.shares[looks.sequence] == max(looks.shares.values())


def test_what_a_scan_is_called_plays_no_part():
    assert recognise(brain_scan(modality="FLAIR")) == recognise(brain_scan(modality="T1w"))


@pytest.mark.real
@pytest.mark.parametrize(
    ("path", "sequence"),
    [
        ("mslub/patient07_T1w.nii.gz", "T1w"),
        ("mslub/patient07_FLAIR.nii.gz", "FLAIR"),
        ("nichart/Subj8_T1w.nii.gz", "T1w"),
        ("nichart/Subj8_FLAIR.nii.gz", "FLAIR"),
    ],
)
def test_real_scans_are_recognised(real_data, path, sequence):
    assert recognise(read_scan(real_data / path)).sequence == sequence


@pytest.mark.real
@pytest.mark.parametrize(
    ("path", "sequence"),
    [("soop-flair/image/sub-0002.png", "FLAIR"), ("synthrad-ctmri/CT/1BA001_axial.png", "CT")],
)
def test_real_pictures_are_recognised(real_data, path, sequence):
    looks = recognise(read_scan(real_data / path))
    assert looks.one_slice
    assert looks.sequence == sequence
