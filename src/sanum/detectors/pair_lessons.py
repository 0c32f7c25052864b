"""What the judge of `pair-fit` is taught with: faults planted in one modality of whole healthy pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from sanum.core.records import Prepared
from sanum.detectors.boosted import Boosted, BoostSettings
from sanum.detectors.pair_evidence import place_features
from sanum.detectors.pair_expectation import Pair, coarse
from sanum.nets.views import tissue_level
from sanum.synthesis.draws import Draws
from sanum.synthesis.one_sided import Faults, plant_one_sided

RIDGE = 1.0

FAULTY, SOUND = 500, 900
"""Places that a spoilt case gives, at most: of faults, and elsewhere."""


@dataclass(frozen=True)
class Lessons:
    """How the judge is taught.

    Attributes:
        rounds: times that each training case is planted anew.
        lesions: faults planted in a case at once.
        faults: what is planted.
        boost: of its trees.
    """

    rounds: int = 4
    lesions: int = 4
    faults: Faults = field(
        default_factory=lambda: Faults(
            healthy=0.0, missing=0.0, foreign=0.0, smallest=0.0003, largest=0.03, mildest=0.1
        )
    )
    boost: BoostSettings = field(default_factory=lambda: BoostSettings(trees=160, leaves=31))


def taught(
    cases: Sequence[Prepared],
    modalities: tuple[str, ...],
    windows: Mapping[str, float],
    how: Lessons,
    *,
    seed: int,
) -> dict[str, dict[str, Boosted]]:
    """Trees by mode ("" for all modalities, else the one present) and by modality.

    Args:
        cases: healthy, with every modality.
        modalities: channels.
        windows: width of the narrow window in which a modality's faint faults are painted, by name, of its range.
        how: how.
        seed: of places, faults and trees.
    """
    rng, draws = np.random.default_rng(seed), Draws(seed)
    modes = ("", *modalities) if len(modalities) > 1 else ("",)
    found: dict[tuple[str, str], list[tuple[NDArray[np.float32], NDArray[np.bool_]]]] = {}
    for _ in range(how.rounds):
        for case in cases:
            spoilt, odd = planted(case, windows, how, draws)
            for mode in modes:
                names = (mode,) if mode else modalities
                _collect(found, _shown(spoilt, names), odd, mode, rng)
    return {
        mode: {
            name: Boosted.fit(
                np.concatenate([pixels for pixels, _ in found[mode, name]]),
                np.concatenate([truth for _, truth in found[mode, name]]),
                how.boost,
                seed=seed,
                ridge=RIDGE,
            )
            for name in ((mode,) if mode else modalities)
        }
        for mode in modes
    }


@torch.no_grad()
def planted(
    case: Prepared, windows: Mapping[str, float], how: Lessons, draws: Draws
) -> tuple[Prepared, dict[str, NDArray[np.float32]]]:
    """A case with faults, and where each modality shows one (I, J, K) in {0, 1}."""
    stack = torch.from_numpy(np.array(np.moveaxis(case.voxels, 3, 1), np.float32, order="C"))[None]
    brain = torch.from_numpy(np.moveaxis(case.mask, 2, 0).astype(np.float32)).contiguous()[None, None]
    levels = torch.stack([tissue_level(_flat(one)) for one in stack[0]], dim=1)
    odd = torch.zeros_like(stack)
    widths = [windows.get(name, 0.0) for name in case.modalities]
    for _ in range(how.lesions):
        stack, more = plant_one_sided(stack, brain, levels, widths, how.faults, draws)
        odd = torch.maximum(odd, more)
    voxels = np.moveaxis(stack[0].numpy(), 1, 3).clip(0.0, 1.0)
    marks = np.moveaxis(odd[0].numpy(), 1, 3)
    return replace(case, voxels=voxels), dict(zip(case.modalities, marks, strict=True))


def _flat(stack: torch.Tensor) -> torch.Tensor:
    """Slices (K, I, J) as one picture (1, K·I, J), for the commonest level of the whole."""
    return stack.reshape(1, -1, stack.shape[-1])


def _shown(case: Prepared, names: tuple[str, ...]) -> Prepared:
    channels = [case.modalities.index(name) for name in names]
    return replace(case, voxels=np.asarray(case.voxels)[channels], modalities=names)


def _collect(
    found: dict[tuple[str, str], list[tuple[NDArray[np.float32], NDArray[np.bool_]]]],
    case: Prepared,
    odd: Mapping[str, NDArray[np.float32]],
    mode: str,
    rng: np.random.Generator,
) -> None:
    pair = Pair.of(case)
    features = place_features(pair)
    for name in case.modalities:
        marked = coarse(odd[name])[pair.mask]
        for rows, truth, most in ((marked > 0.5, True, FAULTY), (marked < 0.05, False, SOUND)):
            places = np.flatnonzero(rows)
            places = places if len(places) <= most else rng.choice(places, most, replace=False)
            found.setdefault((mode, name), []).append((features[places], np.full(len(places), truth)))
