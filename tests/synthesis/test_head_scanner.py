"""A scanner keeps the head in place and its densities true, and adds what it is asked to add."""

import numpy as np
import pytest

from sanum.synthesis.head_scanner import (
    Scanners,
    make_frame,
    rotation,
    sampled,
    scan_ct,
    scan_mask,
    scan_mr,
)
from sanum.synthesis.head_volumes import hounsfield, make_head, sequence_of
from tests.synthesis.whole_heads import whole_head

ZERO = (0.0, 0.0)
STILL = {
    "pixel_mm": (2.0, 2.0),
    "slice_mm": (2.0, 2.0),
    "tilt_deg": ZERO,
    "pose_deg": 0.0,
    "noise_hu": ZERO,
    "hardening_hu": ZERO,
    "shift_mm": ZERO,
    "turn_deg": ZERO,
    "distortion_mm": ZERO,
    "coil": ZERO,
    "noise": ZERO,
}


@pytest.fixture(scope="module")
def head():
    return make_head(whole_head(), np.random.default_rng(0))


def scanned(head, **changed):
    how, rng = Scanners(**{**STILL, **changed}), np.random.default_rng(3)
    frame = make_frame(head.labels.shape, how, rng)
    ct = scan_ct(hounsfield(head, np.random.default_rng(1)), frame, how, rng)
    mr = scan_mr(sequence_of(head, "T1w", np.random.default_rng(1)), frame, how, rng)
    return ct, mr, scan_mask(head.mask, frame), frame


def test_a_still_scanner_shows_the_head_as_it_is(head):
    ct, mr, mask, frame = scanned(head)
    deep = sampled((head.labels == 2).astype(np.float32), frame.coordinates(), 0.0) > 0.999
    assert 22 < np.median(ct[deep]) < 36
    assert 0.4 < np.median(mr[deep]) < 1.1
    assert ct[~mask].max() < 0 < mr[mask].max()
    assert ct.max() > 500


def test_noise_streaks_and_registration_errors_come_as_asked(head):
    ct, mr, mask, _ = scanned(head)
    noisy = scanned(head, noise_hu=(6.0, 6.0))[0]
    inside = mask & (np.abs(ct - 30) < 10)
    assert 4 < (noisy - ct)[inside].std() < 9
    assert np.abs(scanned(head, hardening_hu=(8.0, 8.0))[0] - ct)[inside].max() > 2
    slipped = scanned(head, shift_mm=(5.0, 5.0))
    assert np.array_equal(slipped[0], ct)
    assert np.abs(slipped[1] - mr)[mask].mean() > 0.02


def test_thick_slices_are_few_and_tilt_moves_the_front_against_the_back(head):
    thin, thick = scanned(head)[3], scanned(head, slice_mm=(5.0, 5.0))[3]
    assert thick.shape[2] < 0.5 * thin.shape[2]
    tilted = scanned(head, tilt_deg=(18.0, 18.0))[3].coordinates()[2]
    assert tilted[20, -1, 10] - tilted[20, 0, 10] > 10


def test_turns_are_turns():
    turn = rotation(np.array([10.0, -20.0, 30.0]))
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.isclose(np.linalg.det(turn), 1.0)


def test_scanners_that_can_not_be_are_refused():
    with pytest.raises(ValueError, match="noise_hu: expected the lower end first, got 5 to 2"):
        Scanners(noise_hu=(5.0, 2.0))
    with pytest.raises(ValueError, match=r"pixel_mm and slice_mm: expected 0.3 mm or more"):
        Scanners(slice_mm=(0.1, 2.0))
