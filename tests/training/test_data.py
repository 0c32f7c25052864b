"""Batches hold the right slices in a repeatable order, and subjects are never split."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.errors import TrainingError
from sanum.training.data import WHOLE, Slices, cases_sha256, prefetched, split_subjects
from tests.phantoms import prepared_case


def cases(count=10, scans=2):
    """Several scans of each of some subjects."""
    made = [prepared_case(seed) for seed in range(count * scans)]
    return [replace(case, subject=f"sub-{number // scans:02}") for number, case in enumerate(made)]


def test_no_subject_is_in_both_parts_and_none_is_lost():
    training, validation = split_subjects(cases(), 0.3, seed=1)
    seen = [{case.subject for case in part} for part in (training, validation)]
    assert seen[0].isdisjoint(seen[1])
    assert len(seen[1]) == 3
    assert len(training) + len(validation) == 20


def test_the_split_depends_on_the_seed_and_not_on_the_order_of_the_cases():
    forward, backward = cases(), cases()[::-1]
    chosen = [
        {case.subject for case in split_subjects(given, 0.3, seed)[1]}
        for given, seed in ((forward, 1), (backward, 1), (forward, 2))
    ]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize(
    ("subjects", "share", "validating"), [(1, 0.5, 0), (2, 0.1, 1), (2, 0.9, 1), (10, 0.0, 0), (10, 0.99, 9)]
)
def test_at_least_one_subject_trains_and_with_two_one_validates(subjects, share, validating):
    training, validation = split_subjects(cases(subjects, scans=1), share, seed=0)
    assert len(validation) == validating
    assert len(training) == subjects - validating


def test_slices_with_little_brain_are_left_out():
    case = prepared_case(0, shape=(32, 32, 5))
    mask = case.mask.copy()
    mask[..., 0] = False
    mask[:, 10:, 4] = False
    assert [k for _, k in Slices.of([replace(case, mask=mask)]).index] == [1, 2, 3]


def test_a_small_image_still_has_its_fullest_slices():
    case = prepared_case(0, shape=(8, 8, 3))
    assert case.mask.sum() < 200
    assert len(Slices.of([case])) == 3


def test_a_batch_holds_the_voxels_of_its_slices():
    modalities = ("T1w", "FLAIR")
    given = [prepared_case(seed, modalities=modalities) for seed in range(3)]
    slices = Slices.of(given)
    rows = [(case, k) for case in given for k in range(4)]
    images = np.concatenate(list(slices.batches(5)))
    assert images.shape == (12, 2, 32, 32)
    for image, (case, k) in zip(images, rows, strict=True):
        assert np.array_equal(image, case.voxels[..., k])


def test_a_whole_case_is_one_stack_of_all_its_slices():
    cases = [prepared_case(seed, shape=(20, 20, 5)) for seed in range(3)]
    (batch,) = Slices.of(cases, WHOLE).batches(4)
    assert batch.shape == (3, 1, 5, 20, 20)
    assert np.array_equal(batch[1, 0, 4], cases[1].voxels[0, :, :, 4])
    with pytest.raises(TrainingError, match="case-9"):
        Slices.of([*cases, prepared_case(9, shape=(20, 20, 6))], WHOLE)


def test_an_epoch_shows_each_slice_once_in_an_order_of_its_own():
    slices = Slices.of([prepared_case(seed) for seed in range(3)])
    epochs = [np.concatenate(list(slices.shuffled(5, seed=0, epoch=epoch))) for epoch in (0, 1, 0)]
    assert np.array_equal(epochs[0], epochs[2])
    assert not np.array_equal(epochs[0], epochs[1])
    assert np.array_equal(*(np.sort(epoch.sum(axis=(1, 2, 3))) for epoch in epochs[:2]))


def test_cases_of_different_size_are_refused_by_name():
    with pytest.raises(TrainingError, match="case-1: slices"):
        Slices.of([prepared_case(0), prepared_case(1, shape=(32, 40, 4))])


def test_the_data_identity_follows_the_files():
    given = cases()
    assert cases_sha256(given) == cases_sha256(cases())
    assert cases_sha256(given) != cases_sha256(given[:-1])
    assert cases_sha256(given) != cases_sha256([replace(given[0], sources=()), *given[1:]])


def test_prefetching_passes_everything_on_in_order():
    assert list(prefetched(iter(range(7)))) == list(range(7))


def test_prefetching_passes_an_error_on():
    def broken():
        yield 1
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(prefetched(broken()))
