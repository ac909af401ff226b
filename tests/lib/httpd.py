"""A small threaded HTTP/1.1 server for stand-ins: keeps each request's bytes, and misbehaves on demand.

    s.fail(status(503), times=2)                       the next two requests
    s.fail(hang(), where=lambda r: r.method == "PATCH") until s.heal()

A fault is a function (server, connection, request) -> Reply to send, or None when the connection is to be closed.
Faults run instead of handle(), except lost() and applied(), which carry the request out and then lose or falsify the
answer.
"""
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from urllib.parse import parse_qsl, urlsplit

from lib.wait import wait_until


@dataclass
class Request:
    method: str
    target: str
    headers: list
    body: bytes
    raw: bytes
    at: float = field(default_factory=time.monotonic)

    def __post_init__(self):
        parts = urlsplit(self.target)
        self.path = parts.path
        self.query = parse_qsl(parts.query, keep_blank_values=True)  # decodes %20 and + alike
        self.params = dict(self.query)
        self.low = {k.lower(): v for k, v in self.headers}

    def json(self):
        return json.loads(self.body)


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)


def as_json(body, status=200, **headers):
    return Reply(status, json.dumps(body).encode(), {"content-type": "application/json", **headers})


# ---- faults
def status(code, body=b"", **headers):
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    if not isinstance(body, bytes):
        body, headers = json.dumps(body).encode(), {"content-type": "application/json", **headers}
    return lambda server, c, r: Reply(code, body, headers)


def hang():
    """Takes the request and never answers, until the other side or the test gives up."""
    return lambda server, c, r: server.closing.wait(120) and None


def held(event):
    """Answers as ever, once the event has come."""
    def fault(server, c, r):
        event.wait(120)
        return server.handle(r)
    return fault


def drop():
    return lambda server, c, r: None


def half():
    """The head promises more than comes."""
    def fault(server, c, r):
        c.sendall(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"success": true, "re')
    return fault


def garbage():
    """A captive portal's page, with status 200."""
    return status(200, b"<html><body>Welcome to Hotel Wi-Fi</body></html>", content_type="text/html")


def lost():
    """The request is carried out; the answer never arrives."""
    def fault(server, c, r):
        server.handle(r)
    return fault


def applied(answer):
    """The request is carried out; the answer says something else."""
    def fault(server, c, r):
        server.handle(r)
        return answer(server, c, r)
    return fault


class Server:
    def __init__(self, port=0, clock_offset_s=0):
        self.closing, self.lock = threading.Event(), threading.RLock()
        self.seen, self.faults = [], []
        self.clock_offset_s = clock_offset_s
        self.sock = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = self.sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    # ---- for tests
    def fail(self, fault, times=None, where=lambda r: True):
        with self.lock:
            self.faults.append([fault, times, where])

    def heal(self):
        with self.lock:
            self.faults.clear()

    def requests(self, method=None, path=None):
        with self.lock:
            return [r for r in self.seen if method in (None, r.method) and (path is None or path in r.path)]

    def wait_requests(self, count, timeout=10, **which):
        return wait_until(lambda: len(self.requests(**which)) >= count and self.requests(**which), timeout,
                          f"{count} requests {which}")

    def now(self):
        return time.time() + self.clock_offset_s

    def handle(self, r):
        raise NotImplementedError

    def close(self):
        self.closing.set()
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    __enter__ = lambda self: self
    __exit__ = lambda self, *a: self.close()

    # ---- sockets
    def _accept(self):
        while not self.closing.is_set():
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(c,), daemon=True).start()

    def _serve(self, c):
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with c, c.makefile("rb") as f:
            try:
                while (r := read_request(f, c)) is not None:
                    reply = self._answer(c, r)
                    if reply is None or not self._send(c, r, reply):
                        return
            except OSError:
                pass

    def _answer(self, c, r):
        with self.lock:
            self.seen.append(r)
            fault = next((x for x in self.faults if x[2](r)), None)
            if fault and fault[1] is not None:
                fault[1] -= 1
                if fault[1] <= 0:
                    self.faults.remove(fault)
        if fault:
            return fault[0](self, c, r)
        with self.lock:
            return self.handle(r)

    def _send(self, c, r, reply):
        close = "close" in r.low.get("connection", "").lower()
        head = {"date": formatdate(self.now(), usegmt=True), "content-length": str(len(reply.body)), **reply.headers}
        lines = "".join(f"{k}: {v}\r\n" for k, v in head.items()) + ("connection: close\r\n" if close else "")
        c.sendall(f"HTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode() + (b"" if r.method == "HEAD" else reply.body))
        return not close


def read_request(f, c=None):
    raw = b""
    while not raw.endswith(b"\r\n\r\n"):
        line = f.readline()
        if not line:
            return None
        raw += line
    lines = raw.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = lines[0].split(" ", 2)
    headers = [(k, v.strip(" \t")) for k, v in (line.split(":", 1) for line in lines[1:])]
    low = {k.lower(): v for k, v in headers}
    if c is not None and "100-continue" in low.get("expect", "").lower():
        c.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = b""
    if "chunked" in low.get("transfer-encoding", "").lower():
        while True:
            line = f.readline()
            chunk = f.read(int(line.split(b";")[0], 16) + 2)
            raw += line + chunk
            if len(chunk) == 2:
                break
            body += chunk[:-2]
    else:
        body = f.read(int(low.get("content-length", 0)))
        raw += body
    return Request(method, target, headers, body, raw)
