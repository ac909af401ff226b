"""Domains, records and sources as data: what is taken, what is refused and why (S19, S22, S23)."""
import pytest

from lib.ddns import DOMAINS, SOURCES, quiet_domain, record, source
from lib.knot import SECRET

GOOD = [
    ("A", "5.6.7.8"), ("AAAA", "2a00:1450::1"), ("CNAME", "www.example.com"), ("MX", "mail.example.com"), ("TXT", "v=spf1 -all"),
    ("TXT", 'quotes " and \\ and 中文'), ("TXT", "x" * 1000), ("NS", "ns1.example.com"), ("SRV", "5 8080 host.example.com"),
    ("CAA", '0 issue "ca.example.com"')]
BAD = [
    ("A", "5.6.7"), ("A", "5.6.7.256"), ("A", "05.6.7.8"), ("A", "2a00::1"), ("A", "5.6.7.8 "), ("A", "0x5.6.7.8"), ("A", ""),
    ("AAAA", "5.6.7.8"), ("AAAA", "2a00::1::2"), ("AAAA", "fe80::1%eth0"), ("AAAA", "2a00::12345"),
    ("CNAME", "not a name"), ("CNAME", "a..b"), ("CNAME", "-a.example.com"), ("CNAME", "x" * 64 + ".example.com"), ("CNAME", ".".join(["a" * 60] * 5)),
    ("MX", "bad name"), ("MX", ""), ("NS", "5 6"), ("SRV", "host.example.com"), ("SRV", "70000 1 host.example.com"), ("SRV", "1 70000 host.example.com"),
    ("CAA", "issue ca.example.com"), ("CAA", '256 issue "x"'), ("TXT", "x" * 5000), ("TXT", "nul \0 here"),
    ("PTR", "a.example.com"), ("a", "5.6.7.8"), ("", "5.6.7.8"), ("ANY", "x")]


@pytest.fixture
def zone(user, unique):
    return quiet_domain(user, unique("dr") + ".test")


@pytest.mark.parametrize("type, value", GOOD)
def test_good_records(user, zone, type, value):
    """Every record type is taken with a sound value, shown as given, with the promised defaults, changed and deleted."""
    r = record(user, zone, type=type, value=value)
    assert (r["type"], r["domain_id"], r["ttl"], r["is_active"], r["dynamic"]) == (type, zone["id"], 600, True, False)
    if type in ("A", "AAAA", "TXT"):
        assert r["value"] == value
    assert user.get(f"/api/v1/records/{r['id']}").data == r
    assert user.patch(f"/api/v1/records/{r['id']}", {"ttl": 120}).data["ttl"] == 120
    user.delete(f"/api/v1/records/{r['id']}")
    user.get(f"/api/v1/records/{r['id']}", expect=404)


@pytest.mark.parametrize("type, value", BAD)
def test_bad_records(user, zone, type, value):
    """A value that DNS would refuse is refused here, by name, before any provider sees it."""
    r = user.post(f"{DOMAINS}/{zone['id']}/records", {"name": "home", "type": type, "value": value}, expect=422)
    assert r.fields & {"value", "type"}, r
    assert user.get(f"{DOMAINS}/{zone['id']}/records").data["total"] == 0


@pytest.mark.parametrize("change, field", [
    ({"ttl": 0}, "ttl"), ({"ttl": 604801}, "ttl"), ({"ttl": "600"}, "ttl"), ({"ttl": 1.5}, "ttl"), ({"priority": 65536}, "priority"),
    ({"priority": -1}, "priority"), ({"name": ""}, "name"), ({"name": "a b"}, "name"), ({"name": "x" * 64}, "name"), ({"name": "a..b"}, "name"),
    ({"name": "a.*"}, "name"), ({"name": "-a"}, "name"), ({"source_id": "5"}, "source_id"), ({"source_id": 5}, "source_id"),
    ({"dynamic": "yes"}, "dynamic"), ({"sync_status": "synced"}, "sync_status"), ({"id": "1"}, "id"), ({"user_id": "1"}, "user_id"),
    ({"ipv6_suffix": "nope"}, "ipv6_suffix"), ({"value": None}, "value"), ({"type": "CNAME", "value": "b.test", "dynamic": True}, "dynamic")])
