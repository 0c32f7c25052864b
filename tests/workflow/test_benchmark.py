"""A benchmark from YAML: every run has a record, nothing is run twice, the baseline is always a row."""

import json
import shutil

import pytest

from sanum.core.errors import ConfigError
from sanum.workflow.benchmark import failed, read_benchmark, run_benchmark

PLAN = """
train: {store}
tests: {{phantoms: {store}}}
detectors:
  - {{recipe: intensity, name: dark, settings: {{sign: dark}}}}
  - {{recipe: intensity, name: broken, settings: {{smoothing_mm: -1.0}}}}
seeds: [0, 1]
level: 0.2
draws: 10
"""


@pytest.fixture(scope="module")
def plan(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    path.write_text(PLAN.format(store=store.folder))
    return path


@pytest.fixture(scope="module")
def done(plan, tmp_path_factory):
    out = tmp_path_factory.mktemp("benchmark")
    return run_benchmark([plan], out), out


def test_every_run_has_a_record_with_what_it_rests_on(done):
    records, out = done
    assert [(one["detector"], one["seed"], one["status"]) for one in records] == [
        ("dark", 0, "done"),
        ("dark", 1, "done"),
        ("broken", 0, "failed"),
        ("broken", 1, "failed"),
    ]
    assert "smoothing_mm" in failed(records)[0]
    written = json.loads((out / "records" / "dark-seed0-phantoms.json").read_text())
    assert written["versions"]["numpy"]
    assert written["hardware"]["cores"] >= 1
    assert written["evaluation"]["case_auroc"]["model"]["value"] <= 1.0


def test_what_is_done_is_not_run_again(plan, done):
    _, out = done
    before = {path.name: path.stat().st_mtime_ns for path in (out / "records").glob("dark*")}
    run_benchmark([plan], out)
    assert before == {path.name: path.stat().st_mtime_ns for path in (out / "records").glob("dark*")}


def test_tables_put_thresholds_from_healthy_scans_first(done):
    _, out = done
    header, _, first, second, *_ = (out / "results.md").read_text().splitlines()
    assert header.index("false alarms") < header.index("best-possible Dice *")
    assert first.startswith("| phantoms | dark | 2 |")
    assert second.startswith("| phantoms | broken | 0 of 2 |")
    assert (out / "results.csv").read_text().startswith("test set,detector,seeds")
    assert "<table>" in (out / "results.html").read_text()


def test_the_brightness_baseline_is_added(store, tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(f"train: {store.folder}\ntests: {{a: {store.folder}}}\ndetectors: [{{recipe: cae}}]\n")
    assert read_benchmark(path).detectors[0].recipe == "cae"


def test_several_plans_give_one_table_of_figures_with_intervals(plan, done, store, tmp_path):
    """What the first plan did before is taken from its records."""
    shutil.copytree(done[1], tmp_path / "out")
    other = tmp_path / "other.yaml"
    other.write_text(
        f"train: {store.folder}\ntests: {{others: {store.folder}}}\n"
        "detectors: [{recipe: intensity}]\nlevel: 0.2\ndraws: 10\n"
    )
    records = run_benchmark([plan, other], tmp_path / "out")
    assert {one["test"] for one in records} == {"phantoms", "others"}
    rows = (tmp_path / "out" / "results.md").read_text().splitlines()
    assert [row.split(" | ")[0] for row in rows[2:5]] == ["| others", "| phantoms", "| phantoms"]
    healthy = records[-1]["evaluation"]
    auroc = healthy["case_auroc"]["model"]
    assert f"| {healthy['healthy']} + {healthy['lesion']} |" in rows[2]
    assert f"{auroc['value']:.3f} [{auroc['low']:.3f}, {auroc['high']:.3f}]" in rows[2]
    assert "±" in rows[3]
    assert "±" not in rows[2]


def test_two_plans_may_not_name_a_test_set_alike(plan, tmp_path):
    same_name = tmp_path / "same_name.yaml"
    same_name.write_text(plan.read_text())
    with pytest.raises(ConfigError, match="both name a test set 'phantoms'"):
        run_benchmark([plan, same_name], tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: [", "not valid YAML"),
        ("[1]", "expected keys train, tests and detectors"),
        (
            "train: x\ntests: {a: b}\ndetectors: [{recipe: cae}]\ndraw: 3",
            "unknown key 'draw'; did you mean 'draws'",
        ),
        ("train: x\ntests: {a: b}\ndetectors: [{recipe: cae}, {recipe: cae}]", "two have one name"),
        ("train: x\ntests: {}\ndetectors: []", "at least one detector"),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path, text, message):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_benchmark(path)
    with pytest.raises(ConfigError, match="can't be read"):
        read_benchmark(tmp_path / "missing.yaml")


def test_a_trained_model_is_a_contender_and_stays_as_it_is(store, done, tmp_path):
    _, out = done
    trained = next((out / "models").glob("dark-seed0-*.safetensors"))
    before = trained.read_bytes()
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        f"train: {store.folder}\ntests: {{phantoms: {store.folder}}}\n"
        f"detectors: [{{models: [{trained}, {trained}], name: kept}}]\nlevel: 0.25\ndraws: 10\n"
    )
    records = [one for one in run_benchmark([plan], tmp_path / "out") if one["detector"] == "kept"]
    assert [(one["seed"], one["status"]) for one in records] == [(0, "done"), (1, "done")]
    assert records[0]["training_seconds"] is None
    assert trained.read_bytes() == before


def test_a_contender_is_a_recipe_or_a_model(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("train: x\ntests: {a: x}\ndetectors: [{recipe: atlas, models: [m.safetensors]}]\n")
    with pytest.raises(ConfigError, match="either a recipe or models"):
        read_benchmark(path)
