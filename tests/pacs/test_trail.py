"""Audit messages after DICOM PS3.15 A.5: as its schema asks, of each event once, and nobody's name in them."""

from __future__ import annotations

import re
import socket
import threading
import time
from xml.etree.ElementTree import Element, fromstring

import pytest

from sanum.core.errors import ConfigError
from sanum.dicom.deidentify import Deidentifier
from sanum.pacs import delivery
from sanum.pacs.audit_message import APPLICATION, SOURCE_MEDIA, Party, Subject, audit_message
from sanum.pacs.config import Destination, PacsConfig, Source, SyslogServer, read_config
from sanum.pacs.trail import Trail
from tests.pacs.sender import associate, send, small_series
from tests.pacs.world import LISTENER, RULE, World

PSEUDONYMS = Deidentifier(b"s" * 32)
NOW = "2026-01-02T03:04:05.678+00:00"

CODED = ("EventID", "EventTypeCode", "RoleIDCode", "MediaType", "ParticipantObjectIDTypeCode")
ORDER = (
    "EventIdentification",
    "ActiveParticipant",
    "AuditSourceIdentification",
    "ParticipantObjectIdentification",
)
REQUIRED = {
    "EventIdentification": ("EventDateTime", "EventOutcomeIndicator"),
    "ActiveParticipant": ("UserID", "UserIsRequestor"),
    "AuditSourceIdentification": ("AuditSourceID",),
    "ParticipantObjectIdentification": ("ParticipantObjectID",),
    "SOPClass": ("NumberOfInstances",),
    **dict.fromkeys(CODED, ("csd-code", "codeSystemName", "originalText")),
}
"""What the schema of PS3.15 A.5.1 requires."""


def checked(message: str) -> Element:
    """A message, if the schema lets it pass."""
    root = fromstring(message)
    assert root.tag == "AuditMessage"
    places = [ORDER.index(part.tag) for part in root]
    assert places == sorted(places)
    assert [places.count(one) for one in (0, 2)] == [1, 1]
    assert places.count(1) >= 1
    for part in root.iter():
        for name in REQUIRED.get(part.tag, ()):
            assert part.get(name), f"{part.tag} lacks {name}"
    for one in root.findall("ParticipantObjectIdentification"):
        assert [part.tag for part in one][:2] == ["ParticipantObjectIDTypeCode", "ParticipantObjectName"]
    assert sum(one.get("UserIsRequestor") == "true" for one in root.findall("ActiveParticipant")) <= 1
    assert "\n" not in message
    return root


def event(root: Element) -> str:
    return root.find("EventIdentification/EventID").get("originalText")


class Server:
    """A syslog server on loopback that keeps what comes."""

    def __init__(self, protocol: str) -> None:
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(20)
        if protocol == "tcp":
            self.socket.listen()
        self.config = SyslogServer("127.0.0.1", self.socket.getsockname()[1], protocol)

    def messages(self, count: int) -> list[Element]:
        """The next ones by UDP."""
        return [parsed(self.socket.recv(65536).decode()) for _ in range(count)]


def config_of(server: Server) -> PacsConfig:
    return PacsConfig(LISTENER, (), (RULE,), (Destination("pacs", url="http://x"),), syslog=server.config)


def parsed(line: str) -> Element:
    """The message of a line after RFC 5424, facility 10 and severity notice."""
    found = re.fullmatch(
        r"<85>1 (\S+T\S+\+00:00) (\S+) sanum \d+ DICOM\+RFC3881 - \ufeff(<AuditMessage>.*)", line
    )
    assert found is not None, line
    return checked(found.group(3))


@pytest.fixture
def server():
    made = Server("udp")
    yield made
    made.socket.close()


@pytest.mark.parametrize("name", ["start", "stop", "begin", "transferred", "export", "import", "alert"])
def test_each_event_has_what_the_schema_requires(name):
    subject = Subject("PERSON", "2.25.1", 3)
    parties = [Party("SANUM", APPLICATION), Party("http://pacs/dicom-web", SOURCE_MEDIA)]
    root = checked(audit_message(name, parties, subject, NOW))
    assert root.find("EventIdentification").get("EventDateTime") == NOW
    assert root.find(".//SOPClass").get("NumberOfInstances") == "3"
    assert root.find(".//MediaType").get("csd-code") == "110037"


