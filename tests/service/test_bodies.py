"""Bodies of requests: slow, broken, unwanted and too many ones harm nobody else, and the client learns what was wrong."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
import threading
import time

import pytest

from sanum.service import bodies
from sanum.service.bodies import BODIES, Body, BodySlots
from sanum.service.problems import RequestError
from sanum.service.web_server import THREADS
from sanum.service.web_worker import Heads
from tests.service.checks import check_problem
from tests.service.conftest import Live
from tests.service.fakes import form, make, nifti

HEAD = b"POST /v1/cases HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'


def place(live: Live) -> tuple[str, int]:
    host, _, port = live.address.removeprefix("http://").rpartition(":")
    return host, int(port)


def say(live: Live, request: bytes, *, end: bool = False) -> bytes:
    """What the service answers to these bytes, until it closes the connection or says no more.

    Args:
        live: the service.
        request: what is sent.
        end: tell that nothing more comes, so that half a request is not waited for.
    """
    with socket.create_connection(place(live), timeout=120) as connection:
        said = b""
        with contextlib.suppress(OSError):
            connection.sendall(request)
        with contextlib.suppress(OSError):
            if end:
                connection.shutdown(socket.SHUT_WR)
            while b"\r\n\r\n" not in said or len(said.partition(b"\r\n\r\n")[2]) < _length(said):
                got = connection.recv(65536)
                if not got:
                    break
                said += got
        return said


def _length(said: bytes) -> int:
    head = said.partition(b"\r\n\r\n")[0].lower()
    return int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)


def test_health_is_told_while_more_clients_trickle_than_there_are_threads(live):
    """Each web process reads some bodies at once and refuses the rest at once, so its threads stay free."""
    with contextlib.ExitStack() as stack:
        slow = []
        for _ in range(3 * THREADS):
            connection = stack.enter_context(socket.create_connection(place(live), timeout=10))
            connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n" + PART)
            slow.append(connection)
        begun = time.monotonic()
        for _ in range(20):
            assert live.ask("/healthz")["status"] == "ok"
        assert time.monotonic() - begun < 5
        answered = 0
        for connection in slow:
            connection.settimeout(0.05)
            with contextlib.suppress(OSError):
                answered += b"HTTP/1.1 503" in connection.recv(4096)
        assert answered >= THREADS


def test_an_answer_reaches_a_client_that_sends_its_whole_body_first(live):
    """The service says no to the head; the connection must not break under what is still on its way."""
    connection = http.client.HTTPConnection(*place(live), timeout=30)
    connection.request("POST", "/v1/nothing", bytes(40_000_000), {"Connection": "close"})
    assert connection.getresponse().status == 404


@pytest.mark.parametrize(
    "chunk", [b"zz\r\n", b"-5\r\nabc\r\n", b"5\r\nabcdefghij\r\n0\r\n\r\n", b"5;\x00=\r\nabcde\r\n"]
)
def test_chunks_that_are_not_http_are_told_so(live, chunk):
    said = say(live, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
    assert said.startswith(b"HTTP/1.1 400"), said[:300]


def test_a_transfer_coding_that_nobody_knows_is_the_fault_of_the_client(live):
    said = say(live, HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 400"), said[:300]


@pytest.mark.parametrize(
    "head",
    [b"GET /readyz HTTP/1.1\r\n\r\n", b"GET /readyz HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nHost:\r\n\r\n"],
)
def test_a_request_without_a_host_is_refused(live, head):
    said = say(live, head)
    assert b" 400 " in said.partition(b"\r\n")[0]
    assert b"no Host header" in said or b"Bad Request" in said


def test_a_body_slower_than_the_least_rate_is_cut(monkeypatch):
    monkeypatch.setattr(bodies, "STEP_SECONDS", 0.2)
    mine, other = socket.socketpair()
    with mine, other, mine.makefile("rb") as raw:
        other.sendall(b"slow")
        body = Body(raw, mine, 3600.0)
        begun = time.monotonic()
        assert body.read(65536) == b"slow", "what came before the connection was shut"
        assert time.monotonic() - begun < 5


def test_a_slot_is_given_back_and_none_is_told_to_come_again():
    slots = BodySlots(1)
    with slots.slot(), pytest.raises(RequestError, match="As many uploads arrive") as caught, slots.slot():
        pass
    assert (caught.value.status, caught.value.retry_after) == (503, bodies.RETRY_SECONDS)
    with slots.slot():
        pass


def test_reading_away_ends_though_the_client_never_does(monkeypatch):
    monkeypatch.setattr(bodies, "DRAIN_SECONDS", 0.2)

    class Endless(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            time.sleep(0.01)
            return bytes(size)

    slots, ended = BodySlots(), threading.Event()
    threading.Thread(target=lambda: (slots.drain(Body(Endless(), None, 3600.0)), ended.set())).start()
    assert ended.wait(10)


def test_the_connection_that_waits_longest_for_its_head_gives_way():
    heads = Heads(2)
    pairs = [socket.socketpair() for _ in range(3)]
    for mine, other in pairs:
        other.settimeout(5)
        heads.begin(mine)
    assert pairs[0][1].recv(1) == b"", "the first was shut"
    heads.end(pairs[1][0])
    pairs[2][0].sendall(b"x")
    assert pairs[2][1].recv(1) == b"x"
    for pair in pairs:
        for one in pair:
            one.close()


def test_a_field_that_comes_twice_is_refused_not_dropped(tmp_path):
    client = make(tmp_path).client()
    scan = nifti(tmp_path, shape=(8, 8, 8))
    for address in ("/v1/cases", "/v1/predict"):
        twice = {"file": [(io.BytesIO(scan), "a"), (io.BytesIO(scan), "b")]}
        check_problem(client.post(address, data=twice), 422, "'file' came 2 times; send each field once")
        labels = {**form(scan), "model": ["demo", "demo"]}
        check_problem(client.post(address, data=labels), 422, "'model' came 2 times")
    assert list((tmp_path / "incoming").iterdir()) == []


def test_many_form_fields_are_called_by_their_name(tmp_path):
    client = make(tmp_path, upload_mb=3).client()
    fields = {f"field-{number}": "x" for number in range(40)}
    told = check_problem(
        client.post("/v1/predict", data=fields, content_type="multipart/form-data"), 413, "more than 16 parts"
    )
    assert "3 MB" not in json.dumps(told)
    huge = {"label": "x" * 600_000}
    check_problem(
        client.post("/v1/cases", data=huge, content_type="multipart/form-data"), 413, "500 kB of text"
    )
    large = client.post("/v1/cases", data=form(bytes(3_100_000)))
    check_problem(large, 413, r"larger than this service takes \(3 MB\)")


def test_some_threads_are_left_when_everything_that_can_wait_does():
    from sanum.service.bodies import DRAINS
    from sanum.service.events import STREAMS
    from sanum.service.limits import Limits
    from sanum.service.web_worker import HEADS

    assert STREAMS + BODIES + DRAINS + Limits().waiting + 1 + HEADS < THREADS
