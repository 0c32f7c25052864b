"""Downloads against a local server: whole, broken off, tampered with."""

import hashlib
import http.server
import json
import re
import threading
from typing import ClassVar

import pytest

from sanum.evaluation.datasets.download import DownloadError, RemoteFile, fetch, openneuro_files

CONTENT = bytes(range(256)) * 2000
SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges, and a small GraphQL interface."""

    asked: ClassVar[list[str]] = []

    def do_GET(self):
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        type(self).asked.append(f"{self.path}:{start}")
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start:])

    def do_POST(self):
        question = self.rfile.read(int(self.headers["Content-Length"])).decode()
        base = f"http://127.0.0.1:{self.server.server_port}"

        def entry(name, key="", directory=False, size=512_000):
            return {
                "id": f"id-{name}",
                "key": key,
                "filename": name,
                "size": size,
                "directory": directory,
                "urls": [] if directory else [f"{base}/{name}"],
            }

        if "latestSnapshot" in question:
            data = {"dataset": {"latestSnapshot": {"tag": "1.0.0"}}}
        elif 'tree: \\"t1\\"' in question:
            data = {"snapshot": {"files": [entry("sub-01_T1w.nii.gz", f"MD5E-s512000--{MD5}.nii.gz")]}}
        else:
            data = {"snapshot": {"files": [entry("README"), entry("sub-01", "t1", directory=True, size=0)]}}
        body = json.dumps({"data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """Keep the test's output clean."""


@pytest.fixture
def server():
    Handler.asked = []
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def test_a_file_comes_whole_and_is_kept(server, tmp_path):
    file = RemoteFile("sub-01/scan.nii.gz", f"{server}/scan", len(CONTENT), SHA)
    assert fetch(file, tmp_path).read_bytes() == CONTENT
    fetch(file, tmp_path)
    assert Handler.asked == ["/scan:0"]


def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path):
    (tmp_path / "scan.part").write_bytes(CONTENT[:1000])
    assert fetch(RemoteFile("scan", f"{server}/scan", len(CONTENT), SHA), tmp_path).read_bytes() == CONTENT
    assert Handler.asked == ["/scan:1000"]


def test_wrong_bytes_are_removed_and_named(server, tmp_path):
    (tmp_path / "scan.part").write_bytes(b"x" * 1000)
    with pytest.raises(DownloadError, match="size or checksum do not fit"):
        fetch(RemoteFile("scan", f"{server}/scan", len(CONTENT), SHA), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_fetched_is_named(server, tmp_path):
    with pytest.raises(DownloadError, match=r"/missing: HTTP Error 404.*run the command again"):
        fetch(RemoteFile("x", f"{server}/missing", 10), tmp_path)
    with pytest.raises(DownloadError, match="expected an http or https address"):
        fetch(RemoteFile("x", "file:///etc/hostname", 10), tmp_path)
    with pytest.raises(DownloadError, match="leads out of the folder"):
        fetch(RemoteFile("../x", f"{server}/x", 10), tmp_path)


def test_a_data_set_is_listed_folder_by_folder(server, tmp_path):
    files = openneuro_files("ds002748", server)
    assert [file.path for file in files] == ["README", "sub-01/sub-01_T1w.nii.gz"]
    assert files[1].checksum == f"md5:{MD5}"
    assert fetch(files[1], tmp_path).read_bytes() == CONTENT


def test_what_may_not_be_downloaded_says_how_to_get_it(tmp_path):
    from sanum.core.errors import ConfigError
    from sanum.workflow.data import download

    with pytest.raises(ConfigError, match=re.escape("no account")):
        download("ixi", tmp_path)


def test_a_public_set_is_downloaded_and_filtered(server, tmp_path):
    from sanum.workflow.data import download

    assert download("ds002748", tmp_path, only="T1w", api=server) == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["sub-01_T1w.nii.gz"]
