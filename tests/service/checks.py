"""What several tests of the service ask of an answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sanum.service import cases
from sanum.service.case_folder import CaseFolders
from sanum.service.case_judge import Judge, attempt


def check_problem(response: Any, status: int, detail: str) -> dict[str, Any]:
    """The one shape of errors, with a status and words; the problem for more questions."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    problem = json.loads(response.data)
    assert problem["status"] == status
    assert problem["type"].startswith("urn:sanum:problem:")
    assert problem["title"]
    assert re.search(detail, problem["detail"]), problem["detail"]
    assert "Traceback" not in response.text
    return problem


def finish(service: Any, model: Any, case_id: str) -> None:
    """Do the worker's part in this process."""
    judge = Judge({"demo": Path("demo")}, load=lambda path: model)
    assert attempt(service.engine, CaseFolders(service.data), judge, cases.begin(service.engine, case_id))


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}
