"""Progress of a case as server-sent events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from sanum.service.wire import CaseOut

POLL_SECONDS = 0.3
STREAM_SECONDS = 60.0
"""A stream ends after a while, so that idle clients don't hold threads; a client then asks again."""

BEAT_SECONDS = 10.0
"""A silent stream sends a comment this often: proxies close what looks dead, and a gone client is noticed."""


def events(look: Callable[[], CaseOut | None]) -> Iterator[str]:
    """One event whenever the case has changed, until it has ended, was deleted, or time is up.

    Args:
        look: gives the case as it now is; None once it was deleted.
    """
    shown = ""
    end = time.monotonic() + STREAM_SECONDS
    beat = time.monotonic() + BEAT_SECONDS
    while time.monotonic() < end:
        case = look()
        if case is None:
            yield "event: deleted\ndata: {}\n\n"
            return
        text = case.model_dump_json()
        if text != shown:
            shown = text
            yield f"event: case\ndata: {text}\n\n"
        if case.status in ("done", "failed"):
            return
        if time.monotonic() >= beat:
            beat = time.monotonic() + BEAT_SECONDS
            yield ": still here\n\n"
        time.sleep(POLL_SECONDS)
