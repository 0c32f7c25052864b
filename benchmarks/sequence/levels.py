"""Levels of tissues by sequence, as ranges to draw from; white matter is 1 but for CT, which is in HU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

TISSUES = (
    "air",
    "csf",
    "ventricle",
    "cortex",
    "white",
    "deep grey",
    "pallidum",
    "cerebellar grey",
    "cerebellar white",
    "brainstem",
    "choroid plexus",
    "bone",
    "marrow",
    "fat",
    "muscle",
    "skin",
    "sinus",
    "eye",
    "mucosa",
    "lesion",
    "lesion rim",
    "white-matter disease",
    "dura",
)
"""Levels in this order; the ones after "mucosa" are painted, no label map knows them."""

INDEX = {name: number for number, name in enumerate(TISSUES)}

Levels = NDArray[np.float32]
"""(len(TISSUES),)"""

Draw = Callable[[np.random.Generator], Levels]


def t1w(rng: np.random.Generator) -> Levels:
    u = rng.uniform
    grey = u(0.5, 0.86) if rng.random() < 0.6 else u(0.78, 0.93)
    csf = u(0.08, 0.35) if grey < 0.78 or rng.random() < 0.5 else u(0.25, 0.6)
    fat = u(1.0, 2.4) if rng.random() < 0.8 else u(0.2, 0.6)
    return _levels(
        rng,
        csf=csf,
        ventricle=csf * u(0.85, 1.05),
        cortex=grey,
        deep=grey + (1 - grey) * u(0.0, 0.8),
        pallidum=u(0.8, 1.08),
        cerebellum=grey * u(0.95, 1.15),
        brainstem=u(0.88, 1.1),
        choroid=u(0.35, 0.8),
        bone=u(0.02, 0.2),
        marrow=fat * u(0.3, 0.8),
        fat=fat,
        muscle=u(0.4, 0.75),
        skin=u(0.3, 1.2),
        sinus=u(0.1, 0.7) if rng.random() < 0.8 else u(0.7, 1.5),
        eye=csf * u(0.9, 1.3),
        mucosa=u(0.4, 0.9),
        lesion=u(csf, 0.85 * grey + 0.15) if rng.random() < 0.9 else u(0.9, 1.4),
        rim=u(0.5, 1.0),
        disease=u(0.5, 0.95),
        dura=u(0.3, 0.7),
    )


def t1ce(rng: np.random.Generator) -> Levels:
    u = rng.uniform
    levels = t1w(rng)
    levels[INDEX["sinus"]] = u(1.3, 3.0)
    levels[INDEX["choroid plexus"]] = u(1.1, 2.4)
    levels[INDEX["mucosa"]] = u(1.2, 2.2)
    levels[INDEX["lesion rim"]] = u(1.1, 2.4)
    levels[INDEX["dura"]] = u(1.0, 2.2)
    return levels


def t2w(rng: np.random.Generator) -> Levels:
    u = rng.uniform
    grey, csf = u(1.12, 1.75), u(1.9, 4.5)
    fat = u(0.6, 2.4) if rng.random() < 0.7 else u(0.1, 0.6)
    return _levels(
        rng,
        csf=csf,
        ventricle=csf * u(0.95, 1.1),
        cortex=grey,
        deep=1 + (grey - 1) * u(0.1, 0.9),
        pallidum=u(0.65, 1.0),
        cerebellum=grey * u(0.85, 1.1),
        brainstem=u(0.9, 1.2),
        choroid=u(1.2, 3.0),
        bone=u(0.03, 0.3),
        marrow=fat * u(0.3, 0.9),
        fat=fat,
        muscle=u(0.25, 0.7),
        skin=u(0.3, 1.2),
        sinus=u(0.1, 1.2),
        eye=csf * u(0.8, 1.1),
        mucosa=u(1.3, 3.0),
        lesion=u(1.5, 3.5),
        rim=u(0.8, 2.5),
        disease=u(1.3, 2.4),
        dura=u(0.2, 0.8),
    )


def flair(rng: np.random.Generator) -> Levels:
    u = rng.uniform
    grey = u(0.95, 1.5) if rng.random() < 0.5 else u(0.92, 1.2)
    csf = u(0.08, 0.55)
    fat = u(0.7, 2.2) if rng.random() < 0.65 else u(0.1, 0.6)
    return _levels(
        rng,
        csf=csf * u(1.0, 1.6),
        ventricle=csf,
        cortex=grey,
        deep=u(0.9, 1.06) if rng.random() < 0.4 else 1 + (grey - 1) * u(0.2, 1.0),
        pallidum=u(0.6, 1.1),
        cerebellum=grey * u(0.85, 1.2),
        brainstem=u(0.85, 1.15),
        choroid=u(0.8, 1.6),
        bone=u(0.03, 0.3),
        marrow=fat * u(0.3, 0.9),
        fat=fat,
        muscle=u(0.35, 0.9),
        skin=u(0.3, 1.4),
        sinus=u(0.1, 1.1),
        eye=csf * u(0.8, 1.6),
        mucosa=u(1.0, 2.4),
        lesion=u(1.3, 2.4),
        rim=u(0.3, 2.4),
        disease=u(1.25, 2.2),
        dura=u(0.3, 1.0),
    )


def pdw(rng: np.random.Generator) -> Levels:
    u = rng.uniform
    grey = u(1.1, 1.38)
    csf = grey * u(0.78, 1.22)
    fat = u(0.8, 1.7) if rng.random() < 0.75 else u(0.1, 0.6)
    return _levels(
        rng,
        csf=csf,
        ventricle=csf * u(0.95, 1.05),
        cortex=grey,
        deep=1 + (grey - 1) * u(0.2, 1.0),
        pallidum=u(0.8, 1.05),
        cerebellum=grey * u(0.9, 1.05),
        brainstem=u(0.95, 1.15),
        choroid=u(1.0, 1.7),
        bone=u(0.05, 0.3),
        marrow=fat * u(0.4, 0.9),
        fat=fat,
        muscle=u(0.5, 1.0),
        skin=u(0.4, 1.3),
        sinus=u(0.1, 1.2),
        eye=csf * u(0.75, 1.1),
        mucosa=u(1.0, 1.7),
        lesion=u(1.2, 1.8),
        rim=u(0.9, 1.7),
        disease=u(1.15, 1.6),
        dura=u(0.3, 0.8),
    )


def ct(rng: np.random.Generator) -> Levels:
    u = rng.uniform
    grey, white, csf = u(34, 42), u(25, 33), u(0, 15)
    levels = _levels(
        rng,
        csf=csf,
        ventricle=csf,
        cortex=grey,
        deep=grey,
        pallidum=grey,
        cerebellum=grey,
        brainstem=u(25, 35),
        choroid=u(30, 150),
        bone=u(700, 1700),
        marrow=u(250, 900),
        fat=u(-110, -70),
        muscle=u(40, 65),
        skin=u(-40, 40),
        sinus=u(45, 75),
        eye=u(0, 15),
        mucosa=u(20, 50),
        lesion=u(5, 25) if rng.random() < 0.6 else u(50, 85),
        rim=u(10, 35),
        disease=u(15, 28),
        dura=u(50, 80),
    )
    levels[INDEX["white"]] = white
    levels[INDEX["cerebellar white"]] = white
    levels[INDEX["air"]] = -1000.0
    return levels


def echo_planar(rng: np.random.Generator) -> Levels:
    """T2-weighted without fat, as the b0 image of a diffusion series."""
    levels = t2w(rng)
    for name in ("bone", "marrow", "fat", "skin", "muscle"):
        levels[INDEX[name]] = rng.uniform(0.0, 0.3)
    return levels


def spin_labelling(rng: np.random.Generator) -> Levels:
    """One image of a series of arterial spin labelling: tissue bright or held down, nothing of fat and bone."""
    u = rng.uniform
    levels = pdw(rng)
    grey = u(0.8, 1.7)
    for name in ("cortex", "deep grey", "cerebellar grey"):
        levels[INDEX[name]] = grey * u(0.9, 1.1)
    levels[[INDEX["csf"], INDEX["ventricle"]]] = u(0.2, 2.2)
    for name in ("bone", "marrow", "fat", "skin", "muscle"):
        levels[INDEX[name]] = u(0.0, 0.25)
    return levels


def diffusion(rng: np.random.Generator) -> Levels:
    """Diffusion-weighted: tissue nearly alike, fluid dark, nothing of fat and bone."""
    u = rng.uniform
    levels = echo_planar(rng)
    levels[INDEX["cortex"] : INDEX["choroid plexus"]] = u(0.85, 1.35, 7)
    levels[[INDEX["csf"], INDEX["ventricle"], INDEX["choroid plexus"], INDEX["eye"]]] = u(0.05, 0.5)
    return levels


def anisotropy(rng: np.random.Generator) -> Levels:
    """Fractional anisotropy: white matter bright, all else dark, noise around it."""
    u = rng.uniform
    levels = np.zeros(len(TISSUES), np.float32)
    for name in ("white", "cerebellar white", "brainstem"):
        levels[INDEX[name]] = u(0.8, 1.2)
    for name in ("cortex", "deep grey", "pallidum", "cerebellar grey"):
        levels[INDEX[name]] = u(0.15, 0.45)
    levels[[INDEX["csf"], INDEX["ventricle"], INDEX["choroid plexus"]]] = u(0.05, 0.25)
    levels[INDEX["lesion"] :] = u(0.1, 0.6)
    return levels


def perfusion(rng: np.random.Generator) -> Levels:
    """Blood flow: cortex bright, white matter dark, nothing outside the brain."""
    u = rng.uniform
    levels = np.zeros(len(TISSUES), np.float32)
    for name in ("cortex", "deep grey", "pallidum", "cerebellar grey", "choroid plexus"):
        levels[INDEX[name]] = u(1.5, 4.0)
    for name in ("white", "cerebellar white", "brainstem"):
        levels[INDEX[name]] = u(0.5, 1.5)
    levels[INDEX["csf"]] = u(0.0, 2.5)
    levels[INDEX["ventricle"]] = u(0.0, 0.8)
    levels[INDEX["sinus"]] = u(0.0, 6.0)
    levels[INDEX["lesion"] :] = u(0.0, 3.0)
    return levels


def diffusivity(rng: np.random.Generator) -> Levels:
    """Mean diffusivity: fluid bright, all tissue alike, nothing outside the brain."""
    levels = np.zeros(len(TISSUES), np.float32)
    levels[INDEX["cortex"] : INDEX["choroid plexus"]] = rng.uniform(0.9, 1.15, 7)
    levels[[INDEX["csf"], INDEX["ventricle"], INDEX["choroid plexus"]]] = rng.uniform(2.5, 4.2)
    levels[INDEX["lesion"] :] = rng.uniform(0.5, 2.0)
    return levels


def _levels(
    rng: np.random.Generator,
    *,
    csf: float,
    ventricle: float,
    cortex: float,
    deep: float,
    pallidum: float,
    cerebellum: float,
    brainstem: float,
    choroid: float,
    bone: float,
    marrow: float,
    fat: float,
    muscle: float,
    skin: float,
    sinus: float,
    eye: float,
    mucosa: float,
    lesion: float,
    rim: float,
    disease: float,
    dura: float,
) -> Levels:
    white = rng.uniform(0.92, 1.03)
    return np.array(
        [
            0.0, csf, ventricle, cortex, 1.0, deep, pallidum, cerebellum, white, brainstem, choroid, bone, marrow,
            fat, muscle, skin, sinus, eye, mucosa, lesion, rim, disease, dura,
        ],
        np.float32,
    )  # fmt: skip


DRAWS: dict[str, Draw] = {"T1w": t1w, "T2w": t2w, "FLAIR": flair, "PDw": pdw, "T1ce": t1ce, "CT": ct}
