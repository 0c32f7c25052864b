"""Surely wrong, doubtful, or as called."""

from __future__ import annotations

import pytest

from sanum.core.sequence import SEQUENCES, Looks
from sanum.prepare.sequence.verdict import contradicts, is_doubtful


def looks(**shares: float) -> Looks:
    rest = (1.0 - sum(shares.values())) / (len(SEQUENCES) - len(shares))
    return Looks({name: shares.get(name, rest) for name in SEQUENCES})


@pytest.mark.parametrize(
    ("called", "shares", "wrong", "doubtful"),
    [
        ("T1w", {"FLAIR": 0.99}, True, True),
        ("T1w", {"FLAIR": 0.9, "T1w": 0.1}, False, True),
        ("T1w", {"other": 0.99}, True, True),
        ("T1w", {"T1ce": 0.99}, False, True),
        ("FLAIR", {"PDw": 0.99}, False, True),
        ("T1w", {"T1w": 0.5, "FLAIR": 0.5}, False, False),
        ("CT", {"CT": 0.99}, False, False),
    ],
)
def test_only_what_is_sure_is_wrong_and_neighbours_never_are(called, shares, wrong, doubtful):
    assert contradicts(called, looks(**shares)) is wrong
    assert is_doubtful(called, looks(**shares)) is doubtful


def test_the_likeliest_is_named_with_its_share():
    seen = looks(T2w=0.7)
    assert (seen.sequence, seen.confidence) == ("T2w", 0.7)
