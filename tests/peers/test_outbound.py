"""Echo services can lie, hang and redirect; homeport believes only what is sound (S19, S20, S22)."""
import json

import pytest

from lib.callback import Callback
from lib.ddns import SOURCES, domain, get_record, quiet_domain, record, source, synced, wait_record
from lib.httpd import drop, garbage, half, hang, status
from lib.wait import wait_until


def look(api, s):
    return next(x for x in api.all(SOURCES) if x["id"] == s["id"])


def settled(api, s):
    """Asks now, and waits until the source has an answer or a reason."""
    api.post("/api/v1/ddns/sync")
    return wait_until(lambda: (x := look(api, s))["last_error"] or x["address"] and x, 15, f"an answer or a reason; {look(api, s)}") and look(api, s)


def test_majority(api, echo):
    """Two of three agree: the liar is outvoted. When all three differ nobody is believed."""
    e = [echo("5.6.7.8"), echo("5.6.7.8"), echo("9.9.9.9")]
    s = source(api, "http", urls=[x.url for x in e])
    assert settled(api, s)["address"] == "5.6.7.8"
    e[0].answer, e[1].answer = "5.6.7.1", "5.6.7.2"
    api.post("/api/v1/ddns/sync")
    got = wait_until(lambda: (x := look(api, s))["last_error"] and x, 15, "a reason")
    assert got["address"] == "5.6.7.8"
    for x, said in zip(e, ("5.6.7.1", "5.6.7.2", "9.9.9.9")):
        assert f"{x.url.split('//')[1].split('/')[0]} says {said}" in got["last_error"], got


def test_a_broken_service_is_named(api, echo):
    """The reason says which of several services gave no address, without the path of its URL, which may hold a token."""
    e = [echo("5.6.7.8"), echo("5.6.7.8<br>")]
    e[0].fail(status(500))
    s = source(api, "http", urls=[e[0].url.rstrip("/") + "/secret-token"])
    assert settled(api, s)["address"] is None
    error = look(api, s)["last_error"]
    assert e[0].url.split("//")[1].split("/")[0] + " answered with status 500" in error and "secret-token" not in error
    api.patch(f"/api/v1/ddns/sources/{s['id']}", {"urls": [e[1].url]})
    wait_until(lambda: f"{e[1].url.split('//')[1].split('/')[0]} did not answer with an IPv4 address" in look(api, s)["last_error"],
               15, "the other service's reason")


@pytest.mark.parametrize("answer", ["192.168.1.1", "10.0.0.1", "127.0.0.1", "100.64.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
                                    "198.18.0.1", "2a00::1", "5.6.7.8 9.9.9.9", "5.6.7.8, 5.6.7.9", "5.6.7.8<br>", "5.6.7.256", "", "x" * 5000,
                                    b"\0\xff\xfe"])
def test_unsound_answers_are_refused(api, echo, answer):
    """Private and bogon addresses, the wrong family, several at once, pages and noise are no address: the record keeps its value."""
    e = echo("5.6.7.8")
    s = source(api, "http", urls=[e.url])
    r = record(api, quiet_domain(api, "x.test"), dynamic=True, source_id=s["id"])
    wait_record(api, r, value="5.6.7.8")
    e.answer = answer
    api.post("/api/v1/ddns/sync")
    wait_until(lambda: look(api, s)["last_error"], 15, "a reason")
    assert get_record(api, r)["value"] == "5.6.7.8" and look(api, s)["address"] == "5.6.7.8"


@pytest.mark.parametrize("fault", [hang, drop, half, garbage, lambda: status(500), lambda: status(200, b"5.6.7.9\n" * 10000)])
def test_broken_services(api, echo, fault):
    """A service that hangs, breaks off or answers with a page gives no address; healed, it does again."""
    e = echo("5.6.7.8")
    e.fail(fault())
    s = source(api, "http", urls=[e.url])
    assert settled(api, s)["address"] is None
    e.heal()
    api.post("/api/v1/ddns/sync")
    wait_until(lambda: look(api, s)["address"] == "5.6.7.8", 15, "the address")


def test_redirects_are_not_followed(api, echo):
    """An echo service cannot send homeport elsewhere: the target of its redirect is never asked."""
    a, b = echo(), echo("9.9.9.9")
    a.fail(status(302, b"", location=b.url))
    s = source(api, "http", urls=[a.url])
    assert settled(api, s)["address"] is None and a.seen and not b.seen


def test_callback_provider(api):
    """The generic callback gets name, zone, type, value and ttl in its places, once per change, and its refusal is an error."""
    with Callback() as c:
        credentials = {"url": c.url + "/set?n={name}&z={zone}&t={type}&v={value}&ttl={ttl}", "method": "POST",
                       "headers": {"X-Secret": "s3cret", "Content-Type": "application/json"}, "body": '{"v": "{value}", "n": "{name}"}'}
        zone = domain(api, "cb.test", "callback", credentials)
        r = record(api, zone, value="5.6.7.8", ttl=77)
        synced(api, r)
        q = c.seen[0]
        assert (q.method, q.low["x-secret"]) == ("POST", "s3cret") and q.params["v"] == "5.6.7.8"
        assert (q.params["z"], q.params["t"], q.params["ttl"]) == ("cb.test", "A", "77") and q.params["n"] in ("home", "home.cb.test")
        assert q.json()["v"] == "5.6.7.8"
        c.reply = status(403)(None, None, None)
        api.patch(f"/api/v1/records/{r['id']}", {"value": "5.6.7.9"})
        wait_record(api, r, sync_status="error")


def test_callback_values_are_escaped(api):
    """A value cannot break out of its place: quotes, line breaks and & in a TXT stay inside the JSON and the query (S22)."""
    with Callback() as c:
        nasty = 'a"b\\c&x=1#{name} %0d%0a'
        zone = domain(api, "cb.test", "callback", {"url": c.url + "/set?v={value}&end=1", "method": "POST",
                                                   "headers": {"Content-Type": "application/json"}, "body": '{"v": "{value}"}'})
        synced(api, record(api, zone, type="TXT", value=nasty))
        q = c.seen[0]
        assert q.params["v"] == nasty and q.params["end"] == "1" and json.loads(q.body) == {"v": nasty}
