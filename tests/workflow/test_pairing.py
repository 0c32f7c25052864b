"""True pairs are told from files that only share a number."""

import numpy as np
import pytest
from PIL import Image

from sanum.cohort.discover import discover
from sanum.workflow.pairing import check_pairing, separated


def write(root, shift):
    """Ten heads of different form and place; the MRI of each is that of the head `shift` further on."""
    rng = np.random.default_rng(0)
    heads = []
    for _ in range(10):
        centre, radii = rng.uniform(26, 38, 2), rng.uniform(12, 24, 2)
        i, j = np.mgrid[:64, :64]
        far = np.hypot((i - centre[0]) / radii[0], (j - centre[1]) / radii[1])
        heads.append(
            (np.where(far < 1, np.where(far > 0.8, 250, 110), 0), np.where(far < 0.8, 180, far * 5 % 9))
        )
    for folder in ("CT", "MRI"):
        (root / folder).mkdir()
    for number in range(10):
        Image.fromarray(heads[number][0].astype(np.uint8)).save(root / "CT" / f"{number}.png")
        other = heads[(number + shift) % 10][1]
        Image.fromarray(other.astype(np.uint8)).save(root / "MRI" / f"{number}.png")
    return discover(root)


def test_true_pairs_are_confirmed(tmp_path):
    found = check_pairing(write(tmp_path, 0))
    assert found.really
    assert found.sentence().startswith("pairs checked: of 10 pairs")


def test_equal_names_with_different_anatomy_are_called_out(tmp_path):
    cohort = write(tmp_path, 3)
    found = check_pairing(cohort)
    assert not found.really
    assert found.sentence().startswith("NOT REALLY PAIRED")
    assert found.sentence().endswith(f"`sanum prepare … --modality {cohort.modalities[0]}`")
    apart = separated(cohort)
    assert [len(row.scans) for row in apart] == [1] * 20
    assert len({row.subject for row in apart}) == 20


def test_too_few_pairs_say_nothing(tmp_path):
    cohort = write(tmp_path, 0)
    assert check_pairing(type(cohort)(cohort.path, cohort.rows[:5], cohort.modalities)) is None


@pytest.mark.real
def test_real_pairs_are_confirmed_and_shuffled_ones_are_not(real_data):
    from dataclasses import replace

    from sanum.cohort.table import read_cohort

    cohort = read_cohort(real_data / "synthrad-ctmri" / "cohort.tsv")
    rows = [row for row in cohort if row.extra["plane"] == "axial"][:24]
    mixed = [
        replace(row, scans={"CT": row.scans["CT"], "T1w": rows[n - 5].scans["T1w"]})
        for n, row in enumerate(rows)
    ]
    assert check_pairing(replace(cohort, rows=tuple(rows))).really
    assert not check_pairing(replace(cohort, rows=tuple(mixed))).really
