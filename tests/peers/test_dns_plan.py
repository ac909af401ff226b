"""`homeport dns plan`: what would change at the providers, told beforehand, with nothing changed."""
import re

from conftest import HASTE
from lib.ddns import DOMAINS, CALLBACK, domain, record, synced
from lib.fake_alidns import KEY_ID, KEY_SECRET
from lib.fake_cloudflare import TOKEN


def plan(h):
    r = h.cli("dns", "plan")
    rows = {}
    for line in r.stdout.splitlines()[:-1]:
        mark, name, kind, detail = re.fullmatch(r"(\S.*?\S|\?) {2,}(\S+) +([A-Z]+) {2,}(.*)", line).groups()
        rows[name, kind] = (mark, detail)
    return r, rows


def test_plan_knot(homeport, knot):
    """With the server running and stopped: equal, changed, gone and switched-off records at a real DNS server."""
    h = homeport(HASTE)
    a = h.admin()
    z = domain(a, credentials=knot.credentials)
    for name, kind, value, more in (("home", "A", "5.6.7.8", {}), ("gone", "A", "5.6.7.8", {}), ("moved", "A", "5.6.7.8", {}),
                                    ("t", "TXT", "v=spf1 -all", {}), ("m", "MX", "mail.example.com", {"priority": 5}), ("ttl", "AAAA", "2a00:1450::1", {})):
        synced(a, record(a, z, name, kind, value, **more))
    record(a, z, "dyn", dynamic=True)
    record(a, z, "off", value="5.6.7.8", is_active=False)
    r, rows = plan(h)
    assert r.returncode == 0 and {m for m, _ in rows.values()} == {"= same", "?"}, r.stdout
    knot.update(("delete", "gone", "A"), ("replace", "moved", 60, "A", "9.9.9.9"), ("delete", "m", "MX"),
                ("add", "m", 600, "MX", "6 mail.example.com."), ("replace", "ttl", 77, "AAAA", "2a00:1450::1"))
    serial = knot.serial()
    for stop in (False, True):
        if stop:
            h.stop()
        r, rows = plan(h)
        print(r.stdout, r.stderr)
        assert r.returncode == 0 and r.stdout.splitlines()[-1] == "plan: 2 to create, 2 to change, 2 in place, 1 unknown"
        assert rows["home.example.test", "A"] == ("= same", "5.6.7.8")
        assert rows["gone.example.test", "A"] == ("+ create", "5.6.7.8")
        assert rows["moved.example.test", "A"] == ("~ change", "9.9.9.9 -> 5.6.7.8")
        assert rows["m.example.test", "MX"] == ("+ create", "5 mail.example.com")  # the other one is somebody else's
        assert rows["ttl.example.test", "AAAA"] == ("~ change", "2a00:1450::1 ttl 77 -> 600")
        assert rows["dyn.example.test", "A"] == ("?", "no address so far")
    assert knot.serial() == serial


def test_plan_vendors(homeport, cloudflare, alidns):
    """Vendors with ids, and a callback that cannot be asked; wrong credentials are an error with words, and exit code 1."""
    h = homeport({**HASTE, "ddns.cloudflare.endpoint": cloudflare.endpoint, "ddns.alidns.endpoint": alidns.endpoint})
    a = h.admin()
    c = domain(a, provider="cloudflare", credentials={"api_token": TOKEN})
    for i in range(9):
        synced(a, record(a, c, f"n{i}", value=f"5.6.7.{i}", ttl=120))
    synced(a, record(a, c, "p", value="5.6.7.8", proxied=True))
    u = h.user("ali") if hasattr(h, "user") else a
    d = domain(u, provider="alidns", credentials={"access_key_id": KEY_ID, "access_key_secret": KEY_SECRET})
    for i in range(3):
        synced(u, record(u, d, f"a{i}", value=f"5.6.7.{i}"))
    writes = len(cloudflare.writes()), len(alidns.writes())
    r, rows = plan(h)
    assert r.returncode == 0 and r.stdout.splitlines()[-1] == "plan: 0 to create, 0 to change, 13 in place, 0 unknown", r.stdout
    one, two, three = [next(x for x in cloudflare.records.values() if x["name"] == f"n{i}.example.test") for i in range(3)]
    one["content"], two["ttl"] = "9.9.9.9", 300
    del cloudflare.records[three["id"]]
    next(x for x in cloudflare.records.values() if x["name"] == "p.example.test")["proxied"] = False
    alidns.add("a9", "A", "9.9.9.9"); alidns.add("a9", "A", "9.9.9.8")
    h.stop()
    r, rows = plan(h)
    print(r.stdout, r.stderr)
    assert rows["n0.example.test", "A"] == ("~ change", "9.9.9.9 -> 5.6.7.0")
    assert rows["n1.example.test", "A"] == ("~ change", "5.6.7.1 ttl 300 -> 120")
    assert rows["n2.example.test", "A"] == ("+ create", "5.6.7.2")
    assert rows["p.example.test", "A"] == ("~ change", "5.6.7.8 direct -> proxied")
    assert r.returncode == 0
    assert (len(cloudflare.writes()), len(alidns.writes())) == writes
    h.start()
    a = h.login("root-admin")
    e = domain(a, "other.test", "callback", CALLBACK)
    record(a, e, value="5.6.7.8")
    record(h.login("ali"), d, "a9", value="5.6.7.9")
    a.patch(f"{DOMAINS}/{c['id']}", {"credentials": {"api_token": "wrong" * 8}, "is_active": True})
    r, rows = plan(h)
    print(r.stdout, r.stderr)
    assert r.returncode == 1
    assert rows["home.other.test", "A"] == ("?", "provider cannot list")
    assert rows["a9.example.test", "A"][0] == "! error"
    assert rows["n0.example.test", "A"][0] == "! error"
