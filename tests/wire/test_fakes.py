"""The stand-ins are as strict as the vendors: checked by the vectors that the vendors' own SDKs made."""
import base64
import calendar
import json
import socket
import time

import dns.tsig
import pytest

from lib.echo import Echo
from lib.fake_alidns import KEY_ID, KEY_SECRET, FakeAlidns
from lib.fake_cloudflare import FakeCloudflare
from lib.fake_dns import FakeDns
from lib.httpd import drop, garbage, half, hang, lost, status
from lib.rawhttp import exchange
from lib.tsig import signed
from lib.vectors import params, raw_request


def alidns_at(v, **kw):
    """A fake whose clock stands at the vector's time and which knows its key."""
    i = v["input"]
    f = FakeAlidns(domains=("example.com",), keys={i["access_key_id"]: i["access_key_secret"]}, **kw)
    at = calendar.timegm(time.strptime(i["date"], "%Y-%m-%dT%H:%M:%SZ"))
    f.now = lambda: at
    return f


@pytest.mark.parametrize("v", params("alibaba-acs3", "acs3.sign", "acs3.capture"))
def test_alidns_accepts_what_the_sdk_signs(v):
    """The fake gateway takes every request that the vendor's SDK signed: none of the vectors is refused for its signature."""
    with alidns_at(v) as f:
        raw = raw_request(v["expect"]["http"])
        code, _, body, _ = exchange(f.port, raw)
        assert len(f.verified) == 1, body
        assert exchange(f.port, raw)[0] == 400 and len(f.verified) == 1  # the same nonce again
        broken = raw.replace(b"Signature=", b"Signature=0", 1) if b"RR=" not in raw else raw.replace(b"RR=", b"RR=x", 1)
        assert exchange(f.port, broken)[0] == 400 and len(f.verified) == 1


@pytest.mark.parametrize("v", [p for p in params("alibaba-acs3", "acs3.capture") if p.values[0] is None or p.values[0]["input"]["product"] == "alidns"])
def test_alidns_answers_in_the_vendors_shape(v):
    """The fake's answers have the fields of the recorded ones: compared name by name for each operation."""
    with alidns_at(v) as f:
        f.add("home", "A", "192.0.2.1", "example.com")
        code, _, body, _ = exchange(f.port, raw_request(v["expect"]["http"]))
        assert code == 200, body
        assert shape(json.loads(body)) == shape(v["input"]["reply"])


def shape(x):
    if isinstance(x, dict):
        return {k: shape(v) for k, v in sorted(x.items())}
    return [shape(v) for v in x[:1]] if isinstance(x, list) else type(x).__name__


@pytest.mark.parametrize("change, code", [
    (dict(date="2020-01-01T00:00:00Z"), "InvalidTimeStamp.Expired"),
    (dict(date="yesterday"), "InvalidTimeStamp.Format"),
    (dict(key_id="nobody"), "InvalidAccessKeyId.NotFound"),
    (dict(secret="wrong"), "SignatureDoesNotMatch"),
    (dict(leave_out="x-acs-signature-nonce"), "IncompleteSignature"),
])
def test_alidns_refuses(change, code):
    """The fake gateway refuses as the vendor documents: one fault a request, by its code."""
    import hashlib
    from lib.fake_alidns import sign
    from lib.httpd import Request
    with FakeAlidns() as f:
        key, secret = change.get("key_id", KEY_ID), change.get("secret", KEY_SECRET)
        headers = {"host": f"127.0.0.1:{f.port}", "x-acs-action": "DescribeDomainRecords", "x-acs-version": "2015-01-09",
                   "x-acs-date": change.get("date", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())),
                   "x-acs-signature-nonce": "0" * 32, "x-acs-content-sha256": hashlib.sha256(b"").hexdigest()}
        names = sorted(n for n in headers if n != change.get("leave_out"))
        r = Request("POST", "/?DomainName=example.test", list(headers.items()), b"", b"")
        headers["authorization"] = f"ACS3-HMAC-SHA256 Credential={key},SignedHeaders={';'.join(names)},Signature={sign(r, names, secret)}"
        _, _, body, _ = exchange(f.port, raw_request({"method": "POST", "target": r.target, "headers": headers}))
        assert json.loads(body)["Code"] == code


@pytest.mark.parametrize("v", params("cloudflare", "cloudflare.capture"))
def test_cloudflare_takes_what_the_sdk_sends(v):
    """The fake serves each recorded SDK call with the recorded status and the same fields."""
    with FakeCloudflare(zones=("example.com",), token="other" if "reply_status" in v["input"] else "cf-example-token-0001") as f:
        f.zones = {"023e105f4ecef8ad9ca31a8372d0c353": "example.com"}
        if v["input"]["call"] != "dns.records.create":
            f.add("home.example.com", "A", "192.0.2.1", "example.com", id="372e67954025e0ba6aaa6d586b9e0b59")
        code, _, body, _ = exchange(f.port, raw_request(v["expect"]["http"]))
        body, want = json.loads(body), v["input"]["reply"]
        assert code == v["input"].get("reply_status", 200), body
        assert (body["success"], [e["code"] for e in body["errors"]]) == (want["success"], [e["code"] for e in want["errors"]])
        body.get("result_info", {}).pop("total_pages", None), want.get("result_info", {}).pop("total_pages", None)
        assert shape(body["result"]) == shape(want["result"]) and shape(body.get("result_info")) == shape(want.get("result_info"))


