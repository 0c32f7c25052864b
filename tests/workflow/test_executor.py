"""Cases run in processes of their own; a dead worker is an error, not a hang."""

import os

import pytest

from sanum.core.errors import SanumError
from sanum.workflow.executor import map_cases


def square(number: int) -> int:
    return number * number


def dies(number: int) -> int:
    os._exit(9)


def refuses(number: int) -> int:
    raise SanumError(f"case {number} is wrong")


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_comes_back_once(workers):
    assert sorted(map_cases(square, [1, 2, 3], workers)) == [(1, 1), (2, 4), (3, 9)]


def test_a_worker_that_dies_is_said():
    with pytest.raises(SanumError, match="worker process died"):
        list(map_cases(dies, [1, 2], 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_function_arrives(workers):
    with pytest.raises(SanumError, match="is wrong"):
        list(map_cases(refuses, [1, 2], workers))
