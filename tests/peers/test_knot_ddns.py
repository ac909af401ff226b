"""The main job, against a real Knot DNS: what the user wants is what the name server says, whatever happens between."""
import threading

import pytest

from lib.ddns import DOMAINS, SOURCES, api_key, domain, get_record, history, record, source, synced, wait_record
from lib.fake_dns import FakeDns
from lib.knot import LOCKED_NAME, LOCKED_SECRET, SECRET
from lib.wait import wait_until

HOME = "home.example.test"


@pytest.fixture
def zone(api, knot):
    return domain(api, credentials=knot.credentials)


# ---- where addresses come from
def test_pushed_by_a_router(api, knot, zone):
    """A router's push reaches the name server: good, seen by a DNS query; the same again is nochg and sends nothing."""
    r = record(api, zone, dynamic=True, ttl=60)
    key = api_key(api, "ddns:write")["key"]
    assert api.nic(HOME, "5.6.7.8", key) == "good 5.6.7.8"
    knot.wait_values(HOME, "A", "5.6.7.8", timeout=3)
    synced(api, r, "5.6.7.8")
    serial = knot.serial()
    assert api.nic(HOME, "5.6.7.8", key) == "nochg 5.6.7.8"
    api.nic(HOME, "5.6.7.9", key)
    knot.wait_values(HOME, "A", "5.6.7.9", timeout=3)
    assert knot.serial() == serial + 1  # the nochg before it was no update
    assert knot.values(HOME, "A", ttl=True) == [(60, "5.6.7.9")]


def test_history_tells_each_value(api, knot, zone):
    """The history has every value: why, when, how long it took and what the provider said."""
    r = record(api, zone, dynamic=True)
    key = api_key(api)["key"]
    for n in (1, 2, 3):
        api.nic(HOME, f"5.6.7.{n}", key)
        synced(api, r, f"5.6.7.{n}")
    got = [h for h in history(api, r) if h["result"] == "ok"]
    assert sorted(h["value"] for h in got) == ["5.6.7.1", "5.6.7.2", "5.6.7.3"]
    assert {h["reason"] for h in got} == {"address"}
    for h in got:
        assert h["decided_at"] <= h["finished_at"] and 0 <= h["duration_ms"] < 3000 and h["attempts"] >= 1 and h["answer"]


def test_fixed_source(api, knot, zone):
    """A fixed source is a value for many names: changed once, all names that follow it change."""
    s = source(api, "fixed", value="5.6.7.8")
    names = ["home", "@", "www", "*"]
    for n in names:
        record(api, zone, n, dynamic=True, source_id=s["id"])
    where = ["home.example.test", "example.test", "www.example.test", "anything.example.test"]
    for w in where:
        knot.wait_values(w, "A", "5.6.7.8")
    api.patch(f"{SOURCES}/{s['id']}", {"value": "5.6.7.9"})
    for w in where:
        knot.wait_values(w, "A", "5.6.7.9")


def test_pushed_source(api, knot, zone):
    """A pushed source takes its address by the API, and its names follow."""
    s = source(api, "pushed")
    r = record(api, zone, dynamic=True, source_id=s["id"])
    assert get_record(api, r)["sync_status"] == "paused" and knot.values(HOME, "A") == []
    api.patch(f"{SOURCES}/{s['id']}", {"value": "5.6.7.8"})
    knot.wait_values(HOME, "A", "5.6.7.8")
    synced(api, r, "5.6.7.8")


def test_http_source_follows(api, knot, zone, echo):
    """An echo service's new answer reaches the name server at the next check, without anybody asking."""
    e = echo("5.6.7.8")
    s = source(api, "http", urls=[e.url], interval=5)
    record(api, zone, dynamic=True, source_id=s["id"])
    knot.wait_values(HOME, "A", "5.6.7.8")
    e.answer = "5.6.7.9"
    knot.wait_values(HOME, "A", "5.6.7.9", timeout=12)


