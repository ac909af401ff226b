"""The parser meets bytes no honest client writes (S15-S18): refused with 4xx and a close, never guessed at."""
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.rawhttp import Raw, exchange

H = b"Host: 127.0.0.1\r\n"
POST = b"POST /api/v1/auth/login HTTP/1.1\r\n" + H + b"Content-Type: application/json\r\n"
GET = b"GET /livez HTTP/1.1\r\n" + H
BODY = b'{"account":"a","password":"b"}'
CL = b"Content-Length: %d\r\n" % len(BODY)
TE = b"Transfer-Encoding: chunked\r\n"
CHUNKED = b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"

REFUSED = {
    "CL and TE": POST + CL + TE + b"\r\n" + CHUNKED,
    "TE and CL": POST + TE + CL + b"\r\n" + CHUNKED,
    "two different CL": POST + CL + b"Content-Length: 5\r\n\r\n" + BODY,
    "two equal CL": POST + CL + CL + b"\r\n" + BODY,
    "list CL": POST + b"Content-Length: 30, 30\r\n\r\n" + BODY,
    "CL +30": POST + b"Content-Length: +30\r\n\r\n" + BODY,
    "CL -1": POST + b"Content-Length: -1\r\n\r\n" + BODY,
    "CL 0x1e": POST + b"Content-Length: 0x1e\r\n\r\n" + BODY,
    "CL 3 0": POST + b"Content-Length: 3 0\r\n\r\n" + BODY,
    "CL empty": POST + b"Content-Length: \r\n\r\n" + BODY,
    "CL over 64 bits": POST + b"Content-Length: 18446744073709551646\r\n\r\n" + BODY,
    "TE xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKED,
    "TE chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + CHUNKED,
    "TE gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKED,
    "TE chunked, identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKED,
    "TE twice": POST + TE + TE + b"\r\n" + CHUNKED,
    "TE identity": POST + b"Transfer-Encoding: identity\r\n" + CL + b"\r\n" + BODY,
    "TE in quotes": POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + CHUNKED,
    "TE in HTTP/1.0": POST.replace(b"HTTP/1.1", b"HTTP/1.0") + TE + b"\r\n" + CHUNKED,
    "space before colon": POST + b"Content-Length : 30\r\n\r\n" + BODY,
    "tab before colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n" + CHUNKED,
    "obs-fold": GET + b"X-A: 1\r\n two\r\n\r\n",
    "obs-fold TE": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKED,
    "leading space in first field": b"GET /livez HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n",
    "no colon": GET + b"JustAName\r\n\r\n",
    "empty name": GET + b": x\r\n\r\n",
    "bad letter in name": GET + b"X(A): x\r\n\r\n",
    "bare LF": b"GET /livez HTTP/1.1\nHost: 127.0.0.1\n\n",
    "bare LF in fields": GET + b"X-A: 1\nX-B: 2\r\n\r\n",
    "bare CR": GET + b"X-A: 1\rX-B: 2\r\n\r\n",
    "NUL in value": GET + b"X-A: a\0b\r\n\r\n",
    "NUL in name": GET + b"X\0A: b\r\n\r\n",
    "NUL in target": b"GET /livez\0 HTTP/1.1\r\n" + H + b"\r\n",
    "control in value": GET + b"X-A: a\x0bb\r\n\r\n",
    "no Host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two Hosts": GET + H + b"\r\n",
    "two different Hosts": GET + b"Host: localhost\r\n\r\n",
    "Host with userinfo": b"GET /livez HTTP/1.1\r\nHost: a@127.0.0.1\r\n\r\n",
    "Host with path": b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1/x\r\n\r\n",
    "absolute form, another host": b"GET http://evil.example/livez HTTP/1.1\r\n" + H + b"\r\n",
    "two spaces": b"GET  /livez HTTP/1.1\r\n" + H + b"\r\n",
    "tab in request line": b"GET\t/livez HTTP/1.1\r\n" + H + b"\r\n",
    "no version": b"GET /livez\r\n\r\n",
    "HTTP/2.0": b"GET /livez HTTP/2.0\r\n" + H + b"\r\n",
    "HTTP/1.2": b"GET /livez HTTP/1.2\r\n" + H + b"\r\n",
    "http/1.1": b"GET /livez http/1.1\r\n" + H + b"\r\n",
    "HTTP/1.10": b"GET /livez HTTP/1.10\r\n" + H + b"\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "method with colon": b"G:T /livez HTTP/1.1\r\n" + H + b"\r\n",
    "target without slash": b"GET livez HTTP/1.1\r\n" + H + b"\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\n" + H + b"\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 60,
    "chunk size 0x1e": POST + TE + b"\r\n0x1e\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk size negative": POST + TE + b"\r\n-1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk size empty": POST + TE + b"\r\n\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk size over 64 bits": POST + TE + b"\r\n1000000000000001e\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk size with space": POST + TE + b"\r\n1 e\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk without end": POST + TE + b"\r\n1e\r\n" + BODY + b"XX0\r\n\r\n",
    "chunk ends with LF": POST + TE + b"\r\n1e\n" + BODY + b"\n0\n\n",
    "chunk extension with LF": POST + TE + b"\r\n1e;a\nb\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk longer than said": POST + TE + b"\r\n5\r\n" + BODY + b"\r\n0\r\n\r\n",
    "two Authorizations": GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "two Content-Types": b"POST /api/v1/auth/login HTTP/1.1\r\n" + H + b"Content-Type: application/json\r\nContent-Type: text/plain\r\n" + CL + b"\r\n" + BODY,
    "body on GET cut short": GET + b"Content-Length: 30, 0\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_and_closed(server, name):
    """What could be read in two ways is not read at all: 4xx or 505 in the usual shape, then the connection closes."""
    smuggled = b"GET /smuggled HTTP/1.1\r\n" + H + b"\r\n"
    status, headers, body, closed = exchange(server.port, REFUSED[name] + smuggled, look=True)
    if status == 0:
        assert closed  # closed without an answer: not HTTP at all
        return
    assert status in (400, 405, 411, 413, 414, 417, 421, 431, 501, 505), (status, body)
    assert closed, "the connection stays open after a request that cannot be framed"
    b = json.loads(body)
    assert b["code"] // 1000 == status and b["request_id"] == headers["x-request-id"]


def test_absolute_form_is_taken(server):
    """The absolute form with our own authority is served as RFC 9112 asks."""
    r = f"GET http://127.0.0.1:{server.port}/livez HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n"
    assert exchange(server.port, r.encode())[0] == 200


def test_pipelining(server):
    """Requests on one connection are answered in their order, with their bodies framed exactly: fifty in one write."""
    with Raw(server.port) as r:
        paths = [b"/livez" if i % 3 else b"/nope%d" % i for i in range(50)]
        r.send(b"".join(b"GET " + p + b" HTTP/1.1\r\n" + H + b"X-Request-Id: req-%05d\r\n\r\n" % i for i, p in enumerate(paths)))
        for i, p in enumerate(paths):
            status, headers, _ = r.answer()
            assert status == (200 if p == b"/livez" else 404) and headers["x-request-id"] == f"req-{i:05d}"


def test_pipelined_behind_a_slow_one(server):
    """A quick request behind a slow one (a password hash) waits for its turn: answers never overtake."""
    with Raw(server.port) as r:
        r.send(POST + CL + b"X-Request-Id: slow-0001\r\n\r\n" + BODY + GET + b"X-Request-Id: fast-0002\r\n\r\n")
        assert [r.answer()[1]["x-request-id"] for _ in range(2)] == ["slow-0001", "fast-0002"]


def test_byte_by_byte(server):
    """Framing does not depend on how bytes arrive: a request and a chunked body one byte a segment."""
    data = POST + TE + b"\r\n" + CHUNKED + GET + b"\r\n"
    with Raw(server.port) as r:
        for i in range(len(data)):
            assert r.send(data[i:i + 1])
        assert r.answer()[0] == 401 and r.answer()[0] == 200


@pytest.mark.parametrize("chunks", [
    b"".join(b"1\r\n%c\r\n" % c for c in BODY) + b"0\r\n\r\n", b"1E\r\n" + BODY + b"\r\n0\r\n\r\n",
    b"%x;name=value\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n", b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\nX-Trailer: 1\r\n\r\n"])
def test_chunked_bodies(server, chunks):
    """A well-formed chunked body is read whole: the sign-in is judged (401), and the next request on the connection is seen."""
    with Raw(server.port) as r:
        r.send(POST + TE + b"\r\n" + chunks + GET + b"\r\n")
        assert r.answer()[0] == 401 and r.answer()[0] == 200


def test_trailers_are_no_headers(server, admin):
    """A trailer cannot sign anybody in, nor name a host."""
    chunk = b"2\r\n{}\r\n0\r\nAuthorization: Bearer " + admin.token.encode() + b"\r\n\r\n"
    head = b"PATCH /api/v1/users/me HTTP/1.1\r\n" + H + b"Content-Type: application/json\r\n" + TE + b"\r\n"
    assert exchange(server.port, head + chunk)[0] in (400, 401)


def test_expect_100_continue(server):
    """A client that waits for 100 gets it and then its answer; for a body that is too large it gets 413 instead; others 417."""
    with Raw(server.port) as r:
        r.send(POST + CL + b"Expect: 100-continue\r\n\r\n")
        assert r.answer()[0] == 100
        r.send(BODY)
        assert r.answer()[0] == 401
    assert exchange(server.port, POST + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")[0] == 413
    assert exchange(server.port, POST + CL + b"Expect: a-miracle\r\n\r\n" + BODY)[0] == 417


def test_keep_alive_and_close(server):
    """HTTP/1.1 stays open, Connection: close and HTTP/1.0 end it, and each says so."""
    with Raw(server.port) as r:
        for _ in range(3):
            r.send(GET + b"\r\n")
            assert r.answer()[0] == 200
        r.send(GET + b"Connection: close\r\n\r\n")
        assert r.answer()[1]["connection"] == "close" and r.closed()
    status, _, _, closed = exchange(server.port, b"GET /livez HTTP/1.0\r\n" + H + b"\r\n", look=True)
    assert status == 200 and closed


# ---- limits (S17)
@pytest.mark.parametrize("extra, status", [
    (b"X-Big: " + b"a" * 17000 + b"\r\n", 431), (b"".join(b"X-%d: 1\r\n" % i for i in range(101)), 431),
    (b"X-Big: " + b"a" * 12000 + b"\r\n", 200), (b"".join(b"X-%d: 1\r\n" % i for i in range(90)), 200)])
def test_header_limits(server, extra, status):
    """Headers are bounded at 16 KiB and 100 fields: a little less is served, more is 431."""
    assert exchange(server.port, GET + extra + b"\r\n")[0] == status


def test_long_target(server):
    """A target without end is refused with 414 or 431."""
    assert exchange(server.port, b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n" + H + b"\r\n")[0] in (414, 431)


def test_slow_header_and_slow_body(homeport):
    """Slow clients are cut at their deadline although they keep sending, and nobody else waits for them."""
    h = homeport({"http.header_timeout": 2, "http.body_timeout": 2})

    def drip(start):
        with Raw(h.port) as r:
            r.send(start)
            begin = time.monotonic()
            r.sock.settimeout(0.1)
            while time.monotonic() - begin < 15:
                if not r.send(b"a"):
                    break
                try:
                    if not r.more() or b"\r\n\r\n" in r.buffer:
                        break
                except TimeoutError:
                    pass
            return time.monotonic() - begin, r.buffer

    with ThreadPoolExecutor(20) as pool:
        jobs = [pool.submit(drip, GET + b"X-Slow: ") if i % 2 else pool.submit(drip, POST + b"Content-Length: 5000\r\n\r\n{")
                for i in range(20)]
        fast = h.client()
        while not all(j.done() for j in jobs):
            begin = time.monotonic()
            fast.get("/livez")
            assert time.monotonic() - begin < 1
    for took, answer in (j.result() for j in jobs):
        assert 1 < took < 6, took
        assert not answer or b" 408 " in answer[:20], answer[:80]


def test_idle_connections_are_cheap_and_closed(homeport):
    """Idle connections end by themselves, and five hundred of them cost little memory each."""
    h = homeport({"http.idle_timeout": 2})
    before = h.memory_bytes()
    raws = [Raw(h.port) for _ in range(500)]
    for r in raws:
        r.send(GET + b"\r\n")
        assert r.answer()[0] == 200
    grown = h.memory_bytes() - before
    assert grown < 500 * 16384, grown
    for r in raws:
        assert r.closed(10)
        r.sock.close()


def test_connection_limit(homeport):
    """Over http.connections_max a new caller is turned away at once with 503 or a close, and there is room again later."""
    h = homeport({"http.connections_max": 32})
    raws = [Raw(h.port) for _ in range(31)]
    got = []
    for _ in range(10):
        try:
            got.append(exchange(h.port, GET + b"Connection: close\r\n\r\n", timeout=3)[0])
        except OSError:
            got.append(0)
    extra = [Raw(h.port) for _ in range(8)]
    statuses = []
    for r in extra:
        r.send(GET + b"\r\n")
        a = r.answer()
        statuses.append(a[0] if a else 0)
    assert set(statuses) <= {0, 200, 503} and statuses.count(200) <= 1 and {0, 503} & set(statuses), statuses
    for r in raws + extra:
        r.sock.close()
    h.wait_ready()


def test_memory_is_bounded_under_attack(homeport):
    """A thousand large, odd and broken-off requests leave memory where it was, within 32 MiB, and the program well."""
    h = homeport()
    h.client().get("/health")
    before = h.memory_bytes()

    def attack(i):
        data = (POST + b"Content-Length: 60000\r\n\r\n" + b"x" * 50000, GET + b"X: " + b"a" * 16000,
                b"\0" * 70000, POST + TE + b"\r\n" + b"1\r\nx\r\n" * 5000)[i % 4]
        try:
            with Raw(h.port, 3) as r:
                r.send(data)
        except OSError:
            pass

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(attack, range(1000)))
    h.wait_ready()
    assert h.memory_bytes() - before < 32 << 20, (before, h.memory_bytes())


def test_half_closed_client_gets_its_answer(server):
    """A client that has sent all and closed its half still gets its answer."""
    with Raw(server.port) as r:
        r.send(GET + b"\r\n")
        r.sock.shutdown(socket.SHUT_WR)
        assert r.answer()[0] == 200
