"""A complete study becomes one case a rule, once; its results are made once and sent until they are taken."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from pydicom import Dataset, dcmread

from sanum.core.errors import ConfigError, ScanError
from sanum.pacs import delivery, router
from sanum.pacs.config import Destination, PacsConfig, Rule, read_config
from sanum.pacs.router import fits
from sanum.pacs.sending import SendError
from sanum.service import cases
from tests.formats.dicom_files import NAME
from tests.pacs.sender import small_series
from tests.pacs.world import LISTENER, PACS, RULE, World


class Inbox:
    """Takes what is sent, or fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.taken: list[tuple[str, str]] = []
        self.names: set[str] = set()

    def __call__(self, files, destination) -> None:
        if self.failures:
            self.failures -= 1
            raise SendError("down")
        self.taken += [(destination.name, dcmread(file).SOPInstanceUID) for file in files]
        self.names |= {str(dcmread(file).PatientName) for file in files}


@pytest.fixture
def inbox(monkeypatch):
    made = Inbox()
    monkeypatch.setattr(delivery, "send", made)
    return made


def test_a_study_becomes_a_case_and_its_results_arrive_once(tmp_path, inbox):
    world = World(tmp_path)
    world.receive(small_series())
    for _ in range(3):
        world.router.run_once()
    assert len(world.cases()) == 1
    world.carrier.run_once()
    assert inbox.taken == []
    world.judge()
    for _ in range(3):
        world.carrier.run_once()
    assert len(inbox.taken) == len(set(inbox.taken)) == 3
    assert inbox.names == {NAME}
    assert [one.state for one in world.deliveries()] == ["sent"]
    assert not list(world.place.origins.iterdir())


def test_late_instances_make_a_new_case_and_repeated_ones_do_not(tmp_path, inbox):
    world = World(tmp_path)
    sent = small_series(count=4)
    world.receive(sent[:3])
    world.router.run_once()
    world.receive(sent[:3])
    world.router.run_once()
    assert len(world.cases()) == 1
    world.receive(sent)
    world.router.run_once()
    assert len(world.cases()) == 2


def test_a_listener_that_died_between_case_and_record_finds_the_same_case(tmp_path, inbox, monkeypatch):
    world = World(tmp_path)
    world.receive(small_series())
    with monkeypatch.context() as patched:
        patched.setattr(world.place.records, "expect", lambda *_: sys.exit())
        with pytest.raises(SystemExit):
            world.router.run_once()
    again = World(tmp_path)
    again.router.run_once()
    assert len(again.cases()) == len(again.deliveries()) == 1
    again.judge()
    again.carrier.run_once()
    assert len(inbox.taken) == 3


def test_a_full_queue_lets_a_study_wait(tmp_path, inbox):
    full = World(tmp_path, limit=0)
    full.receive(small_series())
    full.router.run_once()
    assert full.cases() == []
    world = World(tmp_path)
    world.router.run_once()
    assert len(world.cases()) == 1


def test_a_destination_that_is_down_is_tried_again_later(tmp_path, inbox):
    inbox.failures = 2
    world = World(tmp_path)
    world.receive(small_series())
    world.router.run_once()
    world.judge()
    world.carrier.run_once()
    waiting = world.deliveries()[0]
    assert (waiting.state, waiting.attempts, waiting.error) == ("waiting", 1, "down")
    world.carrier.run_once()
    assert inbox.failures == 1  # its pause is not over
    world.wait_no_longer()
    world.carrier.run_once()
    assert world.deliveries()[0].next_try - waiting.next_try > 4.0
    world.wait_no_longer()
    world.carrier.run_once()
    assert len(inbox.taken) == 3


