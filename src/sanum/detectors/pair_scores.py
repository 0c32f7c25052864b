"""The scores of the `cross-modal` detector before they are measured against healthy voxels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sanum.core.errors import ModelFileError
from sanum.core.records import Prepared
from sanum.core.units import Channels, Mask, Volume
from sanum.detectors.pair_classifier import MISPAIRED, PairClassifier
from sanum.detectors.smoothing import smooth_within
from sanum.nets.cross_modal import CrossModal, Reading, cosine_distance

RIDGE = 0.1
"""Share of the mean variance added to the covariance of latent differences, so that it can be inverted."""

CELLS_A_SLICE = 512
"""Cells of a slice that give their latent difference."""


def scores_of(modalities: Sequence[str]) -> tuple[str, ...]:
    """Names of the scores that a case with these modalities gets."""
    if len(modalities) == 1:
        return tuple(f"{modalities[0]}: {kind}" for kind in ("own", "at odds"))
    single = tuple(f"{name}: {kind}" for name in modalities for kind in ("own", "cross", "at odds"))
    return (*single, "pair: latent cosine", "pair: latent Mahalanobis", "pair: mispaired")


def score_kind(name: str) -> str:
    """Kind of a score by its name: own, cross, at odds, latent or mispaired."""
    kind = name.partition(": ")[2]
    return "latent" if kind.startswith("latent") else kind


@dataclass(frozen=True, eq=False)
class PairScores:
    """Raw scores of cases, and the latent statistics of healthy pairs they need.

    Attributes:
        mean: (L,) mean of the latent difference of healthy pairs, first modality minus the mean of the others.
        root: (L, L), inverse Cholesky factor of its covariance.
        pooled: (n, 2·L) latents of healthy slices averaged over the mask, both sides; for outlier detectors.
    """

    mean: NDArray[np.float32]
    root: NDArray[np.float32]
    pooled: NDArray[np.float32]

    @classmethod
    def learn(cls, net: CrossModal, cases: Sequence[Prepared], training: Sequence[Prepared]) -> Self:
        """Take the statistics from healthy cases that have every modality.

        Args:
            net: trained.
            cases: give the latent differences; best those that the network did not train on.
            training: give the pooled latents.
        """
        differences = []
        for case in cases:
            for which, images, present in _slices(case, case.modalities):
                with torch.inference_mode():
                    latents = net.read(images, present).latents
                one, other = _sides(latents)
                chosen = (one - other).movedim(1, -1)[_cells(case, which, latents) > 0.5]
                differences.append(chosen[:: max(1, len(chosen) // CELLS_A_SLICE)].numpy())
        stacked = np.concatenate(differences).astype(np.float64)
        width = stacked.shape[1]
        covariance = (
            np.cov(stacked, rowvar=False).reshape(width, width) if len(stacked) > 1 else np.eye(width)
        )
        covariance += (RIDGE * np.trace(covariance) / width + 1e-6) * np.eye(width)
        root = np.linalg.inv(np.linalg.cholesky(covariance))
        pooled = np.concatenate([pooled_latents(net, case) for case in training])
        return cls(stacked.mean(0).astype(np.float32), root.astype(np.float32), pooled)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All as named arrays, copied."""
        return {"mean": self.mean.copy(), "root": self.root.copy(), "pooled": self.pooled.copy()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `arrays`.

        Raises:
            ModelFileError: one is missing.
        """
        try:
            return cls(*(arrays[name].astype(np.float32) for name in ("mean", "root", "pooled")))
        except KeyError as error:
            raise ModelFileError(f"cross-modal: latent statistics {error} are missing") from error

    def raw(
        self,
        net: CrossModal,
        classifier: PairClassifier,
        case: Prepared,
        modalities: tuple[str, ...],
        smoothing_mm: float,
    ) -> dict[str, Volume]:
        """Every score of a case, smoothed, (I, J, K) float32; higher = more anomalous.

        All but "mispaired", which is one value a slice, are what stands out of the slice: see `standing_out`.
        """
        names = scores_of(case.modalities)
        mode = "" if case.modalities == modalities else case.modalities[0]
        found: dict[str, Volume] = {name: np.zeros(case.grid.shape, np.float32) for name in names}
        for which, images, present in _slices(case, modalities):
            with torch.inference_mode():
                values = self._values(net, classifier, images, present, modalities, mode)
            for name in names:
                found[name][..., which] = np.moveaxis(values[name].numpy(), 0, 2)
        for name in names:
            if name == "pair: mispaired":
                found[name] = _averaged_by_slice(found[name], case)
            else:
                smooth = smooth_within(found[name], case.mask, case.grid, smoothing_mm)
                found[name] = standing_out(smooth, case.mask)
        return found

    def _values(
        self,
        net: CrossModal,
        classifier: PairClassifier,
        images: Tensor,
        present: Tensor,
        modalities: tuple[str, ...],
        mode: str,
    ) -> dict[str, Tensor]:
        reading = net.read(images, present)
        log_odds = classifier.log_odds(net, images, present, mode)
        values: dict[str, Tensor] = {}
        residuals = reading.residuals(images).abs()
        for number, name in enumerate(modalities):
            values[f"{name}: own"] = (images[:, number] - reading.own[:, number]).abs()
            values[f"{name}: cross"] = residuals[:, number]
            if name in log_odds:
                values[f"{name}: at odds"] = log_odds[name]
        distance, mahalanobis = cosine_distance(reading.latents), self._mahalanobis(reading)
        size = images.shape[2:]
        for name, grid in (("cosine", distance), ("Mahalanobis", mahalanobis)):
            values[f"pair: latent {name}"] = functional.interpolate(grid, size=size, mode="bilinear")[:, 0]
        if MISPAIRED in log_odds:
            values[f"pair: {MISPAIRED}"] = log_odds[MISPAIRED]
        return values

    def _mahalanobis(self, reading: Reading) -> Tensor:
        one, other = _sides(reading.latents)
        offset = (one - other).movedim(1, -1) - torch.from_numpy(self.mean)
        white = offset @ torch.from_numpy(self.root).T
        return white.square().sum(-1)[:, None]


def pooled_latents(net: CrossModal, case: Prepared) -> NDArray[np.float32]:
    """Latents (K', 2·L) of a case's slices averaged over the mask: the first modality's, then the others'."""
    rows = []
    for which, images, present in _slices(case, case.modalities):
        with torch.inference_mode():
            latents = net.read(images, present).latents
        rows.append(_pooled(*_sides(latents), _cells(case, which, latents)))
    return np.concatenate(rows)


def expected_from_others(net: CrossModal, case: Prepared) -> Channels:
    """Each modality as the others lead one to expect it, (M, I, J, K) in [0, 1], 0 outside the mask."""
    expected = np.zeros(case.voxels.shape, np.float32)
    for which, images, present in _slices(case, case.modalities):
        with torch.inference_mode():
            cross = net.read(images, present).cross[0].clamp(0.0, 1.0)
        expected[..., int(which[0])] = cross.numpy()
    return expected * case.mask


def _sides(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Latents (N, L, h, w) of the first modality, and the mean of the others'; of one modality alone, itself."""
    return latents[0], latents[1:].mean(0) if len(latents) > 1 else latents[0]


def _pooled(one: Tensor, other: Tensor, inside: Tensor) -> NDArray[np.float32]:
    weight = inside[:, None] / inside.sum((1, 2)).clamp_min(1.0)[:, None, None, None]
    return torch.cat([(one * weight).sum((2, 3)), (other * weight).sum((2, 3))], dim=1).numpy()


def _cells(case: Prepared, which: NDArray[np.int64], latents: Tensor) -> Tensor:
    """Share of the mask in each latent cell (N, h, w)."""
    mask = torch.from_numpy(np.moveaxis(case.mask[..., which], 2, 0).astype(np.float32))[:, None]
    return functional.adaptive_avg_pool2d(mask, (latents.shape[3], latents.shape[4]))[:, 0]


def standing_out(values: Volume, mask: Mask) -> Volume:
    """Values (I, J, K) over the median of each slice's mask.

    A slice that is odd everywhere (an odd level of the head, a noisy scan) is no sign of a fault at one place. The
    median, so that a fault may fill half of a slice before it hides itself.
    """
    found = values.copy()
    for k in np.flatnonzero(mask.any(axis=(0, 1))):
        found[..., k] -= np.median(values[..., k][mask[..., k]])
    return found


def _averaged_by_slice(values: Volume, case: Prepared) -> Volume:
    count = np.maximum(case.mask.sum(axis=(0, 1)), 1)
    mean = (values * case.mask).sum(axis=(0, 1)) / count
    averaged: Volume = np.broadcast_to(mean, values.shape).astype(np.float32)
    return averaged


def _slices(
    case: Prepared, modalities: tuple[str, ...]
) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor]]:
    """Slice by slice, so that its neighbours change no bit: number (1,), image (1, M, I, J) with missing
    modalities all zero, and which are there (1, M)."""
    present = torch.tensor([[float(name in case.modalities) for name in modalities]])
    for k in np.flatnonzero(case.mask.any(axis=(0, 1))):
        image = np.zeros((1, len(modalities), *case.grid.shape[:2]), np.float32)
        for number, name in enumerate(modalities):
            if name in case.modalities:
                image[0, number] = case.voxels[case.modalities.index(name), ..., k]
        yield np.array([k]), torch.from_numpy(image), present
