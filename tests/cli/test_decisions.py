"""The verbs of decisions and evaluation from the command line."""

import pytest
from typer.testing import CliRunner

from sanum.cli.app import app

runner = CliRunner()


def run(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def test_calibrate_says_what_is_guaranteed_and_what_is_not(model_path, tmp_path):
    out = tmp_path / "model.safetensors"
    done = run("calibrate", model_path, "--rule", "conformal", "--level", "0.25", "--out", out)
    assert done.exit_code == 0, done.output
    assert "4 healthy subjects guarantee at most 0.200 false alarms" in done.output
    assert "Family-wise control at 0.25" in done.output
    plain = run("calibrate", model_path, "--rule", "mean+3std", "--out", out)
    assert "guarantees no false-alarm rate" in plain.output


def test_calibrate_says_for_each_modality_what_holds_and_what_all_share_once(tmp_path):
    """The default model: only its T1w scans were scanned, so no rate stands beside the others."""
    done = run("calibrate", "sanum-brain", "--level", "0.1", "--out", tmp_path / "model.safetensors")
    assert done.exit_code == 0, done.output
    assert done.output.count("Family-wise control") == 1
    lines = {line.split(":")[0].strip(): line for line in done.output.splitlines()}
    assert "19 healthy subjects guarantee at most 0.100 false alarms" in lines["T1w"]
    for made in ("FLAIR", "T2w", "PDw"):
        assert lines[made].endswith("who were made: no rate of false alarms is guaranteed")


def test_calibrate_by_group_names_the_groups(model_path, store, tmp_path):
    out = tmp_path / "model.safetensors"
    options = ("--rule", "conformal", "--level", "0.25", "--group", "site", "--findings", "false-discovery")
    done = run("calibrate", model_path, store.folder, *options, "--out", out)
    assert done.exit_code == 0, done.output
    assert "group site=?: 4 healthy subjects" in done.output
    assert "False-discovery control" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--group", "colour"), "grouping"),
        (("--findings", "bonferroni"), "findings"),
        (("--rule", "conformal", "--level", "0.01"), "can't be guaranteed with 4 healthy subjects"),
        (("--site", "here"), "give the prepared store as well"),
    ],
)
def test_calibrate_refuses_what_it_cannot_do(model_path, tmp_path, arguments, message):
    done = run("calibrate", model_path, *arguments, "--out", tmp_path / "m.safetensors")
    assert done.exit_code != 0
    assert message in str(done.exception)


def test_evaluate_compares_two_models(model_path, store):
    done = run("evaluate", model_path, store.folder, "--draws", "20", "--against", model_path)
    assert done.exit_code == 0, done.output
    assert "(DeLong)" in done.output


def test_guarantee_says_rate_and_sensitivity(model_path, store):
    options = ("--level", "0.25", "--resplits", "5", "--kind", "ball", "--size", "60", "--workers", "1")
    done = run("guarantee", model_path, store.folder, *options)
    assert done.exit_code == 0, done.output
    assert "6 held-out healthy subjects" in done.output
    assert "level 0.25: 3 calibrate, 3 tested, 5 re-splits: false-alarm rate" in done.output
    assert "planted lesions found: ball" in done.output


def test_drift_ends_with_3_on_an_alarm(model_path, tmp_path):
    table = tmp_path / "detections.tsv"
    table.write_text("case\tscore\n" + "".join(f"c{i}\t{1000 + i}\n" for i in range(40)))
    done = run("drift", model_path, table)
    assert done.exit_code == 3
    assert "DRIFT" in done.output


def test_data_list_names_licence_and_steps():
    done = run("data", "list")
    assert done.exit_code == 0
    assert "ixi: IXI" in done.output
    assert done.output.count("licence:") == done.output.count("how:") >= 18


def test_data_table_writes_a_cohort(tmp_path):
    folder = tmp_path / "IXI-T1"
    folder.mkdir()
    (folder / "IXI002-Guys-0828-T1.nii.gz").touch()
    done = run("data", "table", "ixi", tmp_path, "--out", tmp_path / "cohort.tsv")
    assert done.exit_code == 0, done.output
    assert "1 cases, 1 healthy" in done.output
    assert (tmp_path / "cohort.tsv").read_text().splitlines()[0].startswith("case\tsubject\tT1w")