def test_a_destination_that_has_everything_is_not_sent_it_again(tmp_path, monkeypatch):
    other = Destination("other", url="http://127.0.0.1:2")
    config = PacsConfig(LISTENER, (), (replace(RULE, send_to=("pacs", "other")),), (PACS, other))
    calls = []

    def send(files, destination) -> None:
        calls.append(destination.name)
        if destination.name == "other" and len(calls) < 4:
            raise SendError("down")

    monkeypatch.setattr(delivery, "send", send)
    world = World(tmp_path, config)
    world.receive(small_series())
    world.router.run_once()
    world.judge()
    for _ in range(4):
        world.carrier.run_once()
        world.wait_no_longer()
    assert calls == ["pacs", "other", "other", "other"]


def test_identities_stay_here_unless_a_destination_says_keep(tmp_path, inbox):
    away = Destination("pacs", url="https://192.0.2.1/dicom-web")
    world = World(tmp_path, PacsConfig(LISTENER, (), (RULE,), (away,)))
    world.receive(small_series())
    world.router.run_once()
    world.judge()
    world.carrier.run_once()
    assert inbox.names
    assert NAME not in inbox.names
    for file in world.data.rglob("dicom-deidentified/*.dcm"):
        content = file.read_bytes()
        assert b"Geheim" not in content
        assert b"1.2.3.4.5" not in content


@pytest.mark.parametrize(
    ("settings", "keeps"),
    [
        ({"url": "http://127.0.0.1:8042/dicom-web"}, True),
        ({"url": "http://localhost/dicom-web"}, True),
        ({"url": "https://pacs.example/dicom-web"}, False),
        ({"url": "https://localhost.example/dicom-web"}, False),
        ({"url": "https://pacs.example/dicom-web", "identity": "keep"}, True),
        ({"url": "http://127.0.0.1/dicom-web", "identity": "remove"}, False),
        ({"host": "127.0.0.1", "ae_title": "PACS"}, True),
        ({"host": "192.0.2.1", "ae_title": "PACS"}, False),
    ],
)
def test_only_this_machine_gets_identities_by_default(settings, keeps):
    assert Destination("d", **settings).keeps_identity is keeps


def test_a_study_that_breaks_the_builder_fails_alone(tmp_path, inbox, monkeypatch):
    world = World(tmp_path)
    world.receive([*small_series("1.2.3.4"), *small_series("1.2.3.5", SeriesInstanceUID="1.2.3.5.5")])
    world.router.run_once()
    world.judge()
    whole, calls = delivery.add_dicom, []

    def breaks_once(*args, **kwargs):
        calls.append(args)
        if len(calls) == 1:
            raise AttributeError("Geheim")
        return whole(*args, **kwargs)

    monkeypatch.setattr(delivery, "add_dicom", breaks_once)
    world.carrier.run_once()
    assert sorted(one.state for one in world.deliveries()) == ["failed", "sent"]
    told = next(one.error for one in world.deliveries() if one.state == "failed")
    assert told == "its results can't be written as DICOM (AttributeError)"


def test_a_study_that_can_not_be_routed_keeps_no_other_waiting(tmp_path, inbox):
    world = World(tmp_path)
    world.receive([*small_series("1.2.3.4"), *small_series("1.2.3.5", SeriesInstanceUID="1.2.3.5.5")])
    broken = next(world.place.studies.incoming.parent.joinpath("studies").iterdir())
    for file in broken.glob("*.dcm"):
        file.write_bytes(b"broken")
    for _ in range(3):
        world.router.run_once()
    assert len(world.cases()) == 1
    assert (world.data / "audit.log").read_text().count("study.fail") == 1


