"""Where a network runs, in which precision, and with which randomness."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from sanum.core.errors import ConfigError


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
