"""How the detectors are trained that learn on lesions planted in healthy scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from torch import nn

from sanum.core.records import Prepared
from sanum.detectors.slicewise import Teaching, teach
from sanum.nets.averaged import Averaged
from sanum.train.checkpoint import round_to_half
from sanum.train.history import History
from sanum.train.lesson import Lesson
from sanum.train.run import Run

FINAL_RATE = 0.01
"""Share of the learning rate that is left at the end."""

WEIGHT_DECAY = 0.01
"""Of AdamW; see `sanum.train.loop.Schedule`."""

STEEPEST = 1.0
"""Norm to which a longer gradient is shortened: some batches hold glaring lesions, some none."""

Net = TypeVar("Net", bound=nn.Module)


def teach_lesions(
    make: Callable[[], Net],
    lesson: Lesson,
    cases: Sequence[Prepared],
    settings: Teaching,
    *,
    average: float,
    depth: int,
    seed: int,
    run: Run | None,
) -> tuple[Net, History]:
    """The averaged network of the epoch that marks planted lesions best in validation subjects, in half precision.

    Args:
        make: gives the network with random weights.
        lesson: what is taught and examined.
        cases: healthy ones.
        settings: how long and how fast.
        average: decay of the running average of the weights.
        depth: as in `sanum.train.loop.Schedule`.
        seed: of weights, order and all that the lesson draws.
        run: conduct of the training.
    """
    pupil, history = teach(
        lambda: Averaged(make(), average),
        lesson,
        cases,
        settings,
        seed=seed,
        run=run,
        depth=depth,
        keep="best",
        final_rate=FINAL_RATE,
        weight_decay=WEIGHT_DECAY,
        steepest=STEEPEST,
    )
    net = pupil.result()
    round_to_half(net)
    return net, history
