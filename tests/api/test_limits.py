"""Rate limits: by address, by user and by route; what is told of them, and what is free (README.md, accounts.md)."""
import pytest

from lib.homeport import PASSWORD
from lib.wait import wait_until

ME, LOGIN, REFRESH, REGISTER = "/api/v1/users/me", "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/register"
TOKEN, CHANGE = "/api/v1/auth/token", "/api/v1/auth/password/change"
PROXY = {"http.trusted_proxies": "127.0.0.1/32"}
FIELDS = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset")


def behind(h, ip, **kw):
    return h.client(headers={"X-Forwarded-For": ip}, **kw)


def told(reply):
    """The three fields as numbers; None when there are none. Any of them must be described for this status."""
    got = [reply.headers.get(f) for f in FIELDS]
    if got == [None] * 3:
        return None
    assert all(v is not None and v.isdigit() for v in got), got
    return tuple(map(int, got))


def is_described(client, path, method, status):
    document = client.schema().document
    response = document["paths"][path][method]["responses"][str(status)]
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].split("/")[-1]]
    return {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} <= set(response["headers"])


def metric(h, name):
    text = h.client().http.get("/metrics").text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))


def test_sign_in_counts_down_then_429(homeport):
    """A limited route tells what is left, on success and failure, and without any left answers 429 with Retry-After."""
    h = homeport({**PROXY, "limits.sign_in": 4, "limits.login_failures": 1000}, free=False)
    h.user("anna", headers={"X-Forwarded-For": "192.168.7.9"})
    c = behind(h, "192.168.7.1")
    good = {"account": "anna", "password": PASSWORD}
    assert told(c.post(LOGIN, good)) == (4, 3, 15)
    assert told(c.post(LOGIN, {**good, "password": "wrong"}, expect=401)) == (4, 2, 15)
    assert told(c.post(LOGIN, {"account": "anna"}, expect=422)) == (4, 1, 15)
    assert told(c.request("POST", TOKEN, data={"grant_type": "password", "username": "anna", "password": "x"}, expect=400)) == (4, 0, 15)
    r = c.post(LOGIN, good, expect=429)
    limit, remaining, reset = told(r)
    assert (limit, remaining) == (4, 0) and 1 <= reset <= 15 and int(r.headers["retry-after"]) == reset, r.headers
    c.request("POST", TOKEN, data={"grant_type": "password", "username": "anna", "password": PASSWORD}, expect=429)
    behind(h, "192.168.7.2").post(LOGIN, good)  # another address
    for path, status in ((LOGIN, 200), (LOGIN, 401), (LOGIN, 422), (LOGIN, 429), (LOGIN, 403), (TOKEN, 400), (TOKEN, 200), (REGISTER, 201)):
        assert is_described(c, path, "post", status), (path, status)
    assert metric(h, "homeport_rate_limited_total") == 2


def test_tokens_come_back_one_by_one(homeport):
    """Nobody waits for the whole window: after RateLimit-Reset seconds there is one more try."""
    h = homeport({"limits.sign_in": 60, "limits.login_failures": 1000}, free=False)
    c = h.client()
    body = {"account": "nobody", "password": "wrong"}
    statuses = [c.post(LOGIN, body, expect=(401, 429)).status for _ in range(90)]
    assert statuses[:60] == [401] * 60 and 429 in statuses, statuses
    wait_until(lambda: c.post(LOGIN, body, expect=(401, 429)).status == 401, 5, "one more try", every=0.1)
    more = [c.post(LOGIN, body, expect=(401, 429)).status for _ in range(5)]
    assert 429 in more, more


def test_refresh_and_registration_have_buckets_of_their_own(homeport):
    """Failed sign-ins of a house do not use up its refreshes; registrations are counted by the hour."""
    h = homeport({**PROXY, "limits.sign_in": 2, "limits.register": 3, "limits.login_failures": 1000}, free=False)
    ip = {"X-Forwarded-For": "192.168.7.1"}
    u = h.user("anna", headers=ip)
    c = behind(h, "192.168.7.1")
    for status in (401, 401, 429):
        c.post(LOGIN, {"account": "anna", "password": "wrong"}, expect=status)
    u.post(CHANGE, {"old_password": "wrong", "new_password": "another good one"}, expect=429)
    assert told(c.post(REFRESH, {"refresh_token": u.refresh})) == (2, 1, 30)
    c.post(REFRESH, {"refresh_token": "nonsense"}, expect=401)
    c.post(REFRESH, {"refresh_token": "nonsense"}, expect=429)
    u.get(ME)  # what is no guess goes on
    r = c.post(REGISTER, {"username": "bert", "email": "bert@example.test", "password": "short"}, expect=422)
    assert told(r) == (3, 1, 1200)
    h.user("carl", headers=ip)
    r = c.post(REGISTER, {"username": "dora", "email": "dora@example.test", "password": PASSWORD}, expect=429)
    assert told(r)[:2] == (3, 0) and int(r.headers["retry-after"]) > 1000
    h.user("dora", headers={"X-Forwarded-For": "192.168.7.2"})


