"""What arrives is on disk before its sender is told; every peer that does wrong gets a defined answer."""

from __future__ import annotations

import contextlib
import socket
import struct
import tempfile
import time

import pytest
from pydicom import Dataset, dcmread

from sanum.core.errors import ConfigError
from sanum.dicom.deidentify import Deidentifier
from sanum.pacs import receiver
from tests.formats.dicom_files import NAME
from tests.pacs.sender import associate, encoded, half_an_association, send, small_series


def test_an_accepted_instance_is_on_disk_when_its_sender_is_told(listen):
    here = listen()
    sent = small_series()
    assert send(here.port, sent) == [0x0000] * 3
    kept = {dcmread(file).SOPInstanceUID: dcmread(file) for file in here.files()}
    assert set(kept) == {one.SOPInstanceUID for one in sent}
    assert all(kept[one.SOPInstanceUID].PixelData == one.PixelData for one in sent)
    assert list(here.studies.incoming.iterdir()) == []


def test_names_of_files_and_folders_are_our_own(listen):
    here = listen()
    send(here.port, small_series())
    names = [path.name for path in (here.data / "pacs").rglob("*")]
    assert not [name for name in names if "1.2.3.4" in name or "Geheim" in name or "GEHEIM" in name]
    assert "GEHEIM" not in here.audit.upper()


def test_echo_is_answered_to_a_peer(listen):
    link = associate(listen().port)
    assert link.send_c_echo().Status == 0x0000
    link.release()


def test_an_unknown_ae_title_is_rejected(listen):
    here = listen()
    assert associate(here.port, calling="STRANGER").is_rejected
    assert associate(here.port, called="OTHER").is_rejected
    assert here.files() == []
    assert "association.refuse" in here.audit


def test_a_known_title_from_another_address_is_turned_away(listen):
    here = listen(peers=(("SCANNER", "192.0.2.1"), ("OTHER", "127.0.0.1")))
    assert send(here.port, small_series(count=1)) == [0x0124]
    assert here.files() == []


def test_an_address_of_no_peer_gets_no_association(listen):
    here = listen(peers=(("SCANNER", "192.0.2.1"),))
    assert not associate(here.port).is_established
    assert "association.refuse" in here.audit


def test_half_an_association_is_let_go_and_others_are_served_meanwhile(listen):
    here = listen()
    raw = half_an_association(here.port)
    assert send(here.port, small_series(count=1)) == [0x0000]
    raw.settimeout(20)
    begun = time.monotonic()
    try:
        while raw.recv(4096):
            pass
    except ConnectionError:
        pass
    assert time.monotonic() - begun < 15
    raw.close()


def test_the_same_instance_twice_counts_once(listen):
    here = listen()
    sent = small_series()
    assert send(here.port, [*sent, *sent]) == [0x0000] * 6
    assert len(here.files()) == 3


def test_an_instance_that_was_pulled_before_it_is_sent_is_the_same(listen):
    """Whoever hands a file on puts its own name into the file meta information."""
    here = listen()
    one = small_series(count=1)[0]
    pulled = here.studies.incoming / "pulled.dcm"
    one.file_meta.ImplementationVersionName = "ANOTHER_PACS_99"
    one.save_as(pulled, enforce_file_format=True)
    assert here.studies.keep(pulled, one)
    assert send(here.port, [one]) == [0x0000]
    assert len(here.files()) == 1


def test_an_instance_uid_with_other_pixels_is_refused_and_the_first_one_stays(listen):
    here = listen()
    first = small_series(count=1)[0]
    send(here.port, [first])
    before = here.files()[0].read_bytes()
    first.PixelData = bytes(reversed(first.PixelData))
    assert send(here.port, [first]) == [0x0111]
    assert here.files()[0].read_bytes() == before


def test_a_second_patient_in_one_study_is_refused(listen):
    here = listen()
    assert send(here.port, small_series()) == [0x0000] * 3
    assert send(here.port, small_series(PatientID="OTHER", SeriesInstanceUID="1.2.3.4.6")) == [0xC000] * 3
    assert len(here.files()) == 3


def test_more_instances_than_a_study_may_have_are_refused(listen):
    """A million tiny instances: the first ones stay, the others cost no disk."""
    here = listen(most_instances=5)
    assert send(here.port, small_series(count=8)) == [0x0000] * 5 + [0xA700] * 3
    assert len(here.files()) == 5
    assert send(here.port, small_series(study="1.2.9", count=2)) == [0x0000] * 2


def test_a_study_larger_than_allowed_and_a_full_disk_are_refused(listen):
    assert send(listen(most_gb=2e-6).port, small_series(count=3))[-1] == 0xA700
    assert send(listen(free_gb=1e9).port, small_series(study="1.2.9", count=1)) == [0xA700]


def test_an_instance_that_never_ends_is_cut_off(listen, monkeypatch):
    monkeypatch.setattr(receiver, "MOST_INSTANCE_BYTES", 50_000)
    here = listen()
    endless = small_series(count=1)[0]
    endless.PixelData = bytes(10_000_000)
    assert send(here.port, [endless]) == [None]
    assert here.files() == []
    assert send(here.port, small_series(study="1.2.9", count=1)) == [0x0000]


