"""Surely wrong, doubtful, or as called."""

from __future__ import annotations

import dataclasses

import pytest

from sanum.core.sequence import SEQUENCES, Looks
from sanum.prepare.sequence.verdict import contradicts, is_doubtful, tissues_are_odd, tissues_contradict


def looks(**shares: float) -> Looks:
    rest = (1.0 - sum(shares.values())) / (len(SEQUENCES) - len(shares))
    return Looks({name: shares.get(name, rest) for name in SEQUENCES})


@pytest.mark.parametrize(
    ("called", "shares", "wrong", "doubtful"),
    [
        ("T1w", {"FLAIR": 0.995}, True, True),
        ("T1w", {"FLAIR": 0.96, "T1w": 0.03}, False, True),
        ("T1w", {"FLAIR": 0.5, "T2w": 0.49}, True, True),
        ("T1w", {"FLAIR": 0.96, "T1ce": 0.03}, False, True),
        ("T1w", {"FLAIR": 0.9, "T1w": 0.1}, False, True),
        ("T1w", {"other": 0.995}, True, True),
        ("T1w", {"T1ce": 0.99}, False, True),
        ("FLAIR", {"PDw": 0.99}, False, True),
        ("T1w", {"T1w": 0.5, "FLAIR": 0.5}, False, False),
        ("CT", {"CT": 0.99}, False, False),
    ],
)
def test_only_what_is_sure_is_wrong_and_neighbours_never_are(called, shares, wrong, doubtful):
    """What it is instead may be open where it surely is not what it is called."""
    assert contradicts(called, looks(**shares)) is wrong
    assert is_doubtful(called, looks(**shares)) is doubtful


@pytest.mark.parametrize(
    ("called", "shares", "wrong", "doubtful"),
    [
        ("T1w", {"FLAIR": 0.98, "T1w": 0.015}, False, True),
        ("T1w", {"FLAIR": 0.995, "T1w": 0.001}, True, True),
        ("T1w", {"FLAIR": 0.7, "T1w": 0.25}, False, False),
        ("FLAIR", {"PDw": 0.9, "FLAIR": 0.05}, False, False),
    ],
)
def test_one_slice_must_be_surer_of_another_name(called, shares, wrong, doubtful):
    seen = dataclasses.replace(looks(**shares), one_slice=True)
    assert contradicts(called, seen) is wrong
    assert is_doubtful(called, seen) is doubtful


def test_the_likeliest_is_named_with_its_share():
    seen = looks(T2w=0.7)
    assert (seen.sequence, seen.confidence) == ("T2w", 0.7)


@pytest.mark.parametrize(
    ("called", "ratio", "shares", "wrong", "odd"),
    [
        ("T1w", 1.09, {"T1w": 0.99}, True, True),
        ("T1w", 1.11, {"T1w": 0.96}, False, False),
        ("T1w", 1.11, {"T1w": 0.5, "T1ce": 0.46}, False, False),
        ("T1w", 1.19, {"T1w": 0.8, "FLAIR": 0.2}, True, True),
        ("T1w", 1.21, {"FLAIR": 0.8, "T1w": 0.2}, False, True),
        ("T1w", 1.36, {"FLAIR": 0.8, "T1w": 0.2}, False, False),
        ("FLAIR", 1.31, {"T1w": 0.9}, True, True),
        ("T2w", 1.31, {"T1w": 0.9}, True, True),
        ("FLAIR", 1.31, {"T1w": 0.7, "FLAIR": 0.21}, False, True),
        ("FLAIR", 1.29, {"T1w": 0.9}, False, True),
        ("FLAIR", 1.31, {"FLAIR": 0.96}, False, False),
        ("T1ce", 0.9, {"FLAIR": 0.9}, False, False),
    ],
)
def test_tissues_decide_where_looks_leave_a_doubt(called, ratio, shares, wrong, odd):
    """An old brain's FLAIR that looks like T1w for the most part is refused; a T1w scan that is sure is not."""
    assert tissues_contradict(called, ratio, looks(**shares)) is wrong
    assert tissues_are_odd(called, ratio, looks(**shares)) is odd
