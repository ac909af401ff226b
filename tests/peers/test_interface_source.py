"""Addresses from a network interface: the kernel tells, nobody polls. Each test lives in a network namespace of its own."""
import time

import pytest

from lib.ddns import domain, get_record, record, source, synced
from lib.knot import Knot
from lib.netns import ip
from lib.wait import wait_until


@pytest.fixture
def house(netns, tmp_path, homeport):
    """Inside a namespace: interface wan0, a Knot, and a homeport with one zone there."""
    import shutil
    from conftest import HASTE
    if not shutil.which("knotd"):
        pytest.skip("knotd is not installed (Debian: knot)")
    netns.interface("wan0")
    knot = Knot(tmp_path / "knot").start()
    api = homeport(HASTE).admin()
    yield api, knot, domain(api, credentials=knot.credentials)
    api.server.stop()
    knot.close()


def test_ipv4_follows_the_interface(house):
    """The record has the interface's address, and a new one is at the name server within a second of the kernel's word."""
    api, knot, zone = house
    ip("addr", "add", "5.6.7.8/24", "dev", "wan0")
    s = source(api, "interface", interface="wan0")
    record(api, zone, dynamic=True, source_id=s["id"], ttl=60)
    knot.wait_values("home.example.test", "A", "5.6.7.8")
    ip("addr", "add", "5.6.9.1/24", "dev", "wan0")
    begin = time.monotonic()
    ip("addr", "del", "5.6.7.8/24", "dev", "wan0")
    knot.wait_values("home.example.test", "A", "5.6.9.1", timeout=5)
    assert time.monotonic() - begin < 1


def test_losing_the_address_keeps_the_record(house):
    """An interface that loses its address or goes down takes no record along: the last value stays until there is a new one."""
    api, knot, zone = house
    ip("addr", "add", "5.6.7.8/24", "dev", "wan0")
    r = record(api, zone, dynamic=True, source_id=source(api, "interface", interface="wan0")["id"])
    knot.wait_values("home.example.test", "A", "5.6.7.8")
    ip("addr", "flush", "dev", "wan0")
    ip("link", "set", "wan0", "down")
    ip("link", "set", "wan0", "up")
    ip("addr", "add", "5.6.7.9/24", "dev", "wan0")
    knot.wait_values("home.example.test", "A", "5.6.7.9")
    from lib.ddns import history
    assert {h["value"] for h in history(api, synced(api, r))} == {"5.6.7.8", "5.6.7.9"}


def test_ipv6_leaves_out_what_does_not_last(house):
    """Temporary, deprecated, link-local and unique-local addresses are left out: the stable global one is taken, with its prefix."""
    api, knot, zone = house
    for address, *more in (("2a00:1450:1:1::d/64", "preferred_lft", "0", "valid_lft", "3600"), ("fd00::1/64",), ("2a00:1450:1:1::5/64",)):
        ip("-6", "addr", "add", address, "dev", "wan0", "nodad", *more)
    s = source(api, "interface", "ipv6", interface="wan0")
    record(api, zone, "home", "AAAA", dynamic=True, source_id=s["id"])
    record(api, zone, "nas", "AAAA", dynamic=True, source_id=s["id"], ipv6_suffix="::99")
    knot.wait_values("home.example.test", "AAAA", "2a00:1450:1:1::5")
    knot.wait_values("nas.example.test", "AAAA", "2a00:1450:1:1::99")
    ip("-6", "addr", "add", "2a00:1450:1:2::5/64", "dev", "wan0", "nodad")
    ip("-6", "addr", "change", "2a00:1450:1:1::5/64", "dev", "wan0", "preferred_lft", "0", "valid_lft", "3600")
    knot.wait_values("home.example.test", "AAAA", "2a00:1450:1:2::5")
    knot.wait_values("nas.example.test", "AAAA", "2a00:1450:1:2::99")


def test_an_interface_that_comes_later(house, netns):
    """A source may wait for an interface that is not there yet (a dial-up line): the record comes alive with it."""
    api, knot, zone = house
    r = record(api, zone, dynamic=True, source_id=source(api, "interface", interface="ppp9")["id"])
    assert get_record(api, r)["sync_status"] == "paused"
    reason = api.all("/api/v1/ddns/sources")[-1]["last_error"]
    assert "ppp9 has no usable IPv4 address" in reason and "; usable ones are on" not in reason, reason
    ip("addr", "add", "5.6.7.9/24", "dev", "wan0")
    wait_until(lambda: api.all("/api/v1/ddns/sources")[-1]["last_error"].endswith("; usable ones are on wan0"), 10, "a hint at the right interface")
    netns.interface("ppp9")
    ip("addr", "add", "5.6.7.8/24", "dev", "ppp9")
    knot.wait_values("home.example.test", "A", "5.6.7.8")


def test_private_addresses_of_an_interface(house):
    """A LAN address on the interface is not published as the house's address when a public one stands beside it."""
    api, knot, zone = house
    ip("addr", "add", "192.168.1.2/24", "dev", "wan0")
    ip("addr", "add", "5.6.7.8/24", "dev", "wan0")
    record(api, zone, dynamic=True, source_id=source(api, "interface", interface="wan0")["id"])
    knot.wait_values("home.example.test", "A", "5.6.7.8")


def test_a_change_while_homeport_is_down(house):
    """An address that changed while homeport was off is found at its start."""
    api, knot, zone = house
    ip("addr", "add", "5.6.7.8/24", "dev", "wan0")
    record(api, zone, dynamic=True, source_id=source(api, "interface", interface="wan0")["id"])
    knot.wait_values("home.example.test", "A", "5.6.7.8")
    api.server.stop()
    ip("addr", "add", "5.6.9.1/24", "dev", "wan0")
    ip("addr", "del", "5.6.7.8/24", "dev", "wan0")
    api.server.start()
    knot.wait_values("home.example.test", "A", "5.6.9.1")
