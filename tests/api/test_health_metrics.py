"""Health, metrics, logs, and the secrets that must be in none of them (S12, S37)."""
import json
import re
from concurrent.futures import ThreadPoolExecutor

from lib.ddns import api_key, domain, quiet_domain, record
from lib.homeport import PASSWORD
from lib.schema import TIME

SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? ([-+]?(?:[\d.]+(?:[eE][-+]?\d+)?|Inf|NaN))(?: \d+)?$')


def samples(text):
    """Parses the Prometheus text format strictly; name -> {labels text: value}."""
    types, out = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram", "summary", "untyped"), line
            types[name] = kind
        elif line and not line.startswith("#"):
            m = SAMPLE.match(line)
            assert m, f"not Prometheus text: {line!r}"
            family = re.sub(r"_(bucket|sum|count)$", "", m[1])
            assert m[1] in types or family in types, f"{m[1]} has no TYPE"
            assert m[2] not in out.setdefault(m[1], {}), f"twice: {line}"
            out[m[1]][m[2]] = float(m[3])
    assert types and text.endswith("\n")
    return out


def test_health(server):
    """/health tells each part's state without a sign-in; /livez and /readyz are 200."""
    h = server.client().get("/health").body
    assert h["status"] == "healthy" and TIME.match(h["timestamp"]) and h["version"]
    assert h["components"]["store"]["status"] == "up" and h["components"]["store"]["latency_ms"] >= 0
    for path in ("/livez", "/readyz"):
        assert server.client().get(path).status == 200


def test_a_dead_provider_is_no_sickness(homeport):
    """A provider that is down fails neither health nor readiness: a record that cannot be pushed, all still 200."""
    h = homeport()
    a = h.admin()
    r = record(a, domain(a, "dead.test", "callback", {"url": "http://127.0.0.1:9/x"}), value="5.6.7.8")
    from lib.ddns import wait_record
    wait_record(a, r, sync_status="pending")
    for path in ("/health", "/readyz", "/livez"):
        a.get(path)


def test_metrics_are_prometheus_text(server, admin):
    """/metrics is well-formed Prometheus text, and requests are counted by route and status."""
    route = "/api/v1/users/me"
    count = lambda: sum(v for k, v in next(s for n, s in samples(server.client().get("/metrics").text).items()
                                          if "request" in n and n.endswith("_total")).items() if k and route in k and '200' in k)
    before = count()
    for _ in range(5):
        admin.get(route)
    assert count() == before + 5
    text = server.client().get("/metrics").text
    for word in ("request", "queue|tasks", "push", "commit", "loop", "memory|resident", "fds|descriptors", "audit"):
        assert re.search(rf"^homeport_\w*({word})|^process_\w*({word})", text, re.M), f"no metric about {word}"


def test_metrics_labels_are_bounded(server):
    """Labels come from the route table, not from callers: unknown paths and ids add no series."""
    names = lambda: {(n, k) for n, s in samples(server.client().get("/metrics").text).items() for k in s}
    server.client().get("/nope", expect=404)
    before = names()
    for i in range(50):
        server.client().get(f"/nope{i}", expect=404)
        server.client().get(f"/api/v1/domains/{i + 1}", expect=401)
    extra = names() - before
    assert len(extra) < 20 and not [k for _, k in extra if k and "nope" in k], extra


def test_metrics_are_not_public(homeport):
    """From elsewhere /metrics needs its token: a LAN caller is refused without, and served with it (S37)."""
    h = homeport({"http.trusted_proxies": "127.0.0.1/32", "metrics.token": "scrape-me-please"})
    lan = h.client(headers={"X-Forwarded-For": "192.168.1.9"})
    lan.get("/metrics", expect=(401, 403))
    assert lan.get("/metrics", headers={"authorization": "Bearer scrape-me-please"}).status == 200
    lan.get("/metrics", headers={"authorization": "Bearer scrape-me-pleasE"}, expect=(401, 403))


