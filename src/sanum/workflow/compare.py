"""Whether two models differ on the same test cases."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sanum.core.errors import CohortError
from sanum.core.files import write_json
from sanum.evaluation.pixels import average_precisions
from sanum.evaluation.resample import (
    Difference,
    case_weights,
    delong,
    paired_bootstrap,
    paired_permutation,
    weighted_auroc,
)
from sanum.evaluation.summary import Outcome
from sanum.workflow.evaluate import EvaluateOptions, run_test


@dataclass(frozen=True)
class Comparison:
    """Figures of the first model minus figures of the second, on the same cases.

    Attributes:
        first: file of the first model.
        second: file of the second model.
        cases: test cases of both.
        differences: by the name of the figure; one that the test set has no answer to is left out.
    """

    first: str
    second: str
    cases: int
    differences: dict[str, Difference]

    def lines(self) -> list[str]:
        """One sentence a figure."""
        return [
            f"{self.first} minus {self.second}, {name}: {one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}], "
            f"p = {one.p_value:.4f} ({one.method})"
            for name, one in self.differences.items()
        ]


def compare(
    first: Path, second: Path, prepared: Path, out: Path | None = None, how: EvaluateOptions | None = None
) -> Comparison:
    """Test two models on the test split of one store, over the same draws of subjects.

    Args:
        first: calibrated model file.
        second: another, of the same preparation.
        prepared: store.
        out: folder for the maps and `comparison.json`; nothing is kept without it.
        how: bootstrap and leaks; `EvaluateOptions()` by default.

    Raises:
        CohortError, CalibrationError: see `workflow.evaluate.evaluate`.
    """
    options = how or EvaluateOptions()
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch)
        one, _ = run_test(first, prepared, folder, options)
        other, _ = run_test(second, prepared, folder, options)
    if [case.subject.case for case in one.cases] != [case.subject.case for case in other.cases]:
        raise CohortError(f"{first} and {second}: not tested on the same cases")
    differences = {**_case_differences(one, other, options), **_pixel_differences(one, other, options)}
    result = Comparison(str(first), str(second), len(one.cases), differences)
    if out is not None:
        from sanum.workflow.evaluation_files import plain

        write_json(out / "comparison.json", plain(result))
    return result


def _case_differences(one: Outcome, other: Outcome, how: EvaluateOptions) -> dict[str, Difference]:
    """AUROC of cases by the models' own scores: DeLong for one case a subject, else a paired bootstrap."""
    lesion, scores = one.lesion, (one.scores["model"], other.scores["model"])
    if lesion.all() or not lesion.any():
        return {}
    if len(set(one.subjects)) == len(one.cases) and min(lesion.sum(), (~lesion).sum()) > 1:
        return {"case AUROC": delong(scores[0], scores[1], lesion)}
    weights = case_weights(one.subjects, how.draws, how.seed)
    first, second = (weighted_auroc(part, lesion) for part in scores)
    return {"case AUROC": paired_bootstrap(first, second, weights)}


def _pixel_differences(one: Outcome, other: Outcome, how: EvaluateOptions) -> dict[str, Difference]:
    own = [np.array([case.average_precision for case in tested.cases]) for tested in (one, other)]
    if np.isnan(own[0]).all():
        return {}
    weights = case_weights(one.subjects, how.draws, how.seed)
    counts = [tested.pixel_counts() for tested in (one, other)]
    first, second = counts
    pooled = paired_bootstrap(
        lambda drawn: average_precisions(*first.drawn(drawn)),
        lambda drawn: average_precisions(*second.drawn(drawn)),
        weights,
    )
    gap = own[0] - own[1]
    p = paired_permutation(own[0], own[1], one.subjects, draws=how.draws, seed=how.seed)
    spread = 1.959964 * float(np.nanstd(gap, ddof=1)) / np.sqrt(np.count_nonzero(~np.isnan(gap)))
    mean = float(np.nanmean(gap))
    per_case = Difference(mean, mean - spread, mean + spread, p, f"sign-flip permutation, {how.draws} flips")
    return {"pixel AP, pooled": pooled, "pixel AP per lesion case": per_case}