def test_ipv6_prefix_and_suffix(api, knot, zone):
    """Many hosts behind one changing prefix: each keeps its own suffix or MAC (EUI-64) and gets the new /64 in front."""
    s = source(api, "fixed", "ipv6", value="2a00:1450:1:1::77")
    record(api, zone, "nas", "AAAA", dynamic=True, source_id=s["id"], ipv6_suffix="::1234")
    record(api, zone, "tv", "AAAA", dynamic=True, source_id=s["id"], ipv6_suffix="00:11:22:33:44:55")
    record(api, zone, "self", "AAAA", dynamic=True, source_id=s["id"])
    for prefix in ("2a00:1450:1:1:", "2a00:1450:1:2:"):
        api.patch(f"{SOURCES}/{s['id']}", {"value": prefix + ":77"})
        knot.wait_values("nas.example.test", "AAAA", prefix + ":1234")
        knot.wait_values("tv.example.test", "AAAA", prefix + "211:22ff:fe33:4455")
        knot.wait_values("self.example.test", "AAAA", prefix + ":77")


def test_several_wans_feed_one_name(api, knot, zone):
    """Two sources give one name two A records; a change of one leaves the other alone."""
    a, b = source(api, "fixed", name="a", value="5.6.7.1"), source(api, "fixed", name="b", value="5.6.8.1")
    for s in (a, b):
        record(api, zone, dynamic=True, source_id=s["id"])
    knot.wait_values(HOME, "A", ["5.6.7.1", "5.6.8.1"])
    api.patch(f"{SOURCES}/{a['id']}", {"value": "5.6.7.2"})
    knot.wait_values(HOME, "A", ["5.6.7.2", "5.6.8.1"])


# ---- what is pushed
@pytest.mark.parametrize("type, value, seen", [
    ("A", "5.6.7.8", "5.6.7.8"), ("AAAA", "2a00:1450::1", "2a00:1450::1"), ("CNAME", "www.example.com", "www.example.com."),
    ("MX", "mail.example.com", "10 mail.example.com."), ("TXT", "v=spf1 -all", '"v=spf1 -all"'),
    ("TXT", 'a "b" \\ c', '"a \\"b\\" \\\\ c"'), ("TXT", "x" * 300, f'"{"x" * 255}" "{"x" * 45}"'),
    ("SRV", "5 8080 host.example.com", "10 5 8080 host.example.com."), ("CAA", '0 issue "ca.example.com"', '0 issue "ca.example.com"')])
def test_every_type(api, knot, zone, type, value, seen):
    """Each record type arrives at the name server as meant, changes its ttl, and goes away when deleted."""
    r = record(api, zone, "rec", type, value, ttl=120)
    knot.wait_values("rec.example.test", type, seen)
    assert knot.values("rec.example.test", type, ttl=True)[0][0] == 120
    api.patch(f"/api/v1/records/{r['id']}", {"ttl": 300})
    wait_until(lambda: knot.values("rec.example.test", type, ttl=True) == [(300, seen)], 10, "the new ttl")
    api.delete(f"/api/v1/records/{r['id']}")
    knot.wait_values("rec.example.test", type, [])


def test_rename_moves(api, knot, zone):
    """A renamed record is at its new name and no longer at its old one."""
    r = record(api, zone, "old", value="5.6.7.8")
    knot.wait_values("old.example.test", "A", "5.6.7.8")
    api.patch(f"/api/v1/records/{r['id']}", {"name": "new"})
    knot.wait_values("new.example.test", "A", "5.6.7.8")
    knot.wait_values("old.example.test", "A", [])


def test_what_is_not_ours_stays(api, knot, zone):
    """Records that homeport did not make are never removed: other types and other texts of the same name stay."""
    knot.update(("add", "home", 60, "TXT", '"not yours"'), ("add", "home", 60, "MX", "5 mail.example.com."), ("add", "other", 60, "A", "5.5.5.5"))
    a, t = record(api, zone, value="5.6.7.8"), record(api, zone, type="TXT", value="mine")
    knot.wait_values(HOME, "TXT", ['"mine"', '"not yours"'])
    synced(api, a), synced(api, t)
    for r in (a, t):
        api.delete(f"/api/v1/records/{r['id']}")
    knot.wait_values(HOME, "TXT", '"not yours"')
    knot.wait_values(HOME, "A", [])
    assert knot.values(HOME, "MX") == ["5 mail.example.com."] and knot.values("other.example.test", "A") == ["5.5.5.5"]


