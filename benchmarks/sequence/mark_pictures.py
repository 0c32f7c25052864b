"""Mark the gate on pictures: python -m benchmarks.sequence.mark_pictures FOLDER… [--table TABLE…] [--dev].

FOLDERs hold the data sets of `mark.py`; of each volume three axial slices, 25, 45 and 65 mm below the top of what it
shows, become pictures of 256 grey levels. TABLEs are cohort tables of pictures, of which the split `test` counts, or all
where there is none; only rows whose column `plane` is empty or "axial". Every picture is called by its own name, then by
each name that is wrong, as in `mark.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.sequence.mark import SETS, Counts, scans_of
from sanum.core.grid import Grid
from sanum.core.records import Scan
from sanum.formats import read_scan
from sanum.prepare.sequence import recognise

BELOW_TOP_MM = (25.0, 45.0, 65.0)


def pictures_of(scan: Scan) -> Iterator[Scan]:
    """Three axial slices of a volume as pictures."""
    upright = _upright(scan)
    low, high = np.percentile(scan.voxels, (0.5, 99.5))
    shown = (upright > low + 0.15 * (high - low)).mean(axis=(0, 1)) > 0.02
    step = scan.grid.spacing[_axes(scan)[2]]
    for depth in BELOW_TOP_MM:
        k = int(np.flatnonzero(shown)[-1] - depth / step)
        if k >= 0 and shown[k]:
            levels = np.rint(255 * ((upright[..., k : k + 1] - low) / (high - low)).clip(0, 1))
            grid = Grid(levels.shape, np.eye(4))
            yield replace(scan, voxels=levels.astype(np.float32), grid=grid, is_image=True)


def _axes(scan: Scan) -> list[int]:
    """Which axis of the volume runs to the right, to the front and up."""
    codes = scan.grid.axis_codes
    return [next(n for n, code in enumerate(codes) if code in pair) for pair in ("RL", "AP", "SI")]


def _upright(scan: Scan) -> NDArray[np.float32]:
    codes, axes = scan.grid.axis_codes, _axes(scan)
    turned = np.transpose(scan.voxels, axes)
    return np.flip(turned, [n for n, axis in enumerate(axes) if codes[axis] in "LPI"])


def in_tables(tables: list[Path]) -> Iterator[tuple[str, str, Scan]]:
    """Set, modality and picture."""
    for table in tables:
        cells = [line.split("\t") for line in table.read_text().splitlines()]
        rows = [dict(zip(cells[0], line, strict=False)) for line in cells[1:]]
        rows = [row for row in rows if row.get("plane", "axial") == "axial"]
        rows = [row for row in rows if row.get("split") == "test"] or rows
        for name in ("FLAIR", "T1w", "CT"):
            for row in rows:
                if row.get(name):
                    yield f"{table.parent.name} {name}", name, read_scan(table.parent / row[name])


def main() -> None:
    """Print the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("folders", type=Path, nargs="+")
    ask.add_argument("--table", type=Path, nargs="+", default=[])
    ask.add_argument("--dev", action="store_true", help="only the sets that thresholds may be chosen on")
    how = ask.parse_args()
    counts: dict[str, Counts] = {}
    total = Counts()
    from_volumes = (
        (one.name, one.sequence, picture)
        for one in SETS
        if one.dev or not how.dev
        for scan in scans_of(one, how.folders)
        for picture in pictures_of(scan)
    )
    for sets in (from_volumes, in_tables([] if how.dev else how.table)):
        for name, sequence, picture in sets:
            looks = recognise(picture)
            for one in (counts.setdefault(name, Counts()), total):
                one.add(sequence, looks, None)
    print(
        "| pictures | n | recognised | right name: doubtful | surely wrong | wrong names | surely wrong | doubtful "
        "| missed | neighbours told |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    print("\n".join([*(one.line(name) for name, one in counts.items()), total.line("all")]))


if __name__ == "__main__":
    main()
