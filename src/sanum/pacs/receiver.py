"""The receiving side of C-ECHO and C-STORE. It judges nothing: it keeps files, or says why not."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydicom.filereader import read_partial
from pydicom.tag import Tag
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    MRImageStorage,
    Verification,
)

from sanum.core.errors import ConfigError
from sanum.pacs.audit_message import Subject
from sanum.pacs.config import PacsConfig, Tls
from sanum.pacs.received import (
    CANNOT_UNDERSTAND,
    MISMATCH,
    NOT_AUTHORISED,
    OUT_OF_RESOURCES,
    ReceivedStudies,
    StoreError,
)
from sanum.pacs.trail import Trail

CLASSES = (MRImageStorage, EnhancedMRImageStorage, CTImageStorage, EnhancedCTImageStorage)
"""Only pictures that can be judged are taken, so that results which a PACS routes back never come round again."""

SYNTAXES = (
    *("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"),
    *("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"),
    *("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.5"),
    *("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"),
)
"""Those that the reader decodes; the deflated one is not among them, because its header has no size."""

MOST_INSTANCE_BYTES = 4 * 2**30
MOST_MESSAGE_BYTES = 16 * 2**20
"""Of a PDU, and of everything but an instance's data set: the library keeps them in memory until they are whole."""

UIDS = ("StudyInstanceUID", "SeriesInstanceUID")
SERIES_UID = int(Tag(UIDS[1]))
TAGS = ("SOPClassUID", "SOPInstanceUID", "PatientName", "PatientID", "DeidentificationMethod", *UIDS)
MOST_ELEMENTS = 100_000
"""Before the last of these, so that no header takes a processor for hours."""

SUCCESS = 0x0000


class Receiver:
    """A server that runs in threads of its own until it is stopped.

    Args:
        config: the listener's.
        studies: where instances go.
        trail: told of what came, and of associations that are turned away.
    """

    def __init__(self, config: PacsConfig, studies: ReceivedStudies, trail: Trail) -> None:
        self._config = config
        self._studies = studies
        self._trail = trail
        self._bytes: dict[int, int] = {}
        self._came: dict[int, Counter[tuple[str, str]]] = {}
        self._server: Any = None
        self._usual_folder = tempfile.tempdir

    def start(self) -> int:
        """Listen; the port that was taken.

        Raises:
            ConfigError: the port is taken, or the certificate can't be used.
        """
        listener = self._config.listener
        context = None if listener.tls is None else _context(listener.tls)
        _config.STORE_RECV_CHUNKED_DATASET = True
        tempfile.tempdir = str(self._studies.incoming)  # so that a received file is kept by a rename
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its messages may quote headers
        try:
            self._server = _entity(self._config).start_server(
                (listener.host, listener.port),
                block=False,
                ssl_context=context,
                evt_handlers=[
                    (evt.EVT_CONN_OPEN, self._on_open),
                    (evt.EVT_DATA_RECV, self._on_data),
                    (evt.EVT_C_ECHO, self._on_echo),
                    (evt.EVT_C_STORE, self._on_store),
                    (evt.EVT_REJECTED, self._on_rejected),
                    (evt.EVT_CONN_CLOSE, self._on_close),
                ],
            )
        except OSError as error:
            tempfile.tempdir = self._usual_folder
            raise ConfigError(
                f"listener: can't listen on {listener.host}:{listener.port} ({error.strerror or error}); "
                "choose another port or address"
            ) from error
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop listening and let associations go; a second time does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
        tempfile.tempdir = self._usual_folder

    def _on_open(self, event: Any) -> None:
        """Turn strangers away, and wait for no peer that stops in the middle of a message."""
        event.assoc.dul.socket.recv = _limited(event.assoc.dul.socket.recv)
        connection = event.assoc.dul.socket.socket
        connection.settimeout(self._config.listener.network_seconds)
        if not any(event.address[0] in peer.addresses for peer in self._config.peers):
            self._trail.refused(str(event.address[0]))
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _on_rejected(self, event: Any) -> None:
        self._trail.refused(str(event.assoc.requestor.address))

    def _on_close(self, event: Any) -> None:
        self._bytes.pop(id(event.assoc), None)
        peer = event.assoc.requestor
        for (patient, study), instances in self._came.pop(id(event.assoc), Counter()).items():
            self._trail.received(str(peer.ae_title), str(peer.address), Subject(patient, study, instances))

    def _on_data(self, event: Any) -> None:
        """An instance that never ends would fill the disk before any handler sees it, and other messages the memory."""
        count = self._bytes.get(id(event.assoc), 0) + len(event.data)
        self._bytes[id(event.assoc)] = count
        if count > (MOST_INSTANCE_BYTES if _is_storing(event.assoc) else MOST_MESSAGE_BYTES):
            event.assoc.abort()

    def _on_echo(self, event: Any) -> int:
        self._bytes.pop(id(event.assoc), None)
        return SUCCESS if self._knows(event) else NOT_AUTHORISED

    def _on_store(self, event: Any) -> Any:
        self._bytes.pop(id(event.assoc), None)
        if not self._knows(event):
            return NOT_AUTHORISED
        try:
            self._store(event)
        except StoreError as error:
            return _status(error.status, str(error))
        except OSError:
            return _status(OUT_OF_RESOURCES, "the disk can't be written")
        return SUCCESS

    def _store(self, event: Any) -> None:
        file = Path(event.dataset_path)
        try:
            header = _header(file)
            named = (
                header.SOPInstanceUID,
                header.SOPClassUID,
                header.StudyInstanceUID,
                header.SeriesInstanceUID,
            )
        except Exception as error:  # on damaged files pydicom raises errors of any type
            raise StoreError(CANNOT_UNDERSTAND, "no data set with study, series and instance UID") from error
        if named[:2] != (event.request.AffectedSOPInstanceUID, event.request.AffectedSOPClassUID):
            raise StoreError(MISMATCH, "the data set is not the instance that was announced")
        self._studies.keep(_own(file), header)
        one = self._trail.subject(header, 1)
        self._came.setdefault(id(event.assoc), Counter())[one.patient, one.study] += 1

    def _knows(self, event: Any) -> bool:
        """Whether this AE title may come from this address."""
        requestor = event.assoc.requestor
        return any(
            requestor.ae_title == peer.ae_title and requestor.address in peer.addresses
            for peer in self._config.peers
        )


