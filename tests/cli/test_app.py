"""The command line: light to start, one line an error, exit codes that scripts can rely on."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

SANUM = [sys.executable, "-m", "sanum"]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([*SANUM, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["detectors"]])
def test_light_verbs_do_not_import_torch(arguments):
    code = (
        "import sys\nfrom sanum.cli.app import main\n"
        f"sys.argv = ['sanum', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'sklearn', 'nilearn', 'SimpleITK', 'matplotlib', 'nibabel'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_inspect_reads_a_model_card_without_torch(model_path):
    code = (
        "import sys\nfrom sanum.workflow.inspect import inspect\nfrom pathlib import Path\n"
        f"card = inspect(Path({str(model_path)!r}))\nassert card['detector'] == 'intensity', card\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_answers_at_once():
    started = time.perf_counter()
    assert run("--help").returncode == 0
    assert time.perf_counter() - started < 5.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "nowhere.tsv", "--out", "p"], "nowhere.tsv"),
        (["detect", "nowhere.safetensors", "scan.nii.gz"], "nowhere.safetensors"),
        (["check", "nowhere"], "nowhere"),
        (["inspect", "nowhere.nii.gz"], "no such file"),
        (["cohort", "nowhere"], "nowhere"),
        (["detect", "scan.nii.gz", "--device", "cuda:99"], "device 'cuda:99': this machine has"),
    ],
)
def test_errors_are_one_line_with_exit_code_2(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_refused_scan_has_exit_code_3_and_is_named(model_path, tmp_path):
    from sanum.formats import write_volume
    from tests.phantoms import brain_scan

    scan = brain_scan(1)
    noise = np.random.default_rng(0).uniform(20, 90, scan.voxels.shape).astype(np.float32)
    write_volume(tmp_path / "a_T1w.nii.gz", scan.voxels + noise, scan.grid)
    done = run("detect", model_path, tmp_path / "a_T1w.nii.gz", "--out", tmp_path / "out")
    assert done.returncode == 3, done.stderr
    assert "a_T1w: refused, because" in done.stdout


def test_tokens_are_made_listed_and_revoked(tmp_path):
    data = ["--data", tmp_path / "data"]
    made = run("token", "make", "alice", "--scope", "read", *data)
    assert made.stdout.startswith("sanum_")
    assert run("token", "list", *data).stdout.split("\t")[:2] == ["alice", "read"]
    assert run("token", "revoke", "alice", *data).returncode == 0
    assert "revoked" in run("token", "list", *data).stdout
    assert "did you mean" not in run("token", "make", "bob", "--scope", "read", *data).stderr
    wrong = run("token", "make", "eve", "--scope", "raed", *data)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean 'read'" in wrong.stderr


def test_a_model_may_stand_before_the_scans_or_be_an_option_or_be_left_out(tmp_path):
    """The old form `detect MODEL SCAN` goes on working; without a model the one that comes with sanum judges."""
    from sanum.core.errors import ConfigError
    from sanum.core.shipped import DEFAULT_MODEL, shipped_models
    from sanum.workflow.inputs import model_and_scans

    mine, shipped, scan = tmp_path / "mine.safetensors", shipped_models()[DEFAULT_MODEL], Path("a_T1w.nii.gz")
    mine.write_bytes(b"")
    assert model_and_scans([mine, scan], None) == (mine, [scan])
    assert model_and_scans([Path(DEFAULT_MODEL), scan], None) == (shipped, [scan])
    assert model_and_scans([scan, scan], None) == (shipped, [scan, scan])
    assert model_and_scans([scan], mine) == (mine, [scan])
    with pytest.raises(ConfigError, match="is a model; name a scan to judge as well"):
        model_and_scans([mine], None)


def test_modalities_may_be_named_with_commas_or_one_by_one(tmp_path):
    (tmp_path / "a.nii.gz").touch()
    table = tmp_path / "cohort.tsv"
    table.write_text("case\tsubject\tT1w\tlabel\na\ta\ta.nii.gz\thealthy\n")
    for given in (["CT,T2w"], ["CT", "--modality", "T2w"]):
        done = run("prepare", table, "--out", tmp_path / "store", "--modality", *given)
        assert "no case with CT, T2w; there is T1w" in done.stderr