def test_a_message_that_never_ends_is_cut_off_before_it_fills_the_memory(listen, monkeypatch):
    monkeypatch.setattr(receiver, "MOST_MESSAGE_BYTES", 50_000)
    here = listen()
    link = associate(here.port)
    connection = link.dul.socket.socket
    command = struct.pack(">LBB", 8002, link.accepted_contexts[0].context_id, 1) + bytes(8000)
    with contextlib.suppress(OSError):
        for _ in range(1000):  # fragments of a command, none of them the last
            connection.sendall(struct.pack(">BBL", 4, 0, len(command)) + command)
            time.sleep(0.001)
        pytest.fail("all of it was taken")
    assert send(here.port, small_series(count=1)) == [0x0000]


def test_a_pdu_of_four_gigabytes_is_not_waited_for(listen):
    here = listen(network_seconds=60.0)
    raw = socket.create_connection(("127.0.0.1", here.port))
    raw.sendall(struct.pack(">BBL", 1, 0, 2**32 - 1) + bytes(10_000))
    raw.settimeout(20)
    begun = time.monotonic()
    with contextlib.suppress(ConnectionError):
        assert raw.recv(10) in (b"", b"\x07\0\0\0\0\x04\0\0\0\0")
    assert time.monotonic() - begun < 10
    raw.close()
    assert send(here.port, small_series(count=1)) == [0x0000]


def test_a_header_of_endless_elements_is_refused_and_large_ones_are_passed_over(listen, monkeypatch):
    monkeypatch.setattr(receiver, "MOST_ELEMENTS", 300)
    here = listen()
    many, large, deep = small_series(count=3)
    for number in range(400):
        many.add_new((0x0009, 0x1000 + number), "LO", "x")
    large.add_new((0x0009, 0x1001), "OB", bytes(5_000_000))
    inner = deep
    for _ in range(60):
        inner.ReferencedSeriesSequence = [Dataset()]
        inner = inner.ReferencedSeriesSequence[0]
    assert send(here.port, [many, large, deep]) == [0xC000, 0x0000, 0x0000]
    header = receiver._header(max(here.files(), key=lambda file: file.stat().st_size))
    assert (0x0009, 0x1001) not in header
    assert "ImagePositionPatient" not in header


def test_a_series_that_never_ends_is_complete_after_the_longest_time(listen):
    here = listen(quiet_seconds=3600.0, longest_seconds=0.5)
    send(here.port, small_series())
    now = time.time()
    assert here.studies.complete(now) == []
    assert len(here.studies.complete(now + 1.0)) == 1


def test_a_study_is_complete_after_the_quiet_time_only(listen):
    here = listen(quiet_seconds=30.0)
    send(here.port, small_series())
    assert here.studies.complete(time.time() + 29.0) == []
    assert len(here.studies.complete(time.time() + 31.0)) == 1


def test_an_instance_that_is_not_what_was_announced_is_refused(listen):
    here = listen()
    one = small_series(count=1)[0]
    link = associate(here.port)
    from pynetdicom.dimse_primitives import C_STORE  # the library's own sender announces what it sends

    request = C_STORE()
    request.MessageID, request.Priority = 7, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = one.SOPClassUID, "1.2.3.99"
    import io

    from pynetdicom.dsutils import encode

    request.DataSet = io.BytesIO(encode(one, False, True))
    context = next(cx for cx in link.accepted_contexts if cx.abstract_syntax == one.SOPClassUID)
    link._reactor_checkpoint.clear()
    link.dimse.send_msg(request, context.context_id)
    _, answer = link.dimse.get_msg(block=True)
    link._reactor_checkpoint.set()
    assert answer.Status == 0xA900
    link.release()
    assert here.files() == []


def test_identities_are_out_before_anything_is_stored(listen):
    here = listen(deidentifier=Deidentifier(b"s" * 32))
    sent = small_series(PatientBirthDate="19700101", InstitutionName="Klinik Geheim", PatientAge="093Y")
    assert send(here.port, sent) == [0x0000] * 3
    read = [dcmread(file) for file in here.files()]
    for file in here.files():
        content = file.read_bytes()
        assert b"Geheim" not in content
        assert b"GEHEIM" not in content
        assert b"1.2.3.4.5" not in content
    assert {one.PatientAge for one in read} == {"089Y"}
    assert len({one.SeriesInstanceUID for one in read}) == 1
    assert len({one.SOPInstanceUID for one in read}) == 3
    assert read[0].SeriesDescription == "t1 mprage"


def test_burnt_in_identities_are_refused_where_they_should_go_out(listen):
    here = listen(deidentifier=Deidentifier(b"s" * 32))
    assert send(here.port, small_series(count=1, BurnedInAnnotation="YES")) == [0xC000]
    assert here.files() == []


def test_a_taken_port_is_told(listen):
    here = listen()
    from sanum.pacs.config import Listener, PacsConfig, Rule
    from sanum.pacs.receiver import Receiver

    config = PacsConfig(Listener(port=here.port), rules=(Rule("a", "m"),))
    with pytest.raises(ConfigError, match=r"can't listen on 127\.0\.0\.1"):
        Receiver(config, here.studies, None).start()


def test_temporary_files_of_others_lie_where_they_did_once_it_has_stopped(listen):
    before = tempfile.gettempdir()
    here = listen()
    assert tempfile.gettempdir() == str(here.studies.incoming)
    here.receiver.stop()
    assert tempfile.gettempdir() == before


def test_nothing_of_the_sender_is_quoted(listen, caplog):
    here = listen()
    send(here.port, small_series(StudyInstanceUID=""))
    assert NAME not in caplog.text
    assert encoded(small_series(count=1)[0])
