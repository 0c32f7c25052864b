"""What a scan looks like, whatever it is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sanum.core.units import MODALITIES

OTHER = "other"
"""What is none of the modalities: field and phase maps, perfusion, echo-planar images, masks, noise."""

SEQUENCES = (*MODALITIES, OTHER)
"""Everything that a scan can be recognised as."""


@dataclass(frozen=True)
class Looks:
    """What a scan looks like.

    Attributes:
        shares: of each of `SEQUENCES`, how likely the scan is one, 0 to 1; they sum to 1.
        one_slice: it is a picture of a single slice, which tells less.
    """

    shares: Mapping[str, float]
    one_slice: bool = False

    @property
    def sequence(self) -> str:
        """The likeliest of `SEQUENCES`."""
        return max(self.shares, key=lambda name: self.shares[name])

    @property
    def confidence(self) -> float:
        """Share of the likeliest, 0 to 1."""
        return self.shares[self.sequence]
