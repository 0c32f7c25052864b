"""With a real PACS: series sent to Orthanc are routed here, judged or refused, and results lie beside them."""

from __future__ import annotations

import gzip
import time
import zipfile
from pathlib import Path

import pytest
from pydicom import dcmread

from sanum.core.shipped import find_model
from sanum.dicom.deidentify import Deidentifier
from sanum.pacs.config import Destination, Listener, PacsConfig, Peer, Rule, Source
from sanum.pacs.pull import Puller
from sanum.pacs.receiver import Receiver
from sanum.service.case_judge import Judge
from tests.dicom.dicom_checks import errors_of
from tests.formats.dicom_files import save
from tests.pacs.orthanc import Orthanc, free_port, storescu
from tests.pacs.sender import small_series
from tests.pacs.world import World

RESULTS = ("SEG", "SR", "OT", "DOC")


class Site:
    """Orthanc and a listener that know each other."""

    def __init__(self, folder: Path, destination: str = "stow") -> None:
        port = free_port()
        self.orthanc = Orthanc(folder / "orthanc", port).start()
        listener = Listener(port=port, quiet_seconds=2.0, free_gb=0.0)
        pacs = Destination("pacs", url=f"{self.orthanc.url}/dicom-web")
        if destination == "store":
            pacs = Destination("pacs", ae_title="ORTHANC", host="127.0.0.1", port=self.orthanc.dicom)
        rules = (
            Rule("mr", "sanum-t1-restore", modality="MR", send_to=("pacs",)),
            Rule("ct", "sanum-t1-restore", modality="CT", send_to=("pacs",)),
        )
        self.world = World(folder, PacsConfig(listener, (Peer("ORTHANC", ("127.0.0.1",)),), rules, (pacs,)))
        self.receiver = Receiver(self.world.config, self.world.place.studies, self.world.place.audit)
        self.receiver.start()

    def wait_for(self, instances: int) -> None:
        """Until Orthanc has sent so many instances and the quiet time is over."""
        deadline = time.monotonic() + 600
        while len(list((self.world.data / "pacs" / "studies").rglob("*.dcm"))) < instances:
            assert time.monotonic() < deadline, "Orthanc did not route"
            time.sleep(0.2)
        time.sleep(self.world.config.listener.quiet_seconds + 0.2)

    def judge_and_send(self, judge: Judge | None = None) -> None:
        self.world.router.run_once()
        self.world.judge(judge)
        self.world.carrier.run_once()

    def results(self) -> dict[str, list[str]]:
        """Of each study's results: their modalities, one a series."""
        found: dict[str, list[str]] = {}
        for one in self.orthanc.series():
            if one.get("Manufacturer") == "sanum":
                found.setdefault(one["study"], []).append(one["Modality"])
        return {study: sorted(kinds) for study, kinds in found.items()}

    def close(self) -> None:
        self.receiver.stop()
        self.orthanc.kill()


@pytest.fixture
def site(tmp_path, request):
    made = Site(tmp_path, getattr(request, "param", "stow"))
    yield made
    made.close()


def puller(world: World, source: Source) -> Puller:
    return Puller(source, world.place.studies, world.place.records, world.place.audit)


def write(folder: Path, datasets) -> Path:
    for number, one in enumerate(datasets):
        save(one, folder / f"{number}.dcm")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("site", ["stow", "store"], indirect=True)
def test_a_study_goes_through_a_real_pacs_and_its_results_come_back_once(site, tmp_path):
    for study in ("1.2.3.4", "1.2.3.5"):
        sent = small_series(study, SeriesInstanceUID=f"{study}.5")
        assert storescu(write(tmp_path / study, sent), site.orthanc.dicom).returncode == 0
    site.wait_for(6)
    for _ in range(2):
        site.judge_and_send()
    assert sorted(site.results().values()) == [["DOC", "OT", "SR"]] * 2
    count = len(site.orthanc.get("/instances"))
    storescu(tmp_path / "1.2.3.4", site.orthanc.dicom)  # sent again: it is all there
    time.sleep(3.0)
    site.judge_and_send()
    assert len(site.orthanc.get("/instances")) == count
    assert len(site.world.cases()) == 2
    assert [one.state for one in site.world.deliveries()] == ["sent", "sent"]


@pytest.mark.slow
def test_studies_are_pulled_from_dicomweb_once(site, tmp_path):
    storescu(write(tmp_path / "in", small_series(SeriesInstanceUID="1.2.3.4.5")), site.orthanc.dicom)
    site.wait_for(3)
    source = Source("pacs", f"{site.orthanc.url}/dicom-web", {"ModalitiesInStudy": "MR"})
    assert puller(site.world, source).run_once() == 0  # they were sent
    other = World(tmp_path / "other", site.world.config, deidentifier=Deidentifier(b"s" * 32))
    assert puller(other, source).run_once() == 3
    assert puller(other, source).run_once() == 0
    files = list((other.data / "pacs" / "studies").rglob("*.dcm"))
    assert len(files) == 3
    assert not [file for file in files if b"GEHEIM" in file.read_bytes()]
    assert "instance.refuse" not in (other.data / "audit.log").read_text()


def real_series(data: Path, folder: Path) -> int:
    """The Siemens, GE and Philips series as files; how many."""
    for name in ("mr-t1-and-perfusion.zip", "ct-ge-tilted.zip"):
        with zipfile.ZipFile(data / "dicom" / name) as archive:
            archive.extractall(folder / name)
    packed = data / "dicom" / "mr-enhanced-multiframe.dcm.gz"
    (folder / "enhanced.dcm").write_bytes(gzip.decompress(packed.read_bytes()))
    return sum(
        dcmread(file, force=True).get("Rows") is not None for file in folder.rglob("*") if file.is_file()
    )


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_real_series_are_judged_or_refused_and_lie_in_their_own_study(site, real_data, tmp_path):
    count = real_series(real_data, tmp_path / "in")
    assert storescu(tmp_path / "in", site.orthanc.dicom).returncode == 0
    site.wait_for(count)
    name = "sanum-t1-restore"
    site.judge_and_send(Judge({name: find_model(Path(name))}))
    studies = {
        one["ID"]: one["PatientMainDicomTags"]["PatientID"] for one in site.orthanc.get("/studies?expand")
    }
    results = {studies[study]: kinds for study, kinds in site.results().items()}
    assert len(results) == len(studies) == 3
    judged = [kinds for kinds in results.values() if "SEG" in kinds]
    assert judged == [["DOC", "OT", "OT", "SEG", "SR"]]  # pages and map are both "OT"
    assert [kinds for kinds in results.values() if "SEG" not in kinds] == [["DOC", "OT", "SR"]] * 2
    for one in site.orthanc.series():
        if one.get("Manufacturer") == "sanum":
            for instance in one["instances"]:
                file = tmp_path / "back.dcm"
                file.write_bytes(site.orthanc.file(instance))
                assert errors_of(file) == []
