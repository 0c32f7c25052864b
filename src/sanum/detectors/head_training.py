"""How networks of slices are trained on healthy heads, whatever modality is made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sanum.core.errors import TrainingError
from sanum.core.records import Prepared
from sanum.detectors.lesion_training import train_on_lesions
from sanum.detectors.slicewise import Teaching
from sanum.nets.plane_restorer import PlaneRestorer
from sanum.synthesis.tissues import HEAD_CHANNELS
from sanum.training.checkpoint import round_to_half
from sanum.training.data import WHOLE
from sanum.training.history import History
from sanum.training.run import Run
from sanum.training.volume_loss import VolumeLoss, refresh_statistics

EMA_DECAY = 0.998
"""Decay of the running average of the weights: about the last 500 steps."""

HEADS_FOR_STATISTICS = 10
"""Training heads whose made volumes give the final statistics of normalisation."""


def require_heads(name: str, cases: Sequence[Prepared]) -> None:
    """Refuse to train a detector on anything but heads.

    Raises:
        TrainingError: no cases, or cases of other channels.
    """
    if not cases:
        raise TrainingError(f"{name}: no training case; give at least one healthy head")
    for case in cases:
        if case.modalities != HEAD_CHANNELS:
            raise TrainingError(
                f"{case.case}: {name} learns from tissue memberships, not from {', '.join(case.modalities)}; "
                "make them with `sanum tissues`"
            )


def train_on_heads(
    make: Callable[[], PlaneRestorer],
    loss: VolumeLoss,
    cases: Sequence[Prepared],
    settings: Teaching,
    *,
    seed: int,
    run: Run | None,
) -> tuple[PlaneRestorer, History]:
    """The averaged network of the last epoch, in half precision, with statistics of its own; see `train_on_lesions`."""
    net, history = train_on_lesions(
        make,
        loss,
        cases,
        settings,
        ema_decay=EMA_DECAY,
        depth=WHOLE,
        keep="last",
        seed=seed,
        run=run,
    )
    chosen = np.random.default_rng(seed).permutation(len(cases))[:HEADS_FOR_STATISTICS]
    refresh_statistics(net, loss, [cases[int(number)] for number in chosen], seed=seed)
    round_to_half(net)
    return net, history
