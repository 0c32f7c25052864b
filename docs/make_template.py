"""Make `icbm152.npz` and `landmarks.tsv` in `src/sanum/shipped`: pip install nilearn; python docs/make_template.py

The wheel carries both, because nilearn brings pandas and as much again, and takes seconds to import.
"""

from __future__ import annotations

import csv
from importlib.metadata import version
from pathlib import Path

import nilearn
import numpy as np
from nilearn import datasets

SPACING_MM = 2
"""Every second voxel of the 1 mm maps, without a filter: they are smooth averages."""

WORDS = {
    "vmPFC": "ventromedial prefrontal cortex",
    "mPFC": "medial prefrontal cortex",
    "mFC": "medial frontal cortex",
    "aPFC": "anterior prefrontal cortex",
    "vent aPFC": "ventral anterior prefrontal cortex",
    "dlPFC": "dorsolateral prefrontal cortex",
    "vlPFC": "ventrolateral prefrontal cortex",
    "vPFC": "ventral prefrontal cortex",
    "vFC": "ventral frontal cortex",
    "dFC": "dorsal frontal cortex",
    "frontal": "frontal cortex",
    "sup frontal": "superior frontal cortex",
    "ACC": "anterior cingulate cortex",
    "dACC": "dorsal anterior cingulate cortex",
    "post cingulate": "posterior cingulate cortex",
    "SMA": "supplementary motor area",
    "pre-SMA": "pre-supplementary motor area",
    "ant insula": "anterior insula",
    "mid insula": "middle insula",
    "post insula": "posterior insula",
    "IPL": "inferior parietal lobule",
    "IPS": "intraparietal sulcus",
    "TPJ": "temporoparietal junction",
    "parietal": "parietal cortex",
    "post parietal": "posterior parietal cortex",
    "sup parietal": "superior parietal lobule",
    "temporal": "temporal cortex",
    "sup temporal": "superior temporal cortex",
    "inf temporal": "inferior temporal cortex",
    "fusiform": "fusiform gyrus",
    "occipital": "occipital cortex",
    "post occipital": "posterior occipital cortex",
    "inf cerebellum": "inferior cerebellum",
    "lat cerebellum": "lateral cerebellum",
    "med cerebellum": "medial cerebellum",
}
"""Dosenbach's abbreviations written out; other names are words already."""

DEEP = {"3": "hippocampus", "4": "amygdala", "5": "basal ganglia", "6": "thalamus"}
"""Anatomical codes of Seitzman's table that are taken."""

SHIPPED = Path(__file__).parents[1] / "src" / "sanum" / "shipped"


def main() -> None:
    """Write both files."""
    write_template()
    write_landmarks(Path(nilearn.__file__).parent / "datasets" / "data")


def write_landmarks(tables: Path) -> None:
    """Names and MNI coordinates (mm) of the places, as tab-separated text."""
    rows: list[tuple[str, ...]] = []
    with (tables / "dosenbach_2010.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            rows.append((WORDS.get(row["name"], row["name"]), row["x"], row["y"], row["z"]))
    codes = (tables / "seitzman_2018_ROIs_anatomicalLabels.txt").read_text().split()[1:]
    places = (tables / "seitzman_2018_ROIs_300inVol_MNI_allInfo.txt").read_text().splitlines()[1:]
    rows += [
        (DEEP[code], *line.split()[:3]) for code, line in zip(codes, places, strict=True) if code in DEEP
    ]
    lines = ["\t".join(row) for row in [("name", "x", "y", "z"), *rows]]
    (SHIPPED / "landmarks.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_template() -> None:
    """T1 (0 to 1), brain mask, grey and white matter share (0 to 1) at 2 mm, with the affine."""
    images = {
        short: getattr(datasets, f"load_mni152_{name}")(resolution=1)
        for short, name in {
            "t1": "template",
            "brain": "brain_mask",
            "grey": "gm_template",
            "white": "wm_template",
        }.items()
    }
    affine = np.array(images["t1"].affine) @ np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    maps = {
        name: np.ascontiguousarray(
            np.asarray(image.dataobj, np.float32)[::SPACING_MM, ::SPACING_MM, ::SPACING_MM]
        )
        for name, image in images.items()
    }
    maps["brain"] = maps["brain"] > 0
    np.savez_compressed(SHIPPED / "icbm152.npz", affine=affine, **maps)
    print(
        f"nilearn {version('nilearn')}: {', '.join(f'{name} {found.shape}' for name, found in maps.items())}"
    )


if __name__ == "__main__":
    main()
