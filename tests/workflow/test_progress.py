"""Bars: where a notebook can't draw one, silence instead of a warning in every cell."""

from sanum.workflow.progress import progress


def test_a_notebook_without_widgets_gets_neither_bar_nor_warning(monkeypatch, recwarn, capsys):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with progress("judging", 2) as advance:
        advance("first")
    assert not recwarn.list
    assert capsys.readouterr().err == ""


def test_elsewhere_there_is_a_bar(capsys):
    with progress("judging", 2) as advance:
        advance("first")
    assert "judging" in capsys.readouterr().err