@pytest.mark.parametrize("at_provider", [True, False])
def test_deleting_a_domain(api, knot, zone, at_provider):
    """A deleted domain's records stay at the provider, unless ?at_provider=true asks for them to go."""
    synced(api, record(api, zone, value="5.6.7.8"))
    second = domain(api, "second.test", credentials=knot.credentials)
    api.delete(f"{DOMAINS}/{zone['id']}", params={"at_provider": "true"} if at_provider else {})
    if at_provider:
        knot.wait_values(HOME, "A", [])
    synced(api, record(api, second, value="5.6.7.9"))  # whatever else was to be done has been done before this
    assert knot.values(HOME, "A") == ([] if at_provider else ["5.6.7.8"])


def test_switched_off(api, knot, zone):
    """A record that is switched off is paused and not pushed; switched on again it catches up."""
    r = record(api, zone, value="5.6.7.8")
    synced(api, r)
    api.patch(f"/api/v1/records/{r['id']}", {"is_active": False})
    wait_record(api, r, sync_status="paused")
    api.patch(f"/api/v1/records/{r['id']}", {"value": "5.6.7.9"})
    api.patch(f"/api/v1/records/{r['id']}", {"is_active": True})
    knot.wait_values(HOME, "A", "5.6.7.9")


def test_import(api, knot, zone):
    """Import brings in what the provider has now, leaves it as it is, and twice brings nothing twice."""
    knot.update(("add", "a", 60, "A", "5.6.7.1"), ("add", "a", 60, "AAAA", "2a00::1"), ("add", "m", 300, "MX", "5 mail.example.com."),
                ("add", "t", 60, "TXT", '"one" "two"'))
    serial = knot.serial()
    for _ in range(2):
        api.post(f"{DOMAINS}/{zone['id']}/import")
        wait_until(lambda: {(r["name"], r["type"]) for r in api.all(f"{DOMAINS}/{zone['id']}/records")}
                   >= {("a", "A"), ("a", "AAAA"), ("m", "MX"), ("t", "TXT")}, 10, "the imported records")
    records = api.all(f"{DOMAINS}/{zone['id']}/records")
    assert len({(r["name"], r["type"], r["value"]) for r in records}) == len(records)
    m = next(r for r in records if r["type"] == "MX")
    assert (m["priority"], m["ttl"], m["value"].rstrip(".")) == (5, 300, "mail.example.com")
    assert [(h["value"], h["reason"], h["result"]) for h in history(api, m)] == [(m["value"], "imported", "unchanged")]
    assert knot.serial() == serial


def test_forced_sync(api, knot, zone):
    """A forced sync puts a record right at once, although nothing changed here."""
    r = record(api, zone, value="5.6.7.8")
    synced(api, r)
    for path in (f"/api/v1/records/{r['id']}/sync", "/api/v1/ddns/sync"):
        knot.update(("replace", "home", 60, "A", "9.9.9.9"))
        api.post(path)
        knot.wait_values(HOME, "A", "5.6.7.8")


@pytest.mark.settings({"ddns.drift_interval": 1})
@pytest.mark.parametrize("on_drift", ["correct", "report"])
def test_drift(api, knot, on_drift):
    """Somebody else's change is found: put right, or only shown as drifted, as the domain says."""
    zone = domain(api, credentials=knot.credentials, on_drift=on_drift)
    r = record(api, zone, value="5.6.7.8")
    synced(api, r)
    knot.update(("replace", "home", 60, "A", "9.9.9.9"))
    if on_drift == "correct":
        knot.wait_values(HOME, "A", "5.6.7.8")
        wait_until(lambda: any(h["reason"] == "drift" for h in history(api, r)), 10, "a history line")
    else:
        wait_record(api, r, sync_status="drifted")
        assert knot.values(HOME, "A") == ["9.9.9.9"]


