"""The table of modalities: a row adds one, to cohort columns, file names and the scaling of intensities alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CHANNEL_MARK = ":"
"""Stands between a modality and the window of it that a channel shows: `CT:brain`."""


@dataclass(frozen=True)
class Window:
    """A radiologist's window: Hounsfield units from level − width/2 to level + width/2 fill the grey scale."""

    level: float
    width: float

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest Hounsfield unit shown."""
        return self.level - self.width / 2, self.level + self.width / 2


@dataclass(frozen=True)
class Modality:
    """How one modality's intensities are brought to [0, 1].

    Attributes:
        percentiles: of the values within the brain, the ends of a robust scale. Half a percent on each side is
            left to vessels, noise and residues of extraction.
        windows: fixed windows by name, for values that have a unit; each gives a channel.
    """

    percentiles: tuple[float, float] = (0.5, 99.5)
    windows: Mapping[str, Window] = field(default_factory=dict)


TABLE: Mapping[str, Modality] = {
    "T1w": Modality(),
    "T2w": Modality(),
    "FLAIR": Modality(),
    "PDw": Modality(),
    "T1ce": Modality(),
    "CT": Modality(
        windows={"brain": Window(40, 80), "subdural": Window(75, 215), "bone": Window(600, 2800)},
    ),
}
"""Names are BIDS suffixes; CT's windows are those by which head CT is read."""


MRI_SEQUENCES = ("T1w", "T2w", "FLAIR", "PDw")
"""Sequences without contrast agent, whose tissues have levels that can be made; see `sanum.synthesis.contrasts`."""


class AnyOf(tuple[str, ...]):
    """Modalities any one of which makes a case; a plain tuple of them means that a case needs all."""


def modality_of_channel(channel: str) -> str:
    """The modality that a channel shows: "CT" of "CT:brain", "T1w" of "T1w"."""
    return channel.partition(CHANNEL_MARK)[0]
