"""What is kept of the DICOM series that a case came from, so that results can be written beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid
from sanum.core.units import Volume


@dataclass(frozen=True, eq=False)
class SourceSeries:
    """The files that one volume was read from, and where its voxels lie in their frames.

    Attributes:
        headers: one pydicom data set a file, without its pixels; classic files in the order of `frames`.
        frames: (F,) of each slice of the volume the file in `headers` and the frame in it, along the slice normal.
            Empty where the files make no volume.
        places: (F,) index along K of the volume's grid at which each frame lies; no integer where slices were
            interpolated to an even distance.
        grid: of the volume; None where the files make none.
    """

    headers: tuple[Any, ...]
    frames: tuple[tuple[int, int], ...]
    places: NDArray[np.float64]
    grid: Grid | None

    def values(self, volume: Volume) -> Volume:
        """A map on the volume's grid as frames of the files.

        Args:
            volume: (I, J, K) float32, NaN outside the mask.

        Returns:
            (F, rows, columns); between two slices of the volume linear, next to the mask's edge the nearer one.
        """
        below = np.clip(np.floor(self.places + 1e-3), 0, volume.shape[2] - 1).astype(int)
        above = np.minimum(below + 1, volume.shape[2] - 1)
        share = np.clip(self.places - below, 0.0, 1.0).astype(np.float32)
        share[share < 1e-3] = 0.0
        mixed = volume[:, :, below] * (1 - share) + volume[:, :, above] * share
        nearest = self._nearest(volume)
        frames = np.where(np.isnan(mixed), nearest, mixed)
        return np.ascontiguousarray(frames.transpose(2, 1, 0), dtype=np.float32)

    def labels(self, volume: NDArray[Any]) -> NDArray[Any]:
        """Labels on the volume's grid (I, J, K) as frames of the files (F, rows, columns): those of the nearest slice."""
        return np.ascontiguousarray(self._nearest(volume).transpose(2, 1, 0))

    def _nearest(self, volume: NDArray[Any]) -> NDArray[Any]:
        taken: NDArray[Any] = volume[:, :, np.clip(np.rint(self.places), 0, volume.shape[2] - 1).astype(int)]
        return taken
