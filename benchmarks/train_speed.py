"""Training throughput of the loop against a plain eager float32 loop: same nets, same slices, same run.

    python benchmarks/train_speed.py [rounds]

The two take turns, so that other work on the machine slows both alike; the best round of each counts.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sanum.core.grid import Grid
from sanum.core.records import Prepared
from sanum.nets.autoencoder import Autoencoder, AutoencoderConfig
from sanum.training.data import Slices
from sanum.training.device import has_bfloat16
from sanum.training.loop import Schedule, train
from sanum.training.run import Run

PRESETS = {
    "strided": (AutoencoderConfig(), 32),
    "pooled": (AutoencoderConfig(widths=(32, 64, 128), downsampling="pool"), 16),
}
SLICES, SIZE = 128, 128


def made_cases() -> list[Prepared]:
    """Eight cases of noise: the time of a step does not depend on what the slices show."""
    grid = Grid((SIZE, SIZE, SLICES // 8), np.eye(4))
    stored = np.random.default_rng(0).random((8, SLICES // 8, 1, SIZE, SIZE), dtype=np.float32)
    return [
        Prepared(
            case=f"case-{number}",
            subject=f"subject-{number}",
            voxels=np.moveaxis(voxels, 0, 3),
            mask=np.ones(grid.shape, bool),
            grid=grid,
            modalities=("T1w",),
            preparation="0" * 64,
            native=grid,
            to_model=np.eye(4),
            is_image=False,
        )
        for number, voxels in enumerate(stored)
    ]


def squared_error(net: nn.Module, images: Tensor) -> Tensor:
    return functional.mse_loss(net(images).float(), images)


def eager(config: AutoencoderConfig, cases: list[Prepared], batch: int) -> float:
    """Images a second of the loop one would write first."""
    net, slices = Autoencoder(config), Slices.of(cases)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    started = time.perf_counter()
    for images in slices.shuffled(batch, seed=0, epoch=0):
        error = squared_error(net, torch.from_numpy(images))
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
    return len(slices) / (time.perf_counter() - started)


def ours(config: AutoencoderConfig, cases: list[Prepared], batch: int) -> float:
    """Images a second of `sanum.training.loop.train`."""
    schedule = Schedule(1, batch, learning_rate=1e-3, validation_share=0.0, owner="benchmark")
    history = train(Autoencoder(config), squared_error, cases, schedule, seed=0, run=Run(device="cpu"))
    return history.images_per_second


def main(rounds: int) -> None:
    cases = made_cases()
    precision = "bfloat16" if has_bfloat16(torch.device("cpu")) else "float32"
    print(f"{torch.get_num_threads()} threads, {precision}, slices of {SIZE}x{SIZE}, best of {rounds} rounds")
    for name, (config, batch) in PRESETS.items():
        eager(config, cases[:1], batch)
        ours(config, cases[:1], batch)
        pairs = [(eager(config, cases, batch), ours(config, cases, batch)) for _ in range(rounds)]
        plain, fast = (max(column) for column in zip(*pairs, strict=True))
        print(f"{name:8} eager {plain:6.0f} images/s   sanum {fast:6.0f} images/s   ratio {fast / plain:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