def test_what_comes_is_told_under_pseudonyms_and_once_an_association(listen, server):
    here = listen(syslog=server.config)
    sent = small_series()
    assert send(here.port, [*sent, *small_series(study="1.2.9", count=2)]) == [0x0000] * 5
    messages = server.messages(2)
    assert [event(one) for one in messages] == ["DICOM Instances Transferred"] * 2
    told = {one.find(".//SOPClass").get("NumberOfInstances"): one for one in messages}
    assert set(told) == {"3", "2"}
    ids = [one.get("ParticipantObjectID") for one in told["3"].findall("ParticipantObjectIdentification")]
    assert ids == [PSEUDONYMS.study(sent[0]), PSEUDONYMS.person(sent[0])]
    peer = told["3"].find("ActiveParticipant")
    assert (peer.get("AlternativeUserID"), peer.get("NetworkAccessPointID")) == (
        "AETITLES=SCANNER",
        "127.0.0.1",
    )
    whole = "".join(str(list(one.iter())) + str([part.attrib for part in one.iter()]) for one in messages)
    assert "GEHEIM" not in whole.upper()
    assert sent[0].StudyInstanceUID not in whole
    assert here.audit.count("instances.receive") == 2


def test_a_stranger_is_a_security_alert(listen, server):
    here = listen(syslog=server.config, peers=(("SCANNER", "192.0.2.1"),))
    associate(here.port)
    (alert,) = server.messages(1)
    assert event(alert) == "Security Alert"
    assert alert.find("EventIdentification").get("EventOutcomeIndicator") == "8"
    assert alert.findall("ActiveParticipant")[1].get("UserID") == "127.0.0.1"


def test_results_are_a_transfer_and_without_identities_an_export(tmp_path, server, monkeypatch):
    monkeypatch.setattr(delivery, "send", lambda files, destination: None)
    own = Destination("pacs", url="http://127.0.0.1:1")
    away = Destination("away", ae_title="AWAY", host="192.0.2.1")
    rule = type(RULE)(RULE.name, RULE.model, modality="MR", send_to=("pacs", "away"))
    world = World(tmp_path, PacsConfig(LISTENER, (), (rule,), (own, away), syslog=server.config))
    world.receive(small_series())
    world.router.run_once()
    world.judge()
    world.carrier.run_once()
    messages = server.messages(4)
    begun, given = "Begin Transferring DICOM Instances", "DICOM Instances Transferred"
    assert [event(one) for one in messages] == [begun, given, begun, "Export"]
    assert messages[3].findall("ActiveParticipant")[1].get("UserID") == "dicom://AWAY@192.0.2.1:104"
    people = {
        one.findall("ParticipantObjectIdentification")[1].get("ParticipantObjectID") for one in messages
    }
    assert people == {PSEUDONYMS.person(small_series(count=1)[0])}, (
        "one pseudonym, whatever the results carry"
    )


def test_the_listener_says_when_it_starts_and_stops_and_what_it_pulls(tmp_path, server):
    trail = Trail(tmp_path / "audit.log", config_of(server), PSEUDONYMS)
    trail.runs("start")
    trail.pulled(Source("pacs", "http://pacs/dicom-web"), trail.subject(small_series(count=1)[0], 7))
    trail.runs("stop")
    trail.close()
    started, pulled, stopped = server.messages(3)
    kinds = [one.find("EventIdentification/EventTypeCode").get("csd-code") for one in (started, stopped)]
    assert kinds == ["110120", "110121"]
    assert event(pulled) == "Import"
    assert pulled.findall("ActiveParticipant")[1].get("UserID") == "http://pacs/dicom-web"
    assert [word in (tmp_path / "audit.log").read_text() for word in ("listener.start", "study.pull")] == [
        True
    ] * 2


def test_by_tcp_each_message_is_a_line_and_a_server_that_is_down_holds_nobody_up(tmp_path, caplog):
    server = Server("tcp")
    trail = Trail(tmp_path / "audit.log", config_of(server), PSEUDONYMS)
    trail.runs("start")
    trail.refused("192.0.2.7")
    connection, _ = server.socket.accept()
    server.socket.close()
    connection.settimeout(20)
    lines = connection.makefile(encoding="utf-8")
    assert [event(parsed(lines.readline().rstrip("\n"))) for _ in range(2)] == [
        "Application Activity",
        "Security Alert",
    ]
    lines.close()
    connection.close()
    begun = time.monotonic()
    for _ in range(20):
        trail.refused("192.0.2.7")
        time.sleep(0.01)
    assert time.monotonic() - begun < 5
    trail.close()
    assert "a message was not sent" in caplog.text
    assert (tmp_path / "audit.log").read_text().count("association.refuse") == 21
    assert threading.active_count() < 50


def test_the_file_names_the_server(tmp_path):
    file = tmp_path / "pacs.toml"
    common = '[[rules]]\nname = "a"\nmodel = "sanum-brain"\n'
    file.write_text(common + '[syslog]\nhost = "127.0.0.1"\nprotocol = "tcp"\n')
    assert read_config(file).syslog == SyslogServer("127.0.0.1", 514, "tcp")
    file.write_text(common + '[syslog]\nhost = "127.0.0.1"\nprotocol = "tls"\n')
    with pytest.raises(ConfigError, match="protocol"):
        read_config(file)