def test_bad_record_fields(user, zone, change, field):
    """One wrong input per rule of the record: each is 422 and named."""
    body = {"name": "home", "type": "A", "value": "5.6.7.8", **change}
    r = user.post(f"{DOMAINS}/{zone['id']}/records", body, expect=422)
    assert field in r.fields or (field == "dynamic" and r.fields & {"type", "dynamic"}), r


@pytest.mark.parametrize("name", ["@", "www", "*", "*.a", "a.b.c", "_acme-challenge", "xn--fiq228c", "1", "A-B"])
def test_good_names(user, zone, name):
    """Apex, wildcard, underscore and nested names are all names."""
    assert record(user, zone, name, value="5.6.7.8")["name"].lower() == name.lower()


def test_every_bad_field_is_named_at_once(user, zone):
    """One 422 names every bad field, also those that are judged by another one: a value by its type, credentials by
    their provider, a source's address by its family. Each field is named once."""
    def refused(path, body):
        errors = user.post(path, body, expect=422).data["errors"]
        assert len(errors) == len({e["field"] for e in errors}), errors
        return {e["field"] for e in errors}
    records = f"{DOMAINS}/{zone['id']}/records"
    assert refused(records, {"name": "a b", "type": "A", "value": "nonsense", "ttl": 0}) == {"name", "value", "ttl"}
    assert refused(records, {"type": "MX", "value": "5.6.7.8", "priority": 70000, "odd": 1}) == {"name", "value", "priority", "odd"}
    assert refused(records, {}) == {"name", "type", "value"}
    assert refused(records, {"name": "a", "type": "PTR", "value": "5.6.7.8"}) == {"type"}
    assert refused(records, {"name": "a", "type": "A", "dynamic": "yes"}) == {"dynamic"}
    assert refused(records, {"name": "a b", "type": "A", "dynamic": True}) == {"name"}
    assert refused(DOMAINS, {"name": "a b", "provider": "rfc2136", "credentials": {"secret": 5, "odd": "x"}}) == \
        {"name", "credentials.server", "credentials.secret", "credentials.odd"}
    assert refused(DOMAINS, {"name": "a b", "provider": "nobody", "credentials": {}}) == {"name", "provider"}
    assert refused(DOMAINS, {"name": "a b", "provider": "callback", "credentials": "x"}) == {"name", "credentials"}
    assert refused(SOURCES, {"name": "", "kind": "http", "family": "ipv4", "interval": 1, "value": "::1"}) == \
        {"name", "interval", "urls", "value"}
    assert refused(SOURCES, {"name": "", "kind": "fixed", "family": "ipv4", "value": "::1"}) == {"name", "value"}


