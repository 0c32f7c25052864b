"""Made heads: nested ellipsoids as tissue memberships, asymmetric as real ones are not."""

import numpy as np

from sanum.core.grid import Grid
from sanum.core.records import Prepared, Source
from sanum.prepare.presets import Heads, preparation_sha256
from sanum.synthesis.tissues import HEAD_CHANNELS, TISSUES
from tests.phantoms import ellipsoid

SHAPE = (48, 48, 40)


def head_voxels(seed=0, scan=True, shape=SHAPE):
    """(channels of a head, brain mask), voxels of 3 mm."""
    grid = Grid(shape, head_affine(shape))
    stretch = 1.0 + 0.03 * np.random.default_rng(seed).standard_normal(3)
    radii = [np.array(radii) * stretch for radii in ((62, 64, 52), (56, 58, 46), (48, 50, 38), (10, 24, 12))]
    brain, cortex, white, ventricle = (ellipsoid(grid, (0, 0, 0), tuple(one)) for one in radii)
    deep = ellipsoid(grid, (20, 0, 0), (8, 12, 8)) & ~ventricle
    parts = {
        "ventricle": ventricle,
        "deep-grey": deep,
        "white": white & ~ventricle & ~deep,
        "cortex": cortex & ~white,
        "csf": brain & ~cortex,
    }
    tissues = np.stack([parts.get(name, np.zeros(shape, bool)) for name in TISSUES]).astype(np.float32)
    levels = np.array([{"white": 0.8, "cortex": 0.5, "deep-grey": 0.6}.get(name, 0.05) for name in TISSUES])
    picture = np.tensordot(levels, tissues, 1) * brain * float(scan)
    return np.concatenate([picture[None], tissues, brain[None]]).astype(np.float16), brain


def head_affine(shape=SHAPE):
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = -3.0 * (np.array(shape) - 1) / 2
    return affine


def head_case(seed=0, scan=True, shape=SHAPE):
    """The head as a case of a store of heads."""
    voxels, brain = head_voxels(seed, scan, shape)
    grid = Grid(shape, head_affine(shape))
    identity = preparation_sha256(Heads(spacing=3.0, shape=shape))
    source = (Source(f"head-{seed}", f"{seed:064x}"),)
    return Prepared(
        f"head-{seed}",
        f"head-{seed}",
        voxels,
        brain,
        grid,
        HEAD_CHANNELS,
        identity,
        grid,
        np.eye(4),
        False,
        source,
    )
