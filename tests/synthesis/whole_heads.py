"""A whole head of nested ellipsoids in voxels of 1 mm: skin, soft tissue, skull, fluid, brain."""

import numpy as np

SHAPE = (72, 84, 64)

RADII = (
    (511, (33, 39, 29)),
    (507, (32, 38, 28)),
    (515, (29, 35, 25)),
    (516, (27, 33, 23)),
    (515, (26, 32, 22)),
    (24, (24, 30, 20)),
    (3, (23, 29, 19)),
    (2, (20, 26, 16)),
    (4, (5, 10, 4)),
)


def whole_head():
    """Labels (I, J, K); the ventricle lies to the right, so that the sides differ."""
    at = np.indices(SHAPE) - (np.array(SHAPE)[:, None, None, None] - 1) / 2
    labels = np.zeros(SHAPE, np.int16)
    for number, radii in RADII:
        moved = at - np.array([6 if number == 4 else 0, 0, 0])[:, None, None, None]
        labels[((moved / np.array(radii)[:, None, None, None]) ** 2).sum(0) <= 1] = number
    labels[34:38, 40:44, 26:30] = 14
    labels[46:48, 40:44, 30:33] = 31
    return labels
