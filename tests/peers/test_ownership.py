"""What homeport wrote it takes away again, also when it never heard that the write had worked; what was there before stays."""
import threading

import pytest

from conftest import HASTE
from lib.ddns import DOMAINS, SOURCES, domain, get_record, record, source, synced, wait_record
from lib.fake_alidns import KEY_ID, KEY_SECRET
from lib.fake_cloudflare import TOKEN
from lib.fake_dns import FakeDns
from lib.httpd import applied, drop, hang, held, lost, status
from lib.knot import SECRET
from lib.wait import wait_until

VALUE, OTHER = "5.6.7.8", "5.6.7.9"


class Cloudflare:
    refusal = {"success": False, "errors": [{"code": 1004, "message": "m"}], "messages": [], "result": None}

    def __init__(self, fake):
        self.fake, self.credentials = fake, {"api_token": TOKEN}

    def change_key(self):
        self.fake.token = "cf-example-token-0002"
        return {"api_token": self.fake.token}

    def make(self, name, value):
        return self.fake.add(f"{name}.example.test", "A", value, ttl=600)

    def values(self, name="home"):
        return self.fake.values(f"{name}.example.test", "A")

    adding = staticmethod(lambda r: r.method == "POST")
    changing = staticmethod(lambda r: r.method == "PATCH")
    listing = staticmethod(lambda r: r.method == "GET")


class Alidns:
    refusal = {"Code": "RecordForbidden.DNSChange", "Message": "m", "RequestId": "x"}

    def __init__(self, fake):
        self.fake, self.credentials = fake, {"access_key_id": KEY_ID, "access_key_secret": KEY_SECRET}

    def change_key(self):
        self.fake.keys = {KEY_ID: "ExampleSecret0000000000000000002"}
        return {"access_key_id": KEY_ID, "access_key_secret": self.fake.keys[KEY_ID]}

    def make(self, name, value):
        return self.fake.add(name, "A", value)

    def values(self, name="home"):
        return self.fake.values(name, "A")

    adding = staticmethod(lambda r: r.low.get("x-acs-action") == "AddDomainRecord")
    changing = staticmethod(lambda r: r.low.get("x-acs-action") == "UpdateDomainRecord")
    listing = staticmethod(lambda r: r.low.get("x-acs-action") == "DescribeSubDomainRecords")


@pytest.fixture(params=["cloudflare", "alidns"])
def at(request):
    return {"cloudflare": Cloudflare, "alidns": Alidns}[request.param](request.getfixturevalue(request.param))


@pytest.fixture
def api(request, homeport, at):
    return homeport({**HASTE, f"ddns.{type(at).__name__.lower()}.endpoint": at.fake.endpoint}).admin()


@pytest.fixture
def zone(api, at):
    return domain(api, provider=type(at).__name__.lower(), credentials=at.credentials)


def delete(api, r):
    api.delete(f"/api/v1/records/{r['id']}")


def unmark(at):
    """Somebody has emptied the remark field."""
    with at.fake.lock:
        for r in at.fake.records.values():
            r.update({k: "" for k in ("Remark", "comment") if k in r})


def create_unheard_and_delete(api, at, zone, fault):
    """A record whose create worked, though its answer did not say so, is deleted before anybody has looked."""
    at.fake.fail(fault, times=1, where=at.adding)
    r = record(api, zone, value=VALUE)
    wait_until(at.values, 10, "the record at the provider")
    at.fake.fail(status(503, b""), where=at.listing)
    delete(api, r)
    at.fake.heal()


def removals_done(api):
    """Nothing is left to be done: whatever a DELETE wanted at the provider has happened."""
    wait_until(lambda: not [t for t in api.all("/api/v1/tasks") if t["status"] in ("pending", "processing")
                            and t["kind"] in ("dns_remove", "dns_push")], 20, "the end of all pushes and removals")


@pytest.mark.parametrize("fault", [lost, lambda: applied(status(502, b"<html/>")), lambda: applied(status(500, b""))], ids=["lost", "502", "500"])
def test_a_create_that_nobody_heard_of_is_ours(api, at, zone, fault):
    """The create worked and its answer did not say so: the record is found again as ours, so DELETE takes it away."""
    at.fake.fail(fault(), times=1, where=at.adding)
    r = record(api, zone, value=VALUE)
    synced(api, r, timeout=30)
    assert at.values() == [VALUE]
    delete(api, r)
    removals_done(api)
    assert at.values() == []


@pytest.mark.parametrize("fault", [lost, lambda: applied(status(502, b"<html/>"))], ids=["lost", "502"])
def test_a_create_that_nobody_heard_of_is_taken_away_at_once(api, at, zone, fault):
    """The record is deleted while nobody knows yet whether its create worked: what it made is looked for and taken away."""
    create_unheard_and_delete(api, at, zone, fault())
    removals_done(api)
    assert at.values() == []


