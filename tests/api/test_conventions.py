"""The shape of the API: README.md "Conventions", and who may call at all (S4, S5, S11, S18)."""
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from lib.ddns import DOMAINS, quiet_domain
from lib.rawhttp import Raw, exchange

ME = "/api/v1/users/me"


def new_domain(unique):
    return {"name": unique("c") + ".test", "provider": "callback", "credentials": {"url": "http://127.0.0.1:9/"}, "is_active": False}


# ---- the published document
def test_openapi_is_valid(server):
    """/openapi.json is OpenAPI 3.1 by the standard's own schema, names no outside host, and says every error code."""
    document = server.client().schema().document
    assert document["openapi"].startswith("3.1")
    assert not list(OpenAPIV31SpecValidator(document).iter_errors())
    text = json.dumps(document)
    assert "401001" in text and not re.search(r"https?://(?!127\.0\.0\.1|localhost|[\w.-]*example\.|[\w.-]*\.test)[^\"]*(cdn|unpkg|jsdelivr)", text)
    ids = [op["operationId"] for p in document["paths"].values() for op in p.values() if isinstance(op, dict) and "operationId" in op]
    assert len(ids) == len(set(ids))


def operations(server):
    for path, item in server.client().schema().document["paths"].items():
        for method in item:
            if method in ("get", "post", "put", "patch", "delete"):
                yield method.upper(), path, item[method]


def filled(path):
    return re.sub(r"{[^}]+}", "1", path)


def test_every_route_is_there_and_guarded(server):
    """The document does not drift: each operation exists, and each that asks for a sign-in answers 401 without one."""
    c, document = server.client(), server.client().schema().document
    for method, path, op in operations(server):
        guarded = op.get("security", document.get("security"))
        r = c.request(method, filled(path), {} if method not in ("GET", "DELETE") else None, expect=range(200, 500)) \
            if not path.endswith("/events") or guarded else None
        if r is None:
            continue
        assert r.status != 405, r
        if guarded and {} not in guarded and path.startswith("/api/"):
            assert r.status == 401, (method, path, r)


def test_other_methods_are_405_with_allow(server, admin):
    """A wrong method is 405 and Allow names the right ones: every path of the document, every method it lacks."""
    by_path = {}
    for method, path, _ in operations(server):
        by_path.setdefault(path, set()).add(method)
    for path, have in by_path.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - have:
            r = admin.request(method, filled(path), {} if method != "GET" else None, expect=405)
            allow = {m.strip() for m in r.headers["allow"].split(",")}
            assert allow - {"HEAD", "OPTIONS"} == have, (path, allow, have)


@pytest.mark.parametrize("path", ["/nope", "/api/v1/nope", "/api/v1/domains/", "/api/v2/domains", "/api/v1/domains/x",
                                  "/api/v1/domains/1.5", "/api/v1/domains/-1", "/api/v1/domains/18446744073709551617",
                                  "/api/v1/domains/1/nope", "/API/v1/domains"])
def test_unknown_paths_are_404(admin, path):
    """What is not there is 404 with the usual error body."""
    admin.get(path, expect=404)


@pytest.mark.parametrize("path", ["/api/v1/domains/../users", "/api/v1/../../etc/passwd", "/api/v1/%2e%2e/users", "/%2e%2e/%2e%2e/etc/passwd",
                                  "/docs/../../etc/passwd", "/docs/%2e%2e%2f%2e%2e%2fetc/passwd", "/docs/%252e%252e/etc", "/api/v1/domains/1%00",
                                  "/api/v1/domains/%2fetc", "//etc/passwd", "/api/v1/domains/%zz", "/api/v1/domains/%c0%ae"])
