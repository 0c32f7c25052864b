"""kill -9 of every process in the midst of twenty studies: nothing is lost and nothing is twice, here and in the PACS."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from sanum.pacs.records import Records
from sanum.service import cases, database
from tests.formats.dicom_files import save
from tests.pacs.orthanc import Orthanc, free_port, storescu
from tests.pacs.sender import small_series

STUDIES, SLICES, KILLS = 20, 6, 10
WAIT_SECONDS = 1500.0
ROLES = ("receiver", "carrier", "worker")


class Listener:
    """`sanum listen` as a process, with its children."""

    def __init__(self, folder: Path, orthanc: Orthanc, port: int) -> None:
        (folder / "pacs.toml").write_text(
            f"[listener]\nport = {port}\nquiet_seconds = 5\nfree_gb = 0\n"
            '[[peers]]\nae_title = "ORTHANC"\naddresses = ["127.0.0.1"]\n'
            '[[rules]]\nname = "t1"\nmodel = "sanum-t1-restore"\nmodality = "MR"\nsend_to = ["pacs"]\n'
            f'[[destinations]]\nname = "pacs"\nurl = "{orthanc.url}/dicom-web"\n'
            f'[[sources]]\nname = "pacs"\nurl = "{orthanc.url}/dicom-web"\nevery_seconds = 5\n'
        )
        self.data = folder / "data"
        self._command = [sys.executable, "-m", "sanum", "listen", folder / "pacs.toml", "--data", self.data]
        self._log = (folder / "listen.log").open("ab")
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [str(part) for part in self._command], stdout=self._log, stderr=self._log
        )

    def child(self, role: str) -> int | None:
        """Process id of the child in a role, None while there is none."""
        listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines()[1:]:
            pid, parent, command = line.split(None, 2)
            if int(parent) == self.process.pid and f".launch {role} " in command:
                return int(pid)
        return None

    def kill(self, role: str) -> bool:
        """Whether there was one to kill."""
        pid = self.child(role)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return pid is not None

    def kill_all(self) -> None:
        """The parent too; its children end by themselves or die here."""
        self.process.kill()
        self.process.wait()
        self._start()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def engine(self):
        return database.database_engine(database.default_url(self.data))

    def cases(self) -> list[cases.Case]:
        if not (self.data / "service.sqlite").exists():
            return []
        return list(cases.list_page(self.engine(), cases.CaseFilter(), limit=1000).cases)


class WorkerKiller(threading.Thread):
    """Kills the worker while it is at a case."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(daemon=True)
        self.listener = listener
        self.kills = 0

    def run(self) -> None:
        while self.kills < KILLS:
            time.sleep(0.05)
            with contextlib.suppress(Exception):  # the tables are not there yet, or the database is locked
                if any(case.status == "running" for case in self.listener.cases()):
                    self.kills += self.listener.kill("worker")


class Scanner(threading.Thread):
    """Sends each study until Orthanc has taken everything."""

    def __init__(self, folder: Path, orthanc: Orthanc) -> None:
        super().__init__(daemon=True)
        self.folder, self.orthanc, self.sent = folder, orthanc, 0

    def run(self) -> None:
        for number in range(STUDIES):
            uid = f"1.2.9.{number + 1}"
            made = small_series(uid, SLICES, SeriesInstanceUID=f"{uid}.5", PatientID=f"P{number}")
            for index, one in enumerate(made):
                save(one, self.folder / uid / f"{index}.dcm")
            while storescu(self.folder / uid, self.orthanc.dicom).returncode != 0:
                time.sleep(0.5)
            self.sent += 1
            time.sleep(2.0)


def results(orthanc: Orthanc) -> Counter[str]:
    """How many of each kind are in the PACS: "study kind"."""
    return Counter(
        f"{one['study']} {one['Modality']}"
        for one in orthanc.series()
        if one.get("Manufacturer") == "sanum"
        for _ in one["instances"]
    )


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_after_kills_in_the_midst_every_study_has_its_results_once(tmp_path):
    random.seed(0)
    port = free_port()
    orthanc = Orthanc(tmp_path / "orthanc", port).start()
    listener = Listener(tmp_path, orthanc, port)
    scanner, killer = Scanner(tmp_path / "scanner", orthanc), WorkerKiller(listener)
    try:
        scanner.start()
        killer.start()
        kill_in_the_midst(scanner, orthanc, listener)
        wait_until_all_are_there(orthanc, killer)
        time.sleep(20.0)  # what would come twice comes now
        found = results(orthanc)
        assert len(found) == 3 * STUDIES  # report, page and PDF of each
        assert set(found.values()) == {1}
        originals = [one for one in orthanc.series() if one["Modality"] == "MR"]
        assert [len(one["instances"]) for one in originals] == [SLICES] * STUDIES
        kept = list((listener.data / "pacs" / "studies").rglob("*.dcm"))
        assert len(kept) == STUDIES * SLICES
        assert [case.decision for case in listener.cases()] == ["refused"] * STUDIES
        sent = Records(listener.engine()).all()
        assert [one.state for one in sent] == ["sent"] * STUDIES
        assert len({one.study for one in sent}) == STUDIES
        assert killer.kills == KILLS
    finally:
        listener.stop()
        orthanc.kill()


def kill_in_the_midst(scanner: Scanner, orthanc: Orthanc, listener: Listener) -> None:
    """Ten rounds while studies come: receiver, carrier and Orthanc at odd moments, in the fifth all of `sanum listen`."""
    for number in range(KILLS):
        while scanner.sent < min(number * STUDIES // KILLS, STUDIES - 1) or not listener.child("receiver"):
            time.sleep(0.1)
        for role in ("receiver", "carrier"):
            time.sleep(random.uniform(0.0, 2.0))
            listener.kill(role)
        time.sleep(random.uniform(0.0, 2.0))
        orthanc.kill()
        orthanc.start()
        if number == KILLS // 2:
            listener.kill_all()


def wait_until_all_are_there(orthanc: Orthanc, killer: WorkerKiller) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while len(results(orthanc)) < 3 * STUDIES or killer.is_alive():
        assert time.monotonic() < deadline, (results(orthanc), killer.kills)
        time.sleep(2.0)
