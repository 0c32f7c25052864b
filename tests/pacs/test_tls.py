"""With a certificate authority in the settings only peers that it signed get an association."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest

from sanum.core.errors import ConfigError
from sanum.pacs.config import Tls
from tests.pacs.sender import associate, send, small_series

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def client(certificate: Path, own: tuple[Path, Path] | None) -> tuple[ssl.SSLContext, str]:
    context = ssl.create_default_context(cafile=str(certificate))
    if own is not None:
        context.load_cert_chain(*map(str, own))
    return context, "localhost"


def test_a_peer_with_a_signed_certificate_may_send_and_others_may_not(listen, certificate):
    here = listen(tls=Tls(str(certificate[0]), str(certificate[1]), ca=str(certificate[0])))
    assert send(here.port, small_series(), tls=client(certificate[0], certificate)) == [0x0000] * 3
    assert not associate(here.port, tls=client(certificate[0], None)).is_established
    assert not associate(here.port).is_established
    assert len(here.files()) == 3


def test_a_certificate_that_can_not_be_used_is_told_and_leaves_temporary_files_where_they_were(
    listen, tmp_path
):
    before = tempfile.gettempdir()
    with pytest.raises(ConfigError, match=r"listener\.tls: the certificate, key or ca can't be used"):
        listen(tls=Tls(str(tmp_path / "none.pem"), str(tmp_path / "none.pem")))
    assert tempfile.gettempdir() == before
