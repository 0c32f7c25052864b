"""Bags of slices with a known sequence, made from heads: what the eye for sequences is taught on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.sequence.heads import BRAIN, Head, RealScan
from benchmarks.sequence.levels import DRAWS, INDEX, Levels
from sanum.prepare.sequence.look import GAP_MM, PIXEL_MM, SIZE, SLICES, TOP_MM

Bag = NDArray[np.float32]
"""(SLICES, *SIZE)"""

Points = NDArray[np.float32]
"""(SLICES, *SIZE, 3), mm from the middle of the head's top: x to the right, y to the front, z upwards."""

WAVES = 4
"""A smooth random field is the sum of so many waves."""

PLACES = 4
"""Places around the middle of a pixel whose tissues are mixed."""


@dataclass(frozen=True, eq=False)
class Sources:
    """What bags are made from."""

    heads: Sequence[Head]
    real: Sequence[RealScan]
    phantoms: Sequence[Head]


def make_bag(kind: str, sources: Sources, rng: np.random.Generator) -> Bag:
    """One bag of a modality."""
    real = [one for one in sources.real if one.modality == kind or (one.knots is not None and kind != "CT")]
    if real and rng.random() < 0.3:
        own = [one for one in real if one.modality == kind]
        pool = own if own and rng.random() < 0.5 else real
        bag = _of_scan(pool[int(rng.integers(len(pool)))], kind, rng)
    else:
        bag = _of_labels(any_head(sources, rng), DRAWS[kind](rng), kind, rng)
    return _as_stored(_cut_off(bag, rng), rng)


def _cut_off(bag: Bag, rng: np.random.Generator) -> Bag:
    """A field of view that ends within the head: outermost slices are empty, wholly or in part."""
    if rng.random() > 0.12:
        return bag
    cut = bag.copy()
    end = 0 if rng.random() < 0.5 else len(bag) - 1
    half = slice(None) if rng.random() < 0.5 else slice(int(rng.integers(SIZE[1])), None)
    cut[end, :, half] = bag.min()
    return cut


def any_head(sources: Sources, rng: np.random.Generator) -> Head:
    """Mostly one with a skull, seldom a phantom."""
    chosen = rng.random()
    with_skull = [head for head in sources.heads if head.has_skull]
    pool = with_skull if chosen < 0.83 else sources.heads if chosen < 0.96 else sources.phantoms
    return pool[int(rng.integers(len(pool)))]


def points_of(rng: np.random.Generator) -> Points:
    """Where a bag's pixels lie, in a pose of its own."""
    x, y = (PIXEL_MM * (np.arange(size) - (size - 1) / 2) for size in SIZE)
    z = -(TOP_MM + rng.uniform(-8, 8) + GAP_MM * np.arange(SLICES))
    grid = np.stack(np.meshgrid(z, x, y, indexing="ij"), axis=-1)[..., [1, 2, 0]]
    middle = np.array([0.0, 0.0, -60.0])
    turned = (grid - middle) @ _turn(rng) + middle
    turned = (turned + rng.uniform(-8, 8, 3) * [1, 1, 0]).astype(np.float32)
    return turned + waves(turned, rng, 3, rng.uniform(0, 4), (30, 90))


def _sheared(places: Points, rng: np.random.Generator) -> Points:
    """As slices of a tilted gantry lie where they are stacked straight."""
    tilt = np.tan(np.deg2rad(rng.uniform(-26, 26)))
    return places + (places[..., 1:2] * [0.0, 0.0, tilt]).astype(np.float32)


def _turn(rng: np.random.Generator) -> NDArray[np.float64]:
    tilt = rng.normal(0, [9, 5, 6])
    a, b, c = np.deg2rad(tilt)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turn = about_x @ about_y @ about_z @ np.diag(rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, 3))
    if rng.random() < 0.08:
        ways = [
            np.diag([1.0, -1, 1]),
            np.diag([1.0, -1, -1]),
            np.array([[0, 1.0, 0], [-1, 0, 0], [0, 0, 1]]),
            np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
            np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]]),
        ]
        turn = turn @ ways[int(rng.integers(len(ways)))]
    return np.asarray(turn @ np.diag([rng.choice([-1.0, 1.0]), 1, 1]))


