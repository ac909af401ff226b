"""kill -9 at any instant: what was acknowledged is there afterwards. HOMEPORT_CRASH_LOOPS (3) rounds."""
import os
import random

import pytest

from lib.crash import crash_under_load
from lib.ddns import DOMAINS, quiet_domain
from lib.wait import wait_until

LOOPS = int(os.environ.get("HOMEPORT_CRASH_LOOPS", "3"))


@pytest.mark.slow
def test_every_acknowledged_write_survives(homeport):
    """Four writers, a kill -9 in the middle, a restart: each acknowledged create, change and delete holds, ids never repeat, the audit chain is whole."""
    h = homeport()
    api = h.admin()
    zone, token, ids, seed = quiet_domain(api, "crash.test"), api.token, set(), random.randrange(10**6)
    dice = random.Random(seed)
    for loop in range(LOOPS):
        crash_under_load(h, token, zone, dice.randrange(20, 400), ids, told=(seed, loop))


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