def test_a_value_wanted_again_while_it_is_looked_for(api, at, zone):
    """What a create left is being looked for, to be taken away, when another record comes to want it: DELETE of that one takes it away."""
    go_on = threading.Event()
    create_unheard_and_delete(api, at, zone, lost())
    at.fake.fail(held(go_on), where=at.listing)
    wait_until(lambda: [t for t in api.all("/api/v1/tasks") if t["kind"] == "dns_remove" and t["status"] == "processing"], 20, "the removal's look")
    second = record(api, zone, value=VALUE)
    go_on.set()
    synced(api, second, timeout=30)
    removals_done(api)
    assert at.values() == [VALUE]
    delete(api, second)
    removals_done(api)
    assert at.values() == []


def test_a_value_left_to_a_sibling_without_a_write(api, at, zone):
    """A record moves to a value that somebody made by hand, so nothing is written; the value that it had is another record's now, and goes with that one."""
    first = record(api, zone, value=VALUE, ttl=600)
    synced(api, first)
    unmark(at)
    at.make("home", OTHER)
    at.fake.fail(status(503, b""), where=at.listing)
    api.patch(f"/api/v1/records/{first['id']}", {"value": OTHER})
    second = record(api, zone, value=VALUE, ttl=600)
    at.fake.heal()
    synced(api, first, timeout=30)
    synced(api, second, timeout=30)
    assert at.values() == [VALUE, OTHER]
    delete(api, second)
    removals_done(api)
    assert at.values() == [OTHER]


def test_a_create_before_a_kill_is_ours(api, at, zone):
    """homeport is killed between the call and its answer: after the restart the record is ours, and DELETE takes it away."""
    at.fake.fail(lost(), where=at.adding)
    record(api, zone, value=VALUE)
    wait_until(at.values, 10, "the record at the provider")
    api.server.kill()
    at.fake.heal()
    api.server.start()
    api = api.server.client(token=api.token)
    r = api.get(f"{DOMAINS}/{zone['id']}/records").data["items"][0]
    synced(api, r, timeout=30)
    delete(api, r)
    removals_done(api)
    assert at.values() == []


def test_a_change_that_nobody_heard_of_leaves_nothing(api, at, zone):
    """A change whose answer was lost, and another change at once: one record stands there, and DELETE leaves none."""
    r = record(api, zone, value=VALUE)
    synced(api, r)
    at.fake.fail(lost(), times=1, where=at.changing)
    api.patch(f"/api/v1/records/{r['id']}", {"value": OTHER})
    wait_until(lambda: at.values() == [OTHER], 10, "the change")
    api.patch(f"/api/v1/records/{r['id']}", {"value": "5.6.7.10"})
    synced(api, r, "5.6.7.10", timeout=30)
    removals_done(api)
    assert at.values() == ["5.6.7.10"]
    delete(api, r)
    removals_done(api)
    assert at.values() == []


def test_a_handmade_record_with_the_same_value_stays(api, at, zone):
    """Somebody's own record that has our value already is never written, so DELETE leaves it, whatever broke while reading."""
    made = at.make("home", VALUE)
    at.fake.fail(drop(), times=2, where=at.listing)
    r = record(api, zone, value=VALUE)
    synced(api, r, timeout=30)
    delete(api, r)
    removals_done(api)
    assert at.values() == [VALUE] and made in at.fake.records.values()


def test_a_handmade_record_stays_when_the_list_never_came(api, at, zone):
    """The record is deleted before the provider was read even once: no call that writes has left, so nothing there is ours."""
    at.make("home", VALUE)
    at.fake.fail(status(503, b""), where=at.listing)
    r = record(api, zone, value=VALUE)
    wait_until(lambda: get_record(api, r)["last_error"], 10, "a first failure")
    delete(api, r)
    at.fake.heal()
    other = record(api, zone, "other", value=VALUE)
    synced(api, other, timeout=30)
    removals_done(api)
    assert at.values() == [VALUE]


def test_a_refused_create_claims_nothing(api, at, zone):
    """The provider refused the create and the user made the record by hand: homeport finds it, and DELETE leaves it."""
    at.fake.fail(status(400, at.refusal), times=1, where=at.adding)
    r = record(api, zone, value=VALUE)
    wait_record(api, r, sync_status="error")
    at.make("home", VALUE)
    api.post(f"/api/v1/records/{r['id']}/sync")
    synced(api, r)
    delete(api, r)
    removals_done(api)
    assert at.values() == [VALUE]


def test_two_records_swap_their_values(api, at, zone):
    """Two records of one name take each other's value: both values stand there afterwards, once each, and go with their records."""
    a, b = record(api, zone, value=VALUE), record(api, zone, value=OTHER)
    synced(api, a), synced(api, b)
    assert at.values() == [VALUE, OTHER]
    api.patch(f"/api/v1/records/{a['id']}", {"value": "5.6.7.10"})
    api.patch(f"/api/v1/records/{b['id']}", {"value": VALUE})
    api.patch(f"/api/v1/records/{a['id']}", {"value": OTHER})
    synced(api, a, OTHER, timeout=30), synced(api, b, VALUE, timeout=30)
    assert at.values() == [VALUE, OTHER]
    delete(api, a)
    removals_done(api)
    assert at.values() == [VALUE]
    delete(api, b)
    removals_done(api)
    assert at.values() == []