def waves(
    places: Points, rng: np.random.Generator, count: int, size: float, mm: tuple[float, float]
) -> NDArray[np.float32]:
    """`count` smooth random fields of standard deviation `size` over places, as last axis."""
    total = np.zeros((*places.shape[:-1], count), np.float32)
    for _ in range(WAVES):
        way = rng.standard_normal((3, count))
        way *= 2 * np.pi / rng.uniform(*mm, count) / np.linalg.norm(way, axis=0)
        total += np.cos(places @ way.astype(np.float32) + rng.uniform(0, 2 * np.pi, count).astype(np.float32))
    return total * np.float32(size / np.sqrt(WAVES / 2))


def _of_labels(head: Head, levels: Levels, kind: str, rng: np.random.Generator) -> Bag:
    alone = not head.has_skull or rng.random() < (0.25 if kind == "CT" else 0.5)
    places = points_of(rng)
    if kind == "CT" and rng.random() < 0.5:
        places = _sheared(places, rng)
    top = head.top_brain if alone else head.top_head
    origin = np.array([head.centre[0], head.centre[1], top])
    thick = rng.uniform(1.0, 6.0)
    tissue = tissues_of(head, places, origin, thick, alone, rng)
    bag = levels[tissue].mean(0)
    if kind in ("T1w", "T1ce"):
        bag = _with_vessels(bag, tissue, levels, kind, rng)
    spread = rng.uniform(0.01, 0.06) * np.abs(levels[INDEX["cortex"]])
    bag = (
        bag
        + spread * ndimage.gaussian_filter(rng.standard_normal(bag.shape, np.float32), (0, 0.8, 0.8)) * 2.0
    )
    outside = (tissue == 0).mean(0) > 0.5 if alone else np.zeros(bag.shape, np.bool_)
    if kind == "CT":
        if not alone and rng.random() < 0.5:
            rest = places[..., 1] < rng.uniform(-115, -85)
            bag = np.where(rest & (tissue == 0).all(0), rng.uniform(-950, -300), bag)
        if not alone and rng.random() < 0.3:
            far = np.linalg.norm(places[..., :2], axis=-1) > rng.uniform(105, 135)
            bag = np.where(far & (tissue == 0).all(0), rng.choice([-3024.0, -2000.0, -1024.0, 0.0]), bag)
        return _ct(bag, outside, rng)
    return worn(bag, places, outside, rng)


