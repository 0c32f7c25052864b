"""Processor time of one overlay as PNG: by Pillow, and by the encoder of this package.

python -m benchmarks.png_speed
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sanum.report.png import encode_png

ROUNDS = 200


def overlay() -> NDArray[np.uint8]:
    """A noisy grey slope with a coloured patch, 128 x 128."""
    slope = np.add.outer(np.arange(128), np.arange(128)) / 2
    grey = np.clip(slope + np.random.default_rng(0).normal(0, 6, slope.shape), 0, 255).astype(np.uint8)
    pixels = np.stack([grey] * 3, axis=-1)
    pixels[30:60, 30:60, 0] = 200
    return pixels


def by_pillow(pixels: NDArray[np.uint8]) -> bytes:
    """The same picture by Pillow at its quickest level."""
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "PNG", compress_level=1)
    return sink.getvalue()


def main() -> None:
    """Print both."""
    pixels = overlay()
    encoders: dict[str, Callable[[NDArray[np.uint8]], bytes]] = {"Pillow": by_pillow, "sanum": encode_png}
    for name, encode in encoders.items():
        spent = []
        for _ in range(ROUNDS):
            begun = time.process_time()
            content = encode(pixels)
            spent.append(time.process_time() - begun)
        print(f"{name}: {1e3 * statistics.median(spent):.2f} ms, {len(content):,} bytes")


if __name__ == "__main__":
    main()
