"""A sample of a stream: uniform, repeatable, never larger than asked."""

import numpy as np

from sanum.detectors.reservoir import reservoir


def blocks(rows, size=7):
    values = np.arange(rows, dtype=np.float32)[:, None]
    return iter([values[start : start + size] for start in range(0, rows, size)])


def test_all_rows_stay_where_there_are_few():
    assert sorted(reservoir(blocks(10), 50, np.random.default_rng(0))[:, 0]) == list(range(10))


def test_no_row_comes_twice_and_the_count_holds():
    found = reservoir(blocks(1000), 50, np.random.default_rng(0))[:, 0]
    assert len(set(found)) == len(found) == 50


def test_early_and_late_rows_are_as_likely():
    rng = np.random.default_rng(0)
    means = [reservoir(blocks(200), 20, rng).mean() for _ in range(300)]
    assert abs(np.mean(means) - 99.5) < 3.0
