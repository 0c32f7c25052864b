"""Whether what a scan is called and what it looks like go together."""

from __future__ import annotations

from sanum.core.sequence import Looks

SURE = 0.97
"""Least share of another sequence at which a name is surely wrong."""

UNLIKELY = 0.02
"""Highest share of what the scan is called at which the name is surely wrong."""

LIKELY = 0.5
"""Least share of what the scan is called at which there is no doubt, whatever looks likelier."""

ALIKE = (frozenset({"T1w", "T1ce"}), frozenset({"T2w", "PDw"}), frozenset({"PDw", "FLAIR"}))
"""Pairs that differ in little more than vessels or fluid: one taken for the other is doubtful, never surely wrong."""


def contradicts(called: str, looks: Looks) -> bool:
    """Whether the picture surely shows another sequence than `called`."""
    return (
        looks.sequence != called
        and looks.confidence >= SURE
        and looks.shares[called] <= UNLIKELY
        and {called, looks.sequence} not in ALIKE
    )


def is_doubtful(called: str, looks: Looks) -> bool:
    """Whether something else than `called` is likelier."""
    return looks.sequence != called and looks.shares[called] < LIKELY
