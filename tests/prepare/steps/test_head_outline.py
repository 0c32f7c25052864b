"""The outline of a head: skull, scalp and enclosed air within, the field around it without."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.records import Scan, Source
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Slices, preparation_sha256
from sanum.prepare.steps.head_outline import head_outline
from tests.phantoms import pair_case


def scans():
    case = pair_case(0)
    grid = Grid(case.grid.shape, np.eye(4))
    return case, [
        Scan(voxels * 255 + 2, grid, name, Source(f"{name}.png", "0" * 64), is_image=True)
        for name, voxels in zip(case.modalities, case.voxels, strict=True)
    ]


def test_the_whole_head_lies_within_and_most_of_the_field_without():
    case, both = scans()
    outline = head_outline(both)
    head = case.voxels[0] > 0.2
    assert outline[head].all()
    assert outline.sum() < 1.5 * head.sum()


def test_an_empty_picture_is_refused():
    _, both = scans()
    empty = [replace(scan, voxels=np.full_like(scan.voxels, 3.0)) for scan in both]
    with pytest.raises(PreparationError, match="no outline of a head found"):
        head_outline(empty)


def test_a_pair_of_pictures_without_mask_is_prepared_by_its_outline():
    _, both = scans()
    prepared = prepare(
        {scan.modality: scan for scan in both},
        Slices(("CT", "T1w"), size=64, region="head", ct_windows=()),
        case="a",
        subject="a",
    )
    assert prepared.modalities == ("CT", "T1w")
    assert {"route": "outline of the head"}.items() <= next(
        step.facts for step in prepared.steps if step.name == "brain_mask"
    ).items()


def test_the_region_counts_in_the_identity_only_where_it_is_the_head():
    assert preparation_sha256(Slices()) == "1a01d17af27eb51c940a5e8b684f49ffe84e8dd4e9707d7e1ad230d54b50829e"
    assert preparation_sha256(Slices(region="head")) != preparation_sha256(Slices())
