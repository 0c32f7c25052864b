"""One model's opinion of a pair: by every score, where, and which modality it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sanum.core.modalities import CHANNEL_MARK, TABLE
from sanum.core.records import AnomalyMap, Prepared, Summary
from sanum.evaluation.faults import Judged
from sanum.evaluation.metrics import average_precision
from sanum.model import Model
from sanum.prepare.store import ManifestRow
from sanum.synthesis.cross_modal import ct_scale
from sanum.workflow.disagreement import FUSED, with_modalities
from sanum.workflow.fit import model_summary

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

PART_SUMMARY = Summary("top", 0.005)
"""How the map of a single score becomes a case's score."""

CONTAMINATION = 0.05
"""Of the isolation forest over healthy latents."""


@runtime_checkable
class HasLatents(Protocol):
    """A detector that can say where a case lies among healthy ones."""

    @property
    def healthy_latents(self) -> NDArray[np.float32]:
        """(n, D) of healthy slices."""
        ...

    def latents(self, case: Prepared) -> NDArray[np.float32]:
        """(K', D) of a case's slices."""
        ...


class PairScorer:
    """One model's scores of a case.

    Args:
        model: fitted, of all modalities of the store or some.
        name: how its scores are called.
    """

    def __init__(self, model: Model, name: str) -> None:
        self.model, self.name = model, name
        self._summary = model_summary(model)
        detector = model.detector
        self._forest = _forest(detector.healthy_latents) if isinstance(detector, HasLatents) else None

    def scores(self, case: Prepared) -> tuple[AnomalyMap, dict[str, float]]:
        """The map, and the case's score by every name; the model's own comes first."""
        seen = as_taken(case, self.model.detector.modalities)
        found = self.model.detector.score(seen)
        scores = {self.name: found.summary(self._summary)}
        for name, values in found.parts.items():
            scores[f"{self.name} / {name}"] = replace(found, values=values, parts={}).summary(PART_SUMMARY)
        if len(seen.modalities) > 1 and self.model.detector.incomplete == "alone":
            for name in seen.modalities:
                only = self.model.detector.score(with_modalities(seen, (name,)))
                scores[f"{self.name} / {name} alone"] = only.summary(self._summary)
        if self._forest is not None and isinstance(self.model.detector, HasLatents):
            latents = self.model.detector.latents(seen)
            scores[f"{self.name} / latent isolation forest"] = float(
                -self._forest.score_samples(latents).min()
            )
            if len(seen.modalities) > 1 and latents.shape[1] % 2 == 0:
                one, other = np.split(latents, 2, axis=1)
                scores[f"{self.name} / latent distance"] = float(np.linalg.norm(one - other, axis=1).max())
        return found, scores

    def judged(self, case: Prepared, row: ManifestRow, kind: str, side: str = "") -> Judged:
        """All about one case."""
        found, scores = self.scores(case)
        partial = case.lesion is not None and 0 < case.lesion.sum() < case.mask.sum()
        precision: dict[str, float] = {}
        if partial and case.lesion is not None:
            marked = case.lesion[case.mask]
            precision[self.name] = average_precision(found.values[case.mask], marked)
            for name, values in found.parts.items():
                if np.ptp(values[case.mask]) > 0:
                    precision[f"{self.name} / {name}"] = average_precision(values[case.mask], marked)
        prevalence = float(case.lesion[case.mask].mean()) if case.lesion is not None else 0.0
        named = most_at_odds(found, case.lesion) if partial and case.lesion is not None else ""
        return Judged(case.case, row.subject, kind, scores, precision, prevalence, named, side)


def source_of(channel: str, channels: Sequence[str]) -> str | None:
    """The channel that a wanted one can be had of: itself, or of CT a wider window that holds its window."""
    if channel in channels:
        return channel
    modality, _, window = channel.partition(CHANNEL_MARK)
    low, high = TABLE[modality].windows[window].ends if window else (-np.inf, np.inf)
    for name in channels:
        shown, _, wide = name.partition(CHANNEL_MARK)
        ends = TABLE[shown].windows[wide].ends if wide and shown == modality else (np.inf, -np.inf)
        if ends[0] <= low and high <= ends[1]:
            return name
    return None


def as_taken(case: Prepared, channels: tuple[str, ...]) -> Prepared:
    """The case as a model of these channels wants it, a window of CT cut out of a wider one where need be."""
    sources = tuple(source_of(name, case.modalities) or name for name in channels)
    taken = with_modalities(case, sources)
    if sources == channels:
        return taken
    voxels = np.array(taken.voxels)
    for values, source, name in zip(voxels, sources, channels, strict=True):
        if source == name:
            continue
        was, wanted = (ct_scale(values, case.mask, each) for each in (source, name))
        values[...] = np.clip(wanted.prepared(was.hounsfield(values)), 0.0, 1.0) * case.mask
    return replace(taken, voxels=voxels, modalities=channels)


def most_at_odds(found: AnomalyMap, where: NDArray[np.bool_]) -> str:
    """The modality whose own scores are most surprising in a place; "" where the map has no parts by modality."""
    means = {
        name.removesuffix(FUSED): float(np.nanmean(values[where]))
        for name, values in found.parts.items()
        if name.endswith(FUSED)
    }
    return max(means, key=lambda name: means[name]) if means else ""


def merged(of_models: Sequence[Judged]) -> Judged:
    """What several models say of one case, as one."""
    first = of_models[0]
    scores = {name: value for one in of_models for name, value in one.scores.items()}
    precision = {name: value for one in of_models for name, value in one.precision.items()}
    return replace(first, scores=scores, precision=precision)


def _forest(latents: NDArray[np.float32]) -> IsolationForest:
    from sklearn.ensemble import IsolationForest

    return IsolationForest(contamination=CONTAMINATION, random_state=0).fit(latents)