@pytest.mark.settings({"ddns.drift_interval": 1})
def test_drift_of_ttl_and_priority(api, knot):
    """A value that stands there with another TTL or priority is a difference too, shown and healed like any."""
    zone = domain(api, credentials=knot.credentials, on_drift="report")
    a, mx = record(api, zone, value="5.6.7.8", ttl=600), record(api, zone, "m", "MX", "mail.example.com", priority=10)
    synced(api, a), synced(api, mx)
    knot.update(("replace", "home", 60, "A", "5.6.7.8"), ("replace", "m", 600, "MX", "20 mail.example.com."))
    assert "TTL 60;" in wait_record(api, a, sync_status="drifted")["last_error"]
    assert "20 mail.example.com" in wait_record(api, mx, sync_status="drifted")["last_error"]
    knot.update(("replace", "home", 600, "A", "5.6.7.8"), ("replace", "m", 600, "MX", "10 mail.example.com."))
    wait_record(api, a, sync_status="synced", last_error=None), wait_record(api, mx, sync_status="synced", last_error=None)


@pytest.mark.settings({"ddns.drift_interval": 1})
def test_two_ttls_of_one_name_are_no_drift(api, knot):
    """DNS keeps one TTL for a name and type: two records with different ones do not correct each other for ever."""
    zone = domain(api, credentials=knot.credentials)
    pair = [record(api, zone, value="5.6.7.8", ttl=60), record(api, zone, value="5.6.7.9", ttl=600)]
    for r in pair:
        synced(api, r)
    checks = lambda: sum(t["attempts"] for t in api.all("/api/v1/tasks") if t["kind"] == "dns_check")
    seen, serial = checks(), knot.serial()
    wait_until(lambda: checks() >= seen + 4, 15, "four more checks")
    assert knot.serial() == serial and not any(h["reason"] == "drift" for r in pair for h in history(api, r))


@pytest.mark.settings({"ddns.cooldown": 3})
def test_flapping_is_damped(api, knot, zone):
    """A flapping address causes few updates and ends at the last one: thirty pushes within one cool-down, at most three sent."""
    record(api, zone, dynamic=True)
    key, serial = api_key(api)["key"], knot.serial()
    for i in range(30):
        assert api.nic(HOME, f"5.6.7.{i + 1}", key).startswith("good")
    knot.wait_values(HOME, "A", "5.6.7.30", timeout=15)
    assert knot.serial() - serial <= 3


# ---- failures
def test_server_down_then_up(api, knot, zone):
    """A name server that is down is asked again: the record waits as pending with a reason, and arrives once it is up."""
    knot.stop()
    r = record(api, zone, value="5.6.7.8")
    wait_until(lambda: get_record(api, r)["last_error"], 10, "a reason")
    assert get_record(api, r)["sync_status"] == "pending"
    knot.start()
    knot.wait_values(HOME, "A", "5.6.7.8")
    assert not synced(api, r)["last_error"]


def test_server_hangs_then_wakes(api, knot, zone):
    """A name server that hangs holds up nothing but its own name, and gets the newest value when it wakes."""
    key = api_key(api)["key"]
    r = record(api, zone, dynamic=True)
    knot.freeze()
    for n in (1, 2, 3):
        assert api.nic(HOME, f"5.6.7.{n}", key) == f"good 5.6.7.{n}"
    wait_until(lambda: get_record(api, r)["last_error"], 30, "a reason")
    knot.thaw()
    knot.wait_values(HOME, "A", "5.6.7.3", timeout=20)
    synced(api, r, "5.6.7.3")


@pytest.mark.parametrize("change", [{"key_name": LOCKED_NAME, "secret": LOCKED_SECRET}, {"key_name": "unknown-key"}, {"secret": LOCKED_SECRET}])
def test_refused_keys_stop_and_heal(api, knot, change):
    """A key without right, an unknown key and a wrong secret are fatal: marked with a reason, not hammered; good credentials heal it."""
    zone = domain(api, credentials={**knot.credentials, **change})
    r = record(api, zone, value="5.6.7.8")
    bad = wait_record(api, r, sync_status="error")
    assert bad["last_error"] and SECRET not in bad["last_error"] and LOCKED_SECRET not in bad["last_error"]
    assert knot.values(HOME, "A") == []
    api.patch(f"{DOMAINS}/{zone['id']}", {"credentials": knot.credentials})
    knot.wait_values(HOME, "A", "5.6.7.8")
    assert not synced(api, r)["last_error"]


def test_unknown_zone_is_fatal(api, knot):
    """A zone that the server does not have is an error with a reason."""
    r = record(api, domain(api, "nowhere.test", credentials=knot.credentials), value="5.6.7.8")
    assert wait_record(api, r, sync_status="error")["last_error"]