def test_paths_lead_nowhere_else(server, admin, path):
    """Dots, encoded slashes, NUL and bad escapes never reach a file or another route: 400 or 404."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {admin.token}\r\nConnection: close\r\n\r\n"
    status, _, body, _ = exchange(server.port, request.encode())
    assert status in (400, 404), (status, body)
    assert b"root:" not in body


# ---- bodies
def test_wrong_media_type_is_415(admin):
    """Only JSON is read: another Content-Type, or none, is 415."""
    for headers in ({"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}, {}):
        admin.post(DOMAINS, content=b'{"name":"a.test"}', headers=headers, expect=415)
    admin.post(DOMAINS, content=b"{}", headers={"content-type": "application/json; charset=utf-8"}, expect=422)


@pytest.mark.parametrize("body, offset", [(b'{"name": }', 9), (b'{"name": "a"', 12), (b"[1,]", 3), (b'{"a":01}', 6), (b"nul", 0),
                                          (b'{"a":"\x01"}', 6), (b'{"a":"\xff"}', 6), (b"{} x", 3), (b"{'a':1}", 1)])
def test_malformed_json_is_400_with_the_offset(admin, body, offset):
    """Malformed JSON is 400 and the answer tells the byte offset: each kind of fault at its known place, or at the end of the word it is in."""
    r = admin.post(DOMAINS, content=body, headers={"content-type": "application/json"}, expect=400)
    told = [int(n) for n in re.findall(r"\d+", r.body["message"] + json.dumps(r.data))]
    assert any(offset - 1 <= n <= offset + 3 for n in told), r


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b'"x"', b"null", b"[" * 3000 + b"]" * 3000, b'{"a":' * 500 + b"1" + b"}" * 500])
def test_bodies_that_are_no_object(admin, body):
    """A body that is not an object, or nested without end, is refused with 400 or 422, never worse."""
    admin.post(DOMAINS, content=body, headers={"content-type": "application/json"}, expect=(400, 422))


@pytest.mark.parametrize("query, field", [
    ("limit=5&limit=50", "limit"), ("limit=5&%6Cimit=50", "limit"), ("role=user&role=admin", "role"), ("q=%ff", "q"), ("q=a%00b", "q"),
    ("q=%0d%0aSet-Cookie:x", "q"), ("q=%zz", "q"), ("q=%c0%af", "q"), ("%ff=1", "query"), ("rol=user", "rol")])
def test_a_wrong_query_names_the_parameter(admin, query, field):
    """400 and the parameter's name for what stands twice, is no text, or is not known; nothing is guessed."""
    r = admin.request("GET", "/api/v1/users?" + query, expect=400)
    assert r.code == 400002 and [e["field"] for e in r.data["errors"]] == [field], r


def test_names_of_parameters_are_decoded_once(admin, user):
    """A percent-encoded name is the same parameter, not one that is quietly dropped."""
    assert {u["role"] for u in admin.request("GET", "/api/v1/users?rol%65=super_admin").data["items"]} == {"super_admin"}
    assert admin.request("GET", "/api/v1/users?rol%2565=super_admin", expect=400).code == 400002