def tissues_of(
    head: Head,
    places: Points,
    origin: NDArray[np.float64],
    thick: float,
    alone: bool,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Tissue of `PLACES` places around each pixel's middle (PLACES, S, *SIZE)."""
    half = np.array([PIXEL_MM / 2, PIXEL_MM / 2, thick / 2])
    jitter = (2 * rng.random((PLACES, *places.shape), np.float32) - 1) * half.astype(np.float32)
    index = np.rint(places + jitter + origin.astype(np.float32)).astype(np.int32)
    shape = np.array(head.tissue.shape)
    inside = ((index >= 0) & (index < shape)).all(-1)
    i, j, k = np.moveaxis(np.clip(index, 0, shape - 1), -1, 0)
    tissue = np.where(inside, head.tissue[i, j, k], 0).astype(np.uint8)
    if alone:
        edge = rng.uniform(2, 7) if rng.random() < 0.8 else -1
        kept = (tissue >= BRAIN[0]) & (tissue <= BRAIN[-1])
        kept |= ((tissue == INDEX["csf"]) | (tissue == INDEX["sinus"])) & (
            head.to_brain[i // 2, j // 2, k // 2] <= edge
        )
        tissue[~kept] = 0
    else:
        fatty = waves(places, rng, 1, 1.0, (20, 60))[..., 0] > rng.uniform(-1.5, 0.5)
        tissue[(tissue == INDEX["muscle"]) & fatty] = INDEX["fat"]
    _make_ill(tissue, head.to_ventricle[i // 2, j // 2, k // 2], places, rng)
    return tissue


def _make_ill(
    tissue: NDArray[np.uint8], to_ventricle: NDArray[np.uint8], places: Points, rng: np.random.Generator
) -> None:
    """White-matter disease around the ventricles and elsewhere, and up to three larger lesions."""
    white = tissue == INDEX["white"]
    if rng.random() < 0.45:
        reach = rng.uniform(0, 9) + waves(places, rng, 1, 3.0, (12, 40))[..., 0]
        tissue[white & (to_ventricle < reach)] = INDEX["white-matter disease"]
    if rng.random() < 0.3:
        spots = waves(places, rng, 1, 1.0, (8, 25))[..., 0] > rng.uniform(1.5, 3.0)
        tissue[white & spots] = INDEX["white-matter disease"]
    if rng.random() < 0.5:
        brain = ((tissue >= INDEX["ventricle"]) & (tissue <= INDEX["choroid plexus"])) | (
            tissue == INDEX["white-matter disease"]
        )
        for _ in range(int(rng.integers(1, 4))):
            centre = np.array([rng.uniform(-55, 55), rng.uniform(-65, 60), rng.uniform(-105, -15)])
            radius = np.exp(rng.uniform(np.log(5), np.log(38)))
            far = np.linalg.norm((places - centre) / rng.uniform(0.75, 1.3, 3), axis=-1) / radius
            far += waves(places, rng, 1, 0.2, (0.6 * radius, 2.5 * radius))[..., 0]
            tissue[brain & (far < 1)] = INDEX["lesion"]
            if rng.random() < 0.5:
                wall = rng.uniform(0.1, 0.5)
                core = rng.uniform(0.3, 0.8)
                tissue[brain & (far < core)] = INDEX["csf"] if rng.random() < 0.5 else INDEX["lesion"]
                tissue[brain & (far < core + wall) & (far > core)] = INDEX["lesion rim"]


def _with_vessels(
    bag: Bag, tissue: NDArray[np.uint8], levels: Levels, kind: str, rng: np.random.Generator
) -> Bag:
    """Veins of the sulci, and the dura where skull and fluid meet, which shine with a contrast agent."""
    fluid = (tissue == INDEX["csf"]).mean(0)
    noise = ndimage.gaussian_filter(rng.standard_normal(bag.shape, np.float32), (0, 0.6, 0.6))
    veins = (noise > rng.uniform(0.8, 1.4) * noise.std()) & (fluid > 0.15)
    share = rng.uniform(0.1, 0.5) * fluid * veins
    meets = (fluid > 0) & (tissue == INDEX["bone"]).any(0)
    dura = rng.uniform(0.1, 0.5) * meets
    if kind == "T1w" and rng.random() < 0.7:
        return bag
    bag = bag * (1 - share) + share * levels[INDEX["sinus"]]
    return np.asarray(bag * (1 - dura) + dura * levels[INDEX["dura"]])


def _ct(bag: Bag, outside: NDArray[np.bool_], rng: np.random.Generator) -> Bag:
    """CT in HU, or as one of the grey scales that it is exported on."""
    bag = bag + rng.uniform(1.5, 12) * rng.standard_normal(bag.shape, np.float32)
    bag[outside] = rng.choice([-1000.0, -1024.0, 0.0])
    chosen = rng.random()
    if chosen < 0.55:
        return np.asarray(bag, np.float32)
    low, high = (-1024.0, 2000.0) if chosen < 0.75 else (rng.uniform(-120, 0), rng.uniform(75, 400))
    return np.asarray(255 * ((bag - low) / (high - low)).clip(0, 1), np.float32)


def _of_scan(scan: RealScan, kind: str, rng: np.random.Generator) -> Bag:
    """A real scan, in a contrast of its own or, where it is T1w, in another made from its levels."""
    places = points_of(rng)
    origin = np.array([*(scan.centre[:2] * scan.spacing[:2]), scan.top * scan.spacing[2]])
    index = np.moveaxis((places + origin) / scan.spacing, -1, 0)
    bag = ndimage.map_coordinates(scan.voxels, index, order=1, cval=0.0, mode="grid-constant")
    outside = bag <= 0 if scan.extracted else np.zeros(bag.shape, np.bool_)
    if scan.knots is not None and (kind != scan.modality or rng.random() < 0.3):
        levels = DRAWS[kind](rng)
        csf, grey, white = scan.knots
        ends = levels[
            [INDEX["ventricle"], INDEX["ventricle"], INDEX["cortex"], INDEX["white"], INDEX["white"]]
        ]
        ends = ends * [rng.uniform(0.9, 1.1), 1, 1, 1, rng.uniform(0.9, 1.1)]
        bag = np.interp(bag, [0.5 * csf, csf, grey, white, 1.3 * white], ends)
        bag[outside] = 0.0
        if kind == "T1ce":
            noise = ndimage.gaussian_filter(rng.standard_normal(bag.shape, np.float32), (0, 0.6, 0.6))
            dark = (bag < (levels[INDEX["ventricle"]] + levels[INDEX["cortex"]]) / 2) & ~outside
            veins = dark & (noise > rng.uniform(0.7, 1.3) * noise.std())
            bag = np.where(veins, levels[INDEX["sinus"]] * rng.uniform(0.4, 1.0), bag)
    elif kind != scan.modality:
        raise ValueError(f"a {scan.modality} scan can't be made a {kind}")
    bag = bag / max(float(np.percentile(bag, 95)), 1e-6)
    if rng.random() < 0.35:
        bag = _painted(bag, kind, places, outside, rng)
    return worn(bag, places, outside, rng, light=True)


def _painted(
    bag: Bag, kind: str, places: Points, outside: NDArray[np.bool_], rng: np.random.Generator
) -> Bag:
    """A lesion of the sequence's usual sign in a real scan."""
    levels = DRAWS[kind](rng)
    bright = float(levels[INDEX["lesion"]] / max(levels[INDEX["white"]], 0.1))
    typical = float(np.median(bag[~outside])) if (~outside).any() else 1.0
    centre = np.array([rng.uniform(-50, 50), rng.uniform(-60, 55), rng.uniform(-100, -20)])
    radius = np.exp(rng.uniform(np.log(6), np.log(35)))
    far = (
        np.linalg.norm(places - centre, axis=-1) / radius
        + waves(places, rng, 1, 0.2, (radius, 2 * radius))[..., 0]
    )
    return np.where((far < 1) & ~outside, 0.3 * bag + 0.7 * bright * typical, bag)


def worn(
    bag: Bag, places: Points, outside: NDArray[np.bool_], rng: np.random.Generator, *, light: bool = False
) -> Bag:
    """Coil field, resolution, noise and the scale's bend, as scanners and their users leave them."""
    field = waves(places, rng, 1, rng.uniform(0, 0.22), (120, 400))[..., 0]
    bag = bag * np.exp(field)
    if rng.random() < 0.5:
        blur = rng.uniform(0.3, 1.0, 2)
        bag = ndimage.gaussian_filter(bag, (0, *blur))
    usual = float(np.percentile(bag, 80))
    noise = rng.uniform(0, 0.04 if light else 0.08) ** 1.0 * usual
    real, imaginary = noise * rng.standard_normal((2, *bag.shape), np.float32)
    bag = np.sqrt((bag + real) ** 2 + imaginary**2)
    if outside.any() or rng.random() < 0.15:
        bag = np.where(outside if outside.any() else bag < 3 * noise, 0.0, bag)
    top = float(np.percentile(bag, 99.7))
    return np.asarray(top * (bag / max(top, 1e-6)).clip(0, 3) ** rng.uniform(0.75, 1.3), np.float32)


def _as_stored(bag: Bag, rng: np.random.Generator) -> Bag:
    """Clipped at a percentile and cut to grey levels, as half of the exports are."""
    if rng.random() < 0.5:
        low, high = float(bag.min()), float(np.percentile(bag, rng.uniform(97.5, 100)))
        steps = rng.choice([63, 127, 255])
        bag = np.rint(steps * ((bag - low) / max(high - low, 1e-6)).clip(0, 1))
    return np.asarray(bag, np.float32)
