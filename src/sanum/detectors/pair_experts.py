"""CT and MRI of one head, each judged by the detector that knows it best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ConfigError, ModelFileError, ScanError
from sanum.core.modalities import MRI_SEQUENCES
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.shipped import find_model
from sanum.detectors.base import Detector, Incomplete, Opinion, State
from sanum.detectors.stored import read_detector
from sanum.training.run import Run


@dataclass(frozen=True)
class Config:
    """Which detectors judge.

    Attributes:
        members: model files, or names of models that come with sanum; each judges modalities that no other does.
    """

    members: tuple[str, ...] = ("sanum-ct", "sanum-brain")


class PairExperts(Detector):
    """The score of whichever member takes the modality at hand.

    Nothing is learned here: the weights stay in the members' files, and the state holds their hashes, so that a model
    is only ever read with the members that it was calibrated with. Where a case has several modalities, each is judged
    by itself and the evidence is fused; whether they show one head is asked of the scans (`sanum.workflow.one_head`).

    Attributes:
        members_: fitted detectors.
    """

    name = "pair-experts"
    Config = Config
    of_heads: ClassVar[tuple[str, ...]] = ("CT", *MRI_SEQUENCES)

    members_: tuple[Detector, ...] = ()

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Read the members; the cases teach nothing.

        Raises:
            ConfigError: a channel that no member takes, or that two take.
            ModelFileError: no such model, or a damaged one.
        """
        del cases, seed, run
        self.members_ = self._read()
        for channel in self.modalities:
            takers = [source for source, one in self._named() if channel in one.modalities]
            if len(takers) != 1:
                found = (
                    f"both {' and '.join(takers)}" if takers else f"none of {', '.join(self.config.members)}"
                )
                raise ConfigError(f"pair-experts: {channel} is judged by {found}; it takes one member each")
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """That of the member; its unit, too."""
        return self.judge(case, reconstruct=False).map

    def judge(self, case: Prepared, *, reconstruct: bool = True) -> Opinion:
        """All that the member says, as this detector's."""
        found = self._member(case).judge(case, reconstruct=reconstruct)
        return Opinion(self._map(case, found.map.values), found.members, found.reconstruction, found.warnings)

    @property
    def incomplete(self) -> Incomplete:
        """Each modality is a whole case."""
        return "each"

    def state(self) -> State:
        """SHA-256 of each member."""
        if not self.members_:
            raise self._not_fitted()
        return {
            f"member{number}": np.frombuffer(bytes.fromhex(member.state_sha256()), np.uint8).copy()
            for number, member in enumerate(self.members_)
        }

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Read the members, and check that they are those of the state."""
        self.members_ = self._read()
        own = self.state()
        for number, (source, _) in enumerate(self._named()):
            name = f"member{number}"
            if name not in arrays or not np.array_equal(own[name], arrays[name]):
                raise ModelFileError(
                    f"pair-experts: {source} is not the model that this one was made with; make and calibrate it again"
                )
        return self

    def _read(self) -> tuple[Detector, ...]:
        return tuple(read_detector(find_model(Path(source))).detector for source in self.config.members)

    def _named(self) -> list[tuple[str, Detector]]:
        return list(zip(self.config.members, self.members_, strict=True))

    def _member(self, case: Prepared) -> Detector:
        if not self.members_:
            raise self._not_fitted()
        for member in self.members_:
            each = member.incomplete == "each" and len(case.modalities) == 1
            if case.modalities == member.modalities or (each and case.modalities[0] in member.modalities):
                return member
        raise ScanError(
            f"{case.case}: this detector takes one modality of {', '.join(self.modalities)} at a time; the case has "
            f"{', '.join(case.modalities)}"
        )
