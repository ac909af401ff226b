"""kill -9 at any instant: what was acknowledged is there afterwards. HOMEPORT_CRASH_LOOPS (3) rounds."""
import os
import random
import threading

import httpx
import pytest

from lib.ddns import DOMAINS, quiet_domain
from lib.wait import wait_until

LOOPS = int(os.environ.get("HOMEPORT_CRASH_LOOPS", "3"))
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


@pytest.mark.slow
def test_every_acknowledged_write_survives(homeport):
    """Four writers, a kill -9 in the middle, a restart: each acknowledged create, change and delete holds, ids never repeat, the audit chain is whole."""
    h = homeport()
    api = h.admin()
    zone, token, ids, seed = quiet_domain(api, "crash.test"), api.token, set(), random.randrange(10**6)
    dice = random.Random(seed)
    for loop in range(LOOPS):
        writers = [Writer(h.client(token=token), zone, n) for n in range(WRITERS)]
        for w in writers:
            w.start()
        enough = dice.randrange(20, 400)
        wait_until(lambda: sum(w.count for w in writers) >= enough, 30, f"{enough} writes", every=0.001)
        h.process.kill()
        h.process.wait()
        for w in writers:
            w.join(10)
        h.start()
        api = h.client(token=token)
        have = {r["id"]: r["value"] for r in api.all(f"{DOMAINS}/{zone['id']}/records")}
        for w in writers:
            for rid, value in w.there.items():
                assert rid in w.doubt or have.get(rid) == value, (seed, loop, rid, value, have.get(rid))
            assert not (w.gone & set(have)), (seed, loop)
            assert not (set(w.there) & ids), "an id was given out twice"
            ids |= set(w.there) | w.gone
        assert api.get(f"{DOMAINS}/{zone['id']}/records").data["total"] == len(have)
        r = h.cli("audit", "verify")
        assert r.returncode == 0, (seed, loop, r)


def test_kill_at_once_after_the_answer(homeport):
    """A write is durable when its answer comes, not later: killed in the very next moment, some times, it is there."""
    h = homeport()
    api = h.admin()
    token = api.token
    for i in range(max(3, LOOPS)):
        d = quiet_domain(h.client(token=token), f"now{i}.test")
        h.restart(hard=True)
        assert h.client(token=token).get(f"{DOMAINS}/{d['id']}").data["name"] == f"now{i}.test"


def test_kill_during_the_first_start(homeport):
    """A kill during initialisation leaves a folder that the next start can use."""
    h = homeport(start=False)
    for _ in range(5):
        h.start(ready=False)
        wait_until(lambda: h.lines or any(h.data.rglob("*.mdb")), 10, "the first sign of life", every=0.001)
        h.kill()
        h.lines.clear()
    h.start()
    h.admin()
