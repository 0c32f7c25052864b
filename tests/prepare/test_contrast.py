"""A scan that surely shows another sequence than it is called is refused; where it is doubtful, that is said."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sanum.core.errors import PreparationError
from sanum.core.records import Step
from sanum.core.sequence import SEQUENCES, Looks
from sanum.prepare import contrast
from sanum.prepare.contrast import (
    check_looks,
    check_tissues,
    contrast_warnings,
    look_at,
    rough_contrast_flags,
)
from tests.phantoms import brain_scan


def seen(**shares: float) -> Looks:
    """What is left over is spread over the other sequences."""
    rest = (1.0 - sum(shares.values())) / (len(SEQUENCES) - len(shares))
    return Looks({name: shares.get(name, rest) for name in SEQUENCES})


def looking(monkeypatch, **shares: float) -> None:
    """Have every scan look so."""
    monkeypatch.setattr(contrast, "recognise", lambda scan: seen(**shares))


def checked(scans, **how):
    return check_looks(scans, look_at(scans), **how)


def flags_of(facts) -> list[str]:
    return facts["contrast"]["flags"]


def named(name: str):
    scan = brain_scan()
    return dataclasses.replace(scan, source=dataclasses.replace(scan.source, path=name))


def test_another_sequence_is_refused_by_both_names_and_the_way_out(monkeypatch):
    looking(monkeypatch, FLAIR=0.995)
    with pytest.raises(
        PreparationError,
        match=r"a_T1w\.nii\.gz: called T1w, but looks like FLAIR \(99% sure\); .* say as_called \(--as-called",
    ):
        checked({"T1w": named("a_T1w.nii.gz")})


def test_a_name_that_tells_nothing_was_taken_for_what_the_model_reads(monkeypatch):
    looking(monkeypatch, FLAIR=0.995)
    with pytest.raises(PreparationError, match=r"scan\.nii\.gz: taken for T1w, but looks like FLAIR"):
        checked({"T1w": named("scan.nii.gz")})


def test_a_map_is_refused_by_what_it_may_be(monkeypatch):
    looking(monkeypatch, other=0.995)
    with pytest.raises(PreparationError, match=r"looks like none of T1w, .*field, phase, perfusion"):
        checked({"T1w": brain_scan()})


def test_who_vouches_for_the_name_is_believed_and_warned(monkeypatch):
    looking(monkeypatch, FLAIR=0.995)
    facts = checked({"T1w": brain_scan()}, as_called=True)
    assert facts["T1w"] == {"looks": "FLAIR", "share": 0.995}
    (told,) = flags_of(facts)
    assert told.startswith("T1w: looks like FLAIR (99% sure), but is taken as called, as told (as_called)")
    assert "verdict means nothing" in told


def test_doubt_says_what_it_looks_like_that_the_verdict_means_nothing_and_what_to_do(monkeypatch):
    looking(monkeypatch, FLAIR=0.7, T1w=0.2)
    (told,) = flags_of(checked({"T1w": brain_scan()}))
    assert told.startswith("T1w: looks more like FLAIR (70% sure).")
    assert "verdict most likely means nothing: look at the scan" in told
    assert "name it FLAIR, for a model that reads that" in told


def test_doubt_about_a_map_asks_for_the_scan_that_was_meant(monkeypatch):
    looking(monkeypatch, other=0.7, T1w=0.2)
    (told,) = flags_of(checked({"T1w": brain_scan()}))
    assert "field, phase, perfusion or diffusion image (70% sure)" in told
    assert "give the scan that was meant" in told


@pytest.mark.parametrize(("called", "shown"), [("T1w", "T1ce"), ("T1ce", "T1w"), ("T2w", "PDw")])
def test_neighbours_are_never_refused_for_each_other(monkeypatch, called, shown):
    looking(monkeypatch, **{shown: 0.99})
    assert f"{called}: looks more like {shown}" in flags_of(checked({called: brain_scan()}))[0]


def test_what_looks_as_called_is_not_spoken_about(monkeypatch):
    looking(monkeypatch, T1w=0.55, T1ce=0.4)
    assert flags_of(checked({"T1w": brain_scan()})) == []


def test_every_scan_of_a_case_is_looked_at(monkeypatch):
    looking(monkeypatch, T1w=0.995)
    with pytest.raises(PreparationError, match="FLAIR, but looks like T1w"):
        checked({"T1w": brain_scan(), "FLAIR": brain_scan(modality="FLAIR")})


def test_a_picture_is_looked_at_too(monkeypatch):
    looking(monkeypatch, FLAIR=0.995)
    picture = dataclasses.replace(brain_scan(), is_image=True)
    with pytest.raises(PreparationError, match="T1w, but looks like FLAIR"):
        checked({"T1w": picture})


@pytest.mark.parametrize(
    ("channel", "white", "grey", "flagged"),
    [
        ("T1w", 0.70, 0.45, False),
        ("T1w", 0.60, 0.48, True),
        ("FLAIR", 0.45, 0.52, False),
        ("FLAIR", 0.70, 0.45, True),
        ("T2w", 0.70, 0.45, True),
        ("T1ce", 0.5, 0.5, False),
        ("T1w", None, 0.4, False),
        ("T1w", 0.4, 0.0, False),
    ],
)
def test_only_an_unusual_ratio_of_tissues_is_flagged(channel, white, grey, flagged):
    flags = check_tissues({channel: {"white": white, "grey": grey}}, {channel: seen(**{channel: 0.9})})[
        "flags"
    ]
    assert bool(flags) is flagged
    assert all(channel in flag and "verdict most likely means nothing" in flag for flag in flags)


def test_white_matter_as_dark_as_grey_is_no_t1w_unless_a_person_says_so():
    medians, looks = {"T1w": {"white": 0.5, "grey": 0.49}}, {"T1w": seen(T1w=0.99)}
    with pytest.raises(PreparationError, match=r"T2w or FLAIR, not T1w: white/grey = 1.02; .* say as_called"):
        check_tissues(medians, looks)
    (told,) = check_tissues(medians, looks, as_called=True)["flags"]
    assert "white/grey = 1.02 is low for T1w" in told
    assert check_tissues({"FLAIR": medians["T1w"]}, {"FLAIR": seen(FLAIR=0.9)}) == {"flags": []}


def test_doubtful_looks_and_doubtful_tissues_together_are_sure():
    """The first is the FLAIR of a brain with a large tumour, given as T1w."""
    medians = {"T1w": {"white": 0.5332, "grey": 0.4689}}
    with pytest.raises(PreparationError, match=r"= 1.14, and the picture looks like FLAIR \(60% sure\)"):
        check_tissues(medians, {"T1w": seen(FLAIR=0.6, T1w=0.3)})
    assert check_tissues(medians, {"T1w": seen(T1w=0.97)}) == {"flags": []}
    with pytest.raises(PreparationError, match=r"looks like T1w, not FLAIR: white/grey = 1\.40"):
        check_tissues({"FLAIR": {"white": 0.7, "grey": 0.5}}, {"FLAIR": seen(T1w=0.8, FLAIR=0.1)})


@pytest.mark.parametrize(
    ("modality", "ratio", "flagged"),
    [
        ("T1w", 1.12, False),
        ("T1w", 0.91, True),
        ("T1ce", 0.9, True),
        ("FLAIR", 1.13, False),
        ("FLAIR", 1.49, True),
        ("T2w", 0.8, False),
    ],
)
def test_without_registration_only_what_is_sure_is_flagged(modality, ratio, flagged):
    flags = rough_contrast_flags({modality: ratio})
    assert bool(flags) is flagged
    assert all(flag.startswith(f"{modality} looks like T") for flag in flags)


def test_doubts_of_all_steps_are_warnings_and_other_flags_are_not():
    steps = [
        Step("looks", {"contrast": {"flags": ["a"]}}),
        Step("brain", {"flags": ["border"]}),
        Step("quality", {"contrast": {"flags": ["b", "c"]}}),
    ]
    assert contrast_warnings(steps) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("levels", "looked_at"), [((0, 7), False), ((0, -7), False), ((0, 3, 7), True), ((0, -3, 7), True)]
)
def test_what_has_one_level_beside_0_is_not_looked_at(levels, looked_at):
    """It is a mask."""
    scan = brain_scan()
    voxels = np.resize(np.array(levels, np.float32), scan.voxels.shape)
    assert bool(look_at({"T1w": dataclasses.replace(scan, voxels=voxels)})) == looked_at
