"""Experts beside a general detector: fitted detectors of one sequence each, whose scores are weighed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ConfigError
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.shipped import find_model
from sanum.core.units import Volume
from sanum.detectors.base import Detector, State
from sanum.detectors.stored import from_nested, nested, read_detector

TOP = 0.002
"""Share of the brain whose mean score is the height of a healthy map."""

CASES = 12
"""Healthy cases over which heights are measured."""

LEAST_HEIGHT = 1e-6

LEAST_SCORE = 1e-4
"""Of a healthy height; below it two scores are told apart by noise alone."""


@dataclass(frozen=True, eq=False)
class Experts:
    """Fitted experts, and the heights that healthy maps reach by the general detector and by each of them.

    Attributes:
        members: one detector of a single sequence each.
        heights: (members, 2): general, expert.
    """

    members: tuple[Detector, ...]
    heights: NDArray[np.float64]

    @classmethod
    def measured(cls, sources: Sequence[str], general: Detector, cases: Sequence[Prepared]) -> Self:
        """Read the experts and measure both on healthy cases of their sequence.

        Args:
            sources: model files, or names of models that come with sanum.
            general: the fitted detector beside which they stand, without experts.
            cases: healthy prepared scans of the experts' sequence.

        Raises:
            ConfigError: no case, or an expert for another sequence.
            ModelFileError: no such model, or a damaged one.
        """
        if not cases:
            raise ConfigError(f"experts: no healthy scan to measure {', '.join(sources)} on")
        members, heights = [], []
        for source in sources:
            member = read_detector(find_model(Path(source))).detector
            if member.modalities != cases[0].modalities:
                raise ConfigError(
                    f"{source}: takes {', '.join(member.modalities)}; an expert takes {', '.join(cases[0].modalities)}"
                )
            pairs = [[height(one.score(case)) for one in (general, member)] for case in cases[:CASES]]
            members.append(member)
            heights.append(np.maximum(np.mean(pairs, axis=0), LEAST_HEIGHT))
        return cls(tuple(members), np.array(heights))

    def weigh(self, values: Volume, case: Prepared, share: float) -> Volume:
        """The general score, in healthy heights, with `share` of each expert's of this sequence weighed in.

        A geometric mean: what only one of them sees counts for less, which keeps what either confuses in health low.
        """
        for member, (general, own) in zip(self.members, self.heights, strict=True):
            if member.modalities == case.modalities:
                theirs = np.nan_to_num(member.score(case).values)
                ours = np.maximum(values / general, LEAST_SCORE) ** (1.0 - share)
                values = (ours * np.maximum(theirs / own, LEAST_SCORE) ** share).astype(np.float32)
        return values

    def state(self) -> State:
        """Members and heights as arrays."""
        arrays: State = {"heights": self.heights.copy()}
        for number, member in enumerate(self.members):
            arrays |= nested(member, f"expert{number}.")
        return arrays

    @classmethod
    def of_state(cls, arrays: Mapping[str, NDArray[Any]], where: str) -> Self:
        """Inverse of `state`.

        Raises:
            ModelFileError: a member is damaged or missing.
        """
        count = len(arrays["heights"])
        members = tuple(from_nested(arrays, f"expert{number}.", where) for number in range(count))
        return cls(members, arrays["heights"].copy())


def height(found: AnomalyMap) -> float:
    """Mean of the highest `TOP` of a map."""
    inside = found.inside()
    count = max(1, round(TOP * inside.size))
    return float(np.partition(inside, -count)[-count:].mean())
