"""Alibaba Cloud DNS, played by a stand-in that verifies every signature; the vendor's own SDK judges them too."""
import pytest

from conftest import HASTE
from lib.ddns import DOMAINS, domain, get_record, record, synced, wait_record
from lib.fake_alidns import KEY_ID, KEY_SECRET
from lib.httpd import drop, garbage, half, hang, lost, status
from lib.vectors import judge, params
from lib.wait import wait_until

HOME = "home.example.test"
WRITES = ("AddDomainRecord", "UpdateDomainRecord", "DeleteDomainRecord")
writing = lambda r: r.low.get("x-acs-action") in WRITES


@pytest.fixture
def api(homeport, alidns):
    return homeport({**HASTE, "ddns.alidns.endpoint": alidns.endpoint}).admin()


@pytest.fixture
def zone(api):
    return domain(api, provider="alidns", credentials={"access_key_id": KEY_ID, "access_key_secret": KEY_SECRET})


def written(alidns):
    return [r.low["x-acs-action"] for r in alidns.actions(*WRITES)]


@pytest.mark.slow
def test_signatures_are_judged_by_the_vendor(api, alidns, zone, tmp_path):
    """Every kind of request verifies under the vendor's own SDK: wildcard, apex, spaces, quotes, Chinese, update and delete, all raw bytes."""
    made = [record(api, zone, *r) for r in (("*", "A", "5.6.7.8"), ("@", "AAAA", "2a00:1450::1"), ("t", "TXT", 'a b*c~d+e/f="g" 中文 %41'),
                                            ("m", "MX", "mail.example.com"), ("_srv._tcp", "SRV", "5 8080 host.example.com"))]
    for r in made:
        synced(api, r)
    api.patch(f"/api/v1/records/{made[0]['id']}", {"value": "5.6.7.9"})
    synced(api, made[0], "5.6.7.9")
    for r in made:
        api.delete(f"/api/v1/records/{r['id']}")
    wait_until(lambda: not alidns.records, 10, "all deleted")
    assert set(written(alidns)) == set(WRITES)
    assert len(alidns.verified) == len(alidns.seen)
    for verdict in judge(tmp_path / "judge", alidns.seen, {KEY_ID: KEY_SECRET}):
        assert verdict["ok"], verdict


def test_create_change_delete(api, alidns, zone):
    """A record is added once, updated under its RecordId and deleted; TTL and line stay, others are not touched."""
    alidns.add("other", "A", "9.9.9.9")
    r = record(api, zone, value="5.6.7.8")
    synced(api, r)
    at = next(x for x in alidns.records.values() if x["RR"] == "home")
    assert (at["Value"], at["TTL"], at["Line"]) == ("5.6.7.8", 600, "default")
    api.patch(f"/api/v1/records/{r['id']}", {"value": "5.6.7.9"})
    synced(api, r, "5.6.7.9")
    assert at["Value"] == "5.6.7.9"
    api.delete(f"/api/v1/records/{r['id']}")
    wait_until(lambda: not alidns.values("home", "A"), 10, "its deletion")
    assert written(alidns) == list(WRITES) and alidns.values("other", "A") == ["9.9.9.9"]


def test_our_mark(api, alidns, zone):
    """Records that homeport makes carry its remark."""
    synced(api, record(api, zone, value="5.6.7.8"))
    wait_until(lambda: "homeport" in next(x for x in alidns.records.values())["RR"] + next(x for x in alidns.records.values()).get("Remark", ""), 10, "the remark")


def test_an_equal_value_is_not_sent(api, alidns, zone):
    """The same value is not written again: no Update is called."""
    alidns.add("home", "A", "5.6.7.8")
    synced(api, record(api, zone, value="5.6.7.8"))
    assert written(alidns) == []


def test_rr_of_apex_and_wildcard(api, alidns, zone):
    """RR is @ for the domain itself and * for the wildcard."""
    for n in ("@", "*", "*.a"):
        synced(api, record(api, zone, n, value="5.6.7.8"))
    assert sorted(r["RR"] for r in alidns.records.values()) == ["*", "*.a", "@"]


def test_import_reads_every_page(api, alidns, zone):
    """Import reads all pages: 620 records arrive, and nothing is written at the vendor."""
    for i in range(620):
        alidns.add(f"n{i}", "A", "5.6.7.8")
    api.post(f"{DOMAINS}/{zone['id']}/import")
    wait_until(lambda: api.get(f"{DOMAINS}/{zone['id']}/records").data["total"] == 620, 30, "620 records", every=0.1)
    assert not alidns.writes()


@pytest.mark.parametrize("offset", [3600, -3600])
def test_a_wrong_clock_is_no_wrong_key(api, alidns, zone, offset):
    """InvalidTimeStamp.Expired with a Date header: homeport signs again with that time and succeeds."""
    alidns.clock_offset_s = offset
    synced(api, record(api, zone, value="5.6.7.8"))
    assert alidns.values("home", "A") == ["5.6.7.8"]


