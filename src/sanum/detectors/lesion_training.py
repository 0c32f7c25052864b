"""How the detectors are trained that learn on lesions planted in healthy scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from torch import nn

from sanum.core.records import Prepared
from sanum.detectors.slicewise import Teaching, teach
from sanum.nets.ema import EMA
from sanum.training.checkpoint import round_to_half
from sanum.training.history import History
from sanum.training.loop import Loss
from sanum.training.run import Run

FINAL_RATE = 0.01
"""Share of the learning rate that is left at the end."""

WEIGHT_DECAY = 0.01
"""Of AdamW; see `sanum.training.loop.Schedule`."""

MAX_GRAD_NORM = 1.0
"""Norm to which a longer gradient is shortened: some batches hold glaring lesions, some none."""

Net = TypeVar("Net", bound=nn.Module)


def train_on_lesions(
    make: Callable[[], Net],
    loss: Loss,
    cases: Sequence[Prepared],
    settings: Teaching,
    *,
    ema_decay: float,
    depth: int,
    keep: Literal["last", "best"] = "best",
    seed: int,
    run: Run | None,
) -> tuple[Net, History]:
    """The averaged network, in half precision; of the epoch that marks planted lesions best in validation subjects.

    Args:
        make: gives the network with random weights.
        loss: what is taught and examined.
        cases: healthy ones.
        settings: how long and how fast.
        ema_decay: decay of the running average of the weights.
        depth: as in `sanum.training.loop.Schedule`.
        keep: "best" as said above, "last" of the last epoch.
        seed: of weights, order and all that the loss draws.
        run: conduct of the training.
    """
    ema, history = teach(
        lambda: EMA(make(), ema_decay),
        loss,
        cases,
        settings,
        seed=seed,
        run=run,
        depth=depth,
        keep=keep,
        final_rate=FINAL_RATE,
        weight_decay=WEIGHT_DECAY,
        max_grad_norm=MAX_GRAD_NORM,
    )
    net = ema.result()
    round_to_half(net)
    return net, history