@pytest.mark.parametrize("mover", [0, 1])
def test_one_record_serves_two_uplinks(api, at, zone, mover):
    """Two uplinks of one name have the same address for a while: whichever moves on, the other's value stays, and nothing in the end."""
    sources = [source(api, "pushed", name=f"line {i}", value=v) for i, v in enumerate((VALUE, OTHER))]
    rs = [record(api, zone, dynamic=True, source_id=s["id"]) for s in sources]
    synced(api, rs[0], VALUE, timeout=30), synced(api, rs[1], OTHER, timeout=30)
    api.patch(f"{SOURCES}/{sources[1]['id']}", {"value": VALUE})
    synced(api, rs[1], VALUE, timeout=30)
    wait_until(lambda: at.values() == [VALUE], 10, "one record")
    api.patch(f"{SOURCES}/{sources[mover]['id']}", {"value": "5.6.7.10"})
    synced(api, rs[mover], "5.6.7.10", timeout=30)
    removals_done(api)
    assert at.values() == ["5.6.7.10", VALUE]
    for r in rs:
        delete(api, r)
    removals_done(api)
    assert at.values() == []


def removals(api):
    return [t for t in api.all("/api/v1/tasks") if t["kind"] == "dns_remove"]


@pytest.mark.parametrize("is_restarted", [False, True], ids=["running", "restarted"])
def test_a_refused_removal_waits_for_other_credentials(api, at, zone, is_restarted):
    """The key is not taken any more when a record is deleted: its removal waits, says why, and is done when the domain gets a new key."""
    r = record(api, zone, value=VALUE)
    synced(api, r)
    credentials = at.change_key()
    delete(api, r)
    task = wait_until(lambda: next((t for t in removals(api) if t["error_message"]), None), 10, "a refusal")
    assert task["status"] == "pending" and task["run_at"] and at.values() == [VALUE]
    if is_restarted:
        api.server.kill()
        api.server.start()
        api = api.server.client(token=api.token)
    api.patch(f"{DOMAINS}/{zone['id']}", {"credentials": credentials})
    wait_until(lambda: at.values() == [], 10, "the removal")
    wait_until(lambda: [t["status"] for t in removals(api)] == ["completed"], 10, "its end")


def test_every_refused_removal_is_tried_again(homeport):
    """More removals than one step takes are refused; with new credentials all of them are done."""
    api = homeport(HASTE).admin()
    credentials = {"key_name": "homeport-key", "algorithm": "hmac-sha256", "secret": SECRET}
    with FakeDns() as server:
        zone = domain(api, credentials={**credentials, "server": server.server})
        made = [record(api, zone, f"n{i}", "TXT", "x") for i in range(130)]
        wait_until(lambda: all(r["sync_status"] == "synced" for r in api.all(f"{DOMAINS}/{zone['id']}/records")), 30, "130 records")
        server.mode = "REFUSED"
        for r in made:
            delete(api, r)
        wait_until(lambda: len([t for t in removals(api) if t["status"] == "pending" and t["error_message"]]) == 130, 30, "130 refusals")
        server.mode = "ok"
        api.patch(f"{DOMAINS}/{zone['id']}", {"credentials": {**credentials, "server": server.server}})
        wait_until(lambda: [t["status"] for t in removals(api)] == ["completed"] * 130, 30, "130 removals")


def test_a_refused_removal_can_be_called_off(api, at, zone):
    """A removal that waits for other credentials is a task like any other: called off, it is not tried again."""
    r = record(api, zone, value=VALUE)
    synced(api, r)
    credentials = at.change_key()
    delete(api, r)
    task = wait_until(lambda: next((t for t in removals(api) if t["error_message"]), None), 10, "a refusal")
    api.post(f"/api/v1/tasks/{task['id']}/cancel")
    api.patch(f"{DOMAINS}/{zone['id']}", {"credentials": credentials})
    synced(api, record(api, zone, "other", value=VALUE))
    assert [t["status"] for t in removals(api)] == ["cancelled"] and at.values() == [VALUE]


def test_a_push_called_off_keeps_its_place(api, at, zone):
    """A running push is called off and asked for anew: the new one waits until the answer of the old one's call is in."""
    at.fake.fail(hang(), times=1, where=at.listing)
    r = record(api, zone, value=VALUE)
    first = at.fake.wait_requests(1)[0]
    task = next(t for t in api.all("/api/v1/tasks") if t["kind"] == "dns_push")
    assert api.post(f"/api/v1/tasks/{task['id']}/cancel").data["status"] == "cancelled"
    assert get_record(api, r)["sync_status"] == "error"
    api.post(f"/api/v1/records/{r['id']}/sync")
    second = at.fake.wait_requests(2)[1]
    assert second.at - first.at >= 1.9  # net.timeout is 2 s
    synced(api, r)
    assert at.values() == [VALUE]
