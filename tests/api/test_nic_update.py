"""/nic/update: routers and dyndns2 clients push here, in their own old words."""
import pytest

from lib.ddns import api_key, get_record, quiet_domain, record, source


@pytest.fixture
def home(user, unique):
    """A zone with dynamic home (A and AAAA), and a key that may write ddns."""
    zone = quiet_domain(user, unique("nic") + ".test")
    user.zone, user.host = zone, f"home.{zone['name']}"
    user.a, user.aaaa = record(user, zone, dynamic=True), record(user, zone, type="AAAA", dynamic=True)
    user.key = api_key(user, "ddns:write")["key"]
    return user


def test_good_then_nochg(home):
    """A new address is `good` and stored; the same one again is `nochg` and changes nothing."""
    assert home.nic(home.host, "5.6.7.8", home.key) == "good 5.6.7.8"
    first = get_record(home, home.a)
    assert first["value"] == "5.6.7.8"
    assert home.nic(home.host, "5.6.7.8", home.key) == "nochg 5.6.7.8"
    assert get_record(home, home.a)["updated_at"] == first["updated_at"]
    assert home.nic(home.host, "5.6.7.9", home.key) == "good 5.6.7.9"


def test_ipv6_and_both(home):
    """An IPv6 address goes to the AAAA record, and both at once to both, in myip or beside it in myipv6."""
    assert home.nic(home.host, "2a00:1450::1", home.key).startswith("good")
    assert (get_record(home, home.a)["value"] or "", get_record(home, home.aaaa)["value"]) == ("", "2a00:1450::1")
    assert home.nic(home.host, "5.6.7.8,2a00:1450::2", home.key).startswith("good")
    assert (get_record(home, home.a)["value"], get_record(home, home.aaaa)["value"]) == ("5.6.7.8", "2a00:1450::2")
    assert home.nic(home.host, "5.6.7.9", home.key, myipv6="2a00:1450::3").startswith("good")
    assert get_record(home, home.aaaa)["value"] == "2a00:1450::3"


def test_without_myip_the_caller_counts(homeport):
    """Without myip the caller's own address is taken: the one that a trusted proxy tells of."""
    h = homeport({"http.trusted_proxies": "127.0.0.1/32", "http.allow_public": "true"})
    a = h.admin()
    r, key = record(a, quiet_domain(a, "nic.test"), dynamic=True), api_key(a)["key"]
    assert h.client(headers={"X-Forwarded-For": "5.6.7.8"}).nic("home.nic.test", key=key) == "good 5.6.7.8"
    assert get_record(a, r)["value"] == "5.6.7.8"


def test_several_hosts_one_line_each(home):
    """Several names get one line each, in their order; a wrong one does not hold up its siblings."""
    record(home, home.zone, "two", dynamic=True)
    hosts = f"{home.host},nobody.{home.zone['name']},two.{home.zone['name']}"
    assert home.nic(hosts, "5.6.7.8", home.key).splitlines() == ["good 5.6.7.8", "nohost", "good 5.6.7.8"]


@pytest.mark.parametrize("host, word", [("nobody.{zone}", "nohost"), ("home.elsewhere.example", "nohost"), ("home", "notfqdn"), ("", "notfqdn"),
                                        ("bad name.{zone}", "notfqdn"), ("HOME.{zone}", "good"), ("home.{zone}.", "good")])
def test_host_words(home, host, word):
    """Each wrong name has its word: nohost for what is not there, notfqdn for what is no name; letters may be large."""
    assert home.nic(host.format(zone=home.zone["name"]), "5.6.7.8", home.key).split()[0] == word


def test_a_wildcard_is_a_name(home):
    """A dynamic wildcard is pushed by its own name, plain or percent-encoded; a name below it is not that name."""
    r = record(home, home.zone, "*.lab", dynamic=True)
    zone = home.zone["name"]
    assert home.nic(f"*.lab.{zone}", "5.6.7.8", home.key) == "good 5.6.7.8"
    assert get_record(home, r)["value"] == "5.6.7.8"
    assert [home.nic(h.format(zone), "5.6.7.8", home.key) for h in ("box.lab.{}", "*", "*.", "a.*.{}", "**.{}")] == \
        ["nohost", "notfqdn", "notfqdn", "notfqdn", "notfqdn"]


def test_only_what_was_taken_is_called_good(home):
    """A pair pushed to a name with an A record alone is answered with the IPv4 address alone."""
    record(home, home.zone, "four", dynamic=True)
    host = f"four.{home.zone['name']}"
    assert home.nic(host, "5.6.7.8,2a00:1450::8", home.key) == "good 5.6.7.8"
    assert home.nic(host, "5.6.7.8,2a00:1450::9", home.key) == "nochg 5.6.7.8"
    assert home.nic(host, "2a00:1450::9", home.key) == "nohost"
    assert home.nic(home.host, "5.6.7.8,2a00:1450::8", home.key) == "good 5.6.7.8,2a00:1450::8"


def test_static_records_are_not_touched(home):
    """Only dynamic records follow a push: a static one with that name keeps its value."""
    r = record(home, home.zone, "fixed", value="5.6.7.1")
    assert home.nic(f"fixed.{home.zone['name']}", "5.6.7.8", home.key) == "nohost"
    assert get_record(home, r)["value"] == "5.6.7.1"


