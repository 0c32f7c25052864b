"""Sending DICOM files to a destination: STOW-RS or C-STORE. What arrived before is taken for the same."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sanum.pacs.config import Destination

SECONDS = 60.0
"""A destination that is silent for so long has failed."""

ACCEPTED = (0x0000, 0xB000, 0xB006, 0xB007, 0x0111)
"""Success, the warnings of C-STORE that keep the instance, and "this instance is here already"."""


class SendError(Exception):
    """A destination did not take everything; trying again may help."""


def send(files: Sequence[Path], destination: Destination) -> None:
    """Send files.

    Raises:
        SendError: not everything was taken.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values, which may be names
        if destination.url is not None:
            _stow(files, destination.url)
        elif destination.host is not None and destination.ae_title is not None:
            _store(files, destination.ae_title, destination.host, destination.port)


def _stow(files: Sequence[Path], url: str) -> None:
    from dicomweb_client.api import DICOMwebClient
    from pydicom import dcmread

    client = DICOMwebClient(url, session=limited_session())
    try:
        answers = [client.store_instances([dcmread(file)]) for file in files]
    except Exception as error:  # the client raises errors of its own, of HTTP and of sockets
        raise SendError(f"STOW-RS failed ({type(error).__name__})") from error
    failed = sum(len(answer.get("FailedSOPSequence") or []) for answer in answers)
    if failed:
        raise SendError(f"STOW-RS: {failed} of {len(files)} instances were not taken")


def limited_session() -> Any:
    """A session that waits for no silent server."""
    from requests import Session

    class Limited(Session):
        def request(self, *args: Any, **kwargs: Any) -> Any:
            return super().request(*args, **{"timeout": SECONDS, **kwargs})

    return Limited()


def _store(files: Sequence[Path], ae_title: str, host: str, port: int) -> None:
    from pydicom import dcmread
    from pynetdicom import AE

    entity = AE(ae_title="SANUM")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = SECONDS
    for file in files:
        meta = dcmread(file, specific_tags=["SOPClassUID"]).file_meta
        entity.add_requested_context(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    link = entity.associate(host, port, ae_title=ae_title)
    if not link.is_established:
        raise SendError("C-STORE: no association; the destination is down or does not know SANUM")
    try:
        for file in files:
            status = link.send_c_store(file).get("Status")
            if status not in ACCEPTED:
                told = "no answer" if status is None else f"status 0x{status:04X}"
                raise SendError(f"C-STORE: {told}")
    except ValueError as error:  # the destination takes no objects of this class
        raise SendError("C-STORE: the destination does not take this class of objects") from error
    finally:
        link.release() if link.is_established else link.abort()