def _limited(receive: Callable[[int], bytearray]) -> Callable[[int], bytearray]:
    """The library allocates what a peer says a PDU has."""

    def limited(count: int) -> bytearray:
        if count > MOST_MESSAGE_BYTES:
            raise OSError(errno.EMSGSIZE, "a PDU larger than is taken")
        return receive(count)

    return limited


def _is_storing(association: Any) -> bool:
    """Whether what comes goes into a file, as the data set of a C-STORE does."""
    return getattr(association.dimse.message, "_data_set_file", None) is not None


def _header(file: Path) -> Any:
    """What is asked of a header, and no more of it than is needed for that."""
    seen = 0

    def enough(tag: int, representation: str | None, length: int) -> bool:
        nonlocal seen
        del representation, length
        seen += 1
        if seen > MOST_ELEMENTS:
            raise ValueError("too many elements")
        return tag > SERIES_UID

    with file.open("rb") as stream:
        return read_partial(stream, enough, specific_tags=[Tag(one) for one in TAGS])


def _own(file: Path) -> Path:
    """A second name for a received file: the library deletes the first one."""
    kept = file.with_name(f"kept-{file.name}")
    kept.hardlink_to(file)
    return kept


def _status(code: int, told: str) -> Any:
    from pydicom import Dataset

    status = Dataset()
    status.Status, status.ErrorComment = code, told[:64]
    return status


def _entity(config: PacsConfig) -> Any:
    listener = config.listener
    entity = AE(ae_title=listener.ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = sorted({peer.ae_title for peer in config.peers})
    entity.maximum_associations = listener.associations
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = listener.network_seconds
    entity.add_supported_context(Verification)
    for kind in CLASSES:
        entity.add_supported_context(kind, list(SYNTAXES))
    return entity


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.ca is not None:
            context.load_verify_locations(tls.ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"listener.tls: the certificate, key or ca can't be used ({error})") from error
    return context
