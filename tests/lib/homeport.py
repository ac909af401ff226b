"""The program under test: start, stop, kill, its logs, its command line; and a client that checks what passes."""
import base64
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx

from lib.schema import Schema, check_conventions
from lib.wait import free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("HOMEPORT_BIN") or ROOT / "zig-out/bin/homeport").absolute()
PASSWORD = "correct horse battery staple"
ADMIN = {"username": "root-admin", "email": "admin@example.test", "password": PASSWORD}
START_S = 20
_schemas, _known = {}, {}


def clean_env(extra=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith("HOMEPORT_")}
    return env | (extra or {})


def cli(*args, data=None, stdin=None, timeout=30, env=None):
    """Runs `homeport ARGS --data DATA`; the result has returncode, stdout and stderr as text."""
    argv = [str(BIN), *map(str, args)] + (["--data", str(data)] if data else [])
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, env=clean_env(env))


def known_settings():
    """Names that `homeport config show` prints: some settings may be younger than the test that would use them."""
    if BIN not in _known:
        import tempfile
        with tempfile.TemporaryDirectory() as d:
            out = cli("config", "show", data=d)
        _known[BIN] = set(re.findall(r"^\s*([a-z0-9_]+(?:\.[a-z0-9_]+)+)\s*=", out.stdout, re.M))
    return _known[BIN]


class Homeport:
    """One data folder and the process on it. `settings` go to DIR/homeport.conf; `wish` only those it knows."""

    def __init__(self, data, settings=None, wish=None, env=None):
        self.data, self.env = Path(data), env
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.settings = {"http.listen": f"127.0.0.1:{self.port}", **(settings or {})}
        self.settings |= {k: v for k, v in (wish or {}).items() if k in known_settings()}
        self.process, self.lines, self.clients = None, [], []

    # ---- process
    def write_settings(self):
        self.data.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{k} = {v}\n" for k, v in self.settings.items())
        (self.data / "homeport.conf").write_text(text)

    def start(self, *flags, ready=True):
        assert self.process is None or self.process.poll() is not None, "already running"
        self.write_settings()
        self.process = subprocess.Popen([str(BIN), "serve", "--data", str(self.data), *flags], env=clean_env(self.env),
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()
        if ready:
            self.wait_ready()
        return self

    def _read(self, pipe):
        for line in pipe:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
        pipe.close()

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                self.reader.join(2)
                raise RuntimeError(f"homeport ended with {self.process.returncode} at its start:\n{self.log()}")
            return httpx.get(self.base + "/readyz", timeout=2, trust_env=False).status_code == 200
        wait_until(lambda: _quiet(ready), START_S, f"{self.base}/readyz\n{self.log()}")

    def stop(self, within=10):
        """SIGTERM drains and stops within 10 s, with exit code 0 (operations.md, Robustness)."""
        self.close_clients()
        self.process.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"still running {within} s after SIGTERM\n{self.log()}") from None
        assert code == 0, f"exit code {code} after SIGTERM\n{self.log()}"
        return time.monotonic() - begin

    def kill(self):
        self.close_clients()
        self.process.kill()
        self.process.wait()

    def restart(self, hard=False):
        self.kill() if hard else self.stop()
        return self.start()

    def end(self):
        """For fixtures: stop whatever state it is in; an abnormal end shows."""
        if self.process is not None and self.process.poll() is None:
            self.stop()

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self, count=60):
        return "\n".join(self.lines[-count:])

    def json_log(self):
        out = []
        for line in list(self.lines):
            try:
                out.append(json.loads(line))
            except ValueError:
                pass
        return out

    def process_fds(self):
        return [os.readlink(f) for f in Path(f"/proc/{self.process.pid}/fd").iterdir() if f.is_symlink()]

    def memory_bytes(self):
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cli(self, *args, stdin=None, **kw):
        return cli(*args, data=self.data, stdin=stdin, env=self.env, **kw)

    # ---- accounts
    def setup_token(self):
        def look():
            for line in reversed(self.lines):
                if m := re.search(r"setup token: ([^\s\"\\]+)", line):
                    return m[1]
        return wait_until(look, 5, f"a line `setup token: ...` in\n{self.log()}")

    def client(self, **kw):
        c = Client(self, **kw)
        self.clients.append(c)
        return c

    def close_clients(self):
        for c in self.clients:
            c.http.close()

    def admin(self):
        """The first administrator, made by the setup page's call, signed in."""
        c = self.client()
        c.post("/api/v1/setup", {"token": self.setup_token(), **ADMIN})
        return self.login(ADMIN["username"])

    def login(self, account, password=PASSWORD, **kw):
        c = self.client(**kw)
        data = c.post("/api/v1/auth/login", {"account": account, "password": password}).data
        return c.with_tokens(data)

    def user(self, name, **kw):
        """A freshly registered user, signed in."""
        c = self.client(**kw)
        data = c.post("/api/v1/auth/register",
                      {"username": name, "email": f"{name}@example.test", "password": PASSWORD}).data
        return c.with_tokens(data)


