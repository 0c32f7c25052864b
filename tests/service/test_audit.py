"""The audit log on a full disk: nothing is lost, no line is torn, and the act that it tells goes on."""

from __future__ import annotations

import errno
import json
import logging
import os

from sanum.service.audit import AuditLog


def acts(path) -> list[str]:
    return [json.loads(line)["action"] for line in path.read_text().splitlines()]


def test_lines_wait_for_room_in_their_order_and_are_logged_meanwhile(tmp_path, monkeypatch, caplog):
    path = tmp_path / "audit.log"
    log = AuditLog(path)
    log.write("a", "first")
    write = os.write

    def torn(descriptor: int, line: bytes) -> int:
        return write(descriptor, line[:10])

    def full(descriptor: int, line: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with caplog.at_level(logging.WARNING):
        monkeypatch.setattr(os, "write", torn)
        log.write("a", "second")
        assert acts(path) == ["first"], "a line is there whole or not at all"
        monkeypatch.setattr(os, "write", full)
        log.write("a", "third")
    assert acts(path) == ["first"]
    assert [("second" in text, "third" in text) for text in caplog.messages] == [(True, False), (False, True)]
    monkeypatch.setattr(os, "write", write)
    log.write("a", "fourth")
    assert acts(path) == ["first", "second", "third", "fourth"]
