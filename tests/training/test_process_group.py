"""Two processes that share a training take the steps that one takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from sanum.nets.autoencoder import Autoencoder, AutoencoderConfig
from sanum.training.loop import Schedule, train
from sanum.training.process_group import ProcessGroup, process_group
from sanum.training.run import Run
from tests.phantoms import prepared_case

PLAN = Schedule(epochs=2, batch=6, learning_rate=0.01, validation_share=0.0, owner="a" * 64)


def trained(together: ProcessGroup) -> list[np.ndarray]:
    torch.manual_seed(0)
    net = Autoencoder(AutoencoderConfig(widths=(4,)))
    cases = [prepared_case(seed) for seed in range(2)]

    def squared_error(net, images):
        return functional.mse_loss(net(images).float(), images)

    train(net, squared_error, cases, PLAN, seed=0, run=Run("cpu", group=together))
    return [value.numpy() for value in net.state_dict().values()]


def test_parts_of_a_batch_are_disjoint_and_complete():
    batch = np.arange(7, dtype=np.float32)[:, None]
    parts = [ProcessGroup(rank, 3).part(batch) for rank in range(3)]
    assert sorted(np.concatenate(parts).ravel()) == list(range(7))
    assert sum(ProcessGroup(rank, 3).share(batch, part) for rank, part in enumerate(parts)) == pytest.approx(
        1.0
    )


def test_a_batch_smaller_than_the_group_goes_whole_to_each():
    batch = np.zeros((1, 2), dtype=np.float32)
    assert all(len(ProcessGroup(rank, 2).part(batch)) == 1 for rank in range(2))
    assert ProcessGroup(0, 2).share(batch, batch) == 0.5


@pytest.mark.timeout(200)
def test_two_processes_learn_what_one_learns(tmp_path):
    """Started by torchrun; bfloat16 rounds the halves of a batch otherwise than the whole."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CREW_TEST": str(tmp_path)}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*command, "-m", "tests.training.test_process_group"], check=True, env=environment, timeout=180
    )
    first, second = (np.load(tmp_path / f"{rank}.npz") for rank in range(2))
    for name, alone in enumerate(trained(ProcessGroup())):
        np.testing.assert_array_equal(first[f"arr_{name}"], second[f"arr_{name}"])
        np.testing.assert_allclose(first[f"arr_{name}"], alone, atol=2e-3)


if __name__ == "__main__":
    with process_group("cpu") as us:
        np.savez(Path(os.environ["CREW_TEST"]) / str(us.rank), *trained(us))
