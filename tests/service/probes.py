"""Requests that a service must survive, byte by byte: what is no HTTP, what is half of one, and forms that are none."""

from __future__ import annotations

from collections.abc import Iterator

from tests.service.hostile import LABEL, PATIENT

Probe = Iterator[tuple[str, bytes]]
_HOST = b"Host: 127.0.0.1\r\n"
_FORM = b"Content-Type: multipart/form-data; boundary=b\r\n"
_LATIN = LABEL.encode()


def probes() -> Probe:
    """All of them, named."""
    for make in (_lines, _heads, _lengths, _chunks, _places, _forms, _texts):
        for number, (name, request) in enumerate(make()):
            yield f"{number} {name}", request


def _get(place: bytes, *more: bytes) -> bytes:
    return b"GET " + place + b" HTTP/1.1\r\n" + _HOST + b"".join(line + b"\r\n" for line in more) + b"\r\n"


def _post(place: bytes, body: bytes, *more: bytes) -> bytes:
    head = b"POST " + place + b" HTTP/1.1\r\n" + _HOST + b"".join(line + b"\r\n" for line in more)
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _lines() -> Probe:
    for line in (
        b"GET / HTTP/0.9", b"GET / HTTP/9.9", b"GET /", b"GET  / HTTP/1.1", b"get / http/1.1", b"\0\0\0",
        b"BREW / HTTP/1.1", b"GET http://evil.example/ HTTP/1.1", b"CONNECT evil.example:443 HTTP/1.1",
        b"OPTIONS * HTTP/1.1", b"TRACE / HTTP/1.1", b"GET / HTTP/1.1 GET", b"GET /\xff\xfe HTTP/1.1",
        b"PRI * HTTP/2.0", b"GET /" + b"a" * 9000 + b" HTTP/1.1", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ):  # fmt: skip
        yield f"line {line[:30]!r}", line + b"\r\n" + _HOST + b"\r\n"


def _heads() -> Probe:
    for head in (
        b"Host: evil.example", b"Host: 127.0.0.1:0", b"Host: 127.0.0.1, evil.example", b"Host: [::1", b"Host: \0",
        b"X: a\r\n b", b"X : a", b": a", b"X", b"X: \0", b"X: " + b"a" * 20_000, b"Transfer-Encoding: gzip",
        b"Expect: nonsense", b"Connection: Upgrade\r\nUpgrade: websocket", b"Connection: Upgrade\r\nUpgrade: h2c",
        b"Range: bytes=0-0,0-0,0-0", b"Cookie: " + _LATIN, b"Origin: \0", b"X-Forwarded-Host: evil.example",
        b"Authorization: Bearer " + _LATIN, b"Authorization: Bearer", b"Authorization: Basic " + b"A" * 4000,
        b"Authorization: Bearer \xff\xfe", b"Content-Length: 5", b"Accept-Encoding: " + b"gzip," * 900,
    ):  # fmt: skip
        yield f"head {head[:30]!r}", _get(b"/v1/cases", head)
    yield "many heads", _get(b"/readyz", *[b"X-%d: a" % number for number in range(300)])


def _lengths() -> Probe:
    for length in (b"-1", b"+5", b"5, 5", b"0x5", b"99999999999999999999", b"", b"5 5", b"1e3", b"600000000"):
        head = b"POST /v1/cases HTTP/1.1\r\n" + _HOST + _FORM + b"Content-Length: " + length
        yield f"length {length!r}", head + b"\r\n\r\nhello"
    for more in (
        b"Content-Length: 6",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity, chunked",
    ):
        yield f"length and {more!r}", _post(b"/v1/cases", b"hello", _FORM[:-2], more)


def _chunks() -> Probe:
    head = b"POST /v1/cases HTTP/1.1\r\n" + _HOST + _FORM + b"Transfer-Encoding: "
    for chunk in (
        b"zz\r\n",
        b"-1\r\n",
        b"5\r\nabcdefg\r\n",
        b"ffffffffffffffffff\r\n",
        b"5;" + b"x" * 9000 + b"\r\n",
    ):
        yield f"chunk {chunk[:20]!r}", head + b"chunked\r\n\r\n" + chunk
    for kind in (b"chunked, chunked", b"xchunked", b"\x0bchunked", b"chunked\r\nTransfer-Encoding: gzip"):
        yield f"coding {kind!r}", head + kind + b"\r\n\r\n0\r\n\r\n"
    yield "trailers", head + b"chunked\r\n\r\n0\r\nX: " + _LATIN + b"\r\n\r\n"


