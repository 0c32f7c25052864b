"""How values are put in words on a page."""

import pytest

from sanum.report.page import number, plain


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.12345678, "0.1235"),
        (20700.4, "20700"),
        (7, "7"),
        (123456, "123456"),
        (True, "True"),
        (1e-9, "1e-09"),
    ],
)
def test_numbers(value, shown):
    assert number(value) == shown


def test_nested_values_and_zero():
    """Zero is a value; only what is empty is none."""
    assert plain({"a_b": [1, 0.5], "c": None}) == "a b: 1, 0.5, c: none"
    assert plain(0) == "0"
    assert plain(False) == "False"
    assert plain({}) == "none"
