"""Several modalities of one case: the verdict over all of them and its findings don't contradict each other."""

from dataclasses import replace
from typing import Any

import pytest

from sanum.core.records import Rule
from sanum.workflow.detect import CaseDetection
from sanum.workflow.each_modality import fuse
from tests.detections import abnormal, normal


def case(made: Any, p: float) -> CaseDetection:
    findings = tuple(replace(one, p_value=p, significant=p <= 0.05) for one in made.findings)
    return CaseDetection(
        case="c",
        status="abnormal" if p <= 0.05 else "normal",
        provenance=made.provenance,
        score=made.score,
        threshold=made.threshold,
        p_value=p,
        rule=Rule("conformal", 0.05),
        findings=findings,
    )


@pytest.mark.parametrize(("p", "status"), [(0.02, "abnormal"), (0.025, "abnormal"), (0.05, "normal")])
def test_findings_share_the_price_of_looking_at_two_modalities(p: float, status: str) -> None:
    fused = fuse({"T1w": case(abnormal(), p), "FLAIR": case(normal(), 0.6)}, 0.05)
    assert fused.status == status
    (finding,) = fused.findings
    assert finding.p_value == pytest.approx(2 * p)
    assert finding.significant is (status == "abnormal")
