"""The pages for those who use no mouse or do not see them: axe-core finds nothing grave, Tab reaches all that acts."""

from __future__ import annotations

from tests.service.accessibility import barriers, out_of_reach
from tests.service.browser import DRAWN, browser_test, send
from tests.service.fakes import nifti


@browser_test
def test_the_upload_page_has_no_barrier(page):
    page.get_by_text("Brain mask, if there is one").click()
    page.get_by_text("Refused because it looks").click()
    assert barriers(page) == []
    assert out_of_reach(page) == []
    page.get_by_role("button", name="Token").click()
    assert barriers(page) == [], "nor the dialog"


@browser_test
def test_a_result_its_report_and_the_list_have_no_barrier_in_light_or_darkness(page, live, tmp_path):
    send(page, "c11_T1w.nii.gz", nifti(tmp_path, seed=11, lesion=True))
    page.locator(DRAWN).wait_for()
    case = page.url.rpartition("/")[2]
    page.get_by_text("Window and level of the scan").click()
    assert barriers(page) == []
    assert out_of_reach(page) == []
    page.get_by_role("button", name="Change between light and dark").click()
    assert barriers(page) == []
    page.get_by_role("link", name="Cases").click()
    page.locator(".cases li").first.wait_for()
    assert barriers(page) == [], "nor the list of cases"
    for address in (f"/v1/cases/{case}/report.html", "/docs"):
        page.goto(live.address + address)
        assert barriers(page) == [], address
        assert out_of_reach(page) == [], address


@browser_test
def test_a_refused_case_has_no_barrier(page, tmp_path):
    send(page, "tiny_T1w.nii.gz", nifti(tmp_path, shape=(16, 16, 8)))
    page.get_by_role("heading", name="Refused: this scan").wait_for()
    assert barriers(page) == []
