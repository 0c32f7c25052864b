"""Faults of acquisition, as kinds of their own: what a detector should report as a bad scan, not as disease.

Every artefact takes voxels (I, J, K) in [0, 1], a severity in (0, 1] and a random generator, and gives voxels of
the same shape, float32. Phase is encoded along J, as on most brain scans.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sanum.core.config import did_you_mean
from sanum.core.errors import ConfigError
from sanum.core.records import Prepared
from sanum.core.units import Volume

Artefact = Callable[[Volume, float, np.random.Generator], NDArray[np.floating]]

MOST_MOVED = 0.04
"""Greatest movement at severity 1, as a share of the field of view: about 8 mm."""


def motion(voxels: Volume, severity: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """The head moved a few times during the scan: parts of k-space are those of a shifted head."""
    spectrum = np.fft.fft(voxels, axis=1)
    lines = voxels.shape[1]
    frequency = np.fft.fftfreq(lines)
    late = np.zeros(lines)
    for start in rng.uniform(0.05, 0.45, 3):
        step = rng.choice([-1.0, 1.0]) * MOST_MOVED * lines * severity * rng.uniform(0.5, 1.0)
        late[np.abs(frequency) > start] += step
    turn = np.exp(-2j * np.pi * frequency * late)
    return np.abs(np.fft.ifft(spectrum * turn[None, :, None], axis=1))


def ghosting(voxels: Volume, severity: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """Pulsation: every few lines of k-space are weaker, so faint copies of the head appear along J."""
    spectrum = np.fft.fft(voxels, axis=1)
    every = int(rng.integers(2, 5))
    keep = np.abs(np.fft.fftfreq(voxels.shape[1])) < 0.02
    weight = np.where((np.arange(voxels.shape[1]) % every == 0) & ~keep, 1.0 - 0.8 * severity, 1.0)
    return np.abs(np.fft.ifft(spectrum * weight[None, :, None], axis=1))


def spikes(voxels: Volume, severity: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """A spark in the receiver: single points of k-space are far too strong, so stripes cross the scan."""
    spectrum = np.fft.fftn(voxels)
    strength = 0.15 * severity * float(np.abs(spectrum).max())
    for _ in range(int(rng.integers(1, 4))):
        point = tuple(
            int(rng.integers(max(1, side // 16), max(2, side // 3))) % side for side in voxels.shape
        )
        spectrum[point] += strength * np.exp(2j * np.pi * rng.random())
    return np.abs(np.fft.ifftn(spectrum))


def bias(voxels: Volume, severity: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """An uneven coil: brightness drifts across the head."""
    axes = np.meshgrid(*(np.linspace(-1.0, 1.0, side) for side in voxels.shape), indexing="ij", sparse=True)
    first, second = rng.normal(size=3), rng.normal(size=3)
    drift = sum(a * x + 0.5 * b * x * x for a, b, x in zip(first, second, axes, strict=True))
    field: NDArray[np.floating] = np.exp(severity * drift / max(float(np.abs(drift).max()), 1e-6))
    return voxels * field


def wrap(voxels: Volume, severity: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """A field of view too small along J: what lies beyond one end of it appears within the other end."""
    shown = np.flatnonzero(voxels.any(axis=(0, 2)))
    folded = np.array(voxels, dtype=np.float64)
    if shown.size == 0:
        return folded
    first, last = int(shown[0]), int(shown[-1]) + 1
    lost = max(1, round((0.05 + 0.25 * severity) * (last - first)))
    if rng.random() < 0.5:
        folded[:, last - lost : last] += voxels[:, first : first + lost]
    else:
        folded[:, first : first + lost] += voxels[:, last - lost : last]
    return folded


ARTEFACTS: Mapping[str, Artefact] = {
    artefact.__name__: artefact for artefact in (motion, ghosting, spikes, bias, wrap)
}


def spoil(case: Prepared, artefact: str, *, severity: float, seed: int) -> Prepared:
    """Spoil every modality of a case with one artefact; the brain mask stays as it was.

    Args:
        case: any prepared case.
        artefact: a name of `ARTEFACTS`.
        severity: above 0 (hardly visible) up to 1 (unusable).
        seed: the same seed gives the same fault.

    Raises:
        ConfigError: unknown artefact, or a severity out of range.
    """
    if artefact not in ARTEFACTS:
        raise ConfigError(f"unknown artefact {artefact!r}; {did_you_mean(artefact, ARTEFACTS)}")
    if not 0.0 < severity <= 1.0:
        raise ConfigError(f"artefact severity: expected above 0 and up to 1, got {severity:g}")
    spoilt = [ARTEFACTS[artefact](voxels, severity, np.random.default_rng(seed)) for voxels in case.voxels]
    voxels = np.stack(spoilt).clip(0.0, 1.0).astype(np.float32) * case.mask
    return replace(case, voxels=voxels)
