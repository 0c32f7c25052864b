"""Whether a change of code changed what a model says: record each case's decision twice, then compare.

    python -m benchmarks.score_equality record before.jsonl MODEL scan_T1w.nii.gz …     (with the code before)
    python -m benchmarks.score_equality record after.jsonl MODEL scan_T1w.nii.gz …      (with the code after)
    python -m benchmarks.score_equality compare before.jsonl after.jsonl

Cases that a file holds already are not judged again. Compared are the status, the score (relative), the p-value, the
findings' number and size, the alignment and the brain mask's volume; each change of a decision is printed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

TOLERANCE = 1e-3
"""Largest relative change of a score that counts as the same."""


def record(out: Path, model_name: str, scans: list[Path]) -> None:
    """Append one line a case."""
    from sanum.cohort.table import Row
    from sanum.core.shipped import find_model
    from sanum.formats import modality_of
    from sanum.model import load
    from sanum.workflow.detect import detect

    model = load(find_model(Path(model_name)))
    known = {line["case"] for line in _lines(out)} if out.exists() else set()
    for path in scans:
        if str(path) in known:
            continue
        spent, started = time.process_time(), time.perf_counter()
        found = detect(model, Row(path.name, path.name, {modality_of(path) or "T1w": path.absolute()}))
        seconds = (time.process_time() - spent, time.perf_counter() - started)
        line = {"case": str(path), **_told(found), "processor_s": seconds[0], "wall_s": seconds[1]}
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _told(found: Any) -> dict[str, Any]:
    steps = {step.name: step.facts for step in found.provenance.steps}
    return {
        "status": found.status,
        "reason": found.reason,
        "score": found.score,
        "p_value": found.p_value,
        "findings": len(found.findings),
        "findings_size": round(sum(one.size for one in found.findings), 4),
        "significant": sum(bool(one.significant) for one in found.findings),
        "mask": {name: steps.get("brain_mask", {}).get(name) for name in ("route", "ml")},
        "align": {
            name: steps.get("align", {}).get(name) for name in ("dice", "mutual_information", "to_template")
        },
        "slowest": sorted(((facts.get("seconds", 0.0), name) for name, facts in steps.items()), reverse=True)[
            :4
        ],
    }


def compare(before: Path, after: Path) -> bool:
    """Print the largest changes; True where every score and decision is the same."""
    old, new = ({line["case"]: line for line in _lines(path)} for path in (before, after))
    both = [case for case in old if case in new]
    changed = [case for case in both if old[case]["status"] != new[case]["status"]]
    for case in changed:
        print(f"{case}: {_short(old[case])} -> {_short(new[case])}")
    scored = [case for case in both if None not in (old[case]["score"], new[case]["score"])]
    changes = np.array([abs(new[case]["score"] / old[case]["score"] - 1.0) for case in scored] or [0.0])
    beyond = [case for case, change in zip(scored, changes, strict=False) if change > TOLERANCE]
    for case in beyond:
        print(f"{case}: score {old[case]['score']:.6g} -> {new[case]['score']:.6g}")
    counts = sum(old[case]["findings"] != new[case]["findings"] for case in both)
    ratio = np.median([new[case]["processor_s"] / old[case]["processor_s"] for case in both])
    print(
        f"{len(both)} cases, {len(changed)} decisions changed; score: largest relative change {changes.max():.2g}, "
        f"median {np.median(changes):.2g}, {len(beyond)} beyond {TOLERANCE:g}; other number of findings in {counts}; "
        f"processor time after / before: median {ratio:.2f}"
    )
    return not changed and not beyond


def _short(line: dict[str, Any]) -> str:
    return f"{line['status']} {line['score']} p={line['p_value']} {line['reason']}".strip()


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        record(Path(sys.argv[2]), sys.argv[3], [Path(name) for name in sys.argv[4:]])
    else:
        sys.exit(0 if compare(Path(sys.argv[2]), Path(sys.argv[3])) else 1)
