"""Teach the eye for sequences: python -m benchmarks.sequence.teach OUT.safetensors EXAMPLES.npz…"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from sklearn.neural_network import MLPClassifier

from sanum.core.sequence import SEQUENCES
from sanum.prepare.sequence.network import FARTHEST, Judges, Network, arrays_of

HELD = 0.1
"""Share of the examples that teach nothing: warmth and the printed shares are theirs."""

HIDDEN, DECAY = 64, 1.0


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("out", type=Path)
    ask.add_argument("examples", type=Path, nargs="+")
    ask.add_argument("--networks", type=int, default=5)
    ask.add_argument("--epochs", type=int, default=30)
    ask.add_argument("--seed", type=int, default=0)
    how = ask.parse_args()
    measures, kinds = _examples(how.examples)
    save_file(dict(arrays_of(taught(measures, kinds, how.networks, how.epochs, how.seed))), how.out)


def taught(
    measures: NDArray[np.float64], kinds: NDArray[np.int64], networks: int, epochs: int, seed: int
) -> Judges:
    """Networks taught on all but the first examples, which choose the warmth."""
    held = int(HELD * len(kinds))
    kept, told = measures[held:], kinds[held:]
    mean, spread = kept.mean(0), kept.std(0) + 1e-3
    scaled = ((kept - mean) / spread).clip(-FARTHEST, FARTHEST)
    fitted = [
        _network(
            MLPClassifier(
                (HIDDEN,),
                alpha=DECAY,
                batch_size=64,
                learning_rate_init=2e-3,
                max_iter=epochs,
                random_state=seed + number,
            ).fit(scaled, told)
        )
        for number in range(networks)
    ]
    judges = Judges(mean.astype(np.float32), spread.astype(np.float32), 1.0, fitted)
    return _warmed(judges, measures[:held], kinds[:held])


def _examples(paths: list[Path]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    made = [np.load(path) for path in paths]
    return (
        np.concatenate([one["measures"] for one in made]).astype(np.float64),
        np.concatenate([one["kinds"] for one in made]),
    )


def _network(fitted: MLPClassifier) -> Network:
    first, second = (array.astype(np.float32) for array in fitted.coefs_)
    one, two = (array.astype(np.float32) for array in fitted.intercepts_)
    return Network((first, second), (one, two))


def _warmed(judges: Judges, measures: NDArray[np.float64], kinds: NDArray[np.int64]) -> Judges:
    """With the warmth at which shares are likeliest on examples held back; says how many are recognised."""
    choices = [
        Judges(judges.mean, judges.spread, float(warmth), judges.networks)
        for warmth in np.geomspace(0.5, 4, 30)
    ]
    costs = [
        -float(np.log(one.shares(measures)[np.arange(len(kinds)), kinds] + 1e-9).mean()) for one in choices
    ]
    best = choices[int(np.argmin(costs))]
    found = best.shares(measures).argmax(1)
    right = [f"{name} {np.mean(found[kinds == n] == n):.3f}" for n, name in enumerate(SEQUENCES)]
    print(f"held back: {', '.join(right)}; warmth {best.warmth:.2f}, cost {min(costs):.3f}")
    return best


if __name__ == "__main__":
    main()
