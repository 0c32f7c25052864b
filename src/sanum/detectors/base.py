"""The contract that every detector keeps; `tests/contracts/test_detectors.py` holds each one to it."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sanum.core.config import SCORING_DEVICE, config_sha256
from sanum.core.errors import NotFittedError, ScanError, TrainingError
from sanum.core.modalities import MRI_SEQUENCES
from sanum.core.records import AnomalyMap, MemberMap, Prepared
from sanum.core.units import Channels
from sanum.training.run import Run

if TYPE_CHECKING:
    from torch import nn

State = dict[str, NDArray[Any]]

Incomplete = Literal["refused", "filled", "alone", "each"]
"""What becomes of a case that lacks some of a detector's modalities: it is refused; it is judged where the first is
there, with empty channels for the others; a single modality is judged alone, in a weaker mode; or each modality is a
whole case by itself, and `score` takes one at a time."""


@dataclass(frozen=True, eq=False)
class Opinion:
    """All that a detector says of one case.

    Attributes:
        map: of `Detector.score`.
        members: what each member of an ensemble says by itself.
        reconstruction: the case as it would look in health, (C, I, J, K) float32 in [0, 1] on the model grid, for people
            to compare; outside the mask nothing is meant. None in a detector that makes no such picture.
        warnings: what looks wrong with the files themselves, in words.
    """

    map: AnomalyMap
    members: tuple[MemberMap, ...] = ()
    reconstruction: Channels | None = None
    warnings: tuple[str, ...] = ()


class Detector(ABC):
    """Learns healthy cases and says at each voxel how far a new one departs from them.

    A subclass names itself, keeps its frozen `Config` in the same file, and is listed in `DETECTORS`.
    Making one stores its config only: no files, no devices, no randomness. What `fit` learns ends in `_`.

    Args:
        config: an instance of the class's `Config`.
        modalities: name of each channel it takes, in order.

    Attributes:
        of_heads: modalities that it judges if it learned from a store of heads.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Any]]
    of_heads: ClassVar[tuple[str, ...]] = MRI_SEQUENCES

    def __init__(self, config: Any, modalities: tuple[str, ...]) -> None:
        self.config = config
        self.modalities = modalities

    @abstractmethod
    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Learn from healthy cases only.

        The same cases, config and seed on the same machine give the same state.

        Raises:
            TrainingError: no cases, or training diverged.
            ScanError: a case with other modalities.
        """

    @abstractmethod
    def score(self, case: Prepared) -> AnomalyMap:
        """Map one case: float32, higher = more anomalous, NaN outside the mask. The case is not changed.

        Raises:
            NotFittedError: before `fit` or `load_state`.
            ScanError: a case with other modalities.
        """

    def judge(self, case: Prepared, *, reconstruct: bool = True) -> Opinion:
        """The map of `score` and what else there is to say. The case is not changed.

        A detector that has members, restores health or checks its files overrides it, so that nothing is computed twice.

        Args:
            case: as for `score`.
            reconstruct: give the reconstruction too, where the detector makes one.

        Raises:
            NotFittedError, ScanError: see `score`.
        """
        del reconstruct
        return Opinion(self.score(case))

    @abstractmethod
    def state(self) -> State:
        """All that was learned, as named arrays.

        Raises:
            NotFittedError: before `fit` or `load_state`.
        """

    @abstractmethod
    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up a learned state; `score` then gives the same bits as before it was saved.

        Raises:
            ModelFileError: arrays are missing or do not fit the config.
        """

    def state_sha256(self) -> str:
        """Identity of the fitted detector: name, config, modalities and every learned byte."""
        digest = hashlib.sha256(f"{self.name}:{config_sha256(self.config)}:{self.modalities}".encode())
        for name, array in sorted(self.state().items()):
            digest.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """Trained networks, those of members too: what `to` moves."""
        learned = [value for name, value in sorted(vars(self).items()) if name.endswith("_")]
        return tuple(net for value in learned for net in _networks(value))

    def to(self, device: str | None = None) -> Self:
        """Score on a device from now on. The state stays to the bit; scores differ by rounding.

        Args:
            device: see `pick_device`; by default what the environment variable SANUM_DEVICE names, or where they are.

        Raises:
            ConfigError: this machine lacks the device.
        """
        name = device or os.environ.get(SCORING_DEVICE)
        if name is None:
            return self
        from sanum.training.device import pick_device, run_on

        place = pick_device(name)
        for net in self.networks:
            run_on(net, place)
        return self

    @property
    def incomplete(self) -> Incomplete:
        """What becomes of a case that lacks some of the modalities."""
        return "refused"

    def _check_case(self, case: Prepared) -> None:
        if case.modalities != self.modalities:
            lacking = [name for name in self.modalities if name not in case.modalities]
            can_not = f"; it was not trained to do without {', '.join(lacking)}" if lacking else ""
            raise ScanError(
                f"{case.case}: this detector takes {', '.join(self.modalities)}; "
                f"the case has {', '.join(case.modalities)}{can_not}"
            )
        if not case.mask.any():
            raise ScanError(f"{case.case}: the mask is empty, so there is nothing to judge")

    def _check_training_cases(self, cases: Sequence[Prepared]) -> None:
        if not cases:
            raise TrainingError(f"{self.name}: no training case; give at least one healthy case")
        for case in cases:
            self._check_case(case)

    def _not_fitted(self) -> NotFittedError:
        return NotFittedError(f"{self.name}: not trained yet; call fit, or load a model file")

    def _map(self, case: Prepared, values: NDArray[Any]) -> AnomalyMap:
        """Wrap raw values (I, J, K): float32, NaN outside the mask, with the detector's identity."""
        masked = np.where(case.mask, values, np.nan).astype(np.float32)
        return AnomalyMap(case.case, masked, case.grid, self.name)


def _networks(learned: Any) -> Iterator[nn.Module]:
    """Networks with weights within something learned; one of another runtime has none and stays where it is."""
    from torch import nn

    if isinstance(learned, nn.Module):
        if next(learned.parameters(), None) is not None:
            yield learned
    elif isinstance(learned, Detector):
        yield from learned.networks
    elif isinstance(learned, tuple):
        for one in learned:
            yield from _networks(one)
    elif hasattr(learned, "members"):
        yield from _networks(learned.members)
