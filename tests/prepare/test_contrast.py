"""A column that the picture contradicts is flagged, the usual contrast is not."""

from __future__ import annotations

import pytest

from sanum.prepare.contrast import contrast_flags, rough_contrast_flags


@pytest.mark.parametrize(
    ("channel", "white", "grey", "flagged"),
    [
        ("T1w", 0.70, 0.45, False),
        ("T1w", 0.5332, 0.4689, True),
        ("FLAIR", 0.45, 0.52, False),
        ("FLAIR", 0.70, 0.45, True),
        ("T2w", 0.70, 0.45, True),
        ("T1ce", 0.5, 0.5, False),
        ("T1w", None, 0.4, False),
        ("T1w", 0.4, 0.0, False),
    ],
)
def test_only_an_unusual_ratio_is_flagged(channel, white, grey, flagged):
    """The second is the FLAIR of a brain with a large tumour, given as T1w."""
    flags = contrast_flags({channel: {"white": white, "grey": grey}})
    assert bool(flags) is flagged
    assert all(channel in flag for flag in flags)


@pytest.mark.parametrize(
    ("modality", "ratio", "flagged"),
    [
        ("T1w", 1.12, False),
        ("T1w", 0.91, True),
        ("T1ce", 0.9, True),
        ("FLAIR", 1.13, False),
        ("FLAIR", 1.49, True),
        ("T2w", 0.8, False),
    ],
)
def test_without_registration_only_what_is_sure_is_flagged(modality, ratio, flagged):
    flags = rough_contrast_flags({modality: ratio})
    assert bool(flags) is flagged
    assert all(flag.startswith(f"{modality} looks like T") for flag in flags)