def _places() -> Probe:
    for place in (
        b"/../../etc/passwd", b"/viewer/../app.py", b"/viewer/%2e%2e/app.py", b"/viewer/..%2fapp.py", b"/viewer/%00",
        b"/viewer//etc/passwd", b"/v1/cases/" + b"0" * 32 + b"/../../audit.log", b"/v1/cases/%0d%0aX: a", b"/%ff%fe",
        b"/v1/cases/" + b"A" * 32, b"/v1/cases/" + b"0" * 32 + b"/report.html%00", b"/v1/cases?limit=-1",
        b"/v1/cases?limit=nan", b"/v1/cases?after=%00", b"/v1/cases?after=" + b"QUFB" * 60, b"/v1/cases?status=x",
        b"/v1/cases?after=bmFuIGE%3d", b"/v1/cases?after=aW5mIGE%3d", b"/v1/cases?model=%00", b"/v1/model?name=%00",
        b"/v1/model?name=" + _LATIN, b"/v1/cases?" + b"a=b&" * 800, b"/v1/cases/" + _LATIN, b"/" + PATIENT.encode(),
    ):  # fmt: skip
        yield f"place {place[:40]!r}", _get(place)


def _part(disposition: bytes, body: bytes = b"x") -> bytes:
    return b"--b\r\nContent-Disposition: " + disposition + b"\r\n\r\n" + body + b"\r\n"


def _forms() -> Probe:
    file = b'form-data; name="file"; filename="' + PATIENT.encode() + b'"'
    for body in (
        b"", b"--b--", b"--b\r\n", b"--b\r\n\r\n\r\n--b--", _part(file), _part(b"form-data"), _part(b"nonsense"),
        _part(file) * 2 + b"--b--", _part(file) * 40 + b"--b--", _part(b"form-data; name=" + b"a" * 70_000),
        _part(b'form-data; name="file"; filename*=UTF-8\'\'%00' + _LATIN), _part(b'form-data; name="\0"', _LATIN),
        _part(b'form-data; name="' + _LATIN + b'"'), _part(b'form-data; name="__class__"'), b"--b\r\nX: " + b"a" * 99_999,
        _part(b'form-data; name="label"\r\nContent-Type: text/plain; charset=utf-7', b"+ADw-"),
        _part(file, b"--b" * 9000),
    ):  # fmt: skip
        yield f"form {body[:50]!r} of {len(body)}", _post(b"/v1/cases", body, _FORM[:-2])
    whole = _part(file) + b"--b--\r\n"
    for kind in (
        b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=" + b"b" * 5000,
        b"multipart/mixed; boundary=b", b"application/json", b"text/xml", b"application/x-www-form-urlencoded", b"\xff",
        b'multipart/form-data; boundary="b\r"', b"multipart/form-data; charset=utf-7; boundary=b",
    ):  # fmt: skip
        yield f"kind {kind[:40]!r}", _post(b"/v1/predict", whole, b"Content-Type: " + kind)
    yield (
        "many fields",
        _post(b"/v1/cases", b"a=b&" * 90_000, b"Content-Type: application/x-www-form-urlencoded"),
    )


def _texts() -> Probe:
    """Texts that a database, a log or a page may stumble over, each with a volume that is taken."""
    from tests.service.hostile import _volume
    from tests.service.test_intake import header

    volume = _part(b'form-data; name="file"; filename="a"', _volume(header()))
    for text in (
        b"\0",
        b"a\0b",
        "\u202eabc".encode(),
        b"\xff\xfe",
        b"\r\n\r\nX",
        b"\x1b[31m",
        b"'; DROP TABLE cases; --",
    ):
        for field in (b"label", b"model", b"series", b"heatmap"):
            form = _part(b'form-data; name="' + field + b'"', _LATIN + text) + volume + b"--b--\r\n"
            yield f"{field.decode()} {text!r}", _post(b"/v1/cases", form, _FORM[:-2])
        key = b"Idempotency-Key: " + _LATIN + text
        yield f"key {text!r}", _post(b"/v1/cases", volume + b"--b--\r\n", _FORM[:-2], key)
