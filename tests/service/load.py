"""Clients that send cases through a fault as the docs tell them to: the same key again until the service has said 202."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from tests.service.conftest import Live

IN_FLIGHT = 20
READY_SECONDS = 15.0
"""After the end of a fault."""


class Load:
    """Sends cases and remembers what was promised.

    Args:
        service: that takes them.
        scan: what is sent, each time the same, so that all results must be equal.
    """

    def __init__(self, service: Live, scan: bytes):
        self._service = service
        self._body = (
            b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
            + scan
            + b"\r\n--edge--\r\n"
        )
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.accepted: dict[str, str] = {}
        self.answers: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.processes = service.tree()

    def begin(self) -> None:
        """Twenty cases in flight, and from then on a new one every three seconds by each of two clients."""
        for number in range(IN_FLIGHT):
            self._send(f"first-{number}")
        for name in ("a", "b"):
            self._start(self._send_on, name)
        self._start(self._watch_health)

    def end(self) -> None:
        """Send nothing new; every key that was used must still be accepted."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a client still waits for its case to be accepted"

    def check_ready(self) -> None:
        """To be called when a fault has ended."""
        began = time.monotonic()
        while self.status("/readyz") != 200:
            assert time.monotonic() - began < READY_SECONDS, f"not ready; {self.answers}"
            time.sleep(0.1)
        print(f"ready {time.monotonic() - began:.1f} s after the end of the fault")

    def check(self, seconds: float = 600.0) -> None:
        """Nothing lost, nothing doubled, nobody dead, no other answer than success or 503."""
        deadline = time.monotonic() + seconds
        ended: dict[str, dict] = {}
        while len(ended) < len(self.accepted):
            assert time.monotonic() < deadline, f"{len(self.accepted) - len(ended)} cases did not end"
            for case in set(self.accepted.values()) - set(ended):
                found = self._service.ask(f"/v1/cases/{case}")
                if found["status"] in ("done", "failed"):
                    ended[case] = found
            time.sleep(0.5)
        assert {found["status"] for found in ended.values()} == {"done"}, ended
        assert len({found["score"] for found in ended.values()}) == 1
        assert self._listed() == sorted(ended), "each key has one case, and there are no others"
        assert self._finished() == sorted(ended), "each case was finished once"
        assert self.processes <= self._service.tree(), Path(self._service.log.name).read_text()[-5000:]
        assert set(self.answers) <= {200, 202, 503}, self.answers
        assert self.wrong == []
        print(f"{len(ended)} cases, {dict(self.answers)}")

    def _listed(self) -> list[str]:
        found, after = [], ""
        while True:
            page = self._service.ask(f"/v1/cases?limit=200{after}")
            found += [case["id"] for case in page["cases"]]
            if page["next"] is None:
                return sorted(found)
            after = f"&after={page['next']}"

    def _finished(self) -> list[str]:
        lines = (self._service.data / "audit.log").read_text().splitlines()
        acts = [json.loads(line) for line in lines]
        return sorted(act["case"] for act in acts if act["action"] == "case.finish")

    def _start(self, target, *arguments) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _send_on(self, name: str) -> None:
        number = 0
        while not self._stopping.wait(3.0):
            self._send(f"{name}-{number}")
            number += 1

    def _send(self, key: str) -> None:
        headers = {"Content-Type": "multipart/form-data; boundary=edge", "Idempotency-Key": key}
        request = urllib.request.Request(f"{self._service.address}/v1/cases", self._body, headers)
        while key not in self.accepted:
            try:
                with urllib.request.urlopen(request, timeout=120) as response:
                    self.accepted[key] = json.load(response)["id"]
                    self.answers[response.status] += 1
            except urllib.error.HTTPError as error:
                self.answers[error.code] += 1
                if "Retry-After" not in error.headers:
                    self.wrong.append(f"{error.code} without Retry-After")
                time.sleep(0.5)
            except OSError:
                time.sleep(0.5)

    def _watch_health(self) -> None:
        """`/healthz` answers always, and soon."""
        while not self._stopping.wait(1.0):
            began = time.monotonic()
            status = self.status("/healthz")
            if status != 200 or time.monotonic() - began > 10:
                self.wrong.append(f"{status} after {time.monotonic() - began:.1f} s")

    def status(self, address: str) -> int:
        """What an address answers; 0 where nothing does."""
        try:
            with urllib.request.urlopen(self._service.address + address, timeout=60) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0
