"""Streams of events: few enough that other requests find a thread."""

from __future__ import annotations

import pytest

from sanum.service import events
from sanum.service.events import Streams
from sanum.service.problems import RequestError
from tests.service.fakes import form, nifti


def numbers():
    yield "1"
    yield "2"


def test_a_stream_holds_a_place_until_it_is_closed():
    streams = Streams()
    held = [streams.open(numbers()) for _ in range(events.STREAMS)]
    with pytest.raises(RequestError) as refused:
        streams.open(numbers())
    assert refused.value.status == 503
    assert refused.value.retry_after is not None
    assert list(held[0]) == ["1", "2"]
    held[0].close()
    held[0].close()
    again = streams.open(numbers())
    with pytest.raises(RequestError):
        streams.open(numbers())
    again.close()


def test_a_service_answers_503_beyond_and_takes_the_next_when_one_has_gone(service, tmp_path, monkeypatch):
    monkeypatch.setattr(events, "POLL_SECONDS", 0.01)
    client = service.client()
    case = client.post("/v1/cases", data=form(nifti(tmp_path, shape=(8, 8, 8)))).get_json()
    address = f"/v1/cases/{case['id']}/events"
    open_ones = [client.get(address, buffered=False) for _ in range(events.STREAMS)]
    refused = client.get(address)
    assert (refused.status_code, refused.mimetype) == (503, "application/problem+json")
    assert refused.headers["Retry-After"] == "5"
    for stream in open_ones:
        stream.close()
    after = client.get(address, buffered=False)
    assert after.status_code == 200
    after.close()
