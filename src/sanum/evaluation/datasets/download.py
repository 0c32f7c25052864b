"""Downloads that go on where they broke off, and that are not believed before their checksum fits."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanum.core.errors import SanumError, StorageError

CHUNK = 1 << 20
TIMEOUT_SECONDS = 60.0
OPENNEURO_API = "https://openneuro.org/crn/graphql"


class DownloadError(SanumError):
    """A file that can't be fetched, or that is not what it should be."""


@dataclass(frozen=True)
class RemoteFile:
    """One file to fetch.

    Attributes:
        path: below the data set's folder, with forward slashes.
        address: http or https.
        size: in bytes; None where the server does not tell.
        checksum: "sha256:…" or "md5:…"; empty where none is published, then the size must fit.
    """

    path: str
    address: str
    size: int | None = None
    checksum: str = ""


def fetch(file: RemoteFile, folder: Path) -> Path:
    """Fetch one file; a part that an earlier run left is gone on with, a whole file is kept.

    Args:
        file: what and from where.
        folder: of the data set.

    Raises:
        DownloadError: not reachable, or size or checksum do not fit; the wrong bytes are removed.
        StorageError: the folder can't be written.
    """
    target = _inside(folder, file.path)
    if target.exists() and _fits(target, file):
        return target
    partial = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _receive(file, partial)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise DownloadError(f"{file.address}: {error}; run the command again to go on") from error
    except OSError as error:
        raise StorageError(f"{target}: could not be written ({error.strerror})") from error
    if not _fits(partial, file):
        partial.unlink()
        raise DownloadError(
            f"{file.address}: size or checksum do not fit; what was received is removed, run again"
        )
    partial.replace(target)
    return target


def fetch_all(
    files: Sequence[RemoteFile], folder: Path, on_done: Callable[[str], None] = lambda _: None
) -> None:
    """Fetch files one after the other.

    Raises:
        DownloadError, StorageError: see `fetch`; what was fetched is kept.
    """
    for file in files:
        fetch(file, folder)
        on_done(file.path)


def openneuro_files(accession: str, api: str = OPENNEURO_API) -> list[RemoteFile]:
    """List the files of an OpenNeuro data set's latest snapshot, folder by folder.

    Args:
        accession: such as "ds002748".
        api: address of the GraphQL interface.

    Raises:
        DownloadError: not reachable, or the answer is not understood.
    """
    tag = _ask(api, f'{{dataset(id: "{accession}") {{latestSnapshot {{tag}}}}}}')["dataset"][
        "latestSnapshot"
    ]["tag"]
    found: list[RemoteFile] = []
    folders = [("", "")]
    while folders:
        above, tree = folders.pop()
        inside = f'(tree: "{tree}")' if tree else ""
        question = f'{{snapshot(datasetId: "{accession}", tag: "{tag}") {{files{inside} '
        question += "{id key filename size directory urls}}}"
        for entry in _ask(api, question)["snapshot"]["files"]:
            path = f"{above}{entry['filename']}"
            if entry["directory"]:
                folders.append((path + "/", entry["key"] or entry["id"]))
            else:
                found.append(RemoteFile(path, entry["urls"][0], entry["size"], _annex_checksum(entry)))
    return sorted(found, key=lambda file: file.path)


def _annex_checksum(entry: dict[str, Any]) -> str:
    """OpenNeuro names large files by git-annex keys, which hold the checksum: MD5E-s123--<digest>.nii.gz."""
    key = str(entry.get("key") or "")
    kind, _, digest = key.partition("--")
    method = kind.split("-")[0].removesuffix("E").lower()
    return f"{method}:{digest.split('.')[0]}" if method in ("md5", "sha256") and digest else ""


def _ask(api: str, question: str) -> dict[str, Any]:
    body = json.dumps({"query": question}).encode()
    request = urllib.request.Request(_web(api), body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
            return data
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise DownloadError(f"{api}: {error}; check the network") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DownloadError(f"{api}: the answer is not understood ({error})") from error


def _receive(file: RemoteFile, partial: Path) -> None:
    start = partial.stat().st_size if partial.exists() else 0
    if file.size is not None and start >= file.size:
        partial.unlink()
        start = 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(_web(file.address), headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        resumed = start > 0 and answer.status == 206
        with partial.open("ab" if resumed else "wb") as stream:
            while chunk := answer.read(CHUNK):
                stream.write(chunk)


def _fits(path: Path, file: RemoteFile) -> bool:
    if file.size is not None and path.stat().st_size != file.size:
        return False
    if not file.checksum:
        return file.size is not None or path.stat().st_size > 0
    method, _, expected = file.checksum.partition(":")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, method).hexdigest() == expected


def _inside(folder: Path, path: str) -> Path:
    target = folder / path
    if not target.resolve().is_relative_to(folder.resolve()):
        raise DownloadError(
            f"{path}: leads out of the folder {folder}; the server's list is not to be trusted"
        )
    return target


def _web(address: str) -> str:
    if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
        raise DownloadError(f"{address}: expected an http or https address")
    return address
