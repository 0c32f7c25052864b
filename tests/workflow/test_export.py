"""An exported model gives the same scores, or there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sanum.core.errors import ConfigError, ModelFileError
from sanum.core.header import read_header
from sanum.core.shipped import shipped_models
from sanum.model import load, save
from sanum.workflow.export import export, exported_beside, made_cases, use_exported
from sanum.workflow.fit import fit_and_calibrate
from sanum.workflow.inputs import model_and_scans

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

    def odd(network, images):
        return lambda batch: batch * 0.5

    monkeypatch.setattr(onnx_file, "_runtimes", lambda: {"odd": odd})
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
    with pytest.raises(ModelFileError, match="damaged ONNX file; export it again"):
        load(tmp_path / "bad.onnx")


def test_an_exported_file_stands_wherever_a_model_file_may(exported, cae_path, store):
    """It decides as the model it was made of, through ONNX Runtime and not through PyTorch."""
    plain, fast = load(cae_path), load(exported[0])
    assert fast.calibrated().rule == plain.calibrated().rule
    assert fast.detector.state_sha256() == plain.detector.state_sha256()
    assert not isinstance(fast.detector.net_.__dict__["forward"], type(plain.detector.net_.forward))
    case = store.load(store.manifest()[-1].case)
    expected, found = (model.detector.score(case).values for model in (plain, fast))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
    assert read_header(exported[0])["detector"] == "cae"
    assert model_and_scans([exported[0], Path("scan_T1w.nii.gz")], None)[0] == exported[0]


def test_moved_to_a_device_it_leaves_onnx_runtime(exported):
    model = load(exported[0])
    model.detector.to("cpu")
    assert "forward" not in model.detector.net_.__dict__


def test_nothing_is_exported_twice_or_saved_as_an_export(exported, cae_path, tmp_path):
    with pytest.raises(ConfigError, match=r"is exported already; name the \.safetensors file"):
        export(exported[0])
    with pytest.raises(ConfigError, match=r"a model is written as \.safetensors"):
        save(load(cae_path), tmp_path / "x.onnx")


def test_an_onnx_file_without_a_model_is_named(exported, tmp_path):
    import onnx

    file = onnx.load(exported[0])
    del file.metadata_props[:]
    onnx.save(file, tmp_path / "bare.onnx")
    with pytest.raises(ModelFileError, match=r"carries no sanum model; give the \.safetensors file"):
        load(tmp_path / "bare.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_models())
def test_every_shipped_model_is_exported_with_its_own_scores(name, tmp_path):
    path, differences = export(shipped_models()[name], tmp_path / "shipped.onnx")
    assert max(differences.values()) < 1e-4
    plain, fast = load(shipped_models()[name]), load(path)
    for case in made_cases(plain):
        expected, found = (np.nan_to_num(one.detector.score(case).values) for one in (plain, fast))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
