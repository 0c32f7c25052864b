"""Where a network runs, in which precision, and with which randomness."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sanum.core.config import SCORING_DEVICE
from sanum.core.errors import ConfigError

ENTRIES = ("forward", "levels", "read", "evidence")
"""Methods of networks that detectors call, which `run_on` takes elsewhere."""


def pick_device(name: str = "auto") -> torch.device:
    """Turn a device name into a device that is really there.

    Args:
        name: "auto" (CUDA when there is one, else the CPU), "cpu", "cuda", "cuda:1", …

    Raises:
        ConfigError: an unknown name, or a device that this machine lacks.
    """
    count = torch.cuda.device_count()
    if name == "auto":
        return torch.device("cuda", torch.cuda.current_device()) if count else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"device {name!r}: expected auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {name!r}: expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ConfigError(f"device {name!r}: this machine has {count} CUDA devices; use auto or cpu")
    return device


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes bfloat16 in hardware; where it only emulates it, float32 is faster."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "sve_bf16"))


@contextlib.contextmanager
def seeded(seed: int, device: torch.device, epoch: int = 0, rank: int = 0) -> Iterator[None]:
    """Within the block torch draws from (seed, epoch, rank) alone; the caller's random state returns afterwards.

    Because no state is carried from one epoch to the next, a resumed training needs none restored.
    """
    ranks = [rank] if rank else []
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), torch.backends.cudnn.flags(benchmark=False, deterministic=True):
        torch.manual_seed(
            int(np.random.SeedSequence([seed, epoch, *ranks]).generate_state(1, np.uint64)[0] >> 1)
        )
        yield


def use_device(name: str) -> None:
    """Let models that are loaded from now on score on a device, in this process and in those it starts.

    Raises:
        ConfigError: see `pick_device`.
    """
    pick_device(name)
    os.environ[SCORING_DEVICE] = name


def run_on(net: nn.Module, device: torch.device) -> None:
    """Let a network compute on a device, in full single precision, whatever device it is called from.

    Its weights move there; each entry takes what it is given there and brings the answer back.
    """
    net.to(device)
    for module in (net, *net.children()):
        for name in ENTRIES:
            entry = getattr(type(module), name, None)
            if device.type == "cpu":
                module.__dict__.pop(name, None)
            elif entry is not None:
                setattr(module, name, _Elsewhere(module, entry, device))


class _Elsewhere:
    """A method of a network that runs on another device than its caller."""

    def __init__(self, module: nn.Module, entry: Callable[..., Any], device: torch.device) -> None:
        self._module, self._entry, self._device = module, entry, device

    def __call__(self, *inputs: Any) -> Any:
        home = next((one.device for one in inputs if isinstance(one, Tensor)), torch.device("cpu"))
        with torch.backends.cudnn.flags(benchmark=False, deterministic=True, allow_tf32=False):
            return _moved(self._entry(self._module, *_moved(inputs, self._device)), home)


def _moved(value: Any, device: torch.device) -> Any:
    """Tensors, and what holds them, on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, tuple | list):
        return type(value)(_moved(one, device) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return type(value)(**{name: _moved(part, device) for name, part in parts.items()})
    return value
