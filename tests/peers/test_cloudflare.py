"""Cloudflare, played by a stand-in that the vendor's own SDK recordings hold to the truth (wire/test_fakes.py)."""
import pytest

from conftest import HASTE
from lib.ddns import DOMAINS, api_key, domain, get_record, record, synced, wait_record
from lib.fake_cloudflare import TOKEN
from lib.httpd import drop, garbage, half, hang, lost, status
from lib.vectors import params
from lib.wait import wait_until

HOME = "home.example.test"
writing = lambda r: r.method in ("POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def api(homeport, cloudflare):
    return homeport({**HASTE, "ddns.cloudflare.endpoint": cloudflare.endpoint}).admin()


@pytest.fixture
def zone(api):
    return domain(api, provider="cloudflare", credentials={"api_token": TOKEN})


def test_create_change_delete(api, cloudflare, zone):
    """A record is made once with our mark, changed by PATCH under its id, and deleted; nothing else is touched."""
    cloudflare.add("other.example.test", "A", "9.9.9.9")
    r = record(api, zone, value="5.6.7.8", ttl=120)
    synced(api, r)
    made = next(x for x in cloudflare.records.values() if x["name"] == HOME)
    assert (made["content"], made["ttl"], made["proxied"]) == ("5.6.7.8", 120, False) and "homeport" in made["comment"]
    api.patch(f"/api/v1/records/{r['id']}", {"value": "5.6.7.9"})
    synced(api, r, "5.6.7.9")
    assert made["content"] == "5.6.7.9"
    api.delete(f"/api/v1/records/{r['id']}")
    wait_until(lambda: not cloudflare.values(HOME, "A"), 10, "its deletion")
    assert [x.method for x in cloudflare.writes()] == ["POST", "PATCH", "DELETE"]
    assert cloudflare.values("other.example.test", "A") == ["9.9.9.9"]


def test_an_equal_value_is_not_sent(api, cloudflare, zone):
    """What is so already is not written again: one read shows it."""
    cloudflare.add(HOME, "A", "5.6.7.8", ttl=120)
    r = record(api, zone, value="5.6.7.8", ttl=120)
    synced(api, r)
    assert cloudflare.values(HOME, "A") == ["5.6.7.8"] and not [w for w in cloudflare.writes() if w.method == "POST"]


def test_user_settings_at_the_vendor_stay(api, cloudflare, zone):
    """A pushed address leaves the comment and tags that somebody gave the record at the vendor."""
    made = record(api, zone, dynamic=True)
    key = api_key(api)["key"]
    api.nic(HOME, "5.6.7.8", key)
    synced(api, made, "5.6.7.8")
    at = next(x for x in cloudflare.records.values() if x["name"] == HOME)
    at.update(comment="mine now", tags=["a:b"])
    api.nic(HOME, "5.6.7.9", key)
    synced(api, made, "5.6.7.9")
    assert (at["content"], at["comment"], at["tags"]) == ("5.6.7.9", "mine now", ["a:b"])


def test_proxied_and_txt(api, cloudflare, zone):
    """proxied is passed on for addresses; TXT content is sent in double quotes."""
    synced(api, record(api, zone, value="5.6.7.8", proxied=True))
    synced(api, record(api, zone, "t", "TXT", "v=spf1 -all"))
    assert next(x for x in cloudflare.records.values() if x["name"] == HOME)["proxied"] is True
    assert cloudflare.values("t.example.test", "TXT") == ['"v=spf1 -all"']


def test_subzones_take_the_longest_ending(homeport, cloudflare, api):
    """A zone below another zone is found by its whole name."""
    cloudflare.zones[cloudflare.new_id()] = "sub.example.test"
    synced(api, record(api, domain(api, "sub.example.test", "cloudflare", {"api_token": TOKEN}), value="5.6.7.8"))
    assert cloudflare.records and all(r["zone_id"] == cloudflare.zone_id("sub.example.test") for r in cloudflare.records.values())


def test_import_reads_every_page(api, cloudflare, zone):
    """Import reads all pages: 250 records arrive, and nothing is written at the vendor."""
    for i in range(250):
        cloudflare.add(f"n{i}.example.test", "A", "5.6.7.8")
    api.post(f"{DOMAINS}/{zone['id']}/import")
    wait_until(lambda: api.get(f"{DOMAINS}/{zone['id']}/records").data["total"] == 250, 20, "250 records", every=0.1)
    assert not cloudflare.writes()


@pytest.mark.parametrize("fault", [hang, drop, half, garbage, lambda: status(502, b"<html/>"), lambda: status(520, b""), lambda: status(408, {})])
def test_passing_faults_are_tried_again(api, cloudflare, zone, fault):
    """Whatever breaks for a while is tried again with the same wish: after three faults the record is there, once."""
    cloudflare.fail(fault(), times=3)
    synced(api, record(api, zone, value="5.6.7.8"), timeout=30)
    assert cloudflare.values(HOME, "A") == ["5.6.7.8"]


def test_a_lost_answer_makes_no_second_record(api, cloudflare, zone):
    """A create whose answer was lost is not made twice: the vendor is read again, and one record stands there."""
    cloudflare.fail(lost(), times=1, where=writing)
    synced(api, record(api, zone, value="5.6.7.8"), timeout=30)
    assert cloudflare.values(HOME, "A") == ["5.6.7.8"]


def test_kill_after_a_lost_answer(api, cloudflare, zone):
    """The same over kill -9: the call went out, nobody knows; after the restart one record stands there."""
    cloudflare.fail(lost(), where=writing)
    record(api, zone, value="5.6.7.8")
    wait_until(cloudflare.writes, 10, "the call")
    api.server.kill()
    cloudflare.heal()
    api.server.start()
    api = api.server.client(token=api.token)
    r = api.get(f"{DOMAINS}/{zone['id']}/records").data["items"][0]
    synced(api, r, timeout=30)
    assert cloudflare.values(HOME, "A") == ["5.6.7.8"]


def test_retry_after_is_kept(api, cloudflare, zone):
    """429 with Retry-After: 2 means two seconds of silence, then success."""
    cloudflare.fail(status(429, {"success": False, "errors": [{"code": 10429, "message": "m"}], "messages": [], "result": None}, retry_after="2"), times=1)
    synced(api, record(api, zone, value="5.6.7.8"), timeout=30)
    assert cloudflare.seen[1].at - cloudflare.seen[0].at >= 1.95


def test_a_bad_token_stops_and_heals(api, cloudflare):
    """A refused token is not hammered: one error with a reason and without the token; a good one heals it."""
    zone = domain(api, provider="cloudflare", credentials={"api_token": "wrong-token"})
    r = record(api, zone, value="5.6.7.8")
    assert "wrong-token" not in wait_record(api, r, sync_status="error")["last_error"]
    asked = len(cloudflare.seen)
    other = record(api, zone, "two", value="5.6.7.8")
    wait_record(api, other, sync_status="error")
    assert len(cloudflare.seen) <= asked + 2
    api.patch(f"{DOMAINS}/{zone['id']}", {"credentials": {"api_token": TOKEN}})
    synced(api, r)


def test_gone_is_made_again(api, cloudflare, zone):
    """A record that somebody deleted at the vendor is made again at the next change."""
    r = record(api, zone, value="5.6.7.8")
    synced(api, r)
    cloudflare.records.clear()
    api.patch(f"/api/v1/records/{r['id']}", {"value": "5.6.7.9"})
    synced(api, r, "5.6.7.9")
    assert cloudflare.values(HOME, "A") == ["5.6.7.9"]


def test_deleting_what_is_gone_already(api, cloudflare, zone):
    """Deleting a record that is gone at the vendor is done, not an error for ever."""
    r = record(api, zone, value="5.6.7.8")
    synced(api, r)
    cloudflare.records.clear()
    before = len(cloudflare.seen)
    api.delete(f"/api/v1/records/{r['id']}")
    cloudflare.wait_requests(before + 1)
    synced(api, record(api, zone, "two", value="5.6.7.8"))




@pytest.mark.parametrize("v", params("cloudflare", "classify"))
def test_answers_to_a_change_are_classed(api, cloudflare, zone, v):
    """Every answer of the vectors to a change leads where its class says: done, stop, or try again and then succeed."""
    want, kind = v["input"]["response"], v["expect"]["class"]
    body = want.get("body_json", want.get("body", "").encode())
    r = record(api, zone, value="5.6.7.8")
    synced(api, r)
    cloudflare.fail(status(want["status"], body, **want.get("headers", {})), where=lambda q: q.method in ("PATCH", "PUT"), times=None if kind in ("auth", "fatal") else 1)
    api.patch(f"/api/v1/records/{r['id']}", {"value": "5.6.7.9"})
    if kind in ("auth", "fatal"):
        assert wait_record(api, r, sync_status="error")["last_error"]
    elif kind == "throttled":
        wait_until(lambda: get_record(api, r)["last_error"], 10, "a reason")
        assert len(cloudflare.writes()) == 2
    elif kind != "ok":
        synced(api, r, timeout=30)
        wait_until(lambda: cloudflare.values(HOME, "A") == ["5.6.7.9"], 10, "the value")


def test_requests_are_well_made(api, cloudflare, zone):
    """Each request has the token, JSON, our name as User-Agent, and Host as given."""
    synced(api, record(api, zone, value="5.6.7.8"))
    for q in cloudflare.seen:
        assert q.low["authorization"] == f"Bearer {TOKEN}" and q.low["user-agent"].startswith("homeport/")
        assert q.low["host"] == f"127.0.0.1:{cloudflare.port}"
        assert not q.body or q.low["content-type"].startswith("application/json")
