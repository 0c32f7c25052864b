"""The contact sheet: outliers first, nothing left out silently, caps stated."""

import io

import numpy as np
import pytest
from PIL import Image

from sanum.core.errors import CohortError
from sanum.report import contact_sheet
from sanum.report.contact_sheet import MAX_PICTURED, MAX_ROWS, ContactCase, rank_cases, write_contact_sheet
from sanum.report.unusual import distances_from_typical, histogram, robust_z
from tests.phantoms import prepared_case
from tests.report.html_checks import check_page, words


def ready(number: int, channels: int = 1, gamma: float = 1.0, **facts) -> ContactCase:
    prepared = prepared_case(number)
    slices = np.repeat(np.moveaxis(prepared.voxels, -1, 0) ** gamma, channels, axis=1)
    return ContactCase(f"case-{number}", "healthy", "train", "ready", slices=slices, facts=facts)


def sheet(tmp_path, cases, modalities=("T1w",), seed=0) -> str:
    path = tmp_path / "check.html"
    write_contact_sheet(cases, path, modalities=modalities, seed=seed)
    text = path.read_text(encoding="utf-8")
    check_page(text)
    return text


def test_the_page_shows_pictures_histograms_and_what_was_left_out(tmp_path):
    lost = ContactCase("sub-<b>", "healthy", "train", "failed", "the brain mask is empty")
    page = sheet(tmp_path, [ready(1, brain_ml=1200.0), ready(2, brain_ml=1250.0), lost])
    text = words(page)
    assert "the brain mask is empty" in text
    assert "sub-<b>" in text
    assert "each of 2 of 2 ready cases" in text
    assert page.count("<img") == 2
    assert Image.open(tmp_path / "check.png").size[0] > 500


def test_outliers_come_first_and_are_marked(tmp_path):
    cases = [ready(number, brain_ml=1200.0 + number) for number in range(12)] + [ready(99, brain_ml=300.0)]
    text = words(sheet(tmp_path, cases))
    assert "▲ 300" in text
    facts = text[text.index("Facts, the most unusual") :]
    assert facts.index("case-99") < facts.index("case-5 ")


def test_a_case_with_other_intensities_is_unusual():
    cases = [ready(number) for number in range(12)] + [ready(99, gamma=4.0)]
    histograms = {case.case: histogram(case.slices) for case in cases}
    top = rank_cases(cases, histograms)[0]
    assert top.case.case == "case-99"
    assert top.unusual == ("intensity_distance",)


def test_the_time_a_step_took_makes_no_case_unusual():
    cases = [ready(number, **{"brain.seconds": 0.1 + number / 1000}) for number in range(12)]
    slow = ready(99, **{"brain.seconds": 60.0})
    assert all(row.unusual == () for row in rank_cases([*cases, slow], {}))


def test_the_same_seed_draws_the_same_sheet(tmp_path):
    cases = [ready(number) for number in range(5)]
    first, again = sheet(tmp_path, cases), sheet(tmp_path, cases)
    assert first == again
    assert first != sheet(tmp_path, cases, seed=1)


def test_thousands_of_cases_are_capped_and_the_caps_are_stated(tmp_path):
    cases = [ready(number, brain_ml=float(number)) for number in range(MAX_PICTURED + 5)]
    many = [
        ContactCase(f"more-{n}", "healthy", "train", "ready", facts={"brain_ml": 1.0}) for n in range(3000)
    ]
    lost = [ContactCase(f"lost-{n}", "lesion", "test", "failed", "unreadable") for n in range(MAX_ROWS + 10)]
    page = sheet(tmp_path, [*cases, *many, *lost])
    text = words(page)
    assert f"{MAX_PICTURED} of {len(cases) + 3000} ready cases" in text
    assert f"The first {MAX_ROWS} of {len(lost)}." in text
    assert f"{MAX_ROWS} of {len(cases) + 3000} ready cases are listed" in text
    assert len(page) < 5e6


def test_several_channels_stand_side_by_side(tmp_path):
    text = words(sheet(tmp_path, [ready(1, channels=2), ready(2, channels=2)], modalities=("T1w", "FLAIR")))
    assert "side by side: T1w, FLAIR" in text


def test_mathematics_in_names_is_plain_text(tmp_path):
    """A dollar sign starts mathematics in the drawing library; a name must not fail there."""
    case = ready(1)
    odd = ContactCase("$\\frac{$", "healthy", None, "ready", slices=case.slices)
    assert "$\\frac{$" in words(sheet(tmp_path, [odd]))


def test_a_sheet_without_any_ready_case_still_tells_why(tmp_path):
    text = words(sheet(tmp_path, [ContactCase("a", "healthy", "train", "failed", "no brain")]))
    assert "no brain" in text
    assert not (tmp_path / "check.png").exists()


def test_wrong_input_is_named(tmp_path):
    with pytest.raises(CohortError, match="has no case"):
        sheet(tmp_path, [])
    with pytest.raises(CohortError, match=r"case-1: expected slices \(n, 2, I, J\) for T1w, FLAIR"):
        sheet(tmp_path, [ready(1)], modalities=("T1w", "FLAIR"))


def test_volumes_are_turned_to_the_radiological_side_and_images_are_not():
    plane = np.zeros((1, 1, 6, 4), np.float32)
    plane[0, 0, 0, 3] = 1.0  # I = 0, J = last
    rng = np.random.default_rng(0)
    corners = {}
    for name, codes in (("volume", "RA"), ("turned", "LP"), ("image", None)):
        case = ContactCase(name, "healthy", None, "ready", slices=plane, plane_codes=codes)
        (row,) = rank_cases([case], {})
        picture = contact_sheet._tile(row, rng).pictures[0]
        corners[name] = tuple(int(place) for place in np.argwhere(picture == 1.0)[0])
    assert corners == {"volume": (0, 5), "turned": (3, 0), "image": (0, 0)}


def test_robust_z_survives_constant_and_missing_values():
    assert robust_z([1.0, 1.0, 1.0, 1.0]).tolist() == [0, 0, 0, 0]
    assert robust_z([None, "text", True]).tolist() == [0, 0, 0]
    assert robust_z([5, 5, 5, 5, 5, 5, 9])[-1] > 3.5
    assert robust_z([5.0, 6.0, 7.0, -90.0], upward_only=True)[-1] == 0


def test_distance_is_measured_in_value_range():
    """All mass moved by half of the range is a distance of one half."""
    low, high = np.zeros((1, 64)), np.zeros((1, 64))
    low[0, 10] = high[0, 42] = 1.0
    distances = distances_from_typical({"a": low, "b": low, "c": low, "d": high})
    assert distances["d"] == pytest.approx(0.5)
    assert distances["a"] == 0


def test_pictures_open_as_png(tmp_path):
    sheet(tmp_path, [ready(1)])
    Image.open(io.BytesIO((tmp_path / "check.png").read_bytes())).verify()
