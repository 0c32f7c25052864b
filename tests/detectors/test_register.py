"""A network and a loss of one's own: the documented page runs as it stands."""

import re
from pathlib import Path

import pytest

import sanum
from sanum import detectors
from sanum.core.errors import ConfigError, ModelFileError
from sanum.detectors.intensity import Intensity

PAGE = Path(__file__).parents[2] / "docs" / "own_network.md"


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(detectors, "_OWN", {})


def test_the_page_trains_judges_and_loads_again(store, cohort_path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    names = {
        "__name__": "own_network",
        "healthy_scans": store,
        "new_scan": cohort_path.parent / "c11_T1w.nii.gz",
    }
    exec(compile(code, str(PAGE), "exec"), names)
    assert names["detection"].status in ("normal", "abnormal")
    assert names["detection"].restored is not None
    assert sanum.load("tiny.safetensors").detect(names["new_scan"]).score == names["detection"].score
    detectors._OWN.clear()
    with pytest.raises(ModelFileError, match="unknown detector 'tiny-autoencoder'"):
        sanum.load("tiny.safetensors")


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(ConfigError, match="'intensity' comes with sanum; give yours another name"):
        detectors.register(Intensity)
