"""Bars: where a notebook can't draw one, silence instead of a warning in every cell."""

import time

from sanum.workflow.progress import progress


def test_a_notebook_without_widgets_gets_neither_bar_nor_warning(monkeypatch, recwarn, capsys):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with progress("judging", 2) as advance:
        advance("first")
    assert not recwarn.list
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_a_bar(monkeypatch, capsys):
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    with progress("judging", 2) as advance:
        advance("first")
    assert "judging" in capsys.readouterr().err


def test_a_log_gets_a_line_now_and_then(monkeypatch, capsys):
    clock = iter([0.0, 3.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with progress("judging", 3) as advance:
        for case in ("first", "second", "third"):
            advance(case)
    assert capsys.readouterr().err == "judging: 2 of 3 second\n"
