"""An exported model gives the same scores, or there is none."""

from __future__ import annotations

import numpy as np
import pytest

from sanum.core.errors import ConfigError, ModelFileError
from sanum.model import load
from sanum.workflow.export import export, exported_beside, use_exported
from sanum.workflow.fit import fit_and_calibrate

onnxruntime = pytest.importorskip("onnxruntime", reason="pip install 'sanum[onnx]'")
pytest.importorskip("onnxscript", reason="pip install 'sanum[onnx]'")


@pytest.fixture(scope="module")
def cae_path(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "cae.safetensors"
    fit_and_calibrate(store, "cae", {"epochs": 1}, out=path)
    return path


@pytest.fixture(scope="module")
def exported(cae_path):
    return export(cae_path)


def test_scores_are_equal_in_every_runtime_here(exported, cae_path, store):
    path, differences = exported
    assert path == exported_beside(cae_path)
    assert differences["onnxruntime"] < 1e-4
    assert all(difference < 1e-4 for difference in differences.values())
    plain, fast = load(cae_path), load(cae_path)
    use_exported(fast, path)
    case = store.load(store.manifest()[-1].case)
    expected, found = plain.detector.score(case).values, fast.detector.score(case).values
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
    assert not np.array_equal(np.nan_to_num(found), np.zeros_like(found))


def test_an_export_of_other_weights_is_refused(exported, store, tmp_path):
    other = tmp_path / "other.safetensors"
    fit_and_calibrate(store, "cae", {"epochs": 1}, out=other, seed=7)
    with pytest.raises(ModelFileError, match="exported from other weights"):
        use_exported(load(other), exported[0])


def test_scores_that_differ_leave_no_file(cae_path, tmp_path, monkeypatch):
    from sanum.detectors import onnx_file

    monkeypatch.setattr(onnx_file, "_runtimes", lambda path: {"odd": lambda images: images * 0.5})
    with pytest.raises(ModelFileError, match=r"scores under odd differ .* the file was not kept"):
        export(cae_path, tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_named(model_path, cae_path, tmp_path):
    with pytest.raises(ConfigError, match="intensity is not exported"):
        export(model_path, tmp_path / "x.onnx")
    with pytest.raises(ConfigError, match=r"ends in \.onnx"):
        export(cae_path, tmp_path / "x.bin")


def test_a_damaged_export_is_named(cae_path, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(b"junk")
    with pytest.raises(ModelFileError, match="can't be loaded"):
        use_exported(load(cae_path), tmp_path / "bad.onnx")
