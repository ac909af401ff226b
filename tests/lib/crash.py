"""A kill -9 under load, and what must be true afterwards."""
import random
import threading

import httpx

from lib.ddns import DOMAINS
from lib.wait import wait_until

WRITERS = 4


class Writer(threading.Thread):
    """Creates, changes and deletes records until the server dies; remembers what was acknowledged."""

    def __init__(self, api, zone, number):
        super().__init__(daemon=True)
        self.api, self.zone, self.number = api, zone, number
        self.there, self.gone, self.doubt, self.count = {}, set(), set(), 0

    def run(self):
        path = f"{DOMAINS}/{self.zone['id']}/records"
        try:
            while True:
                self.count += 1
                value = f"{self.number}-{self.count}"
                r = self.api.post(path, {"name": f"w{self.number}-{random.randrange(10**9)}", "type": "TXT", "value": value}).data["id"]
                self.there[r] = value
                if self.count % 3 == 0:
                    self.doubt.add(r)
                    self.api.patch(f"/api/v1/records/{r}", {"value": value + "!"})
                    self.there[r] = value + "!"
                    self.doubt.discard(r)
                if self.count % 7 == 0:
                    self.doubt.add(r)
                    self.api.delete(f"/api/v1/records/{r}")
                    del self.there[r]
                    self.gone.add(r)
                    self.doubt.discard(r)
        except (httpx.HTTPError, RuntimeError):
            pass  # the kill


def crash_under_load(h, token, zone, writes, ids, told=""):
    """Kills h when about `writes` have begun and starts it again: each acknowledged create, change and delete holds, no id
    is one of `ids` (which learns the new ones), the audit chain is whole."""
    writers = [Writer(h.client(token=token), zone, n) for n in range(WRITERS)]
    for w in writers:
        w.start()
    wait_until(lambda: sum(w.count for w in writers) >= writes, 30, f"{writes} writes", every=0.001)
    h.process.kill()
    h.process.wait()
    for w in writers:
        w.join(10)
    h.start()
    api = h.client(token=token)
    have = {r["id"]: r["value"] for r in api.all(f"{DOMAINS}/{zone['id']}/records")}
    for w in writers:
        for rid, value in w.there.items():
            assert rid in w.doubt or have.get(rid) == value, (told, rid, value, have.get(rid))
        assert not (w.gone & set(have)), told
        assert not (set(w.there) & ids), "an id was given out twice"
        ids |= set(w.there) | w.gone
    assert api.get(f"{DOMAINS}/{zone['id']}/records").data["total"] == len(have)
    r = h.cli("audit", "verify")
    assert r.returncode == 0, (told, r)
    return api