def test_logs_are_json_lines(homeport):
    """The log is one JSON object a line, and an error's request id finds it there."""
    h = homeport({"log.access": "true"})
    rid = h.client().get("/api/v1/nope", headers={"X-Request-Id": "find-me-0001"}, expect=404).headers["x-request-id"]
    h.stop()
    lines = [x for x in h.lines if x.strip() and "setup" not in x]
    parsed = [json.loads(x) for x in lines if x.startswith("{")]
    assert not [x for x in lines[lines.index(next(x for x in lines if "listens on" in x)) + 1:] if not x.startswith("{")], lines
    assert [p for p in parsed if rid in json.dumps(p)]


def test_secrets_are_nowhere(homeport):
    """Planted secrets come to light nowhere: not in logs at the finest level, metrics, audit, answers or, unsealed, on disk (S12)."""
    h = homeport({"log.level": "debug", "log.access": "true", "metrics.token": "canary-metrics-token-77"})
    a = h.admin()
    key = api_key(a)["key"].split("_")[2]
    secrets = {"canary-password-8f3a": None, "canary-api-token-91bc": None, "canary-key-secret-55de": None, key: None,
               a.token.split(".")[2]: None, a.refresh.split(".")[2]: None, "canary-metrics-token-77": None, PASSWORD: None}
    a.post("/api/v1/auth/register", {"username": "canary", "email": "c@example.test", "password": "canary-password-8f3a"})
    a.post("/api/v1/auth/login", {"account": "canary", "password": "canary-password-8f3a"})
    a.post("/api/v1/auth/login", {"account": "canary", "password": "canary-password-8f3aX"}, expect=401)
    answers = [quiet := domain(a, "one.test", "cloudflare", {"api_token": "canary-api-token-91bc"}, is_active=False),
               domain(a, "two.test", "alidns", {"access_key_id": "ID", "access_key_secret": "canary-key-secret-55de"}, is_active=False)]
    a.post("/api/v1/domains", {"name": "canary-api-token-91bc!", "provider": "cloudflare", "credentials": {"api_token": 5}}, expect=422)
    shown = json.dumps(answers) + a.get("/api/v1/domains").text + a.get(f"/api/v1/domains/{quiet['id']}").text + a.get("/api/v1/audit", params={"limit": 100}).text
    shown += a.http.get("/metrics", headers={"authorization": "Bearer canary-metrics-token-77"}).text
    h.stop()
    log = "\n".join(h.lines).replace("canary-api-token-91bc!", "")
    for secret in secrets:
        assert secret not in shown, secret
        assert secret not in log, (secret, [x for x in h.lines if secret in x][:3])
        on_disk = [f for f in h.data.rglob("*") if f.is_file() and f.name != "homeport.conf" and secret.encode() in f.read_bytes()]
        assert not on_disk, (secret, on_disk)


def test_sigterm_drains(homeport):
    """SIGTERM lets running requests finish and takes no longer than 10 s, although idle and streaming clients hang on."""
    from lib.rawhttp import Raw
    from lib.sse import Events
    h = homeport()
    a = h.admin()
    stream, idle = Events(a), Raw(h.port)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(h.client().post, "/api/v1/auth/login", {"account": "x", "password": "y"}, expect=(401, 503)) for _ in range(4)]
        [j.result() for j in jobs]
    h.clients.clear()
    assert h.stop() < 10
    stream.close()
    idle.sock.close()


def test_audit_tells_who_did_what(server, admin, user, unique):
    """Every change leaves an entry with who, from where, what, before and after and the request id; the sequence has no gap."""
    d = quiet_domain(user, unique("au") + ".test")
    user.patch(f"/api/v1/domains/{d['id']}", {"registrar": "new one"}, headers={"X-Request-Id": "audit-find-me"})
    entries = admin.all("/api/v1/audit")
    e = next(e for e in entries if e["request_id"] == "audit-find-me")
    assert (e["action"], e["target_id"], e["user_id"], e["ip"]) == ("update", d["id"], user.me["id"], "127.0.0.1")
    assert e["after"]["registrar"] == "new one" and not (e["before"] or {}).get("registrar")
    numbers = sorted(x["id"] for x in entries)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    head = admin.get("/api/v1/audit/head").data
    assert str(max(numbers)) in json.dumps(head) and max(entries, key=lambda x: x["id"])["hash"] in json.dumps(head)
    user.get("/api/v1/audit", expect=403)
