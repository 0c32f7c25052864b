"""The contact sheet: what stands out comes first, nothing left out silently, caps stated."""

import base64
import hashlib
import io
import re

import numpy as np
import pytest
from PIL import Image

from sanum.core.errors import CohortError
from sanum.core.quality import CaseQuality, ScanQuality
from sanum.report import contact_sheet
from sanum.report.contact_sheet import MAX_ROWS, write_contact_sheet
from sanum.report.ranking import MAX_FIRST, MAX_PICTURED, ContactCase, choose_pictured, rank_cases
from sanum.report.unusual import distances_from_typical, histogram
from tests.phantoms import prepared_case
from tests.report.html_checks import check_page, words

SHAPES = np.moveaxis(prepared_case(1).voxels, -1, 0)


def ready(number, *, noise=0.02, ml=1200.0, flags=(), modalities=("T1w",), **cohort) -> ContactCase:
    scans = tuple(ScanQuality(modality, noise=noise) for modality in modalities)
    quality = CaseQuality(scans, brain_ml=ml, flags=tuple(flags))
    return ContactCase(f"case-{number}", "healthy", "train", "ready", quality=quality, **cohort)


def sheet(tmp_path, cases, channels=("T1w",), seed=0) -> str:
    path = tmp_path / "check.html"
    rows = rank_cases(cases)
    drawn = choose_pictured(rows, np.random.default_rng(seed))
    slices = {row.case.case: np.repeat(SHAPES[0], len(channels), axis=0) for row in drawn}
    write_contact_sheet(cases, rows, slices, path, channels=channels)
    return path.read_text(encoding="utf-8")


def without_script(text: str) -> str:
    return re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_the_page_shows_pictures_measures_and_what_was_left_out(tmp_path):
    lost = ContactCase("sub-<b>", "healthy", "train", "failed", "the brain mask is empty")
    page = sheet(tmp_path, [ready(1, histogram=histogram(SHAPES)), ready(2), lost])
    check_page(without_script(page))
    text = words(page)
    assert "the brain mask is empty" in text
    assert "sub-<b>" in text
    assert "each of 2 of 2 ready cases" in text
    assert "Noise within the brain, of its median" in text
    assert "lower is better" in text
    assert page.count("<img") == 3
    assert Image.open(tmp_path / "check.png").size[0] > 500


def test_the_only_script_is_the_one_the_policy_names(tmp_path):
    page = sheet(tmp_path, [ready(1)])
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;" in page
    assert "http" not in page.replace("http-equiv", "")


def test_flags_come_first_then_outliers_and_both_say_why(tmp_path):
    cases = [ready(n, noise=0.02 + n / 10_000) for n in range(12)]
    cases += [ready(98, noise=0.2), ready(99, flags=["the head lies upside down"])]
    assert [row.case.case for row in rank_cases(cases)[:2]] == ["case-99", "case-98"]
    text = words(sheet(tmp_path, cases))
    first = text[text.index("Look at these first") :]
    assert first.index("the head lies upside down") < first.index(
        "Noise within the brain, of its median 0.2, usual 0.02"
    )
    assert "▲ 0.2" in text
    assert "3.5 or more robust standard deviations" in text


def test_a_case_with_other_intensities_is_unusual():
    cases = [ready(n, histogram=histogram(SHAPES ** (1 + n / 100))) for n in range(12)]
    top = rank_cases([*cases, ready(99, histogram=histogram(SHAPES**4.0))])[0]
    assert top.case.case == "case-99"
    assert [one.measure.name for one in top.scans[0][1]] == ["intensity_distance"]


def test_the_same_seed_draws_the_same_sheet(tmp_path):
    cases = [ready(number) for number in range(5)]
    first, again = sheet(tmp_path, cases), sheet(tmp_path, cases)
    assert first == again


def test_most_of_what_is_drawn_stands_out_and_some_is_drawn_by_chance():
    flagged = [ready(n, flags=["look"]) for n in range(100)]
    usual = [ready(n) for n in range(100, 200)]
    drawn = choose_pictured(rank_cases([*usual, *flagged]), np.random.default_rng(0))
    assert len(drawn) == MAX_PICTURED
    assert sum(row.stands_out for row in drawn) == MAX_FIRST
    assert all(row.stands_out for row in drawn[:MAX_FIRST])


def test_thousands_of_cases_are_capped_and_the_caps_are_stated(tmp_path):
    cases = [ready(number) for number in range(3000)]
    lost = [ContactCase(f"lost-{n}", "lesion", "test", "failed", "unreadable") for n in range(MAX_ROWS + 10)]
    page = sheet(tmp_path, [*cases, *lost])
    text = words(page)
    assert f"{MAX_PICTURED} of {len(cases)} ready cases" in text
    assert f"The first {MAX_ROWS} of {len(lost)}." in text
    assert f"{MAX_ROWS} of {len(cases)} scans are listed" in text
    assert len(page) < 5e6


def test_a_case_prepared_without_a_record_is_listed_as_ready(tmp_path):
    bare = ContactCase("old", "healthy", None, "ready", histogram=histogram(SHAPES))
    text = words(sheet(tmp_path, [bare]))
    assert "ready 1 failed 0" in text


def test_several_channels_stand_side_by_side(tmp_path):
    text = words(sheet(tmp_path, [ready(1), ready(2)], channels=("T1w", "FLAIR")))
    assert "side by side: T1w, FLAIR" in text


def test_mathematics_in_names_is_plain_text(tmp_path):
    """A dollar sign starts mathematics in the drawing library; a name must not fail there."""
    odd = ContactCase("$\\frac{$", "healthy", None, "ready", site="$\\frac{$", quality=ready(1).quality)
    assert "$\\frac{$" in words(sheet(tmp_path, [odd]))


def test_a_sheet_without_any_ready_case_still_tells_why(tmp_path):
    text = words(sheet(tmp_path, [ContactCase("a", "healthy", "train", "failed", "no brain")]))
    assert "no brain" in text
    assert not (tmp_path / "check.png").exists()


def test_wrong_input_is_named(tmp_path):
    with pytest.raises(CohortError, match="has no case"):
        sheet(tmp_path, [])
    case = ready(1)
    with pytest.raises(CohortError, match=r"case-1: expected a slice \(2, I, J\) for T1w, FLAIR"):
        write_contact_sheet(
            [case], rank_cases([case]), {"case-1": SHAPES[0]}, tmp_path / "x.html", channels=("T1w", "FLAIR")
        )


def test_volumes_are_turned_to_the_radiological_side_and_images_are_not():
    plane = np.zeros((1, 6, 4), np.float32)
    plane[0, 0, 3] = 1.0  # I = 0, J = last
    corners = {}
    for name, codes in (("volume", "RA"), ("turned", "LP"), ("image", None)):
        (row,) = rank_cases([ContactCase(name, "healthy", None, "ready", plane_codes=codes)])
        picture = contact_sheet._tile(row, plane).pictures[0]
        corners[name] = tuple(int(place) for place in np.argwhere(picture == 1.0)[0])
    assert corners == {"volume": (0, 5), "turned": (3, 0), "image": (0, 0)}


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
