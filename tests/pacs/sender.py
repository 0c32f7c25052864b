"""Small series and a plain C-STORE sender, for tests of what receives them."""

from __future__ import annotations

import io
import socket
from collections.abc import Sequence

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage, Verification

from tests.formats.dicom_files import slices
from tests.phantoms import RAS_2MM


def small_series(study: str = "1.2.3.4", count: int = 3, **tags) -> list[Dataset]:
    """A series of tiny slices, ready to be sent."""
    rng = np.random.default_rng(count)
    stored = rng.integers(0, 1000, (8, 8, count)).astype(np.uint16)
    made = slices(stored, RAS_2MM, **{"StudyInstanceUID": study, "SeriesDescription": "t1_mprage", **tags})
    for one in made:
        one.FrameOfReferenceUID = "1.2.3.4.9"
        one.file_meta = FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def associate(port: int, calling: str = "SCANNER", called: str = "SANUM", tls=None):
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    entity.add_requested_context(Verification)
    entity.add_requested_context(MRImageStorage, ExplicitVRLittleEndian)
    return entity.associate("127.0.0.1", port, ae_title=called, tls_args=tls)


def send(port: int, datasets: Sequence[Dataset], calling: str = "SCANNER", tls=None) -> list[int | None]:
    """Send data sets; the status of each, None where the connection was lost."""
    link = associate(port, calling, tls=tls)
    assert link.is_established
    told = [link.send_c_store(one).get("Status") for one in datasets]
    link.release()
    return told


def half_an_association(port: int) -> socket.socket:
    """A connection that begins an association request and never ends it."""
    raw = socket.create_connection(("127.0.0.1", port))
    raw.sendall(b"\x01\x00\x00\x00\x01\x00" + b"\0" * 20)
    return raw


def encoded(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
