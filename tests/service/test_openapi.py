"""The OpenAPI page against the service: no made-up request may provoke a server error or break the page's word."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from tests.service.fakes import make

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance)


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    service = make(tmp_path_factory.mktemp("api"), queue=5, requests_per_minute=1e9)
    return schemathesis.openapi.from_wsgi("/openapi.json", service.app)


def check(case) -> None:
    if case.path.endswith("/readyz"):
        return  # there is no worker: 503 is its right answer
    response = case.call()
    case.validate_response(response, checks=list(CHECKS))


QUIET = [
    hypothesis.HealthCheck.too_slow,
    hypothesis.HealthCheck.filter_too_much,
    hypothesis.HealthCheck.data_too_large,
]


def check_every_operation(schema, examples: int, *, derandomize: bool) -> None:
    settings = hypothesis.settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=QUIET,
        derandomize=derandomize,
        database=None,
    )
    seen = []
    for found in schema.get_all_operations():
        operation = found.ok()
        settings(hypothesis.given(case=operation.as_strategy())(lambda case: check(case)))()
        seen.append(operation.label)
    assert len(seen) >= 11, seen


def test_a_few_made_up_requests(schema):
    check_every_operation(schema, 8, derandomize=True)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_made_up_requests(schema):
    check_every_operation(schema, 150, derandomize=False)
