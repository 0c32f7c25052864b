"""What one modality can't explain of the other: registered pairs, read by two encoders with one latent grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sanum.core.config import config_sha256, formerly
from sanum.core.errors import ModelFileError
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.units import Channels
from sanum.detectors.base import Detector, Incomplete, Opinion, State
from sanum.detectors.pair_classifier import ClassifierSettings, PairClassifier
from sanum.detectors.pair_scores import (
    PairScores,
    expected_from_others,
    pooled_latents,
    score_kind,
    scores_of,
)
from sanum.detectors.surprise import fused, slice_table, surprise, tops_of_slices
from sanum.nets.cross_modal import CrossModal, CrossModalConfig
from sanum.nets.ema import EMA
from sanum.synthesis.augmentation import Augmentation
from sanum.synthesis.one_sided import Faults
from sanum.training.checkpoint import load_net_arrays, net_arrays
from sanum.training.data import split_subjects
from sanum.training.device import seeded
from sanum.training.history import History
from sanum.training.loop import Schedule, train
from sanum.training.pair_loss import PairLoss, PairPlan
from sanum.training.run import Run

EMA_DECAY = 0.998
"""Decay of the running average of the weights."""

FINAL_RATE = 0.01
"""Share of the learning rate that is left at the end."""

PAIR = "pair"
"""Owner of the scores that belong to no modality alone."""

MISPAIRED = "pair: mispaired"
"""The part that says how surprising a pair is as a whole."""

STRANGE_PAIR = 2.0
"""Decades of surprise from which a pair is reported as one that may not belong together: one healthy voxel in 100."""


@dataclass(frozen=True)
class Config:
    """Settings of the network, of what it is taught with, and of scoring.

    Attributes:
        classifier: how it, trees over fixed features of several scales, is taught.
        encoder: feature maps of each level of an encoder.
        latents: channels of the latent grid.
        windows: width of the narrow window through which a modality is seen as well, around its commonest
            tissue, by name; on CT it shows brain, most of whose contrast lies in a hundredth of the scale.
        misregistration: greatest shift between modalities that still counts as healthy, in pixels.
        epochs: passes over the training slices.
        batch: pairs a training step; scoring takes slice by slice.
        learning_rate: of Adam, falling along half a cosine.
        validation_share: part of the training subjects whose synthetic faults choose the epoch that is kept, and
            whose healthy slices each score is measured against.
        faults: what is planted.
        augmentation: how healthy pairs are varied.
        smoothing_mm: standard deviation of a Gaussian over each score, in mm (pixels in an image).
        weights: of each kind of score in the fusion.
    """

    classifier: ClassifierSettings = formerly("judge", factory=ClassifierSettings)
    encoder: tuple[int, ...] = (32, 48, 64)
    latents: int = 16
    windows: Mapping[str, float] = field(default_factory=lambda: {"CT": 0.1, "CT:bone": 0.1})
    misregistration: float = 1.0
    epochs: int = 20
    batch: int = 8
    learning_rate: float = 2e-3
    validation_share: float = 0.1
    faults: Faults = field(default_factory=Faults)
    augmentation: Augmentation = formerly(
        "healthy", factory=lambda: Augmentation(rotation=0.08, scale=0.08, shift=0.02, noise=0.04)
    )
    smoothing_mm: float = 3.0
    weights: Mapping[str, float] = field(default_factory=lambda: {"at odds": 1.0, "mispaired": 0.3})

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "latents"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        if not 0.0 <= self.validation_share < 1.0:
            raise ValueError(f"validation_share: expected 0 to below 1, got {self.validation_share}")
        if min(self.weights.values(), default=0.0) < 0.0 or self.weights.get("at odds", 0.0) <= 0.0:
            raise ValueError("weights: expected numbers of 0 or more, and 'at odds' above 0")


class CrossModalDetector(Detector):
    """Fused surprise, in decades, of what registered modalities say of themselves and of each other.

    Two encoders share a latent grid; each modality is rebuilt from its own and from the other's latents. A classifier
    (boosted trees over pixel features), taught on one-sided synthetic faults, says which modality is at odds with
    which, and whether the pair belongs together. Each score, measured from the level of its own slice, becomes a
    surprise, -log10 of its tail among healthy validation slices; the map is the weighted harmonic mean of those
    p-values. Crossmodal feature mapping (Costanzino et al. 2024) is the nearest relative. Every score's own surprise
    stands in the map's `parts`, named "<modality>: <kind>", and "<modality>: fused" fuses those of one modality.

    A case may lack all modalities but one. Then that one is judged alone, by its own reconstruction and by a classifier
    that saw such cases in training: the weaker mode, with healthy values of its own.

    Attributes:
        tables_: healthy values of each score, by mode: "" for all modalities, else the name of the one present.
        history_: course of the training; None after `load_state`.
    """

    name = "cross-modal"
    Config = Config

    net_: CrossModal | None = None
    classifier_: PairClassifier | None = None
    scores_: PairScores | None = None
    tables_: Mapping[str, Mapping[str, NDArray[np.float32]]] | None = None
    history_: History | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Train on the slices of healthy pairs; see `sanum.training.loop.train`."""
        self._check_training_cases(cases)
        settings: Config = self.config
        schedule = Schedule(
            epochs=settings.epochs,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            validation_share=settings.validation_share,
            owner=config_sha256(settings),
            final_rate=FINAL_RATE,
            keep="best",
        )
        with seeded(seed, torch.device("cpu")):
            ema = EMA(self._new_net(), EMA_DECAY)
        plan = PairPlan(
            settings.faults,
            settings.augmentation,
            self._windows(),
            settings.misregistration,
        )
        self.history_ = train(ema, PairLoss(plan), cases, schedule, seed=seed, run=run or Run())
        self.net_ = ema.cpu().result()
        learned, held_out = split_subjects(cases, settings.validation_share, seed)
        self.classifier_ = PairClassifier.teach(
            self.net_, learned, self.modalities, plan, settings.classifier, seed=seed
        )
        self._learn_healthy(cases, held_out or list(cases))
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """Fused surprise at each voxel, slice by slice along K; `parts` hold the surprise of each score."""
        return self.judge(case).map

    def judge(self, case: Prepared, *, reconstruct: bool = True) -> Opinion:
        """The map, and a warning where the modalities look as if they were of different heads or levels."""
        del reconstruct
        if self.tables_ is None:
            raise self._not_fitted()
        self._check_case(case)
        mode = "" if case.modalities == self.modalities else case.modalities[0]
        tables = self.tables_[mode]
        parts = {name: surprise(values, tables[name]) * case.mask for name, values in self._raw(case).items()}
        weights = {name: self.config.weights.get(score_kind(name), 0.0) for name in parts}
        for name in case.modalities:
            own = {part: values for part, values in parts.items() if part.startswith(f"{name}: ")}
            parts[f"{name}: fused"] = fused(own, weights)
        found = self._map(case, fused({name: parts[name] for name in weights}, weights))
        found = replace(found, parts={name: self._map(case, values).values for name, values in parts.items()})
        return Opinion(found, warnings=_pair_warnings(found))

    @property
    def incomplete(self) -> Incomplete:
        """A modality whose others are missing is judged alone."""
        return "alone"

    def state(self) -> State:
        """Weights of the network, latent statistics, and the healthy table of each score."""
        if self.net_ is None or self.classifier_ is None or self.scores_ is None or self.tables_ is None:
            raise self._not_fitted()
        arrays = {f"net.{name}": array for name, array in net_arrays(self.net_).items()}
        arrays |= {f"judge.{name}": array for name, array in self.classifier_.arrays().items()}
        arrays |= {f"latent.{name}": array for name, array in self.scores_.arrays().items()}
        for mode, tables in self.tables_.items():
            arrays |= {f"tail.{mode}.{name}": table.copy() for name, table in tables.items()}
        return arrays

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up saved weights and healthy values."""
        net = self._new_net()
        load_net_arrays(net, _part(arrays, "net."))
        nn.utils.convert_conv2d_weight_memory_format(net, torch.channels_last)
        tables: dict[str, dict[str, NDArray[np.float32]]] = {}
        for name, table in _part(arrays, "tail.").items():
            mode, _, score = name.partition(".")
            tables.setdefault(mode, {})[score] = table.astype(np.float32)
        wanted = {mode: set(scores_of(self._present(mode))) for mode in self._modes()}
        if {mode: set(known) for mode, known in tables.items()} != wanted:
            raise ModelFileError(
                "cross-modal: the healthy tails are missing or of other modalities; the file is damaged or of an "
                "earlier version: train again"
            )
        self.classifier_ = PairClassifier.of_arrays(_part(arrays, "judge."))
        self.scores_ = PairScores.of_arrays(_part(arrays, "latent."))
        self.net_, self.tables_, self.history_ = net.eval(), tables, None
        return self

    def _check_case(self, case: Prepared) -> None:
        alone = len(case.modalities) == 1 and case.modalities[0] in self.modalities
        super()._check_case(case if not alone else replace(case, modalities=self.modalities))

    def latents(self, case: Prepared) -> NDArray[np.float32]:
        """Latents (K', 2·L) of the slices that show anything, averaged over the mask, modality after modality."""
        return pooled_latents(self._fitted(), case)

    def expected(self, case: Prepared) -> Channels:
        """Each modality as the others lead one to expect it: (M, I, J, K) in [0, 1].

        Raises:
            NotFittedError: before `fit` or `load_state`.
            ScanError: a case that lacks a modality.
        """
        super()._check_case(case)
        return expected_from_others(self._fitted(), case)

    @property
    def healthy_latents(self) -> NDArray[np.float32]:
        """`latents` of all healthy training slices.

        Raises:
            NotFittedError: before `fit` or `load_state`.
        """
        if self.scores_ is None:
            raise self._not_fitted()
        return self.scores_.pooled

    def _learn_healthy(self, training: Sequence[Prepared], cases: Sequence[Prepared]) -> None:
        """Latent statistics of `cases`, latents of all training cases, and the table of each score over `cases`."""
        self.scores_ = PairScores.learn(self._fitted(), cases, training)
        tables: dict[str, dict[str, NDArray[np.float32]]] = {}
        for mode in self._modes():
            values: dict[str, list[NDArray[np.float64]]] = {}
            for case in cases:
                for name, found in self._raw(_alone(case, mode)).items():
                    values.setdefault(name, []).append(tops_of_slices(found, case.mask))
            tables[mode] = {name: slice_table(np.concatenate(tops)) for name, tops in values.items()}
        self.tables_ = tables

    def _raw(self, case: Prepared) -> dict[str, NDArray[np.float32]]:
        assert self.scores_ is not None
        assert self.classifier_ is not None
        return self.scores_.raw(
            self._fitted(), self.classifier_, case, self.modalities, self.config.smoothing_mm
        )

    def _modes(self) -> tuple[str, ...]:
        return ("", *self.modalities) if len(self.modalities) > 1 else ("",)

    def _present(self, mode: str) -> tuple[str, ...]:
        return (mode,) if mode else self.modalities

    def _windows(self) -> tuple[float, ...]:
        return tuple(self.config.windows.get(name, 0.0) for name in self.modalities)

    def _new_net(self) -> CrossModal:
        settings: Config = self.config
        return CrossModal(CrossModalConfig(self._windows(), settings.latents, settings.encoder))

    def _fitted(self) -> CrossModal:
        if self.net_ is None:
            raise self._not_fitted()
        return self.net_


def _pair_warnings(found: AnomalyMap) -> tuple[str, ...]:
    """One sentence where the modalities look as if they were of different heads or levels."""
    if MISPAIRED not in found.parts:
        return ()
    highest = float(np.nanmax(found.parts[MISPAIRED]))
    if highest < STRANGE_PAIR:
        return ()
    return (
        "The modalities may not belong together: another patient, another level, or a failed registration "
        f"(surprise {highest:.1f} decades; healthy pairs stay below {STRANGE_PAIR:g}). Check the files before reading "
        "the map.",
    )


def _alone(case: Prepared, mode: str) -> Prepared:
    """The case as it is, or with one modality only."""
    if not mode:
        return case
    channel = case.modalities.index(mode)
    return replace(case, voxels=case.voxels[channel : channel + 1], modalities=(mode,))


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
