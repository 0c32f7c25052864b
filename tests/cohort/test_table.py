"""The cohort table: strict in, the same out."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sanum.cohort.table import Cohort, Row, read_cohort, write_cohort
from sanum.core.errors import CohortError


def table(folder: Path, *lines: str, name: str = "cohort.tsv") -> Path:
    """Write lines with `|` for a tab."""
    path = folder / name
    path.write_text("\n".join(line.replace("|", "\t") for line in lines) + "\n", encoding="utf-8")
    return path


def test_row_holds_every_known_column_and_carries_the_others(tmp_path):
    path = table(
        tmp_path,
        "case|subject|session|FLAIR|T1w|brain|lesion|label|split|site|age|sex|plane",
        "a.1|s1|ses-2|f/a.png|t/a.png|b.png|l.png|lesion|test|Oslo|61.5|F|axial",
        "b_2|s2|n/a||t/b.png||n/a||||n/a||n/a",
    )
    cohort = read_cohort(path, check_files=False)
    assert cohort.modalities == ("FLAIR", "T1w")
    first, second = cohort
    assert first == Row(
        case="a.1",
        subject="s1",
        scans={"FLAIR": tmp_path / "f/a.png", "T1w": tmp_path / "t/a.png"},
        session="ses-2",
        brain=tmp_path / "b.png",
        lesion=tmp_path / "l.png",
        label="lesion",
        split="test",
        site="Oslo",
        age=61.5,
        sex="F",
        extra={"plane": "axial"},
    )
    assert second == Row(case="b_2", subject="s2", scans={"T1w": tmp_path / "t/b.png"})


def test_paths_are_absolute_whatever_the_working_folder(tmp_path, monkeypatch):
    table(tmp_path, "case|subject|T1w", "a|s|x.nii.gz")
    monkeypatch.chdir(tmp_path)
    cohort = read_cohort(Path("cohort.tsv"), check_files=False)
    assert cohort.rows[0].scans["T1w"] == tmp_path / "x.nii.gz"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("case|T1w", r"cohort\.tsv: column 'subject' is missing"),
        ("subject|T1w", "column 'case' is missing"),
        ("case,subject,T1w", "column 'case' is missing; expected a tab-separated header"),
        ("case|subject|site", "no modality column; expected at least one of T1w, T2w, FLAIR"),
        ("case|subject|flair", "unknown column 'flair'; did you mean 'FLAIR'"),
        ("case|subject|T1w|Label", "unknown column 'Label'; did you mean 'label'"),
        ("case|subject|T1w|T1w", "column 'T1w' stands there twice"),
        ("case|subject|T1w||age", "a column has no name"),
    ],
)
def test_faulty_headers_are_refused(tmp_path, header, message):
    with pytest.raises(CohortError, match=message):
        read_cohort(table(tmp_path, header, "a|s|x.nii.gz"), check_files=False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b|s|x|sick||", "line 3: label 'sick'; expected healthy, lesion, unknown"),
        ("b|s|x||validation|", "line 3: split 'validation'; expected train, calibration, test"),
        ("b|s|x|||old", "line 3: age 'old'; expected years from 0 to 130"),
        ("b|s|x|||-4", "line 3: age '-4'"),
        ("b|s|x|||nan", "line 3: age 'nan'"),
        ("b|s|n/a|||", "line 3: case 'b' has no scan; give a path for one of T1w"),
        ("b||x|||", "line 3: case and subject must both have a value"),
        ("b|s|x|", "line 3: expected 6 cells, got 4"),
        ("a|s|x|||", "case 'a' stands in line 2 and again in line 3"),
        (".b|s|x|||", r"line 3: case '\.b' can't be a folder name"),
        ("b/../c|s|x|||", "can't be a folder name"),
        ("b c|s|x|||", "can't be a folder name"),
    ],
)
def test_faulty_cells_are_refused_with_their_line(tmp_path, line, message):
    path = table(tmp_path, "case|subject|T1w|label|split|age", "a|s|x|healthy|train|30", line)
    with pytest.raises(CohortError, match=message):
        read_cohort(path, check_files=False)


def test_empty_tables_and_other_files_are_refused(tmp_path):
    with pytest.raises(CohortError, match=r"gone\.tsv: can't be read"):
        read_cohort(tmp_path / "gone.tsv")
    with pytest.raises(CohortError, match="the table is empty"):
        read_cohort(table(tmp_path, ""))
    with pytest.raises(CohortError, match="a header but no case"):
        read_cohort(table(tmp_path, "case|subject|T1w", ""))
    (tmp_path / "b.tsv").write_bytes(b"case\tsubject\tT1w\n\xff\xfe\tx\ty\n")
    with pytest.raises(CohortError, match=r"b\.tsv: not UTF-8"):
        read_cohort(tmp_path / "b.tsv")


def test_missing_files_are_counted_and_the_first_ones_listed(tmp_path):
    (tmp_path / "there.png").touch()
    lines = [f"c{number}|s{number}|gone{number}.png|there.png" for number in range(9)]
    path = table(tmp_path, "case|subject|T1w|brain", *lines)
    with pytest.raises(CohortError, match="files that are not there: 9") as caught:
        read_cohort(path)
    message = str(caught.value)
    assert f"line 2: {tmp_path / 'gone0.png'}" in message
    assert "gone4.png" in message
    assert "gone5.png" not in message
    assert "and 4 more" in message
    assert len(read_cohort(path, check_files=False)) == 9


def test_masks_are_looked_for_too(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(CohortError, match=r"files that are not there: 1;.*\n.*lesion\.png"):
        read_cohort(table(tmp_path, "case|subject|T1w|lesion", "a|s|a.png|lesion.png"))


def test_spreadsheet_habits_are_tolerated(tmp_path):
    """A byte order mark, Windows line ends, blank lines and spaces around cells change nothing."""
    path = tmp_path / "a.tsv"
    path.write_bytes("\ufeffcase\tsubject\tT1w\r\na \t s\tx.png\r\n\t\t\r\n\r\nb\ts\ty.png\r\n".encode())
    assert [(row.case, row.subject) for row in read_cohort(path, check_files=False)] == [
        ("a", "s"),
        ("b", "s"),
    ]


def test_quotes_are_letters(tmp_path):
    """A lone quote must not swallow the lines after it."""
    path = table(tmp_path, "case|subject|T1w|comment", 'a|s|x.png|"tall', "b|s|y.png|5 o'clock")
    assert [row.extra["comment"] for row in read_cohort(path, check_files=False)] == ['"tall', "5 o'clock"]


def test_ages_hidden_above_a_limit_count_as_the_limit(tmp_path):
    assert (
        read_cohort(table(tmp_path, "case|subject|T1w|age", "a|s|x|89+"), check_files=False).rows[0].age == 89
    )


def test_cases_without_a_wanted_modality_are_left_out_and_counted(tmp_path):
    scans = ({"T1w": tmp_path / "a"}, {"CT": tmp_path / "b"}, {"T1w": tmp_path / "c", "CT": tmp_path / "c"})
    rows = tuple(Row(name, name, one) for name, one in zip("abc", scans, strict=True))
    cohort = Cohort(tmp_path, rows, ("T1w", "CT"))
    shown = cohort.showing(["T1w"])
    assert [row.case for row in shown] == ["a", "c"]
    assert shown.notes == ("cases left out, without T1w: 1",)
    assert cohort.showing(["T1w", "CT"]).notes == ()
    with pytest.raises(CohortError, match="no case with FLAIR; there is T1w, CT"):
        cohort.showing(["FLAIR"])


def test_selection_by_split_and_label(tmp_path):
    path = table(
        tmp_path,
        "case|subject|T1w|label|split",
        "a|a|x|healthy|train",
        "b|b|x|healthy|test",
        "c|c|x|lesion|test",
    )
    cohort = read_cohort(path, check_files=False)
    assert [row.case for row in cohort.select(split="test")] == ["b", "c"]
    assert [row.case for row in cohort.select(label="healthy")] == ["a", "b"]
    assert [row.case for row in cohort.select(split="test", label="lesion")] == ["c"]
    assert len(cohort.select(split="calibration")) == 0


def test_what_is_written_is_read_back(tmp_path):
    rows = (
        Row("a", "s1", {"FLAIR": tmp_path / "in/a.png"}, age=82.28336415, extra={"plane": "axial"}),
        Row("b", "s2", {"T1w": tmp_path / "b.png"}, label="healthy", split="train", age=40.0, sex="M"),
        Row("c", "s3", {"T1w": tmp_path / "c.png"}, as_called=True),
    )
    write_cohort(Cohort(tmp_path, rows, ("FLAIR", "T1w")), tmp_path / "c.tsv")
    back = read_cohort(tmp_path / "c.tsv", check_files=False)
    assert back.rows == rows
    assert back.modalities == ("FLAIR", "T1w")


def test_written_paths_are_relative_below_the_table_and_absolute_elsewhere(tmp_path):
    rows = (Row("a", "s", {"T1w": tmp_path / "in" / "a.png"}, brain=tmp_path.parent / "brain.png"),)
    write_cohort(Cohort(tmp_path, rows, ("T1w",)), tmp_path / "c.tsv")
    header, line = (tmp_path / "c.tsv").read_text().splitlines()
    assert header == "case\tsubject\tT1w\tbrain\tlabel"
    assert line == f"a\ts\tin/a.png\t{tmp_path.parent / 'brain.png'}\tunknown"


def test_cells_that_would_break_the_table_are_not_written(tmp_path):
    for extra, message in (
        ({"note": "a\tb"}, "a tab or a line break"),
        ({"Label": "x"}, "has a meaning of its own"),
    ):
        rows = (Row("a", "s", {"T1w": tmp_path / "a.png"}, extra=extra),)
        with pytest.raises(CohortError, match=message):
            write_cohort(Cohort(tmp_path, rows, ("T1w",)), tmp_path / "c.tsv")
    assert not (tmp_path / "c.tsv").exists()


def test_large_tables_are_read_quickly(tmp_path):
    """20,000 rows: about a quarter of a second of processor time; the bound leaves room for slow machines."""
    lines = [f"c{number}|s{number // 2}|img/{number}.png|healthy|train|40" for number in range(20_000)]
    path = table(tmp_path, "case|subject|T1w|label|split|age", *lines)
    started = time.process_time()
    assert len(read_cohort(path, check_files=False)) == 20_000
    assert time.process_time() - started < 2.0


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "cases", "modalities"),
    [
        ("brats2018", 3, ("FLAIR", "T1w")),
        ("nichart", 8, ("T1w", "FLAIR")),
        ("soop-flair", 1112, ("FLAIR",)),
        ("synthrad-ctmri", 405, ("CT", "T1w")),
    ],
)
def test_real_tables_are_read_and_written_alike(real_data, tmp_path, name, cases, modalities):
    cohort = read_cohort(real_data / name / "cohort.tsv")
    assert len(cohort) == cases
    assert cohort.modalities == modalities
    write_cohort(cohort, tmp_path / "c.tsv")
    assert read_cohort(tmp_path / "c.tsv").rows == cohort.rows


def test_who_vouches_says_yes_or_no(tmp_path):
    path = table(tmp_path, "case|subject|T1w|as_called", "a|s|x|yes", "b|s|y|no", "c|s|z|")
    assert [row.as_called for row in read_cohort(path, check_files=False)] == [True, False, False]
    with pytest.raises(CohortError, match=r"line 2: as_called 'maybe'"):
        read_cohort(table(tmp_path, "case|subject|T1w|as_called", "a|s|x|maybe"), check_files=False)
