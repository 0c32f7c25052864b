"""Connections are given a time, and shut when it is over."""

from __future__ import annotations

import socket

from sanum.service.deadlines import ConnectionDeadlines


def test_a_connection_is_shut_when_its_time_is_over_and_not_before():
    deadlines = ConnectionDeadlines()
    (late, other), (punctual, friend) = socket.socketpair(), socket.socketpair()
    with late, other, punctual, friend:
        deadlines.begin(punctual, 0.0)
        deadlines.end(punctual)
        with deadlines.limit(late, 0.0):
            other.settimeout(120)
            assert other.recv(1) == b"", "the other side sees the end"
        punctual.sendall(b"x")
        assert friend.recv(1) == b"x"


def test_a_limit_ends_with_what_it_is_for():
    deadlines = ConnectionDeadlines()
    mine, other = socket.socketpair()
    with mine, other:
        with deadlines.limit(mine, 3600.0):
            assert list(deadlines._ends) == [mine]
        assert not deadlines._ends
