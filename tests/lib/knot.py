"""A real Knot DNS on loopback with zones example.test and second.test, taking updates signed by homeport-key.

locked-key is a good key without any right (refused by ACL). stop(), freeze() (SIGSTOP: it hangs) and start()
work on the one process; zones live in the journal and survive a restart.
"""
import signal
import subprocess
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update

from lib.wait import free_port, wait_until

KEY_NAME, SECRET = "homeport-key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
LOCKED_NAME, LOCKED_SECRET = "locked-key", "HhwaGBYUEhAODAoIBgQCAB4cGhgWFBIQDgwKCAYEAgA="
ZONES = ("example.test", "second.test")

CONF = """\
server:
    listen: 127.0.0.1@{port}
    rundir: {dir}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stdout
    any: info
database:
    storage: {dir}/db
key:
  - id: {KEY_NAME}
    algorithm: hmac-sha256
    secret: {SECRET}
  - id: {LOCKED_NAME}
    algorithm: hmac-sha256
    secret: {LOCKED_SECRET}
acl:
  - id: homeport
    key: {KEY_NAME}
    action: [update, transfer]
template:
  - id: default
    storage: {dir}
    file: "%s.zone"
    acl: homeport
    zonefile-sync: -1
    serial-policy: increment
zone:
{zones}"""
ZONE = "@ 60 SOA ns1 admin 1 3600 600 86400 60\n@ 60 NS ns1\nns1 60 A 127.0.0.1\n"


class Knot:
    def __init__(self, folder, zones=ZONES):
        self.dir, self.port, self.zones = Path(folder), free_port(), zones
        (self.dir / "db").mkdir(parents=True)
        self.server, self.process = f"127.0.0.1:{self.port}", None
        for z in zones:
            (self.dir / f"{z}.zone").write_text(f"$ORIGIN {z}.\n" + ZONE)
        listed = "".join(f"  - domain: {z}\n" for z in zones)
        (self.dir / "knot.conf").write_text(CONF.format(dir=self.dir, port=self.port, zones=listed, **globals()))
        self.credentials = self.with_key(KEY_NAME, SECRET)

    def with_key(self, name, secret):
        return {"server": self.server, "key_name": name, "algorithm": "hmac-sha256", "secret": secret}

    # ---- process
    def start(self):
        log = open(self.dir / "knot.log", "ab")
        self.process = subprocess.Popen(["knotd", "-c", str(self.dir / "knot.conf")], stdout=log, stderr=log)
        log.close()
        wait_until(lambda: self.process.poll() is None and all(self.serial(z) for z in self.zones), 15,
                   f"knotd answers; see {self.dir}/knot.log")
        return self

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(20)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def freeze(self):
        """Stops every thread; returns when the kernel has done it, which may take a moment on a busy machine."""
        self.process.send_signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self.process.pid}/task")
        stopped = lambda: all(t.read_text().rsplit(")", 1)[1].split()[0] == "T" for t in threads.glob("*/stat"))
        wait_until(stopped, 5, "knotd stands still")

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    # ---- questions
    def ask(self, name, kind):
        q = dns.message.make_query(name, kind)
        try:
            return dns.query.udp(q, "127.0.0.1", port=self.port, timeout=1, raise_on_truncation=False)
        except (dns.exception.Timeout, OSError):
            return None

    def values(self, name, kind, ttl=False):
        """Sorted data of an RRset as text; [] when there is none; None when the server is silent."""
        a = self.ask(name, kind)
        if a is None:
            return None
        want = dns.rdatatype.from_text(kind)
        sets = [s for s in a.answer if s.rdtype == want]
        return sorted((s.ttl, rd.to_text()) if ttl else rd.to_text() for s in sets for rd in s)

    def serial(self, zone="example.test"):
        a = self.ask(zone, "SOA")
        return a.answer[0][0].serial if a is not None and a.answer else None

    def wait_values(self, name, kind, expect, timeout=10):
        expect = sorted([expect] if isinstance(expect, str) else expect)
        return wait_until(lambda: self.values(name, kind) == expect, timeout,
                          f"{name} {kind} becomes {expect}; it is {self.values(name, kind)}", every=0.01)

    # ---- somebody else's changes
    def update(self, *ops, zone="example.test"):
        """ops: ("add", name, ttl, type, value), ("delete", name[, type[, value]]), ("replace", ...)"""
        u = dns.update.Update(zone, keyring=dns.tsig.Key(KEY_NAME, SECRET, "hmac-sha256"))
        for verb, *args in ops:
            getattr(u, verb)(*args)
        r = dns.query.tcp(u, "127.0.0.1", port=self.port, timeout=5)
        assert r.rcode() == dns.rcode.NOERROR, r
