"""The colours of anomaly scores in all drawings, and where they start and end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CalibrationError

FIRST = 76
"""Inferno is shown without its black end."""

_INFERNO = bytes.fromhex(
    "6a176e6c186e6d186e6f196e71196e721a6e741a6e751b6e771c6d781c6d7a1d6d7c1d6d7d1e6d7f1e6c801f6c82206c84206b85216b"
    "87216b88226a8a226a8c23698d23698f24699025689225689326679526679727669827669a28659b29649d29649f2a63a02a63a22b62"
    "a32c61a52c60a62d60a82e5fa92e5eab2f5ead305dae305cb0315bb1325ab3325ab43359b63458b73557b93556ba3655bc3754bd3853"
    "bf3952c03a51c13a50c33b4fc43c4ec63d4dc73e4cc83f4bca404acb4149cc4248ce4347cf4446d04545d24644d34743d44842d54a41"
    "d74b3fd84c3ed94d3dda4e3cdb503bdd513ade5238df5337e05536e15635e25734e35933e45a31e55c30e65d2fe75e2ee8602de9612b"
    "ea632aeb6429eb6628ec6726ed6925ee6a24ef6c23ef6e21f06f20f1711ff1731df2741cf3761bf37819f47918f57b17f57d15f67e14"
    "f68013f78212f78410f8850ff8870ef8890cf98b0bf98c0af98e09fa9008fa9207fa9407fb9606fb9706fb9906fb9b06fb9d07fc9f07"
    "fca108fca309fca50afca60cfca80dfcaa0ffcac11fcae12fcb014fcb216fcb418fbb61afbb81dfbba1ffbbc21fbbe23fac026fac228"
    "fac42afac62df9c72ff9c932f9cb35f8cd37f8cf3af7d13df7d340f6d543f6d746f5d949f5db4cf4dd4ff4df53f4e156f3e35af3e55d"
    "f2e661f2e865f2ea69f1ec6df1ed71f1ef75f1f179f2f27df2f482f3f586f3f68af4f88ef5f992f6fa96f8fb9af9fc9dfafda1fcffa4"
)
"""Red, green and blue of matplotlib's inferno (Stéfan van der Walt and Nathaniel Smith, CC0) from `FIRST` on."""


def _colours() -> NDArray[np.float32]:
    share = np.linspace(0.0, 1.0, 256)
    places = np.minimum((256 * (0.3 + 0.7 * share)).astype(int), 255) - FIRST
    shades = np.frombuffer(_INFERNO, np.uint8).reshape(-1, 3)[places] / 255.0
    return np.column_stack([shades, 0.35 + 0.55 * share]).astype(np.float32)


COLOURS = _colours()
"""(256, 4): red, green, blue and cover of one-sided scores, 0 to 1, from thin to nearly opaque."""


def heat_scale(map_scale: tuple[float, float]) -> tuple[float, float]:
    """Map values where the colours start and end, fixed by healthy scans so that pictures can be compared.

    Ends that coincide (a flat healthy map) are set apart by a hair.

    Raises:
        CalibrationError: the scale is not two finite numbers.
    """
    low, high = map_scale
    if not np.isfinite(map_scale).all():
        raise CalibrationError(
            f"colour scale: expected two finite map values, got {low} to {high}; calibrate again"
        )
    return low, max(high, low + 1e-6 * max(1.0, abs(low)))


def over_grey(
    grey: NDArray[np.floating], values: NDArray[np.floating], map_scale: tuple[float, float]
) -> NDArray[np.uint8]:
    """A grey picture with a map in colour over it.

    Args:
        grey: (rows, columns), 0 to 1.
        values: (rows, columns) of the map, NaN outside the mask.
        map_scale: map values where colour starts (transparent below) and is fullest.

    Returns:
        (rows, columns, 3), red, green, blue.

    Raises:
        CalibrationError: the scale is not two finite numbers.
    """
    low, high = heat_scale(map_scale)
    share = np.clip((np.nan_to_num(values, nan=low - 1.0) - low) / (high - low), 0.0, 1.0)
    colours = COLOURS[(share * 255.0).astype(np.uint8)]
    cover = np.where(values >= low, colours[..., 3], 0.0)[..., None]
    mixed = (1.0 - cover) * grey[..., None] + cover * colours[..., :3]
    found: NDArray[np.uint8] = (mixed * 255.0 + 0.5).astype(np.uint8)
    return found
