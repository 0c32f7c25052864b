"""Figures of an evaluation: the curve's points are the definition's, and odd input is refused."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_curve

from sanum.core.errors import CohortError
from sanum.report.evaluation import _roc_points, roc_figure, score_histogram


def test_roc_points_agree_with_scikit_learn_also_with_ties():
    rng = np.random.default_rng(0)
    labels = rng.random(60) < 0.3
    scores = np.round(rng.standard_normal(60) + labels, 1)
    expected = roc_curve(labels, scores, drop_intermediate=False)
    got = _roc_points(scores, labels)
    np.testing.assert_allclose(got[0], expected[0])
    np.testing.assert_allclose(got[1], expected[1])


def test_pictures_open():
    scores, labels = np.array([0.1, 0.2, 0.9, 0.5]), np.array([False, False, True, True])
    for png in (roc_figure(scores, labels), score_histogram(scores, labels, 0.3)):
        assert Image.open(io.BytesIO(png)).size[0] > 300


def test_a_histogram_of_one_kind_is_drawn_but_a_curve_is_not():
    scores, labels = np.array([0.1, 0.2]), np.array([False, False])
    assert score_histogram(scores, labels)
    with pytest.raises(CohortError, match="one kind only"):
        roc_figure(scores, labels)


def test_odd_scores_are_refused():
    labels = np.array([False, True])
    with pytest.raises(CohortError, match="not numbers"):
        roc_figure(np.array([np.nan, 1.0]), labels)
    with pytest.raises(CohortError, match="expected one of each a case"):
        score_histogram(np.array([1.0]), labels)
    assert score_histogram(np.array([1.0, 1.0]), labels)
