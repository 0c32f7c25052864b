"""Sidecars: the nearer one wins, one of another scan does not count, a damaged one is refused by name."""

import json

import pytest

from sanum.cohort.bids import find_bids
from sanum.cohort.sidecars import read_sidecars, scanner_of
from sanum.core.errors import CohortError


@pytest.fixture
def scan(tmp_path):
    folder = tmp_path / "sub-01" / "ses-a" / "anat"
    folder.mkdir(parents=True)
    path = folder / "sub-01_ses-a_T1w.nii.gz"
    path.touch()
    return path


def say(path, **values):
    path.write_text(json.dumps(values), encoding="utf-8")


def test_the_nearer_sidecar_wins_and_others_of_the_folder_do_not_count(scan, tmp_path):
    say(tmp_path / "T1w.json", Manufacturer="Siemens", MagneticFieldStrength=1.5)
    say(tmp_path / "sub-01" / "sub-01_T1w.json", ManufacturersModelName="Prisma")
    say(scan.parent / "sub-01_ses-a_T1w.json", MagneticFieldStrength=3)
    say(scan.parent / "sub-01_ses-a_run-2_T1w.json", MagneticFieldStrength=7)
    say(scan.parent / "sub-01_ses-a_FLAIR.json", Manufacturer="Philips")
    assert read_sidecars(scan, tmp_path)["MagneticFieldStrength"] == 3
    assert scanner_of(scan, tmp_path) == "Siemens Prisma 3T"


def test_a_scan_without_sidecars_has_no_scanner(scan, tmp_path):
    assert scanner_of(scan, tmp_path) is None


def test_the_scanner_stands_for_the_site_only_where_none_is_named(scan, tmp_path):
    say(tmp_path / "T1w.json", Manufacturer="GE")
    assert find_bids(tmp_path)[0][0].site == "GE"
    (tmp_path / "participants.tsv").write_text("participant_id\tsite\nsub-01\tparis\n")
    assert find_bids(tmp_path)[0][0].site == "paris"


def test_a_damaged_sidecar_is_refused_by_name(scan, tmp_path):
    (tmp_path / "T1w.json").write_text("{")
    with pytest.raises(CohortError, match=r"T1w\.json"):
        find_bids(tmp_path)
    (tmp_path / "T1w.json").write_text("[]")
    with pytest.raises(CohortError, match="JSON object"):
        find_bids(tmp_path)
