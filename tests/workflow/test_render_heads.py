"""Label maps become scans that can be prepared: one person a case, all modalities on one grid, lesions marked."""

import numpy as np
import pytest
from typer.testing import CliRunner

from sanum.cli.app import app
from sanum.cohort.table import read_cohort
from sanum.core.errors import CohortError, ConfigError, ScanError
from sanum.core.grid import Grid
from sanum.formats import read_scan, write_volume
from sanum.workflow.render_heads import HeadOptions, label_maps, render_heads
from tests.synthesis.whole_heads import whole_head


def label_file(folder, spacing=1.0, labels=None):
    path = folder / "head_01.nii.gz"
    numbers = whole_head() if labels is None else labels
    affine = np.diag([-spacing, spacing, spacing, 1.0])
    write_volume(path, numbers[::-1].astype(np.float32), Grid(numbers.shape, affine))
    return path


def head_mask(row):
    return read_scan(row.scans["CT"].with_name(f"{row.case}_head.nii.gz"))


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heads")
    (folder / "maps").mkdir()
    label_file(folder / "maps")
    told = CliRunner().invoke(
        app,
        (
            f"render {folder}/maps --out {folder}/made --modality CT,FLAIR --scans 2 --split test "
            "--lesion intracerebral --ml 2"
        ).split(),
    )
    assert told.exit_code == 0, told.output
    return read_cohort(folder / "made" / "cohort.tsv")


def test_each_person_is_a_case_with_all_modalities_on_one_grid(rendered):
    assert len(rendered) == 2
    for row in rendered:
        ct, flair = (read_scan(row.scans[name], name) for name in ("CT", "FLAIR"))
        assert ct.grid.same_as(flair.grid)
        assert (row.label, row.split, row.site) == ("lesion", "test", "made")
        assert ct.voxels.min() < -900 < 500 < ct.voxels.max()
        assert row.brain is None, "a made head is prepared as a scanned one"
    assert len({row.subject for row in rendered}) == 2


def test_the_lesion_is_marked_where_the_ct_is_denser(rendered):
    row = rendered.rows[0]
    ct, lesion = read_scan(row.scans["CT"]).voxels, read_scan(row.lesion).voxels > 0
    head = head_mask(row).voxels > 0
    assert 40 < np.median(ct[lesion]) < 95
    assert head[lesion].all()


def test_the_left_of_a_flipped_label_map_stays_left(rendered):
    """The map's first axis runs to the left, its ventricle lies right of the middle."""
    row = rendered.rows[0]
    flair = read_scan(row.scans["FLAIR"])
    dark = np.argwhere((flair.voxels < 300) & (head_mask(row).voxels > 0))
    world = flair.grid.to_world(dark.astype(float))
    near = world[np.linalg.norm(world, axis=1) < 14]
    assert near[:, 0].mean() > 1.0


def test_what_can_not_be_rendered_is_refused(tmp_path):
    with pytest.raises(CohortError, match=r"no label map to render: give .nii.gz files"):
        render_heads([], tmp_path / "out", HeadOptions())
    with pytest.raises(
        ScanError, match=r"head_01.nii.gz: voxels of 2.00, 2.00, 2.00 mm; heads are rendered of"
    ):
        render_heads([label_file(tmp_path, spacing=2.0)], tmp_path / "out", HeadOptions())
    brain = np.where(whole_head() > 500, 0, whole_head())
    with pytest.raises(ScanError, match=r"head_01.nii.gz: label map: shows no skull"):
        render_heads([label_file(tmp_path, labels=brain)], tmp_path / "out", HeadOptions())


def test_splits_rendered_one_after_the_other_make_one_cohort(rendered):
    folder = rendered.path.parent
    heads = label_maps([folder.parent / "maps"])
    more = render_heads(heads, folder, HeadOptions(("CT", "FLAIR"), "train", 1, seed=7))
    assert [row.split for row in more] == ["test", "test", "train"]
    assert [row.case for row in read_cohort(more.path)] == [row.case for row in more]
    again = render_heads(heads, folder, HeadOptions(("CT", "FLAIR"), "calibration", 1, seed=7))
    assert [row.split for row in again] == ["test", "test", "calibration"]
    with pytest.raises(ConfigError, match="holds CT, FLAIR, not CT, T1w; render into another folder"):
        render_heads(heads, folder, HeadOptions(("CT", "T1w")))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"modalities": ("PDw",)}, "modality 'PDw' can't be rendered of a head; known are CT, T1w"),
        ({"split": "tests"}, "split 'tests': expected one of train, calibration, test"),
        ({"lesion": "bleed"}, "unknown lesion of heads 'bleed'"),
        ({"ml": 0.0}, "ml: expected 0.05 to 200, got 0"),
    ],
)
def test_impossible_options_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        HeadOptions(**settings)


def test_label_maps_are_files_and_what_lies_in_folders(tmp_path):
    path = label_file(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    assert label_maps([tmp_path]) == (path,)
    assert label_maps([path]) == (path,)
    assert label_maps([tmp_path / "none"]) == ()