def test_names_with_their_zone(user, zone):
    """A name counts with its zone: 253 letters fit and 254 do not; one that has the zone's name at its end already is
    refused with the right one, for www.example.com.example.com is what nobody means."""
    tail = zone["name"]
    room = 253 - len(tail) - 1
    fits = ".".join(["a" * 49] * (room // 50) + ["b" * (room % 50)]) if room % 50 else ".".join(["a" * 49] * (room // 50 - 1) + ["a" * 50])
    assert len(f"{fits}.{tail}") == 253
    assert record(user, zone, fits, value="5.6.7.8")["name"] == fits
    records = f"{DOMAINS}/{zone['id']}/records"
    for name in (fits + "b", f"www.{tail}", tail, f"*.{tail.upper()}"):
        assert user.post(records, {"name": name, "type": "A", "value": "5.6.7.8"}, expect=422).fields == {"name"}, name
    r = record(user, zone, "www", value="5.6.7.8")
    refusal = user.patch(f"/api/v1/records/{r['id']}", {"name": f"www.{tail}"}, expect=422)
    assert f"www, not www.{tail}" in refusal.text, refusal
    assert user.post(records, {"name": "self", "type": "CNAME", "value": f"Self.{tail}."}, expect=422).fields == {"value"}


def test_cname_stands_alone(user, zone):
    """A CNAME beside another record of its name, either way round, is refused: DNS forbids it."""
    record(user, zone, "a", value="5.6.7.8")
    path = f"{DOMAINS}/{zone['id']}/records"
    user.post(path, {"name": "a", "type": "CNAME", "value": "b.example.com"}, expect=(409, 422))
    record(user, zone, "b", "CNAME", "c.example.com")
    user.post(path, {"name": "b", "type": "A", "value": "5.6.7.8"}, expect=(409, 422))
    user.post(path, {"name": "@", "type": "CNAME", "value": "c.example.com"}, expect=(409, 422))


def test_same_record_twice(user, zone):
    """The same name, type and value twice is refused; another value beside it is fine."""
    record(user, zone, "a", value="5.6.7.8")
    user.post(f"{DOMAINS}/{zone['id']}/records", {"name": "A", "type": "A", "value": "5.6.7.8"}, expect=(409, 422))
    record(user, zone, "a", value="5.6.7.9")


@pytest.mark.parametrize("name", ["", "test", "a b.test", "-a.test", "a..test", "http://a.test", "a.test/x", "*.a.test", "5.6.7.8", "x" * 64 + ".test"])
def test_bad_zone_names(user, name):
    """A domain's name must be a zone's: each malformed one is 422 and named, except that single labels may pass as private zones."""
    r = user.post(DOMAINS, {"name": name, "provider": "callback", "credentials": {"url": "http://127.0.0.1:9/"}}, expect=(200, 201, 422) if name == "test" else 422)
    assert r.status < 300 or "name" in r.fields


def test_domain_names_are_unique_for_one_user(server, user, unique):
    """One user has a zone once, in any letter case and with or without the last dot; another user may have it too."""
    name = unique("u") + ".test"
    quiet_domain(user, name)
    body = {"provider": "callback", "credentials": {"url": "http://127.0.0.1:9/"}, "is_active": False}
    for same in (name, name.upper()):
        user.post(DOMAINS, {"name": same, **body}, expect=(409, 422))
    quiet_domain(server.user(unique("un")), name)


CREDENTIALS = {
    "rfc2136": {"server": "127.0.0.1:53", "key_name": "k", "algorithm": "hmac-sha256", "secret": SECRET},
    "alidns": {"access_key_id": "id", "access_key_secret": "secret"}, "cloudflare": {"api_token": "token"},
    "callback": {"url": "http://127.0.0.1:9/{name}"}}


@pytest.mark.parametrize("provider", CREDENTIALS)
def test_credentials_are_checked_and_never_shown(user, unique, provider):
    """Each provider's credentials are checked field by field, may be replaced, and are in no answer ever."""
    good, body = CREDENTIALS[provider], {"name": unique("cr") + ".test", "provider": provider, "is_active": False}
    for missing in good:
        user.post(DOMAINS, {**body, "credentials": {k: v for k, v in good.items() if k != missing}},
                  expect=422 if missing != "algorithm" else (200, 201, 422))
        body["name"] = unique("cr") + ".test"
    user.post(DOMAINS, {**body, "credentials": {**good, "extra": "x"}}, expect=422)
    user.post(DOMAINS, {**body, "credentials": {**good, next(iter(good)): 5}}, expect=422)
    made = user.post(DOMAINS, {**body, "credentials": good}).data
    assert "credentials" not in made or not made["credentials"]
    user.patch(f"{DOMAINS}/{made['id']}", {"credentials": good})
    assert "credentials" in " ".join(user.patch(f"{DOMAINS}/{made['id']}", {"credentials": {}}, expect=422).fields)


@pytest.mark.parametrize("change", [{"secret": "not base64!"}, {"server": "no port"}, {"server": "127.0.0.1:0"}, {"server": "127.0.0.1:70000"},
                                    {"algorithm": "hmac-rot13"}, {"key_name": "bad name"}])
def test_bad_rfc2136_credentials(user, unique, change):
    """Wrong forms are found when they are given, not at the first push."""
    user.post(DOMAINS, {"name": unique("b") + ".test", "provider": "rfc2136", "credentials": {**CREDENTIALS["rfc2136"], **change}}, expect=422)


def test_providers_describe_themselves(server, user):
    """/ddns/providers drives the form: every provider of the tests with its fields, and which of them are secret."""
    providers = user.get("/api/v1/ddns/providers").data
    providers = {p["name"]: p for p in providers.get("items", providers)} if isinstance(providers, dict) else {p["name"]: p for p in providers}
    for name, credentials in CREDENTIALS.items():
        fields = {f["name"]: f for f in providers[name]["fields"]}
        assert set(credentials) <= set(fields), (name, fields)
    assert next(f for f in providers["cloudflare"]["fields"] if f["name"] == "api_token")["secret"]


def test_delete_takes_the_records_along(user, unique):
    """A deleted domain takes its records along."""
    d = quiet_domain(user, unique("del") + ".test")
    r = record(user, d, value="5.6.7.8")
    user.delete(f"{DOMAINS}/{d['id']}")
    user.get(f"{DOMAINS}/{d['id']}", expect=404)
    user.get(f"/api/v1/records/{r['id']}", expect=404)


@pytest.mark.parametrize("query", ["at_provider=yes", "at_provider=True", "at_provider=1", "at_provider=", "at_provider"])
def test_a_misspelt_at_provider_deletes_nothing(user, zone, query):
    """at_provider is true or false; another word is refused, and the domain stays as it was."""
    refusal = user.delete(f"{DOMAINS}/{zone['id']}?{query}", expect=400)
    assert refusal.code == 400002 and [e["field"] for e in refusal.data["errors"]] == ["at_provider"]
    user.get(f"{DOMAINS}/{zone['id']}")


# ---- sources
@pytest.mark.parametrize("body", [
    {"kind": "fixed", "family": "ipv4", "value": "5.6.7.8"}, {"kind": "fixed", "family": "ipv6", "value": "2a00:1450::1"},
    {"kind": "pushed", "family": "ipv4"}, {"kind": "interface", "family": "ipv6", "interface": "lo"},
    {"kind": "http", "family": "ipv4", "urls": ["https://ip.example.com/", "https://echo.example.com/ip"], "interval": 60}])
def test_good_sources(user, body):
    """Every kind of source is made, read, renamed and deleted; the interval is 300 s unless given."""
    s = source(user, **body)
    assert s["interval"] == body.get("interval", 300)
    assert user.patch(f"{SOURCES}/{s['id']}", {"name": "renamed"}).data["name"] == "renamed"
    assert s["id"] in [x["id"] for x in user.all(SOURCES)]
    user.delete(f"{SOURCES}/{s['id']}")
    assert s["id"] not in [x["id"] for x in user.all(SOURCES)]


@pytest.mark.parametrize("body, field", [
    ({"kind": "command", "command": ["id"]}, "kind"), ({"kind": "command"}, "kind"), ({"kind": "nope"}, "kind"),
    ({"kind": "fixed"}, "value"), ({"kind": "fixed", "value": "2a00::1"}, "value"), ({"kind": "fixed", "value": "x"}, "value"),
    ({"kind": "http"}, "urls"), ({"kind": "http", "urls": []}, "urls"), ({"kind": "http", "urls": ["ftp://a.example.com/"]}, "urls"),
    ({"kind": "http", "urls": ["file:///etc/passwd"]}, "urls"), ({"kind": "http", "urls": ["gopher://a.example.com/"]}, "urls"),
    ({"kind": "http", "urls": ["https://"]}, "urls"), ({"kind": "http", "urls": ["http:///ip"]}, "urls"), ({"kind": "http", "urls": ["https://:443/"]}, "urls"),
    ({"kind": "http", "urls": ["https://a.example.com/", "https://b.example.com/", "https://a.example.com/"]}, "urls"),
    ({"kind": "http", "urls": "https://a.example.com/"}, "urls"), ({"kind": "interface"}, "interface"),
    ({"kind": "interface", "interface": "../../x"}, "interface"), ({"kind": "interface", "interface": "a" * 16}, "interface"),
    ({"kind": "pushed", "family": "ipv5"}, "family"), ({"kind": "pushed", "interval": 1}, "interval"), ({"kind": "pushed", "interval": 999999}, "interval")])
def test_bad_sources(user, body, field):
    """A source that cannot work is refused by name; a command cannot come by the API at all (S23)."""
    assert field in user.post(SOURCES, {"name": "x", "family": "ipv4", **body}, expect=422).fields


def test_a_record_takes_only_its_own_users_source(server, user, zone, unique):
    """A record cannot follow another user's source, nor one of the wrong family."""
    other = source(server.user(unique("so")), "pushed")
    six = source(user, "pushed", "ipv6")
    for s in (other, six):
        r = user.post(f"{DOMAINS}/{zone['id']}/records", {"name": "x", "type": "A", "dynamic": True, "source_id": s["id"]}, expect=(404, 422))
        assert r.status == 404 or "source_id" in r.fields


def test_a_source_in_use(user, zone):
    """Deleting a source that a record follows is refused, or leaves the record without a source: never a dangling id."""
    s = source(user, "fixed", value="5.6.7.8")
    r = record(user, zone, dynamic=True, source_id=s["id"])
    got = user.delete(f"{SOURCES}/{s['id']}", expect=(200, 204, 409, 422))
    left = user.get(f"/api/v1/records/{r['id']}").data["source_id"]
    assert left == (s["id"] if got.status >= 400 else None)


def test_status_counts(user, zone):
    """/ddns/status shows each source with its address and counts records by status."""
    s = source(user, "fixed", value="5.6.7.8")
    record(user, zone, dynamic=True, source_id=s["id"])
    st = user.get("/api/v1/ddns/status").data
    assert "5.6.7.8" in str(st["sources"]) and sum(st["records"].values()) == 1


PRIVATE_URLS = ["http://127.0.0.1:{p}/", "http://localhost:{p}/", "http://2130706433:{p}/", "http://0x7f000001:{p}/", "http://0177.0.0.1:{p}/", "http://127.1:{p}/",
                "http://[::1]:{p}/", "http://[::ffff:127.0.0.1]:{p}/", "http://0.0.0.0:{p}/", "http://10.0.0.1:{p}/", "http://192.168.1.1:{p}/", "http://169.254.169.254/",
                "http://100.64.0.1/", "http://[fd00::1]/", "http://[fe80::1]/", "http://[64:ff9b::7f00:1]/", "http://user@127.0.0.1:{p}/", "http://224.0.0.1/", "http://198.18.0.1/"]


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_user_urls_do_not_reach_inside(homeport_strict, echo, url):
    """A user's URL cannot make homeport knock on private doors: refused when given, or the call fails without a connection (S19)."""
    e, u = echo(), homeport_strict
    made = u.post(SOURCES, {"name": "x", "kind": "http", "family": "ipv4", "urls": [url.format(p=e.port)]}, expect=(200, 201, 422))
    if made.status < 300:
        u.post("/api/v1/ddns/sync", expect=range(200, 500))
        from lib.wait import wait_until
        wait_until(lambda: next(s for s in u.all(SOURCES) if s["id"] == made.data["id"])["last_error"], 30, "the source's failure")
        u.delete(f"{SOURCES}/{made.data['id']}")
    assert e.seen == []


@pytest.mark.parametrize("url", PRIVATE_URLS[:9])
def test_user_callbacks_do_not_reach_inside(homeport_strict, echo, unique, url):
    """The same for a plain user's callback provider: the record fails and nobody was asked (S19)."""
    e, u = echo(), homeport_strict
    made = u.post(DOMAINS, {"name": unique("ssrf") + ".test", "provider": "callback", "credentials": {"url": url.format(p=e.port)}}, expect=(200, 201, 422))
    if made.status < 300:
        from lib.ddns import wait_record
        wait_record(u, record(u, made.data, value="5.6.7.8"), sync_status="error")
    assert e.seen == []


@pytest.fixture(scope="module")
def homeport_strict(tmp_path_factory):
    """A plain user on a homeport without net.allow_private."""
    from conftest import FREE, need_binary
    from lib.homeport import Homeport
    need_binary()
    h = Homeport(tmp_path_factory.mktemp("strict") / "data", {**FREE, "net.allow_private": ""}).start()
    yield h.user("tenant")
    h.end()
