"""Whole heads as scans: CT in Hounsfield units and MRI of the same person, made of label maps, as files to prepare."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from sanum.cohort.table import Cohort, Row, read_cohort, write_cohort
from sanum.core.errors import CohortError, ConfigError, ScanError
from sanum.core.grid import Grid
from sanum.core.names import NIFTI_SUFFIXES
from sanum.core.records import Split
from sanum.core.units import Mask, Volume
from sanum.formats import read_scan, write_volume
from sanum.prepare.steps import orient
from sanum.synthesis.head_lesions import find_head_lesion, painted_ct, painted_mr
from sanum.synthesis.head_scanner import Frame, Scanners, make_frame, scan_ct, scan_mask, scan_mr
from sanum.synthesis.head_volumes import SEQUENCES, Head, hounsfield, make_head, sequence_of
from sanum.workflow.fit import MADE_SITE

CT = "CT"
MM_OFF = 0.05
"""Most that a label map's voxels may differ from 1 mm."""


@dataclass(frozen=True)
class HeadOptions:
    """What is made of each label map.

    Attributes:
        modalities: CT, T1w, T2w or FLAIR, each a file; all show one person in one visit.
        split: of the rows of the table.
        scans: persons made of each label map.
        lesion: kind that every person has in all modalities, see `head_lesions`; "" for healthy ones.
        ml: its size.
        scanners: how scans differ.
        seed: of everything random.
    """

    modalities: tuple[str, ...] = (CT, "T1w")
    split: str = "calibration"
    scans: int = 3
    lesion: str = ""
    ml: float = 5.0
    scanners: Scanners = field(default_factory=Scanners)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in self.modalities:
            if name not in (CT, *SEQUENCES):
                raise ConfigError(
                    f"modality {name!r} can't be rendered of a head; known are CT, {', '.join(SEQUENCES)}"
                )
        if self.split not in get_args(Split):
            raise ConfigError(f"split {self.split!r}: expected one of {', '.join(get_args(Split))}")
        if self.lesion:
            find_head_lesion(self.lesion)
        if not 0.05 <= self.ml <= 200.0:
            raise ConfigError(f"ml: expected 0.05 to 200, got {self.ml:g}")


def render_heads(
    labels: Sequence[Path],
    out: Path,
    options: HeadOptions,
    *,
    on_done: Callable[[str], None] = lambda _: None,
) -> Cohort:
    """Write scans and head masks of made persons, and their table `cohort.tsv`, ready for `sanum prepare`.

    The table does not name the masks: a made head is prepared as a scanned one, whose outline has to be found.
    Cases that the folder's table already lists stay in it, so that splits rendered one after the other make one cohort.
    Each person counts as a subject; those of one label map are alike, so keep label maps apart that test something.

    Args:
        labels: whole-head label maps of 1 mm, FreeSurfer's numbers and those above 500 for skull and scalp.
        out: the folder, made if need be.
        options: what is made.
        on_done: told the name of each case.

    Raises:
        CohortError: no label map.
        ConfigError: the folder holds a cohort of other modalities.
        ScanError: one can't be read, has other voxels than of 1 mm, or shows no skull.
        StorageError: `out` can't be written.
    """
    if not labels:
        raise CohortError("no label map to render: give .nii.gz files of whole heads, or a folder of them")
    before = _before(out / "cohort.tsv", options.modalities)
    out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for number, path in enumerate(labels):
        numbers = _upright(path)
        for scan in range(options.scans):
            rng = np.random.default_rng([options.seed, number, scan])
            try:
                head = make_head(numbers, rng)
            except ScanError as error:
                raise ScanError(f"{path.name}: {error}") from None
            rows.append(_written(head, f"{_name(path)}-{options.seed}-{scan}", out, options, rng))
            on_done(rows[-1].case)
    made = {row.case for row in rows}
    kept = [row for row in before if row.case not in made]
    cohort = Cohort(out / "cohort.tsv", (*kept, *rows), options.modalities)
    write_cohort(cohort, cohort.path)
    return cohort


def label_maps(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files among paths, and the NIfTI files right within folders, by name."""
    found = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else []
        found += [path] if path.is_file() else [one for one in inside if one.name.endswith(NIFTI_SUFFIXES)]
    return tuple(found)


def _before(path: Path, modalities: tuple[str, ...]) -> tuple[Row, ...]:
    if not path.exists():
        return ()
    cohort = read_cohort(path)
    if cohort.modalities != modalities:
        raise ConfigError(
            f"{path}: holds {', '.join(cohort.modalities)}, not {', '.join(modalities)}; render into another folder"
        )
    return cohort.rows


def _written(head: Head, case: str, out: Path, options: HeadOptions, rng: np.random.Generator) -> Row:
    frame = make_frame(head.labels.shape, options.scanners, rng)
    soft = find_head_lesion(options.lesion).shape(head, options.ml, rng) if options.lesion else None
    grid = _grid(frame)
    scans = {}
    for name in options.modalities:
        scans[name] = out / f"{case}_{name}.nii.gz"
        write_volume(scans[name], _scanned(head, name, soft, frame, options, rng), grid)
    lesion = None
    write_volume(out / f"{case}_head.nii.gz", scan_mask(head.mask, frame).astype(np.uint8), grid)
    if soft is not None:
        lesion = out / f"{case}_lesion.nii.gz"
        write_volume(lesion, _marked(soft, frame).astype(np.uint8), grid)
    return Row(
        case,
        case,
        {name: path.absolute() for name, path in scans.items()},
        lesion=None if lesion is None else lesion.absolute(),
        label="healthy" if soft is None else "lesion",
        split=cast(Split, options.split),
        site=MADE_SITE,
    )


def _scanned(
    head: Head, name: str, soft: Volume | None, frame: Frame, options: HeadOptions, rng: np.random.Generator
) -> Volume:
    if name == CT:
        hu = hounsfield(head, rng)
        if soft is not None:
            hu = painted_ct(hu, soft, find_head_lesion(options.lesion), rng)
        return scan_ct(hu, frame, options.scanners, rng)
    values = sequence_of(head, name, rng)
    if soft is not None:
        values = painted_mr(values, soft, find_head_lesion(options.lesion), name)
    return 1000.0 * scan_mr(values, frame, options.scanners, rng)


def _marked(soft: Volume, frame: Frame) -> Mask:
    return scan_mask(soft > 0.5, frame)


def _grid(frame: Frame) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = frame.turn @ np.diag(frame.spacing)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(frame.shape) - 1) / 2)
    return Grid(frame.shape, affine)


def _upright(path: Path) -> NDArray[np.int16]:
    """A label map's numbers with axes right, anterior, superior."""
    read = read_scan(path)
    if max(abs(mm - 1.0) for mm in read.grid.spacing) > MM_OFF:
        raise ScanError(
            f"{path.name}: voxels of {', '.join(f'{mm:.2f}' for mm in read.grid.spacing)} mm; heads are rendered of "
            "label maps of 1 mm: resample it without interpolation first"
        )
    return np.rint(orient.ras_voxels(read.voxels, read.grid)).astype(np.int16)


def _name(path: Path) -> str:
    return path.name.split(".")[0]
