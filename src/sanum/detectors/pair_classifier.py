"""The judge of the `cross-modal` detector: boosted trees over fixed pixel features, taught on one-sided faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sanum.core.records import Prepared
from sanum.detectors.boosted import Boosted, BoostSettings
from sanum.nets.cross_modal import CrossModal
from sanum.nets.pixel_features import BLOCK, pixel_features
from sanum.synthesis.draws import Draws
from sanum.training.data import Slices
from sanum.training.pair_loss import PairBatch, PairPlan, make_pair_batch

MISPAIRED = "mispaired"
"""Name of the answer that is about the pair."""

FAULTY, SOUND = 80, 200
"""Pixels that a slice gives, at most: of a fault, and elsewhere."""

HARD = 80
"""Sound pixels of a slice that a first judge takes most for faulty; the judge is taught with these too."""

QUICKER = 3
"""A first judge has so many times fewer trees."""

Samples = NDArray[np.float32]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class ClassifierSettings:
    """How the judge is taught.

    Attributes:
        rounds: times that each training slice is varied and planted anew; for the judge of all modalities so many times
            again, with the places that a first judge took wrongly for a fault.
        batch: slices at a time.
        boost: of its trees.
    """

    rounds: int = 16
    batch: int = 16
    boost: BoostSettings = field(
        default_factory=lambda: BoostSettings(trees=600, leaves=48, learning_rate=0.07)
    )


@dataclass(frozen=True, eq=False)
class PairClassifier:
    """Log-odds of a fault at each pixel, for cases with all modalities and with one only.

    Attributes:
        trees: by mode ("" for all modalities, else the one present), then by modality, or `MISPAIRED`.
    """

    trees: Mapping[str, Mapping[str, Boosted]]

    @classmethod
    def teach(
        cls,
        net: CrossModal,
        cases: Sequence[Prepared],
        modalities: tuple[str, ...],
        plan: PairPlan,
        how: ClassifierSettings,
        *,
        seed: int,
    ) -> Self:
        """Teach a judge on healthy cases, whose pairs are varied and spoilt as `plan` says."""
        modes = ("", *modalities) if len(modalities) > 1 else ("",)
        trees: dict[str, dict[str, Boosted]] = {}
        for number, mode in enumerate(modes):
            answers = [name for name in modalities if mode in ("", name)]
            if not mode and len(modalities) > 1:
                answers.append(MISPAIRED)
            sampler = _Sampler(net, cases, modalities, mode, plan, how)
            features, truths = sampler.samples(seed + 2 * number)
            if not mode:
                features, truths = _and_hard_ones(sampler, features, truths, seed)
            trees[mode] = {
                name: Boosted.fit(features[name], truths[name], how.boost, seed=seed) for name in answers
            }
        return cls(trees)

    def log_odds(self, net: CrossModal, images: Tensor, present: Tensor, mode: str) -> dict[str, Tensor]:
        """Answers (N, H, W) by modality, and `MISPAIRED` where there is a pair; outside the head those of no tree."""
        features = features_of(net, images, present).permute(0, 2, 3, 1).numpy()
        shown = functional.max_pool2d(images.amax(1, keepdim=True), BLOCK, ceil_mode=True)[:, 0].numpy() > 0.0
        inside = np.ascontiguousarray(features[shown])
        found = {}
        for name, trees in self.trees[mode].items():
            values = np.full(shown.shape, trees.start, np.float32)
            values[shown] = trees.log_odds(inside)
            found[name] = _enlarged(torch.from_numpy(values)[:, None], (images.shape[2], images.shape[3]))
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All as named arrays, copied."""
        return {
            f"{mode}/{name}/{part}": array
            for mode, answers in self.trees.items()
            for name, trees in answers.items()
            for part, array in trees.arrays().items()
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `arrays`.

        Raises:
            ModelFileError: one is missing.
        """
        parts: dict[str, dict[str, dict[str, NDArray[Any]]]] = {}
        for path, array in arrays.items():
            mode, name, part = path.split("/")
            parts.setdefault(mode, {}).setdefault(name, {})[part] = array
        return cls(
            {
                mode: {name: Boosted.of_arrays(each) for name, each in answers.items()}
                for mode, answers in parts.items()
            }
        )


@torch.inference_mode()
def features_of(net: CrossModal, images: Tensor, present: Tensor) -> Tensor:
    """Pixel features (N, F, H/2, W/2) of images (N, M, H, W), from what a trained network reads in them."""
    return pixel_features(*net.evidence(images, present)).float()


@dataclass(frozen=True, eq=False)
class _Sampler:
    """Where the samples of one mode come from."""

    net: CrossModal
    cases: Sequence[Prepared]
    modalities: tuple[str, ...]
    mode: str
    plan: PairPlan
    how: ClassifierSettings

    def samples(
        self, seed: int, judge: Mapping[str, Boosted] | None = None
    ) -> tuple[dict[str, Samples], dict[str, Truth]]:
        """Features and truth of sampled pixels by answer; with a judge, also the sound ones it is most wrong about."""
        rng = np.random.default_rng(seed)
        found: dict[str, list[tuple[NDArray[np.float32], bool]]] = {}
        for batch in self._batches(seed):
            features = features_of(self.net, batch.spoilt, batch.present).permute(0, 2, 3, 1).numpy()
            brain, faults = (_coarse(part) for part in (batch.brain, batch.at_odds))
            for n, wrong in enumerate(batch.mispaired.tolist()):
                inside = brain[n, 0]
                found.setdefault(MISPAIRED, []).append((_some(features[n][inside], FAULTY, rng), wrong > 0.5))
                for channel, name in enumerate(self.modalities):
                    if wrong or self.mode not in ("", name):
                        continue
                    faulty, sound = (
                        features[n][inside & part] for part in (faults[n, channel], ~faults[n, channel])
                    )
                    parts = found.setdefault(name, [])
                    parts += [(_some(faulty, FAULTY, rng), True), (_some(sound, SOUND, rng), False)]
                    if judge is not None and len(sound) > HARD:
                        worst = np.argpartition(-judge[name].log_odds(sound), HARD)[:HARD]
                        parts.append((sound[worst], False))
        return (
            {name: np.concatenate([pixels for pixels, _ in parts]) for name, parts in found.items()},
            {
                name: np.concatenate([np.full(len(pixels), truth) for pixels, truth in parts])
                for name, parts in found.items()
            },
        )

    def _batches(self, seed: int) -> Iterator[PairBatch]:
        """Spoilt pairs; in the mode of one modality the others are blacked out, and no pair is mispaired."""
        mode = self.mode
        faults = replace(self.plan.faults, missing=0.0, foreign=0.0 if mode else self.plan.faults.foreign)
        slices, draws = Slices.of(self.cases), Draws(seed)
        for number in range(self.how.rounds):
            for images in slices.shuffled(self.how.batch, seed, number):
                batch = make_pair_batch(torch.from_numpy(images), self.plan, faults, draws)
                if mode:
                    only = torch.tensor([float(name == mode) for name in self.modalities])
                    shown = batch.spoilt * only[:, None, None]
                    batch = replace(batch, spoilt=shown, present=only.expand_as(batch.present).clone())
                yield batch


def _and_hard_ones(
    sampler: _Sampler, features: dict[str, Samples], truths: dict[str, Truth], seed: int
) -> tuple[dict[str, Samples], dict[str, Truth]]:
    """The samples, and as many again with the sound ones that a quickly taught judge takes most for faulty."""
    quick = replace(sampler.how.boost, trees=max(1, sampler.how.boost.trees // QUICKER))
    first = {name: Boosted.fit(features[name], truths[name], quick, seed=seed) for name in sampler.modalities}
    more, told = sampler.samples(seed + 1, first)
    return (
        {name: np.concatenate([one, more[name]]) for name, one in features.items()},
        {name: np.concatenate([one, told[name]]) for name, one in truths.items()},
    )


def _some(pixels: NDArray[np.float32], most: int, rng: np.random.Generator) -> NDArray[np.float32]:
    return pixels if len(pixels) <= most else pixels[rng.choice(len(pixels), most, replace=False)]


def _coarse(mask: Tensor) -> NDArray[np.bool_]:
    return functional.avg_pool2d(mask, BLOCK, ceil_mode=True).numpy() > 0.5


def _enlarged(values: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(values, size=size, mode="bilinear", align_corners=False)[:, 0]
