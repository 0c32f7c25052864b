"""The promise on real scans: false-alarm rates over random re-splits, another scanner, and who stays silent.

`atlas_scores.tsv` holds case scores (mean of the top 0.5 % voxels) of the atlas detector, trained on 20 subjects of
OpenNeuro ds002748 (template preparation, seed 0), on 40 other healthy subjects of it and on 35 healthy subjects of
another scanner (OASIS), each as it is and with one planted 5 ml lesion of each evaluation kind, severity 0.7.
The printed sensitivities say what the promise is worth: this simple detector keeps it nearly silent at 5 ml.
"""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import betabinom, kstest

from sanum.calibrate.conformal import p_values
from sanum.calibrate.drift import watch_drift

pytestmark = pytest.mark.slow

SPLITS, CALIBRATION = 200, 20
KINDS = ("ball", "haemorrhage", "resection", "tumour")


def scores_of(site: str) -> dict[str, np.ndarray]:
    path = Path(__file__).with_name("atlas_scores.tsv")
    with path.open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["site"] == site]
    return {name: np.array([float(row[name]) for row in rows]) for name in ("healthy", *KINDS)}


@pytest.fixture(scope="module")
def own():
    return scores_of("ds002748")


@pytest.fixture(scope="module")
def other():
    return scores_of("oasis")


def resplits(own, level, seed=0):
    """False alarms and sensitivity of each random re-split of the healthy subjects, and all p-values."""
    rng = np.random.default_rng(seed)
    count = len(own["healthy"])
    alarms, found, p = [], [], []
    for _ in range(SPLITS):
        order = rng.permutation(count)
        healthy, test = own["healthy"][order[:CALIBRATION]], order[CALIBRATION:]
        p.append(p_values(own["healthy"][test], healthy))
        alarms.append(int((p[-1] <= level).sum()))
        found.append([np.mean(p_values(own[kind][test], healthy) <= level) for kind in KINDS])
    return np.array(alarms), np.mean(found, axis=0), np.concatenate(p)


@pytest.mark.parametrize("level", [0.05, 0.10])
def test_false_alarms_over_random_resplits(own, level):
    """The mean rate keeps the level, and single splits spread as exact theory says they must."""
    alarms, found, _ = resplits(own, level)
    tested = len(own["healthy"]) - CALIBRATION
    flagged = int(level * (CALIBRATION + 1) + 1e-9)
    exact = betabinom(tested, flagged, CALIBRATION + 1 - flagged)
    low, high = exact.ppf(0.025), exact.ppf(0.975)
    inside = np.mean((alarms >= low) & (alarms <= high))
    print(
        f"\nlevel {level}: {SPLITS} re-splits, {CALIBRATION} calibration and {tested} test subjects, "
        f"false-alarm rate {alarms.mean() / tested:.4f} (promised {flagged / (CALIBRATION + 1):.4f}), "
        f"{inside:.3f} of splits within the exact 95 % interval [{low / tested:.2f}, {high / tested:.2f}]; "
        "sensitivity to 5 ml lesions " + ", ".join(f"{k} {s:.2f}" for k, s in zip(KINDS, found, strict=True))
    )
    assert alarms.mean() / tested <= level + 2.6 * exact.std() / tested / np.sqrt(
        len(own["healthy"]) / tested
    )
    assert inside >= 0.9


def test_p_values_look_uniform(own):
    _, _, p = resplits(own, 0.05)
    grid = np.arange(1, CALIBRATION + 2) / (CALIBRATION + 1)
    share = np.array([np.mean(p <= value + 1e-9) for value in grid])
    assert np.abs(share - grid).max() < 0.04


@pytest.mark.parametrize("level", [0.05, 0.10])
def test_another_scanner_before_and_after_recalibration(own, other, level):
    """Without local calibration the promise is broken; 20 local healthy scans restore it."""
    before = np.mean(p_values(other["healthy"], own["healthy"]) <= level)
    rng = np.random.default_rng(1)
    after, found = [], []
    for _ in range(SPLITS):
        order = rng.permutation(len(other["healthy"]))
        local, test = other["healthy"][order[:CALIBRATION]], order[CALIBRATION:]
        after.append(np.mean(p_values(other["healthy"][test], local) <= level))
        found.append([np.mean(p_values(other[kind][test], local) <= level) for kind in KINDS])
    print(
        f"\nother scanner, level {level}: false-alarm rate before {before:.3f}, after --site {np.mean(after):.4f}; "
        "sensitivity after to 5 ml lesions "
        + ", ".join(f"{k} {s:.2f}" for k, s in zip(KINDS, np.mean(found, axis=0), strict=True))
    )
    assert before > 2 * level
    assert np.mean(after) <= level + 0.01


def test_the_drift_watch_notices_the_other_scanner_and_not_the_own(own, other):
    rng = np.random.default_rng(2)
    own_order, other_order = rng.permutation(own["healthy"]), rng.permutation(other["healthy"])
    assert watch_drift(own_order[:20], own_order[20:]).state == "quiet"
    drifted = watch_drift(own_order, other_order)
    print("\n" + drifted.sentence())
    assert drifted.state == "alarm"


def test_one_shared_calibration_of_many_subjects_gives_uniform_p_values():
    rng = np.random.default_rng(3)
    healthy, new = rng.lognormal(size=2000), rng.lognormal(size=400)
    assert kstest(p_values(new, healthy), "uniform").pvalue > 0.01