def at_fake(api, fake):
    zone = domain(api, credentials={"server": fake.server, "key_name": "homeport-key", "algorithm": "hmac-sha256", "secret": SECRET})
    return record(api, zone, value="5.6.7.8")


def test_a_wrong_clock_is_no_wrong_key(api):
    """BADTIME tells the server's time: homeport signs again with it and succeeds; the record is synced, not blamed on the key."""
    with FakeDns(clock_offset_s=3600) as f:
        synced(api, at_fake(api, f))
        assert len(f.taken) == 1 and abs(f.taken[0][1] - f.now()) < 300


@pytest.mark.parametrize("mode, status", [("REFUSED", "error"), ("BADSIG", "error"), ("BADKEY", "error"), ("NOTZONE", "error"),
                                          ("SERVFAIL", "pending"), ("silent", "pending"), ("unsigned", "pending"), ("forged", "pending")])
def test_answers_are_classed(api, mode, status):
    """Fatal answers stop, passing ones are tried again; an unsigned or forged "done" is not believed."""
    with FakeDns(mode) as f:
        r = at_fake(api, f)
        got = wait_until(lambda: (x := get_record(api, r))["last_error"] and x, 30, "a reason")
        assert got["sync_status"] == status or mode in ("unsigned", "forged") and got["sync_status"] != "synced", got
        if status == "pending" and got["sync_status"] == "pending":
            f.mode = "ok"
            synced(api, r, timeout=30)
            assert f.taken


def test_a_server_in_trouble_is_not_blamed_on_the_key(api):
    """SERVFAIL comes without a signature from a server that has lost the zone: the reason sends people to its log, not
    to their key; it is tried again."""
    with FakeDns("trouble") as f:
        r = at_fake(api, f)
        error = wait_until(lambda: get_record(api, r)["last_error"], 30, "a reason")
        assert "answered SERVFAIL" in error and "its log says why" in error and "signed" not in error
        f.mode = "ok"
        synced(api, r, timeout=30)


# ---- power cuts
@pytest.mark.parametrize("hard", [False, True])
def test_restart_in_the_middle(api, knot, zone, hard):
    """An accepted change survives a restart or kill -9 in the middle of its push and arrives, with the history whole."""
    h, r, key = api.server, record(api, zone, dynamic=True), api_key(api)["key"]
    api.nic(HOME, "5.6.7.1", key)
    knot.wait_values(HOME, "A", "5.6.7.1")
    knot.freeze()
    token = api.token
    assert api.nic(HOME, "5.6.7.2", key) == "good 5.6.7.2"
    h.restart(hard=hard)
    api = h.client(token=token)
    assert get_record(api, r)["value"] == "5.6.7.2"
    knot.thaw()
    knot.wait_values(HOME, "A", "5.6.7.2", timeout=20)
    synced(api, r, "5.6.7.2")


def test_a_restart_sends_nothing_new(api, knot, zone):
    """What is synced stays quiet over a restart: the zone's serial moves only for the next real change."""
    s = source(api, "fixed", value="5.6.7.8")
    rs = [record(api, zone, n, dynamic=True, source_id=s["id"]) for n in ("a", "b")]
    for r in rs:
        synced(api, r, "5.6.7.8")
    serial, token = knot.serial(), api.token
    api.server.restart()
    api = api.server.client(token=token)
    synced(api, record(api, zone, "c", value="5.6.7.8"))
    assert knot.serial() == serial + 1


def test_kill_while_many_are_pushed(api, knot, zone):
    """kill -9 amid sixty pushes loses none: after the restart every name that was acknowledged is at the name server."""
    made, token = [], api.token

    def make():
        c = api.server.client(token=token)
        try:
            for i in range(60):
                made.append(record(c, zone, f"n{i}", value="5.6.7.8")["name"])
        except Exception:
            pass  # the kill

    t = threading.Thread(target=make)
    t.start()
    wait_until(lambda: len(made) >= 25, 20, "25 records")
    api.server.process.kill()
    api.server.process.wait()
    t.join()
    api.server.start()
    for n in made:
        knot.wait_values(f"{n}.example.test", "A", "5.6.7.8", timeout=20)
