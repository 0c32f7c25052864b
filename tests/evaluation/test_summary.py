"""Every figure of a small evaluation, recomputed from the raw arrays with scikit-learn and scipy alone."""

import numpy as np
import pytest
from scipy import ndimage, stats
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from sanum.core.errors import CohortError
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap
from sanum.evaluation.cases import Levels, Subject, measure
from sanum.evaluation.pixels import choose_edges
from sanum.evaluation.resample import case_weights
from sanum.evaluation.summary import Decided, Outcome, summarize

SHAPE, CASES, DRAWS = (12, 12, 3), 10, 40
NORMALS = {"level": 1.2}
SWEEP = np.array([0.5, 1.0, 1.5, 2.0])
SMALLEST = 13
"""0.1 ml in voxels of 2 mm."""


@pytest.fixture(scope="module")
def raw():
    """Maps, masks and lesions of ten subjects, four of them healthy; two sites."""
    rng = np.random.default_rng(7)
    cases = []
    for number in range(CASES):
        values = ndimage.gaussian_filter(rng.normal(size=SHAPE), 0.8)
        values /= values.std()
        lesion = np.zeros(SHAPE, bool)
        if number >= 4:
            lesion[3:8, 4:9, number % 3] = True
            values += 1.2 * lesion
        values[:1] = np.nan
        lesion[:1] = False
        cases.append((values.astype(np.float32), lesion))
    return cases


@pytest.fixture(scope="module")
def evaluation(raw):
    everything = np.concatenate([values[~np.isnan(values)] for values, _ in raw])
    marked = np.concatenate([values[lesion] for values, lesion in raw])
    levels = Levels(choose_edges(everything, marked), NORMALS, SWEEP)
    grid = Grid(SHAPE, np.diag([2.0, 2.0, 2.0, 1.0]))
    figures = [
        measure(
            Subject(f"c{i}", f"s{i}", i >= 4, site="AB"[i % 2]),
            AnomalyMap(f"c{i}", values, grid, "test"),
            lesion,
            levels,
            is_image=False,
        )
        for i, (values, lesion) in enumerate(raw)
    ]
    scores = np.array([np.nanmean(values) for values, _ in raw], float)
    tested = Outcome(
        cases=figures,
        scores={"model": scores},
        p_values=np.linspace(0.1, 1.0, CASES),
        decided=[Decided("rule", scores > np.median(scores))],
        calibration_subjects=9,
        edges=levels.edges,
        sweep=SWEEP,
        is_image=False,
    )
    return summarize(tested, draws=DRAWS, seed=3), scores


def pooled(raw, drawn=range(CASES)):
    inside = [(values[~np.isnan(values)], lesion[~np.isnan(values)]) for values, lesion in raw]
    return (
        np.concatenate([inside[i][0] for i in drawn]),
        np.concatenate([inside[i][1] for i in drawn]),
    )


def draws():
    weights = case_weights([f"s{i}" for i in range(CASES)], DRAWS, 3)
    return [np.repeat(np.arange(CASES), weight.astype(int)) for weight in weights]


def exact(value):
    return pytest.approx(value, abs=1e-6)


def test_pixel_figures(raw, evaluation):
    found, (scores, truth) = evaluation[0].pixels, pooled(raw)
    assert found.prevalence == exact(truth.mean())
    assert found.ap.value == exact(average_precision_score(truth, scores))
    assert found.ap_bounds == (exact(found.ap.value), exact(found.ap.value))
    assert found.auroc.value == exact(roc_auc_score(truth, scores))
    precision, recall, _ = precision_recall_curve(truth, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert found.best_dice.value == exact(f1.max())
    own = [average_precision_score(*pooled(raw, [i])[::-1]) for i in range(4, CASES)]
    assert found.subject_ap.value == exact(np.mean(own))
    assert found.subject_ap_std == exact(np.std(own))
    dices = [f1_score(pooled(raw, [i])[1], pooled(raw, [i])[0] > 1.2) for i in range(4, CASES)]
    assert found.dice["level"].value == exact(np.mean(dices))
    assert found.dice_std["level"] == exact(np.std(dices))
    flagged = [(pooled(raw, [i])[0][~pooled(raw, [i])[1]] > 1.2).mean() for i in range(CASES)]
    assert found.flagged["level"] == exact(np.mean(flagged))


def test_intervals_are_those_of_the_drawn_subjects(raw, evaluation):
    values = [average_precision_score(*pooled(raw, drawn)[::-1]) for drawn in draws()]
    low, high = np.quantile(values, [0.025, 0.975])
    assert (evaluation[0].pixels.ap.low, evaluation[0].pixels.ap.high) == (exact(low), exact(high))


def test_case_and_slice_figures(raw, evaluation):
    found, scores = evaluation
    sick = np.arange(CASES) >= 4
    assert found.case_auroc["model"].value == exact(roc_auc_score(sick, scores))
    means = np.concatenate([np.nanmean(values, axis=(0, 1), dtype=float) for values, _ in raw])
    marked = np.concatenate([lesion.any(axis=(0, 1)) for _, lesion in raw])
    assert found.slice_auroc["mean"].value == exact(roc_auc_score(marked, means))


def test_decisions_by_the_exact_binomial(evaluation):
    found, scores = evaluation
    flags = scores > np.median(scores)
    alarms, hits = int(flags[:4].sum()), int(flags[4:].sum())
    interval = stats.binomtest(hits, 6).proportion_ci(method="exact")
    decision = found.decisions[0]
    assert (decision.false_alarms.hits, decision.sensitivity.hits) == (alarms, hits)
    assert (decision.sensitivity.low, decision.sensitivity.high) == (
        exact(interval.low),
        exact(interval.high),
    )
    assert set(decision.false_alarms_by_site) == {"A", "B"}


def test_lesion_by_lesion(raw, evaluation):
    rows = []
    for level in SWEEP:
        hits = false = 0
        for values, lesion in raw:
            labels, count = ndimage.label(np.nan_to_num(values, nan=-9) >= level, np.ones((3, 3, 3)))
            areas = [labels == i for i in range(1, count + 1) if (labels == i).sum() >= SMALLEST]
            false += sum(not (area & lesion).any() for area in areas)
            hits += bool(lesion.any()) and any((area & lesion).any() for area in areas)
        rows.append((false / CASES, hits / 6))
    curve = evaluation[0].lesions.curve
    assert [row[:2] for row in curve] == [(exact(a), exact(b)) for a, b in rows]
    best = max(hit for false, hit in rows if false <= 1.0)
    assert evaluation[0].lesions.sensitivity["1"].value == exact(best)


def test_healthy_p_values_and_strata(evaluation):
    found, _ = evaluation
    p = np.linspace(0.1, 1.0, CASES)[:4]
    assert found.healthy_p_values == exact(p)
    assert found.uniformity == exact(stats.kstest(p - 0.05, "uniform").pvalue)
    assert {(part.by, part.name, part.healthy, part.lesion) for part in found.strata} == {
        ("site", "A", 2, 3),
        ("site", "B", 2, 3),
    }


def test_thresholds_from_healthy_scans_stand_before_best_possible_ones(evaluation):
    lines = evaluation[0].lines()
    healthy_only = [number for number, line in enumerate(lines) if "healthy scans only" in line]
    best = [number for number, line in enumerate(lines) if "best-possible" in line]
    assert healthy_only
    assert best
    assert max(healthy_only) < min(best)


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(CohortError, match="no test case"):
        summarize(Outcome([], {}, np.array([]), [], 9, np.array([]), SWEEP, True), draws=1, seed=0)
