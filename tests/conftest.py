"""Fixtures of the black-box tests, and the closing line `N passed, N failed, N skipped`.

server    one running homeport for a whole test file, with limits off: for tests that only need an API
homeport  a factory: homeport(settings={...}, wish={...}) starts a fresh one; stopped by SIGTERM at the end
admin     the first administrator of `server`, signed in; `user` a fresh plain user
"""
import collections
import itertools
import os
import shutil

import pytest

from lib.homeport import BIN, Homeport

counts = collections.Counter()
names = itertools.count(1)

# What every test here may assume unless it says otherwise: vendors and echo services stand on loopback.
# Password hashes are cheap, so that a run is not spent on them.
LOOPBACK = {"net.allow_private": "127.0.0.0/8,::1/128", "auth.argon2_memory_kib": 8192, "auth.argon2_passes": 1}
FREE = {**LOOPBACK, "limits.enabled": "false"}


def pytest_runtest_logreport(report):
    if report.failed:
        counts["failed"] += 1
    elif report.skipped:
        counts["skipped"] += 1
    elif report.when == "call":
        counts["passed"] += 1


def pytest_collectreport(report):
    if report.failed:
        counts["failed"] += 1


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    if not config.option.collectonly:
        print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped", flush=True)


def need_binary():
    if not BIN.exists():
        pytest.skip(f"no binary at {BIN}: build it first (./zigw build)")


@pytest.fixture
def homeport(tmp_path):
    need_binary()
    started = []

    def make(settings=None, wish=None, env=None, start=True, data=None, free=True):
        h = Homeport(data or tmp_path / f"data{len(started)}", {**(FREE if free else LOOPBACK), **(settings or {})}, wish, env)
        started.append(h)
        return h.start() if start else h

    yield make
    failed = None
    for h in started:
        try:
            h.end()
        except AssertionError as e:
            failed = failed or e
    if failed:
        raise failed


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    need_binary()
    h = Homeport(tmp_path_factory.mktemp("server") / "data", FREE).start()
    yield h
    h.end()


@pytest.fixture(scope="module")
def admin(server):
    return server.admin()


@pytest.fixture
def user(server, admin):
    return server.user(f"user{next(names)}")


# Peers that fail are asked again soon, and a hanging one is given up after two seconds.
HASTE = {"ddns.cooldown": 0, "tasks.retry_base": 50, "tasks.retry_max": 1000, "net.timeout": 2, "ddns.drift_interval": 0}


@pytest.fixture
def api(homeport, request):
    """The administrator of a fresh homeport in haste; further settings by @pytest.mark.settings(...)."""
    mark = request.node.get_closest_marker("settings")
    return homeport({**HASTE, **(mark.args[0] if mark else {})}).admin()


@pytest.fixture
def unique():
    """A counter-made name, different for every use in this run."""
    return lambda prefix="n": f"{prefix}{next(names)}"


@pytest.fixture
def knot(tmp_path):
    from lib.knot import Knot
    if not shutil.which("knotd"):
        pytest.skip("knotd is not installed (Debian: knot)")
    k = Knot(tmp_path / "knot").start()
    yield k
    k.close()


@pytest.fixture
def cloudflare():
    from lib.fake_cloudflare import FakeCloudflare
    with FakeCloudflare() as f:
        yield f


@pytest.fixture
def alidns():
    from lib.fake_alidns import FakeAlidns
    with FakeAlidns() as f:
        yield f


@pytest.fixture
def echo():
    from lib.echo import Echo
    made = []

    def make(answer="5.6.7.8"):
        made.append(Echo(answer))
        return made[-1]

    yield make
    for e in made:
        e.close()


@pytest.fixture
def netns():
    """The test, and everything it starts, lives in a network namespace of its own; loopback is up, nothing else."""
    from lib.netns import Namespace
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and iproute2")
    try:
        n = Namespace()
    except OSError as e:
        pytest.skip(f"no network namespaces here: {e}")
    yield n
    n.leave()