@pytest.mark.parametrize("myip", ["nonsense", "5.6.7.256", "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "fe80::1"])
def test_bad_addresses_change_nothing(home, myip):
    """An address that cannot be right is not stored, and the answer is not `good`."""
    home.nic(home.host, "5.6.7.8", home.key)
    got = home.http.get("/nic/update", params={"hostname": home.host, "myip": myip}, auth=("router", home.key))
    assert not got.text.startswith("good"), got.text
    assert get_record(home, home.a)["value"] == "5.6.7.8"


def test_a_key_for_hosts_is_for_them_alone(server, home, unique):
    """A key with hosts updates these names, in any letter case; every other own name is `nohost`, as one that is not there."""
    two = record(home, home.zone, "two", dynamic=True)
    zone = home.zone["name"]
    made = api_key(home, "ddns:write", hosts=[home.host.upper(), f"gone.{zone}"])
    assert made["hosts"] == [home.host.upper(), f"gone.{zone}"] and home.all("/api/v1/api-keys")[-1]["hosts"] == made["hosts"]
    key = made["key"]
    assert home.nic(home.host, "5.6.7.8", key) == "good 5.6.7.8" and home.nic(home.host + ".", "5.6.7.8", key) == "nochg 5.6.7.8"
    lines = home.nic(f"two.{zone},gone.{zone},{zone},x{home.host},{home.host},bad name", "5.6.7.9", key).splitlines()
    assert lines == ["nohost", "nohost", "nohost", "nohost", "good 5.6.7.9", "notfqdn"]
    assert get_record(home, two)["value"] is None
    assert home.nic(f"two.{zone}", "5.6.7.9", home.key) == "good 5.6.7.9"
    stranger = server.user(unique("host"))
    theirs = api_key(stranger, "ddns:write", hosts=[home.host])["key"]
    assert stranger.nic(home.host, "5.6.7.7", theirs) == "nohost", "a key never gives more than its owner has"
    home.delete(f"/api/v1/api-keys/{made['id']}")
    assert home.nic(home.host, "5.6.7.8", key, expect=401) == "badauth"


def test_a_key_for_hosts_opens_nothing_else(server, home):
    """Whatever its scopes say, a key with hosts gets 403 everywhere but at /nic/update."""
    key = server.client(key=api_key(home, "read", "write", hosts=[home.host])["key"])
    for path in ("/api/v1/domains", "/api/v1/ddns/sources", "/api/v1/users/me", "/api/v1/api-keys", "/api/v1/tasks", f"/api/v1/records/{home.a['id']}"):
        key.get(path, expect=403)
    assert key.http.get("/api/v1/events").status_code == 403
    key.patch(f"/api/v1/records/{home.a['id']}", {"value": "5.6.7.8"}, expect=403)
    key.post("/api/v1/ddns/sync", expect=403)
    assert key.http.get("/nic/update", params={"hostname": home.host, "myip": "5.6.7.8"}).text.strip() == "good 5.6.7.8"


@pytest.mark.parametrize("hosts, scopes, field", [
    ([], ["ddns:write"], "hosts"), (["home"], ["ddns:write"], "hosts"), (["home.test."], ["ddns:write"], "hosts"), (["*.home.test"], ["ddns:write"], "hosts"),
    (["a..test"], ["ddns:write"], "hosts"), (["1.2.3.4"], ["ddns:write"], "hosts"), (["home.test", "b c.test"], ["ddns:write"], "hosts"),
    ("home.test", ["ddns:write"], "hosts"), ([f"h{n}.test" for n in range(21)], ["ddns:write"], "hosts"),
    (["home.test"], ["ddns:read"], "scopes"), (["home.test"], ["tasks:write", "read"], "scopes")])
def test_hosts_that_are_refused(user, hosts, scopes, field):
    """A key is bound to 1 to 20 full host names, and needs the right to update them."""
    assert user.post("/api/v1/api-keys", {"name": "router", "scopes": scopes, "hosts": hosts}, expect=422).fields == {field}


def test_badauth(server, home, unique):
    """Wrong, missing, revoked and too weak keys are `badauth` with 401; a stranger's good key finds no host."""
    for key in (None, "hp_1_wrong", home.key + "x", home.key[:-1]):
        assert home.nic(home.host, "5.6.7.8", key, expect=401) == "badauth"
    weak = api_key(home, "read")["key"]
    r = home.http.get("/nic/update", params={"hostname": home.host, "myip": "5.6.7.8"}, auth=("x", weak))
    assert r.status_code in (401, 403) and r.text.strip() == "badauth"
    assert home.nic(home.host, "5.6.7.8", api_key(server.user(unique("st")), "write")["key"]) == "nohost"
    assert not get_record(home, home.a)["value"]


def test_a_password_is_no_key(server, home):
    """Basic auth takes API keys only: the user's own password is refused."""
    r = home.http.get("/nic/update", params={"hostname": home.host, "myip": "5.6.7.8"}, auth=(home.me["username"], "correct horse battery staple"))
    assert r.status_code == 401 and "www-authenticate" in r.headers


def test_update_by_a_pushed_source(home):
    """A record that follows a pushed source moves when the source is pushed by the API."""
    s = source(home, "pushed")
    r = record(home, home.zone, "viasource", dynamic=True, source_id=s["id"])
    home.patch(f"/api/v1/ddns/sources/{s['id']}", {"value": "5.6.7.77"})
    from lib.ddns import wait_record
    wait_record(home, r, value="5.6.7.77")


def test_plain_text(home):
    """Answers are plain text, as old clients expect."""
    r = home.http.get("/nic/update", params={"hostname": home.host, "myip": "5.6.7.8"}, auth=("router", home.key))
    assert r.status_code == 200 and r.headers["content-type"].startswith("text/plain")
