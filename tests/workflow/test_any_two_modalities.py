"""`pair-fit` takes any two modalities by name, one rendered person after the other, and tolerates that one is missing."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.cohort.table import Cohort
from sanum.core.grid import Grid
from sanum.core.records import Rule
from sanum.formats import write_volume
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.synthesis.cross_modal import plant_cross
from sanum.workflow.detect import detect
from sanum.workflow.fit import calibrate, fit
from sanum.workflow.pair_doubts import FUSED, pair_surprises
from sanum.workflow.prepare import prepare_cohort
from sanum.workflow.render_heads import HeadOptions, render_heads
from tests.synthesis.whole_heads import whole_head
from tests.workflow.test_pair_doubts import HURRIED

PERSONS = 5
PAIRS = (("CT", "T1w"), ("CT", "T2w"), ("CT", "FLAIR"), ("T1w", "FLAIR"), ("T1w", "T2w"))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    numbers = whole_head()
    write_volume(
        folder / "head_01.nii.gz",
        numbers[::-1].astype(np.float32),
        Grid(numbers.shape, np.diag([-1.0, 1, 1, 1])),
    )
    how = HeadOptions(modalities=("CT", "T1w", "T2w", "FLAIR"), scans=PERSONS)
    return render_heads([folder / "head_01.nii.gz"], folder / "made", how)


def split_up(cohort: Cohort, pair) -> Cohort:
    """Three to learn from and the others to calibrate; of each only the two modalities."""
    rows = [
        replace(
            row,
            scans={name: row.scans[name] for name in pair},
            label="healthy",
            as_called=True,  # ellipsoids look like no sequence for sure
            split="train" if number < 3 else "calibration",
        )
        for number, row in enumerate(cohort)
    ]
    return replace(cohort, rows=tuple(rows), modalities=pair)


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_the_pair_is_asked_judged_and_each_of_it_alone(rendered, pair, tmp_path):
    cohort = split_up(rendered, pair)
    how = Slices(pair, size=64, region="head", ct_windows=("bone",), trim=0.3)
    prepare_cohort(cohort, tmp_path / "store", how, workers=1)
    store = Store.open(tmp_path / "store")
    model = calibrate(fit(store, "pair-fit", HURRIED), store, rule=Rule("conformal", 0.4))
    for row in cohort.rows[3:]:
        case = store.load(row.case)
        swapped = plant_cross(case, "left-right-swap", case.modalities[1], size=1.0)
        true, wrong = (pair_surprises(model, one) for one in (case, swapped))
        assert wrong["mirrored"] > true["mirrored"]
        assert wrong[FUSED] > true[FUSED]
    whole = detect(model, cohort.rows[4])
    assert whole.status in ("normal", "abnormal"), whole.reason
    assert [side.modality for side in whole.sides] == list(pair)
    for name, missing in (pair, pair[::-1]):
        alone = detect(model, replace(cohort.rows[4], scans={name: cohort.rows[4].scans[name]}))
        assert alone.status in ("normal", "abnormal"), alone.reason
        assert any(f"{missing} is missing, so {name} was judged alone" in said for said in alone.warnings)
