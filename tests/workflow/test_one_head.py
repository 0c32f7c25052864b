"""CT and MRI of one head are told from another patient's, from swapped sides and from a slip."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.errors import ScanError
from sanum.core.grid import Grid
from sanum.formats import read_scan, write_volume
from sanum.workflow import one_head as room
from sanum.workflow.one_head import QUESTIONS, OneHead, healthy_answers, one_head
from sanum.workflow.render_heads import HeadOptions, render_heads
from tests.synthesis.whole_heads import whole_head


def answer(**told):
    return OneHead("T1w", {**dict.fromkeys(QUESTIONS, 0.2), **told})


def test_the_sentence_says_what_is_wrong_and_what_to_do():
    assert not answer().doubted
    assert "CT and T1w seem to be of one head" in answer().sentence()
    swapped = answer(mirrored=3.4)
    assert swapped.doubted
    assert "left and right of one may be exchanged" in swapped.sentence()
    assert "Check names, dates and side markers" in swapped.sentence()
    assert "two patients" in answer(unexplained=4.0).sentence()
    assert "registration slipped" in answer(displaced=4.0).sentence()


def test_the_p_value_counts_every_question():
    assert answer(mirrored=3.0).p_value == pytest.approx(3e-3)
    assert answer().p_value == 1.0


def test_healthy_answers_are_there_for_each_sequence():
    found = healthy_answers()
    assert set(found) == {"T1w", "T2w", "FLAIR"}
    assert all(answers.shape[1] == len(QUESTIONS) and len(answers) >= 40 for answers in found.values())


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A made head with an asymmetric mark, as CT and T1w."""
    folder = tmp_path_factory.mktemp("pair")
    labels = whole_head()
    write_volume(folder / "head.nii.gz", labels.astype(np.float32), Grid(labels.shape, np.eye(4)))
    made = render_heads(
        [folder / "head.nii.gz"], folder / "made", HeadOptions(("CT", "T1w"), "test", scans=1)
    )
    (row,) = made.rows
    return read_scan(row.scans["CT"], "CT"), read_scan(row.scans["T1w"], "T1w")


def test_a_partner_of_noise_explains_less(pair):
    ct, t1w = pair
    own = room.belonging_of(ct, t1w)
    shuffled = np.random.default_rng(0).permutation(t1w.voxels.ravel()).reshape(t1w.voxels.shape)
    other = room.belonging_of(ct, replace(t1w, voxels=shuffled))
    assert own[0] < 0.6 < other[0]


def test_an_extracted_brain_or_another_sequence_is_not_asked(pair, monkeypatch):
    ct, t1w = pair
    assert one_head(ct, replace(t1w, modality="PDw")) is None
    monkeypatch.setattr(room, "find_extracted", lambda _: np.ones(t1w.grid.shape, bool))
    assert one_head(ct, t1w) is None


def test_a_scan_of_no_known_sequence_is_refused(pair):
    ct, t1w = pair
    with pytest.raises(ScanError, match="of no known sequence"):
        room.belonging_of(ct, replace(t1w, modality=None))
