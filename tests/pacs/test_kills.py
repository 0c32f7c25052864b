"""kill -9 in the middle of twenty studies: nothing is lost and nothing is there twice, here and in the PACS."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sanum.pacs.config import PacsConfig, read_config
from tests.formats.dicom_files import save
from tests.pacs.orthanc import Orthanc, free_port, storescu
from tests.pacs.sender import small_series
from tests.pacs.world import World

STUDIES = int(os.environ.get("SANUM_KILL_STUDIES", "20"))
KILLS = int(os.environ.get("SANUM_KILLS", "10"))
WAIT_SECONDS = 1200.0


class Child:
    """One process of a listener, started again whenever it was killed."""

    def __init__(self, role: str, settings: str) -> None:
        self.command = [sys.executable, "-m", "sanum.pacs.launch", role, settings]
        self.process = subprocess.Popen(self.command)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = subprocess.Popen(self.command)


class JudgeThread(threading.Thread):
    """Judges in this process; it dies and comes back in the middle of a case as often as it is told."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self.world = world
        self.stopping = threading.Event()
        self.killed = threading.Event()

    def run(self) -> None:
        from sanum.service import cases

        while not self.stopping.wait(0.2):
            if self.killed.is_set():
                waiting = [case for case in self.world.cases() if not case.ended]
                if waiting:
                    cases.begin(self.world.engine, waiting[0].id)  # an attempt that never ends
                    self.killed.clear()
            self.world.judge()


def configured(folder: Path, orthanc: Orthanc, port: int) -> PacsConfig:
    (folder / "pacs.toml").write_text(
        f"[listener]\nport = {port}\nquiet_seconds = 3\nfree_gb = 0\nworkers = 0\n"
        '[[peers]]\nae_title = "ORTHANC"\naddresses = ["127.0.0.1"]\n'
        '[[rules]]\nname = "t1"\nmodel = "sanum-t1-restore"\nmodality = "MR"\nsend_to = ["pacs"]\n'
        f'[[destinations]]\nname = "pacs"\nurl = "{orthanc.url}/dicom-web"\n'
    )
    return read_config(folder / "pacs.toml")


def sent_study(folder: Path, number: int, orthanc: Orthanc) -> None:
    """Send until Orthanc has taken everything, as a scanner does."""
    uid = f"1.2.9.{number + 1}"
    place = folder / f"study-{number}"
    for index, one in enumerate(small_series(uid, SeriesInstanceUID=f"{uid}.5", PatientID=f"P{number}")):
        save(one, place / f"{index}.dcm")
    for _ in range(60):
        if storescu(place, orthanc.dicom).returncode == 0:
            return
        time.sleep(1.0)
    raise AssertionError("Orthanc did not come back")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_after_kills_every_study_has_its_results_once(tmp_path):
    random.seed(0)
    port = free_port()
    orthanc = Orthanc(tmp_path / "orthanc", port).start()
    world = World(tmp_path, configured(tmp_path, orthanc, port))
    settings = json.dumps({"file": str(tmp_path / "pacs.toml"), "data": str(world.data), "database": None})
    children = {role: Child(role, settings) for role in ("receiver", "carrier")}
    judge = JudgeThread(world)
    judge.start()
    try:
        when = sorted(random.sample(range(STUDIES), min(KILLS, STUDIES)))
        for number in range(STUDIES):
            sent_study(tmp_path, number, orthanc)
            if number in when:
                for child in children.values():
                    child.kill()
                judge.killed.set()
                orthanc.kill()
                orthanc.start()
        resend_what_is_missing(orthanc, world)
        wait_until_all_are_there(orthanc)
    finally:
        judge.stopping.set()
        orthanc.kill()
        for child in children.values():
            child.process.kill()
    studies = [one.study for one in world.deliveries() if one.state == "sent"]
    assert len(studies) == len(set(studies)) == STUDIES
    shutil.rmtree(tmp_path / "orthanc")


def resend_what_is_missing(orthanc: Orthanc, world: World) -> None:
    """Orthanc forgets jobs of instances that it was about to send when it was killed; a PACS asks it to send again."""
    for study in orthanc.get("/studies"):
        body = json.dumps([study]).encode()
        orthanc.post("/modalities/sanum/store", body)


def wait_until_all_are_there(orthanc: Orthanc) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        found: dict[str, list[str]] = {}
        for one in orthanc.series():
            if one.get("Manufacturer") == "sanum":
                found.setdefault(one["study"], []).append(one["Modality"])
        done = [kinds for kinds in found.values() if sorted(kinds) == ["DOC", "OT", "SR"]]
        if len(done) == STUDIES:
            break
        time.sleep(1.0)
    assert len(done) == len(found) == STUDIES
    instances = [one["instances"] for one in orthanc.series() if one.get("Manufacturer") == "sanum"]
    assert all(len(inside) == 1 for inside in instances)
