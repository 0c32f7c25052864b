"""Processor time of one slice through the classic network: PyTorch, ONNX Runtime, OpenVINO; alone and in batches.

    python -m benchmarks.runtime_speed [rounds]

One thread each. The weights are random: they don't change the speed. The quickest tenth of the rounds counts.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sanum.core.config import from_dict
from sanum.detectors.cae import Config, ConvolutionalAutoencoder
from sanum.detectors.onnx_file import write_onnx
from sanum.model import Model
from sanum.nets.folded import fold_upsampling
from sanum.prepare.presets import Slices
from sanum.training.checkpoint import net_arrays
from sanum.workflow.export import made_cases

BATCHES = (1, 4, 8)
SIZE = 128


def main(rounds: int = 60) -> None:
    """Print milliseconds a slice of each runtime."""
    torch.set_num_threads(1)
    fresh = ConvolutionalAutoencoder(from_dict(Config, {}), ("T1w",))
    detector = fresh.load_state(net_arrays(fresh._new_net()))
    assert detector.net_ is not None
    forms: dict[str, Callable[[Any], Any]] = {
        "PyTorch, eager": lambda images: detector.net_(torch.from_numpy(images)),
        "PyTorch, folded": _torch_form(fold_upsampling(detector.net_)),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        write_onnx(detector, made_cases(Model("made", detector, Slices(("T1w",), size=SIZE))), b"", path)
        forms |= _runtimes(path)
        for name, run in forms.items():
            taken = {f"batch of {size}": round(_slice_ms(run, size, rounds), 2) for size in BATCHES}
            print(json.dumps({"runtime": name, "ms_a_slice": taken}))


def _torch_form(net: torch.nn.Module) -> Callable[[Any], Any]:
    return lambda images: net(torch.from_numpy(images))


def _runtimes(path: Path) -> dict[str, Callable[[Any], Any]]:
    import onnxruntime
    import openvino

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.compile_model(str(path), "CPU", hints)
    return {
        "ONNX Runtime, folded": lambda images: session.run(None, {"images": images}),
        "OpenVINO, folded": compiled,
    }


def _slice_ms(run: Callable[[Any], Any], size: int, rounds: int) -> float:
    images = np.random.default_rng(0).random((size, 1, SIZE, SIZE), dtype=np.float32)
    taken = []
    with torch.inference_mode():
        for _ in range(rounds):
            started = time.process_time()
            run(images)
            taken.append((time.process_time() - started) / size)
    return float(np.percentile(taken, 10)) * 1000


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:2]))
