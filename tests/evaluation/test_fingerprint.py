"""The same picture is found under another name; different pictures are not."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from sanum.evaluation.fingerprint import SAME, Fingerprint, duplicates, look, seen_before
from tests.phantoms import prepared_case


def a_head(seed: int):
    """A disc with smooth random inner structure, of its own for each seed."""
    case = prepared_case(seed, shape=(64, 64, 1))
    rng = np.random.default_rng(seed)
    inner = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 3.0)
    voxels = 0.5 + 0.3 * inner / np.abs(inner).max()
    return replace(case, voxels=np.where(case.mask, voxels[..., None], 0.0)[None].astype(np.float32))


def copies(case):
    noise = 0.02 * np.random.default_rng(9).normal(size=case.voxels.shape)
    yield case.voxels**1.2
    yield np.where(case.mask, case.voxels + noise, 0.0)
    yield np.round(case.voxels * 32) / 32


def test_copies_look_the_same_and_other_heads_do_not():
    case = a_head(0)
    own = look(case)
    for copy in copies(case):
        assert own @ look(replace(case, voxels=copy.astype(np.float32))) > SAME
    assert max(own @ look(a_head(seed)) for seed in range(1, 20)) < SAME


def duplicate_of(case, voxels, mask=None):
    """How a copy of a case in another split is named; None where it is not noticed."""
    mask = case.mask if mask is None else mask
    copy = replace(case, voxels=np.ascontiguousarray(voxels, np.float32), mask=np.ascontiguousarray(mask))
    prints = [Fingerprint("a", "train", ("1",), look(case)), Fingerprint("b", "test", ("2",), look(copy))]
    return next((duplicate.how for duplicate in duplicates(prints)), None)


def test_mirrored_and_turned_copies_are_found():
    case, turned = a_head(0), "looks the same turned or mirrored"
    v, m = case.voxels, case.mask
    assert duplicate_of(case, v[:, ::-1], m[::-1]) == turned
    assert duplicate_of(case, np.rot90(v, 1, (1, 2)), np.rot90(m)) == turned
    assert duplicate_of(case, v.transpose(0, 2, 1, 3), m.transpose(1, 0, 2)) == turned
    assert duplicate_of(case, v) == "looks the same"


def test_moved_copies_are_found_and_the_known_limits_are_not():
    case = a_head(0)
    v, m = case.voxels, case.mask
    assert duplicate_of(case, np.roll(v, 2, 1), np.roll(m, 2, 0)) == "looks the same"
    turned = ndimage.rotate(v, 5.0, (1, 2), reshape=False, order=1)
    assert (
        duplicate_of(case, turned, ndimage.rotate(m.astype(float), 5.0, (0, 1), reshape=False, order=1) > 0.5)
        is None
    )
    assert duplicate_of(case, v[:, 16:], m[16:]) is None


def test_duplicates_are_named_across_splits_only():
    first, second, third = (look(a_head(seed)) for seed in (0, 0, 1))
    prints = [
        Fingerprint("a", "train", ("hash-1",), first),
        Fingerprint("b", "test", ("hash-2",), second),
        Fingerprint("c", "test", ("hash-1",), third),
        Fingerprint("d", "train", ("hash-4",), first),
    ]
    found = {(duplicate.first, duplicate.second): duplicate.how for duplicate in duplicates(prints)}
    assert found == {("a", "b"): "looks the same", ("a", "c"): "same file", ("b", "d"): "looks the same"}
    assert duplicates([]) == []


def test_a_scan_the_model_has_seen_is_named():
    assert seen_before({"x": ["1", "2"], "y": ["3"]}, ["2", "9"]) == ["x"]


def test_a_flat_picture_does_not_crash():
    case = prepared_case(0)
    assert np.isfinite(look(replace(case, voxels=np.zeros_like(case.voxels)))).all()


@pytest.mark.real
def test_two_real_heads_differ(real_data):
    from sanum.formats import read_scan

    pictures = []
    for path in sorted((real_data / "soop-flair" / "image").glob("*.png"))[:12]:
        voxels = read_scan(path, "FLAIR").voxels
        scaled = (voxels / voxels.max()).astype(np.float32)
        base = prepared_case(0, shape=scaled.shape)
        pictures.append(look(replace(base, voxels=scaled[None], mask=scaled > 0.02)))
    likeness = np.stack(pictures) @ np.stack(pictures).T - np.eye(len(pictures))
    assert likeness.max() < SAME