class HalfSender:
    """A source that has more of a study than it sent."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.rest = small_series(count=5)[3:]
        self.silent = False

    def fill(self, study: str) -> int:
        if self.silent:
            raise ScanError("no answer")
        rest, self.rest = self.rest, []
        self.world.receive(rest)
        return len(rest)


def test_a_study_of_which_a_source_has_more_is_judged_when_all_is_here(tmp_path, inbox):
    source = HalfSender()
    source.world = world = World(tmp_path, sources=[source])
    world.receive(small_series(count=5)[:3])
    world.router.run_once()
    assert world.cases() == []
    world.router.run_once()
    assert len(world.cases()) == 1
    assert len(list((world.data / "cases").rglob("*.dcm"))) == 5


def test_a_silent_source_holds_a_study_up_for_the_longest_time_at_most(tmp_path, inbox, monkeypatch):
    source = HalfSender()
    source.silent = True
    monkeypatch.setattr(router, "SILENT_SECONDS", 0.0)
    world = World(tmp_path, sources=[source])
    world.receive(small_series())
    world.router.run_once()
    assert world.cases() == []
    brief = World(
        tmp_path, replace(world.config, listener=replace(LISTENER, longest_seconds=0.0)), sources=[source]
    )
    brief.router.run_once()
    assert len(brief.cases()) == 1


@pytest.mark.parametrize(
    ("description", "asked"),
    [("t1_mprage", ["T1w"]), ("t2_flair", ["FLAIR"]), ("unknown", ["T1w", "T2w", "FLAIR", "PDw"])],
)
def test_a_model_of_any_modality_is_asked_for_those_that_a_study_shows(description, asked, tmp_path, inbox):
    """The others would be told as refused in every report; where nothing fits, the refusal says why for each."""
    world = World(tmp_path, PacsConfig(LISTENER, (), (replace(RULE, model="sanum-brain"),), (PACS,)))
    world.receive(small_series(count=10, SeriesDescription=description))
    world.router.run_once()
    assert list(world.cases()[0].files) == asked


def test_a_failed_case_ends_its_delivery_and_says_so(tmp_path, inbox):
    world = World(tmp_path)
    world.receive(small_series())
    world.router.run_once()
    begun = cases.begin(world.engine, world.cases()[0].id)
    cases.end(world.engine, begun, "failed", error="no memory")
    world.carrier.run_once()
    assert world.deliveries()[0].state == "failed"
    assert "results.fail" in (world.data / "audit.log").read_text()


def test_what_no_rule_fits_is_not_judged(tmp_path, inbox):
    world = World(tmp_path, PacsConfig(LISTENER, (), (replace(RULE, description="flair"),), (PACS,)))
    world.receive(small_series())
    world.router.run_once()
    assert world.cases() == []
    assert '"rules": 0' in (world.data / "audit.log").read_text()


@pytest.mark.parametrize(
    ("filters", "fit"),
    [
        ({}, True),
        ({"modality": "MR"}, True),
        ({"modality": "CT"}, False),
        ({"description": "MPRAGE|t1"}, True),
        ({"description": "^mprage"}, False),
        ({"age": (18.0, 90.0)}, True),
        ({"age": (70.0, 90.0)}, False),
    ],
)
def test_a_rule_takes_what_all_its_filters_take(filters, fit):
    header = Dataset()
    header.Modality, header.SeriesDescription, header.PatientAge = "MR", "t1_mprage", "045Y"
    assert fits(Rule("r", "m", **filters), header) is fit


def test_a_rule_with_ages_takes_none_without_one():
    assert not fits(Rule("r", "m", age=(0.0, 120.0)), Dataset())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no rule, so no study would be judged"),
        ('[[rules]]\nname = "a"\nmodel = "m"\nsend_to = ["pax"]\n[[destinations]]\nname = "pacs"\nurl = "http://x"',
         "rule a: no destination 'pax'; known: pacs"),
        ('[[rules]]\nname = "a"\nmodel = "m"\ndescription = "("', "description is no regular expression"),
        ('[[rules]]\nname = "a"\nmodel = "m"\n[[destinations]]\nname = "d"', "expected either a url"),
        ('[[rules]]\nname = "a"\nmodel = "m"\n[[rules]]\nname = "a"\nmodel = "m"', "two rules or two destinations"),
        ('[listener]\nquiet = 3\n[[rules]]\nname = "a"\nmodel = "m"', "unknown key 'quiet'"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told(text, told, tmp_path):
    path = tmp_path / "pacs.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_config(path)