def test_every_request_has_a_new_nonce(api, alidns, zone):
    """Each request and each retry has its own nonce of 32 hex digits."""
    alidns.fail(status(503, {"Code": "ServiceUnavailable", "Message": "", "RequestId": "x"}), times=4)
    synced(api, record(api, zone, value="5.6.7.8"), timeout=30)
    nonces = [r.low["x-acs-signature-nonce"] for r in alidns.seen]
    assert len(set(nonces)) == len(nonces) and all(len(n) == 32 and int(n, 16) >= 0 for n in nonces)


@pytest.mark.parametrize("fault", [hang, drop, half, garbage, lambda: status(502, b"<html>bad gateway</html>"),
                                   lambda: status(500, {"Code": "InternalError", "Message": "", "RequestId": "x"}),
                                   lambda: status(400, {"Code": "SignatureNonceUsed", "Message": "", "RequestId": "x"}),
                                   lambda: status(503, {"code": "ServiceUnavailable", "message": "", "requestId": "x"})])
def test_passing_faults_are_tried_again(api, alidns, zone, fault):
    """Whatever breaks for a while is tried again: after three faults the record is there, once."""
    alidns.fail(fault(), times=3)
    synced(api, record(api, zone, value="5.6.7.8"), timeout=30)
    assert alidns.values("home", "A") == ["5.6.7.8"]


def test_a_lost_answer_makes_no_second_record(api, alidns, zone):
    """An Add whose answer was lost is not made twice: the vendor is read again, and one record stands there."""
    alidns.fail(lost(), times=1, where=writing)
    synced(api, record(api, zone, value="5.6.7.8"), timeout=30)
    assert alidns.values("home", "A") == ["5.6.7.8"]


def test_throttling_is_respected(api, alidns, zone):
    """x-acs-retry-after is milliseconds of silence, then success."""
    alidns.fail(status(429, {"Code": "Throttling.Api", "Message": "", "RequestId": "x"}, x_acs_retry_after="1500"), times=1)
    synced(api, record(api, zone, value="5.6.7.8"), timeout=30)
    assert alidns.seen[1].at - alidns.seen[0].at >= 1.45


def test_a_bad_key_stops_and_heals(api, alidns):
    """A wrong secret is marked with a reason and without the secret, not hammered; the right one heals it."""
    zone = domain(api, provider="alidns", credentials={"access_key_id": KEY_ID, "access_key_secret": "not-the-secret"})
    r = record(api, zone, value="5.6.7.8")
    assert "not-the-secret" not in wait_record(api, r, sync_status="error")["last_error"]
    assert len(alidns.seen) <= 2
    api.patch(f"{DOMAINS}/{zone['id']}", {"credentials": {"access_key_id": KEY_ID, "access_key_secret": KEY_SECRET}})
    synced(api, r)


def test_unknown_domain_is_fatal(api, alidns):
    """A domain that the account does not have is an error with a reason."""
    zone = domain(api, "nowhere.test", "alidns", {"access_key_id": KEY_ID, "access_key_secret": KEY_SECRET})
    assert wait_record(api, record(api, zone, value="5.6.7.8"), sync_status="error")["last_error"]


def test_gone_is_made_again(api, alidns, zone):
    """A record that somebody deleted at the vendor is made again at the next change."""
    r = record(api, zone, value="5.6.7.8")
    synced(api, r)
    alidns.records.clear()
    api.patch(f"/api/v1/records/{r['id']}", {"value": "5.6.7.9"})
    synced(api, r, "5.6.7.9")
    assert alidns.values("home", "A") == ["5.6.7.9"]


def test_it_stays_under_five_calls_a_second(api, alidns, zone):
    """Many changes at once are paced: never more than five calls in any second, and all arrive."""
    rs = [record(api, zone, f"n{i}", value="5.6.7.8") for i in range(12)]
    for r in rs:
        synced(api, r, timeout=60)
    at = [r.at for r in alidns.seen]
    assert max(sum(1 for t in at if start <= t < start + 0.95) for start in at) <= 6


@pytest.mark.parametrize("v", [p for p in params("alibaba-acs3", "classify") if p.id.startswith("acs3-")])
def test_answers_to_a_change_are_classed(api, alidns, zone, v):
    """Every answer of the vectors to a change leads where its class says: done, stop, or try again and then succeed."""
    want, kind = v["input"]["response"], v["expect"]["class"]
    r = record(api, zone, value="5.6.7.8")
    synced(api, r)
    alidns.fail(status(want["status"], want.get("body_json", want.get("body", "").encode()), **want.get("headers", {})),
                where=lambda q: q.low.get("x-acs-action") == "UpdateDomainRecord", times=None if kind in ("auth", "fatal") else 1)
    api.patch(f"/api/v1/records/{r['id']}", {"value": "5.6.7.9"})
    if kind in ("auth", "fatal"):
        assert wait_record(api, r, sync_status="error")["last_error"]
    elif kind == "throttled":
        wait_until(lambda: get_record(api, r)["last_error"], 10, "a reason")
    elif kind != "ok":
        synced(api, r, timeout=30)
        wait_until(lambda: alidns.values("home", "A") == ["5.6.7.9"], 10, "the value")