def test_requests_of_an_address(homeport):
    """limits.per_ip counts every request but the free ones, also for paths that are not there and for files."""
    h = homeport({**PROXY, "limits.per_ip": 40}, free=False)
    u = h.user("anna", headers={"X-Forwarded-For": "192.168.7.1"})
    assert told(u.get(ME)) is None  # nothing in the way of the usual read
    assert is_described(u, "/api/v1/users/me", "get", 429)
    c = behind(h, "192.168.7.1")
    for i in range(38):
        c.http.get(("/api/v1/nothing", "/", "/api/v1/setup")[i % 3])
    c.http.options("/api/v1/domains")
    r = u.get(ME, expect=429)
    assert told(r)[:2] == (40, 0) and told(r)[2] <= 2 and int(r.headers["retry-after"]) == told(r)[2]
    c.get("/api/v1/nothing", expect=429)
    assert c.http.get("/").status_code == 429 and c.http.options("/api/v1/domains").status_code == 429
    for path in ("/livez", "/readyz", "/health"):
        for _ in range(50):
            assert c.http.get(path).status_code == 200
    with u.http.stream("GET", "/api/v1/events") as stream:
        assert stream.status_code == 200
    assert metric(h, "homeport_rate_limited_total") >= 4
    behind(h, "192.168.7.2").bearer(u.token).get(ME)


def test_requests_of_a_user(homeport):
    """limits.per_user counts a user's requests from anywhere, by token and by key; others are not held up."""
    h = homeport({**PROXY, "limits.per_user": 10}, free=False)
    u, other = h.user("anna"), h.user("bert")
    key = u.post("/api/v1/api-keys", {"name": "k", "scopes": ["read"]}, expect=201).data["key"]
    for i in range(9):
        behind(h, f"192.168.7.{i}", **({"key": key} if i % 2 else {"token": u.token})).get(ME)
    r = behind(h, "192.168.8.1", token=u.token).get(ME, expect=429)
    assert told(r)[:2] == (10, 0) and int(r.headers["retry-after"]) == told(r)[2]
    behind(h, "192.168.8.1", key=key).get(ME, expect=429)
    other.get(ME)


def test_ipv6_is_counted_by_network(homeport):
    """An address more in the same /64 is no bucket more."""
    h = homeport({**PROXY, "limits.sign_in": 2, "http.allow_public": "true", "limits.login_failures": 1000}, free=False)
    body = {"account": "nobody", "password": "wrong"}
    for ip, status in (("2001:db8:1:2::1", 401), ("2001:db8:1:2::2", 401), ("2001:db8:1:2:3::", 429), ("2001:db8:1:3::1", 401)):
        behind(h, ip).post(LOGIN, body, expect=status)


@pytest.mark.parametrize("settings", [{"limits.enabled": "false", "limits.per_ip": 1, "limits.per_user": 1, "limits.sign_in": 1, "limits.register": 1},
                                      {"limits.per_ip": 0, "limits.per_user": 0, "limits.sign_in": 0, "limits.register": 0}])
def test_switched_off(homeport, settings):
    """limits.enabled = false switches all of it off; a limit of 0 is none."""
    h = homeport(settings, free=False)
    u = h.user("anna")
    for _ in range(5):
        assert told(u.get(ME)) is None
        assert told(h.login("anna").post(LOGIN, {"account": "anna", "password": PASSWORD})) is None
    h.user("bert")


def test_browsers_may_read_the_fields(homeport):
    """A page of another origin sees what is left, also in an answer that waited for the core."""
    h = homeport({"http.cors_origins": "https://app.example.test"}, free=False)
    h.user("anna")
    r = h.client(headers={"Origin": "https://app.example.test"}).post(LOGIN, {"account": "anna", "password": PASSWORD})
    assert r.headers["access-control-allow-origin"] == "https://app.example.test" and told(r)[0] == 300
    assert {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After"} <= set(r.headers["access-control-expose-headers"].split(", "))


def test_every_route_that_can_be_limited_says_so(server):
    """In the document: 429 with its fields everywhere but on the free routes."""
    document = server.client().schema().document
    free = {"/livez", "/readyz", "/health", "/metrics", "/api/v1/events"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert ("429" in operation["responses"]) == (path not in free), path