def test_body_too_large_is_413_before_it_is_read(server, admin):
    """A declared body over the limit is refused without waiting for it; an undeclared one as soon as it is over."""
    head = f"POST {DOMAINS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {admin.token}\r\nContent-Type: application/json\r\n"
    begin = time.monotonic()
    status, _, body, closed = exchange(server.port, (head + "Content-Length: 10000000000\r\n\r\n").encode(), look=True)
    assert status == 413 and closed and json.loads(body)["code"] // 1000 == 413 and time.monotonic() - begin < 5
    with Raw(server.port) as r:
        r.send((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        for _ in range(64):
            if not r.send(b"1000\r\n" + b" " * 4096 + b"\r\n"):
                break
        answer = r.answer()
        assert answer is None or answer[0] == 413, answer


def test_every_bad_field_is_named_at_once(admin, unique):
    """Validation is 422 and names all bad fields together, unknown ones too, so nobody fixes them one by one."""
    body = {"name": "not a name!", "provider": "nope", "credentials": "x", "is_active": "yes", "surprise": 1}
    assert set(body) <= admin.post(DOMAINS, body, expect=422).fields
    assert {"name", "provider", "credentials"} <= admin.post(DOMAINS, {}, expect=422).fields
    assert admin.post(DOMAINS, {**new_domain(unique), "id": "1"}, expect=422).fields == {"id"}


# ---- headers
def test_request_id(server):
    """Every answer has a request id: the caller's when it is sane, else a new one, and never a line break or a novel."""
    c = server.client()
    assert c.get("/health", headers={"X-Request-Id": "abc-123_x.y"}).headers["x-request-id"] == "abc-123_x.y"
    for bad in ("a b", "x" * 300, "<script>", "a;b\tc"):
        got = c.get("/health", headers={"X-Request-Id": bad}).headers["x-request-id"]
        assert got != bad and re.fullmatch(r"[\w.-]{8,128}", got), got
    assert c.get("/nope", expect=404).headers["x-request-id"] != c.get("/nope", expect=404).headers["x-request-id"]


def test_safe_headers(admin):
    """Answers are not sniffed, and what belongs to a user is not cached by others."""
    r = admin.get(ME)
    assert r.headers["x-content-type-options"] == "nosniff"
    assert re.search("no-store|private|no-cache", r.headers["cache-control"])


def test_etag(admin, unique):
    """A single object carries an ETag: If-None-Match gives 304, a stale If-Match 412 and no change, a good one goes through."""
    path = f"{DOMAINS}/{quiet_domain(admin, unique('e') + '.test')['id']}"
    first = admin.get(path)
    tag = first.headers["etag"]
    r = admin.get(path, headers={"If-None-Match": tag}, expect=304)
    assert not r.text and r.headers["etag"] == tag
    assert admin.get(path, headers={"If-None-Match": f'"zzz", {tag}'}, expect=304)
    admin.get(path, headers={"If-None-Match": '"zzz"'})
    new = admin.patch(path, {"registrar": "one"}, headers={"If-Match": tag}).headers.get("etag") or admin.get(path).headers["etag"]
    assert new != tag
    for verb, body in (("PATCH", {"registrar": "two"}), ("DELETE", None)):
        admin.request(verb, path, body, headers={"If-Match": tag}, expect=412)
    assert admin.get(path).data["registrar"] == "one"
    admin.patch(path, {"registrar": "three"}, headers={"If-Match": "*"})
    admin.delete(path, headers={"If-Match": admin.get(path).headers["etag"]})
    admin.get(path, expect=404)


def test_idempotency_key(admin, unique):
    """The same key and body give the first answer again and make one thing; another body is 422; other users' keys are their own."""
    body, key = new_domain(unique), {"Idempotency-Key": unique("idem")}
    first = admin.post(DOMAINS, body, headers=key)
    again = admin.post(DOMAINS, body, headers=key)
    assert (again.status, again.data) == (first.status, first.data)
    admin.post(DOMAINS, new_domain(unique), headers=key, expect=422)
    assert len([d for d in admin.all(DOMAINS) if d["name"] == body["name"]]) == 1
    other = admin.server.user(unique("idem"))
    assert other.post(DOMAINS, body, headers=key).data["id"] != first.data["id"]


def test_an_idempotency_key_has_an_end(admin, unique):
    """A key of more than 255 bytes is refused by its name, not called a query parameter."""
    refusal = admin.post("/api/v1/domains", new_domain(unique), headers={"Idempotency-Key": "k" * 256}, expect=400)
    assert refusal.code == 400000 and "Idempotency-Key" in refusal.body["message"]
    admin.post("/api/v1/domains", new_domain(unique), headers={"Idempotency-Key": "k" * 255})


def test_idempotency_key_in_parallel(admin, unique):
    """Eight equal requests at once make one thing: each answer is the first one's, or 409 while that is in flight."""
    body, key = new_domain(unique), {"Idempotency-Key": unique("idem")}
    clients = [admin.server.client(token=admin.token) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda c: c.post(DOMAINS, body, headers=key, expect=(200, 201, 409)), clients))
    assert len({r.data["id"] for r in got if r.status < 300}) == 1
    assert len([d for d in admin.all(DOMAINS) if d["name"] == body["name"]]) == 1


def test_idempotency_survives_a_crash(homeport, unique):
    """The key's memory is as durable as the thing: after kill -9 the same request gives the same answer."""
    h = homeport()
    a, body, key = h.admin(), new_domain(unique), {"Idempotency-Key": "once"}
    first, token = a.post(DOMAINS, body, headers=key).data, a.token
    h.restart(hard=True)
    assert h.client(token=token).post(DOMAINS, body, headers=key).data["id"] == first["id"]


def test_ids_never_repeat_and_grow(admin, unique):
    """Ids are Snowflakes: positive, 63 bits, unique, in the order of making, with the present time in the upper 41 bits."""
    ids = [int(quiet_domain(admin, unique("id") + ".test")["id"]) for _ in range(30)]
    assert ids == sorted(set(ids)) and ids[-1] < 2**63
    assert (ids[-1] >> 22) - (ids[0] >> 22) < 60_000


# ---- lists
def test_paging(server, unique):
    """Lists come in pages of `limit` with a cursor to the next: 25 things in 10, 10, 5, each once, total always 25."""
    u = server.user(unique("pages"))
    made = [quiet_domain(u, unique("p") + ".test")["id"] for _ in range(25)]
    seen, cursor, sizes = [], None, []
    for _ in range(4):
        page = u.get(DOMAINS, params={"limit": 10, **({"cursor": cursor} if cursor else {})}).data
        assert set(page) == {"items", "next_cursor", "total"} and page["total"] == 25
        seen += [d["id"] for d in page["items"]]
        sizes.append(len(page["items"]))
        if (cursor := page["next_cursor"]) is None:
            break
    assert sizes == [10, 10, 5] and sorted(seen) == sorted(made)
    assert len(u.get(DOMAINS).data["items"]) == 20
    for query in ({"limit": 101}, {"limit": 0}, {"limit": -1}, {"limit": "x"}, {"cursor": "nonsense"}, {"unknown": 1}):
        u.get(DOMAINS, params=query, expect=(400, 422))


def test_a_cursor_stays_good_while_things_come_and_go(server, unique):
    """Walking a list misses nothing that stays and repeats nothing, although others are added and removed meanwhile."""
    u = server.user(unique("walk"))
    keep = [quiet_domain(u, unique("k") + ".test")["id"] for _ in range(6)]
    page = u.get(DOMAINS, params={"limit": 3}).data
    first = [d["id"] for d in page["items"]]
    u.delete(f"{DOMAINS}/{first[1]}")
    quiet_domain(u, unique("k") + ".test")
    rest = [d["id"] for d in u.get(DOMAINS, params={"limit": 100, "cursor": page["next_cursor"]}).data["items"]]
    assert set(keep) <= set(first + rest) and not set(first) & set(rest)


def test_head(server, admin):
    """HEAD is GET without the body: same status and length, for a page, an object and a 404."""
    for path in ("/health", ME, "/api/v1/nope"):
        expect = 404 if path.endswith("nope") else 200
        head, get = admin.request("HEAD", path, expect=expect), admin.get(path, expect=expect)
        assert not head.text and head.headers["content-type"] == get.headers["content-type"]
    request = f"HEAD {ME} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {admin.token}\r\n\r\n"
    with Raw(server.port) as r:
        r.send(request.encode())
        status, headers, _ = r.answer(head_only=True)
        r.send(request.replace("HEAD", "GET").encode())
        assert status == 200 and headers["content-length"] == str(len(r.answer()[2]))


def test_get_and_head_change_nothing(server, admin):
    """Asking changes nothing: after GET and HEAD of every route without parameters the audit head is the same (S5)."""
    head = admin.get("/api/v1/audit/head").data
    for method, path, _ in operations(server):
        if method == "GET" and "{" not in path and not path.endswith("/events") and path != "/ws":
            admin.http.get(path)
            admin.http.head(path)
    assert admin.get("/api/v1/audit/head").data == head


# ---- who may call
def test_cors_default_none(server, admin):
    """No origin is allowed by default: a preflight gets no permission, and a call with Origin no CORS header."""
    c = admin.server.client()
    r = c.request("OPTIONS", DOMAINS, expect=range(200, 500), headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"})
    assert not [h for h in r.headers if h.startswith("access-control-allow")]
    r = admin.get(ME, headers={"Origin": "http://evil.example"}, expect=(200, 403))
    assert not [h for h in r.headers if h.startswith("access-control-allow")]


def test_cors_list(homeport):
    """A listed origin, and only that one exactly, is let in; * never stands together with credentials."""
    h = homeport({"http.cors_origins": "https://app.example.test"})
    c = h.client()
    ask = lambda origin: c.request("OPTIONS", DOMAINS, expect=range(200, 500), headers={
        "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}).headers
    good = ask("https://app.example.test")
    assert good["access-control-allow-origin"] == "https://app.example.test" and "POST" in good["access-control-allow-methods"]
    assert "authorization" in good["access-control-allow-headers"].lower() and "origin" in good["vary"].lower()
    for bad in ("https://app.example.test.evil.example", "http://app.example.test", "https://app.example.test:8443", "null", "https://APP.example.test.",
                "https://xapp.example.test"):
        assert "access-control-allow-origin" not in ask(bad), bad
    r = c.get("/health", headers={"Origin": "https://app.example.test"})
    assert r.headers["access-control-allow-origin"] == "https://app.example.test"


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1", 200), ("localhost", 200), ("[::1]", 200), ("192.168.1.5", 200), ("10.0.0.1:8080", 200), ("[fd00::1]", 200),
    ("nas.example.test", 200), ("NAS.example.test:8080", 200), ("evil.example", 421), ("nas.example.test.evil.example", 421),
    ("localhost.evil.example", 421), ("8.8.8.8", 421), ("127.0.0.1.evil.example", 421), ("", 400)])
def test_host_guard(homeport_hosts, host, status):
    """DNS rebinding fails: Host must be loopback, a LAN literal or listed; all others are 421 (S4)."""
    request = f"GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    got = exchange(homeport_hosts.port, request.encode())
    assert got[0] == status or (host == "" and got[0] in (400, 421)), got


@pytest.fixture(scope="module")
def homeport_hosts(tmp_path_factory):
    from conftest import FREE, need_binary
    from lib.homeport import Homeport
    need_binary()
    h = Homeport(tmp_path_factory.mktemp("hosts") / "data", {**FREE, "http.hosts": "nas.example.test"}).start()
    yield h
    h.end()


@pytest.mark.parametrize("trusted, forwarded, status", [
    ("127.0.0.1/32", "8.8.8.8", 403), ("127.0.0.1/32", "192.168.1.9", 200), ("127.0.0.1/32", "8.8.8.8, 192.168.1.9", 200),
    ("127.0.0.1/32", "192.168.1.9, 8.8.8.8", 403), ("127.0.0.1/32,192.168.0.0/16", "8.8.8.8, 192.168.1.9", 403),
    ("127.0.0.1/32", "2606:4700::1", 403), ("127.0.0.1/32", "::ffff:8.8.8.8", 403), ("", "8.8.8.8", 200)])
def test_public_addresses_are_refused(homeport, trusted, forwarded, status):
    """A public caller gets 403 until http.allow_public; X-Forwarded-For counts from trusted proxies only, right-most untrusted hop."""
    h = homeport({"http.trusted_proxies": trusted})
    h.client().get("/api/v1/ddns/providers", headers={"X-Forwarded-For": forwarded}, expect=status if status == 403 else (200, 401))


def test_allow_public(homeport):
    """With http.allow_public a public caller is served, and the audit log has its address."""
    h = homeport({"http.trusted_proxies": "127.0.0.1/32", "http.allow_public": "true"})
    a = h.admin()
    h.user("visitor", headers={"X-Forwarded-For": "8.8.8.8"})
    assert "8.8.8.8" in {e["ip"] for e in a.all("/api/v1/audit")}


def test_forwarded_headers_of_strangers_are_ignored(server, admin, user):
    """Identity headers count only from trusted proxies: without any, sessions and audit show the socket's address (S18)."""
    spoof = {h: "192.168.77.77" for h in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Client-IP")}
    c = server.login(user.me["username"], headers=spoof)
    assert {s["ip"] for s in c.all("/api/v1/sessions")} == {"127.0.0.1"}


def test_a_flood_of_failed_sign_ins_is_limited(homeport):
    """Failed sign-ins are limited: first the address is banned, then its flood is 429, and both say when to come back."""
    h = homeport({"limits.sign_in": 60}, free=False)
    h.user("limited")
    c, seen = h.client(), []
    for _ in range(100):
        r = c.post("/api/v1/auth/login", {"account": "nobody", "password": "wrong"}, expect=(401, 403, 429))
        assert r.status == 401 or int(r.headers["retry-after"]) > 0
        seen += [r.status] if seen[-1:] != [r.status] else []
    assert seen[:3] == [401, 403, 429], seen


def test_docs_from_the_binary(server):
    """/docs and /redoc show the document without any outside host, under a policy that allows none."""
    c = server.client()
    for path in ("/docs", "/redoc"):
        r = c.http.get(path, follow_redirects=True)
        assert r.status_code == 200 and r.headers["content-type"].startswith("text/html")
        assert not re.search(r"(src|href)=[\"']?(https?:)?//", r.text), path
        assert "content-security-policy" in r.headers