@pytest.mark.parametrize("v", params("cloudflare", "classify") + params("alibaba-acs3", "classify"))
def test_faults_serve_the_vendors_answers(v):
    """A programmed fault sends a classification vector's answer as it stands: status, headers and body compared."""
    want = v["input"]["response"]
    with FakeCloudflare() as f:
        f.fail(status(want["status"], want.get("body_json", want.get("body", "").encode()), **want.get("headers", {})), times=1)
        code, headers, body, _ = exchange(f.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert code == want["status"] and want.get("headers", {}).items() <= headers.items()
        assert json.loads(body) == want["body_json"] if "body_json" in want else body.decode() == want["body"]


def test_cloudflare_documented_refusals():
    """Each documented refusal comes with its code: identical, CNAME beside A, gone, wrong value, wrong ttl, no such zone."""
    with FakeCloudflare() as f:
        zone = f"/client/v4/zones/{f.zone_id('example.test')}/dns_records"
        head = {"Host": "x", "Authorization": f"Bearer {f.token}", "Connection": "close"}

        def call(method, target, body=None):
            http = {"method": method, "target": target, "headers": head, **({"body_json": body} if body else {})}
            code, _, out, _ = exchange(f.port, raw_request(http))
            out = json.loads(out)
            return code, [e["code"] for e in out["errors"]], out["result"]

        a = {"name": "a.example.test", "type": "A", "content": "5.6.7.8", "ttl": 60}
        assert call("POST", zone, a)[0] == 200
        assert call("POST", zone, a)[:2] == (400, [81058])
        assert call("POST", zone, {**a, "type": "CNAME", "content": "b.example.test"})[:2] == (400, [81053])
        assert call("POST", zone, {**a, "content": "::1"})[:2] == (400, [9005])
        assert call("POST", zone, {**a, "content": "5.6.7.9", "ttl": 59})[:2] == (400, [1004])
        assert call("DELETE", zone + "/nope")[:2] == (404, [81044])
        assert call("GET", "/client/v4/zones/nope/dns_records")[:2] == (404, [7003])
        assert f.values("a.example.test", "A") == ["5.6.7.8"]


def test_http_faults():
    """Every fault does what its name says, seen by a raw client: half, garbage, drop, hang, lost; and healing ends them."""
    get = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with Echo("5.6.7.8") as e:
        e.fail(half(), times=1)
        assert exchange(e.port, get)[2] == b'{"success": true, "re'
        e.fail(garbage(), times=1)
        assert b"<html>" in exchange(e.port, get)[2]
        e.fail(drop(), times=1)
        assert exchange(e.port, get)[0] == 0
        e.fail(lost(), times=1)
        assert exchange(e.port, get)[0] == 0
        e.fail(hang())
        with pytest.raises(TimeoutError):
            exchange(e.port, get, timeout=0.2)
        e.heal()
        assert exchange(e.port, get)[2] == b"5.6.7.8\n"
        assert len(e.seen) == 6 and e.seen[0].raw == get


@pytest.mark.parametrize("v", params("dns-update", "tsig.update"))
def test_tsig_helper_signs_like_the_vectors(v):
    """Our signing helper is right: byte-equal with the vectors' signed updates."""
    i, e = v["input"], v["expect"]
    key = dns.tsig.Key(i["key_name"], i["key_base64"], i["algorithm"])
    assert signed(bytes.fromhex(e["unsigned_hex"]), key, i["time"], i["fudge"]).hex() == e["signed_hex"]


def test_fake_dns_speaks_to_dnspython(knot):
    """The fake DNS server and Knot mean the same to dnspython: an update is taken by both, BADTIME and BADKEY are told."""
    import dns.query
    import dns.update
    from lib.knot import KEY_NAME, SECRET

    def send(port, secret=SECRET):
        u = dns.update.Update("example.test", keyring=dns.tsig.Key(KEY_NAME, secret, "hmac-sha256"))
        u.replace("home", 60, "A", "5.6.7.8")
        return dns.query.udp(u, "127.0.0.1", port=port, timeout=5).rcode()

    assert send(knot.port) == 0 and knot.values("home.example.test", "A", ttl=True) == [(60, "5.6.7.8")]
    with FakeDns() as f:
        assert send(f.port) == 0 and len(f.taken) == 1
        f.mode = "BADTIME"
        with pytest.raises(dns.tsig.PeerBadTime):
            send(f.port)
    for port in (knot.port,):
        with pytest.raises((dns.tsig.PeerBadSignature, dns.tsig.PeerBadKey)):
            send(port, base64.b64encode(b"y" * 32).decode())


def test_knot_stop_freeze_restart(knot):
    """The Knot fixture does what the tests ask of it: values survive a restart, a frozen one is silent and comes back."""
    before = knot.serial()
    knot.update(("add", "a", 60, "A", "5.6.7.8"), ("add", "a", 60, "A", "5.6.7.9"))
    assert knot.serial() > before and knot.values("a.example.test", "A") == ["5.6.7.8", "5.6.7.9"]
    knot.stop()
    assert knot.values("a.example.test", "A") is None
    knot.start()
    assert knot.values("a.example.test", "A") == ["5.6.7.8", "5.6.7.9"]
    knot.freeze()
    assert knot.serial() is None
    knot.thaw()
    knot.wait_values("a.example.test", "A", ["5.6.7.8", "5.6.7.9"])
    assert knot.serial("second.test") == 1


def test_namespace_is_private(netns):
    """The namespace fixture isolates: an address given there is seen there, and its only routes are its own."""
    import subprocess
    netns.interface("wan0")
    subprocess.run(["ip", "addr", "add", "5.6.7.8/24", "dev", "wan0"], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("5.6.7.8", 0))
    with Echo("x") as e:
        assert exchange(e.port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[0] == 200