def _quiet(fn):
    try:
        return fn()
    except (httpx.HTTPError, OSError):
        return False


class Reply:
    def __init__(self, response, body):
        self.response, self.body = response, body
        self.status, self.headers, self.text = response.status_code, response.headers, response.text
        self.data = body.get("data") if isinstance(body, dict) and "code" in body else body
        self.code = body.get("code") if isinstance(body, dict) else None

    @property
    def fields(self):
        """Names of the fields that a 422 complains about."""
        assert self.status == 422, self
        return {e["field"] for e in self.data["errors"]}

    def __repr__(self):
        return f"<{self.response.request.method} {self.response.request.url.raw_path.decode()} {self.status} {self.text[:600]}>"


class Client:
    """httpx with the conventions checked on every answer. `expect` is a status, several, or None for any 2xx."""

    def __init__(self, server, headers=None, token=None, key=None, timeout=20):
        self.server, self.refresh = server, None
        self.http = httpx.Client(base_url=server.base, timeout=timeout, headers=headers or {}, trust_env=False)
        self.bearer(token or key)

    def bearer(self, token):
        self.token = token
        self.http.headers.pop("authorization", None)
        if token:
            self.http.headers["authorization"] = f"Bearer {token}"
        return self

    def with_tokens(self, data):
        tokens = data.get("tokens", data)
        self.refresh = tokens.get("refresh_token")
        self.me = data.get("user")
        return self.bearer(tokens["access_token"])

    def schema(self):
        if BIN not in _schemas:
            r = self.http.get("/openapi.json", headers={"authorization": ""})
            assert r.status_code == 200, r.text
            _schemas[BIN] = Schema(r.json())
        return _schemas[BIN]

    def request(self, method, path, body=None, expect=None, **kw):
        if body is not None:
            kw["json"] = body
        r = self.http.request(method, path, **kw)
        shown = check_conventions(r.url.path, r)
        reply = Reply(r, shown)
        if expect is None:
            assert r.is_success, reply
        else:
            assert r.status_code in (expect if isinstance(expect, (tuple, set, list, range)) else (expect,)), (expect, reply)
        if shown is not None and method != "HEAD":
            self.schema().check(method, r.url.path, r.status_code, "application/json", shown)
        return reply

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body if body is not None or "content" in kw else {}, **kw)

    def patch(self, path, body, **kw):
        return self.request("PATCH", path, body, **kw)

    def put(self, path, body, **kw):
        return self.request("PUT", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    def all(self, path, limit=100, **params):
        """Every item of a list, page by page."""
        items, cursor = [], None
        for _ in range(1000):
            page = self.get(path, params={"limit": limit, **params, **({"cursor": cursor} if cursor else {})}).data
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items
        raise AssertionError(f"{path}: more than 1000 pages")

    def nic(self, hostname, myip=None, key=None, expect=200, path="/nic/update", **params):
        """A router's update: Basic auth with the API key as password. Returns the text."""
        params = {"hostname": hostname, **({"myip": myip} if myip else {}), **params}
        auth = "Basic " + base64.b64encode(f"router:{key}".encode()).decode() if key else ""
        r = self.http.get(path, params=params, headers={"authorization": auth, "user-agent": "router/1.0 (a@b.test)"})
        assert r.status_code == expect, (r.status_code, r.text)
        return r.text.strip()
