"""Accounts: register, sign in and out, refresh, API keys, roles, and tokens that somebody tampered with (S6-S9, S13)."""
import concurrent.futures
import hashlib
import hmac
import re
import statistics
import time

import pytest

from lib.ddns import api_key, quiet_domain
from lib.homeport import PASSWORD
from lib.jwt import b64u, parts
from lib.wait import wait_until

ME, LOGIN, REFRESH = "/api/v1/users/me", "/api/v1/auth/login", "/api/v1/auth/refresh"
EXPIRED = 401001


# ---- register and sign in
def test_register_then_sign_in_by_any_name(server, unique):
    """A new user gets tokens at once and may sign in by user name, mail or phone, in any letter case."""
    name, phone = unique("reg"), "+8613800" + unique("")[-6:].rjust(6, "0")
    c = server.client()
    data = c.post("/api/v1/auth/register", {"username": name, "email": f"{name}@example.test", "phone_number": phone,
                                            "password": PASSWORD}).data
    assert data["user"]["role"] == "user" and data["user"]["is_active"] and "password_hash" not in data["user"]
    for account in (name, name.upper(), f"{name}@EXAMPLE.test", phone):
        assert server.login(account).get(ME).data["id"] == data["user"]["id"]


@pytest.mark.parametrize("change, fields", [
    ({"password": "short77"}, {"password"}), ({"password": "password123"}, {"password"}), ({"password": "iloveyou"}, {"password"}),
    ({"email": "x"}, {"email"}), ({"username": "1"}, {"username"}), ({"username": "123456"}, {"username"}),
    ({"username": "x\ny"}, {"username"}), ({"phone_number": "abc"}, {"phone_number"}), ({"role": "super_admin"}, {"role"}),
    ({"username": None, "email": None}, {"username", "email"}), ({"password": 12345678}, {"password"})])
def test_register_refuses(server, unique, change, fields):
    """Every bad field of a registration is named, and a caller cannot choose its role: one wrong input per rule."""
    name = unique("bad")
    body = {"username": name, "email": f"{name}@example.test", "password": PASSWORD, **change}
    assert fields <= server.client().post("/api/v1/auth/register", body, expect=422).fields


def test_password_may_not_be_the_name(server, unique):
    """A password equal to the user name is refused, in any letter case."""
    name = unique("equalname")
    body = {"username": name, "email": f"{name}@example.test", "password": name.upper()}
    assert "password" in server.client().post("/api/v1/auth/register", body, expect=422).fields


def test_names_are_unique_case_folded(server, admin, user, unique):
    """A name, mail address or number taken in other letters is taken, and the answer says which of them it is."""
    phone = "+49301" + re.sub(r"\D", "", unique("0")).rjust(6, "7")
    me = user.patch(ME, {"phone_number": phone}).data
    other = server.user(unique("dup"))
    cases = [("username", me["username"].upper(), "user name"), ("email", me["email"].upper(), "mail address"), ("phone_number", phone, "phone number")]
    for field, value, word in cases:
        name = unique("dup")
        body = {"username": name, "email": f"{name}@example.test", "password": PASSWORD, field: value}
        answers = [server.client().post("/api/v1/auth/register", body, expect=409)]
        if field != "username":
            answers += [other.patch(ME, {field: value}, expect=409), admin.patch(f"/api/v1/users/{other.me['id']}", {field: value}, expect=409)]
        for r in answers:
            assert r.code == 409001 and word in r.body["message"] and r.data is None, r


def test_a_race_for_a_name_says_what_was_lost(server, unique):
    """Eight register one name at once: one gets it, and the others hear that it is the name, also when their hash came late."""
    name = unique("race")
    bodies = [{"username": name, "email": f"{name}-{i}@example.test", "password": PASSWORD} for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda b: server.client().post("/api/v1/auth/register", b, expect=(201, 409)), bodies))
    assert sorted(r.status for r in replies) == [201] + [409] * 7
    assert {r.body["message"] for r in replies if r.status == 409} == {"That user name is taken"}


def test_wrong_password_and_unknown_user_look_alike(server, user):
    """Nobody learns which names exist: same status, code and message, and medians of time within a factor of two."""
    me, c, times = user.get(ME).data, server.client(), {}
    answers = set()
    for account in (me["username"], "nobody-of-that-name"):
        took = []
        for _ in range(7):
            begin = time.perf_counter()
            r = c.post(LOGIN, {"account": account, "password": "wrong password"}, expect=401)
            took.append(time.perf_counter() - begin)
            answers.add((r.code, r.body["message"]))
        times[account] = statistics.median(took)
    assert len(answers) == 1
    slow, fast = max(times.values()), min(times.values())
    assert slow < 2 * fast + 0.005, times


def test_too_many_failures_ban_one_address_only(homeport):
    """The address with more than ten failures is banned, also with the right password; another one is not."""
    h = homeport({"http.trusted_proxies": "127.0.0.1/32"}, free=False)
    h.user("victim", headers={"X-Forwarded-For": "192.168.7.1"})
    bad, good = (h.client(headers={"X-Forwarded-For": f"192.168.7.{n}"}) for n in (66, 2))
    got = [bad.post(LOGIN, {"account": "victim", "password": "wrong"}, expect=(401, 403)).status for _ in range(14)]
    assert got == [401] * 10 + [403] * 4, got
    r = bad.post(LOGIN, {"account": "victim", "password": PASSWORD}, expect=403)
    assert r.code == 403006 and int(r.headers["retry-after"]) > 0
    good.post(LOGIN, {"account": "victim", "password": PASSWORD})


def test_a_flood_of_sign_ins_stalls_nobody(server, user):
    """Password hashing is off the loop with a bounded queue: during 120 sign-ins /livez answers fast, and none is lost."""
    name, c = user.get(ME).data["username"], server.client()
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        clients = [server.client(timeout=60) for _ in range(24)]
        jobs = [pool.submit(clients[i % 24].post, LOGIN, {"account": name, "password": "wrong" if i % 2 else PASSWORD},
                            expect=(200, 401, 429, 503)) for i in range(120)]
        waits = []
        while not all(j.done() for j in jobs):
            begin = time.perf_counter()
            c.get("/livez")
            waits.append(time.perf_counter() - begin)
        statuses = [j.result().status for j in jobs]
    assert statuses.count(200) > 0 and statistics.median(waits) < 0.25, (statuses, sorted(waits)[-5:])


# ---- tokens
def test_token_claims(user):
    """Tokens are JWTs of the promised form: HS256 with a key id; sub, iat, exp, jti, type and role; 30 minutes and 7 days."""
    for token, kind, life in ((user.token, "access", 1800), (user.refresh, "refresh", 604800)):
        head, claims, _ = parts(token)
        assert head["alg"] == "HS256" and head["kid"]
        assert claims["sub"] == user.get(ME).data["id"] and claims["type"] == kind and claims["jti"]
        assert claims["exp"] - claims["iat"] == life
    assert parts(user.token)[1]["role"] == "user"


def forgeries(token):
    head, claims, sig = parts(token)
    h, c, _ = token.split(".")
    mac = lambda key, text: b64u(hmac.new(key, text.encode(), hashlib.sha256).digest())
    with_head = lambda **k: b64u({**head, **k}) + "." + c + "." + sig
    resigned = lambda key, **k: (t := b64u({**head, **k}) + "." + c) + "." + mac(key, t)
    key = b"k" * 32
    yield "alg none, no signature", b64u({"alg": "none", "typ": "JWT"}) + "." + c + "."
    yield "alg none, signature kept", with_head(alg="none")
    yield "alg None", b64u({**head, "alg": "None"}) + "." + c + "."
    yield "no alg", b64u({k: v for k, v in head.items() if k != "alg"}) + "." + c + "." + sig
    for alg in ("HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256"):
        yield f"alg {alg}", with_head(alg=alg)
    yield "kid is a path", resigned(b"", kid="../../../../dev/null")
    yield "kid unknown", with_head(kid="no-such-key")
    for name, letters in (("alg", 5), ("typ", 3), ("kid", 1)):  # lists as long as the word that should stand there
        yield f"{name} a list", with_head(**{name: [0] * letters})
        yield f"{name} an object", with_head(**{name: dict.fromkeys("abcde"[:letters], 0)})
    yield "kid is a number", with_head(kid=1)
    yield "embedded jwk", resigned(key, jwk={"kty": "oct", "k": b64u(key)})
    yield "jku", resigned(key, jku="http://127.0.0.1:9/keys")
    yield "unknown crit", with_head(crit=["exp"])
    for guess in (b"", b"secret", b"homeport", head["kid"].encode()):
        yield f"signed with {guess!r}", resigned(guess)
    yield "another role", h + "." + b64u({**claims, "role": "super_admin"}) + "." + sig
    yield "another user", h + "." + b64u({**claims, "sub": str(int(claims["sub"]) + 1)}) + "." + sig
    yield "later exp", h + "." + b64u({**claims, "exp": claims["exp"] + 9}) + "." + sig
    yield "no exp", h + "." + b64u({k: v for k, v in claims.items() if k != "exp"}) + "." + sig
    yield "short signature", token[:-6]
    yield "no signature", h + "." + c + "."
    yield "two parts", h + "." + c
    yield "four parts", token + "." + sig
    yield "five parts", ".".join([h, c, sig, h, c])
    yield "padding", token + "="
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    yield "stray bits in the last letter", token[:-1] + last[last.index(token[-1]) ^ 1]
    yield "standard base64 letters", h + "." + c + "." + sig.replace("-", "+").replace("_", "/") + ("" if set(sig) & set("-_") else "+")
    yield "empty parts", ".."
    yield "not JSON", ".".join([b64u(b"{"), c, sig])
    yield "deep JSON", ".".join([b64u(b"[" * 500), c, sig])
    yield "long", h + "." + "A" * 6000 + "." + sig
    yield "NUL", token[:20] + "%00" + token[20:]


def test_tampered_tokens_are_refused(server, user):
    """Only our own HS256 counts, whatever the header says: each structural attack on a good token gets 401, never 500."""
    for what, token in forgeries(user.token):
        r = server.client(token=token).get(ME, expect=(400, 401))
        assert r.code != EXPIRED, (what, r)
    user.get(ME)


def test_tokens_are_for_their_use_only(server, user):
    """A refresh token opens no door, and an access token refreshes nothing."""
    server.client(token=user.refresh).get(ME, expect=401)
    server.client().post(REFRESH, {"refresh_token": user.token}, expect=401)


def test_missing_malformed_revoked_have_their_own_codes(server, unique):
    """A program can tell why it was refused: missing, malformed, signed out and a bad key have four different codes."""
    u = server.user(unique("codes"))
    codes = {server.client().get(ME, expect=401).code, server.client(token="abc").get(ME, expect=401).code,
             server.client(key="hp_1_" + "0" * 43).get(ME, expect=401).code}
    u.post("/api/v1/auth/logout")
    codes.add(u.get(ME, expect=401).code)
    assert len(codes) == 4 and EXPIRED not in codes, codes


def test_401_says_how_to_sign_in(server):
    """A refusal for want of a sign-in names the scheme in WWW-Authenticate (RFC 9110)."""
    assert "bearer" in server.client().get(ME, expect=401).headers["www-authenticate"].lower()


@pytest.mark.slow
def test_expired_token(homeport):
    """An access token ends after auth.access_ttl with code 401001, while its refresh token still works."""
    h = homeport({"auth.access_ttl": 30})
    u = h.user("brief")
    assert parts(u.token)[1]["exp"] - parts(u.token)[1]["iat"] == 30
    wait_until(lambda: h.client(token=u.token).get(ME, expect=(200, 401)).status == 401, 40, "the token's end", every=0.5)
    assert u.get(ME, expect=401).code == EXPIRED
    u.with_tokens(u.post(REFRESH, {"refresh_token": u.refresh}).data).get(ME)


# ---- refresh
def test_refresh_rotates(server, user):
    """A refresh token gives a new pair that works; the old access token stays good until its end."""
    new = server.client().post(REFRESH, {"refresh_token": user.refresh}).data
    assert new["refresh_token"] != user.refresh and new["access_token"] != user.token
    server.client(token=new["access_token"]).get(ME)


def test_parallel_tabs_get_one_successor(homeport):
    """Within the grace all tabs that refresh at once get the same successor, also one that comes a little later."""
    h = homeport({"auth.refresh_grace": 300})
    u = h.user("tabs")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda c: c.post(REFRESH, {"refresh_token": u.refresh}).data["refresh_token"],
                            [h.client() for _ in range(8)]))
    got.append(h.client().post(REFRESH, {"refresh_token": u.refresh}).data["refresh_token"])
    assert len({parts(t)[1]["jti"] for t in got}) == 1


def test_reuse_after_the_grace_ends_the_family(homeport):
    """A stolen refresh token shows: used again after the grace it is refused, and its successors die with it."""
    h = homeport({"auth.refresh_grace": 1})
    u, other = h.user("stolen"), h.login("stolen")
    new = h.client().post(REFRESH, {"refresh_token": u.refresh}).data
    wait_until(lambda: h.client().post(REFRESH, {"refresh_token": u.refresh}, expect=(200, 401)).status == 401, 10, "the grace's end",
               every=0.2)
    h.client().post(REFRESH, {"refresh_token": new["refresh_token"]}, expect=401)
    h.client(token=new["access_token"]).get(ME, expect=401)
    other.get(ME)  # another sign-in is another family


# ---- sign out, change, switch off
def test_logout_ends_this_session_only(server, user):
    """After signing out the access and the refresh token are refused at once; the other session goes on, until `all`."""
    name = user.get(ME).data["username"]
    b, c = server.login(name), server.login(name)
    b.post("/api/v1/auth/logout")
    b.get(ME, expect=401)
    b.post(REFRESH, {"refresh_token": b.refresh}, expect=401)
    c.post("/api/v1/auth/logout", {"all": True})
    for x in (user, c):
        x.get(ME, expect=401)
        server.client().post(REFRESH, {"refresh_token": x.refresh}, expect=401)


def test_logout_survives_a_restart(homeport):
    """A signed-out token stays refused after kill -9 and restart."""
    h = homeport()
    u = h.user("gone")
    token = u.token
    u.post("/api/v1/auth/logout")
    h.restart(hard=True)
    h.client(token=token).get(ME, expect=401)


def test_password_change_ends_the_other_sessions(server, user):
    """A changed password ends the other sessions at once; the old password is refused, the new one works."""
    name = user.get(ME).data["username"]
    other = server.login(name)
    wrong = {"old_password": "not it at all", "new_password": "another good password"}
    user.post("/api/v1/auth/password/change", wrong, expect=(401, 403, 422))
    user.post("/api/v1/auth/password/change", {**wrong, "old_password": PASSWORD})
    other.get(ME, expect=401)
    server.client().post(LOGIN, {"account": name, "password": PASSWORD}, expect=401)
    server.login(name, "another good password")


def test_password_change_refusals(server, user):
    """The fields at fault are named, the rules are those of a registration, keys may not, and nothing is changed by a refusal."""
    path, name, key = "/api/v1/auth/password/change", user.get(ME).data["username"], api_key(user, "write")["key"]
    body = {"old_password": PASSWORD, "new_password": "another good password"}
    assert user.post(path, {**body, "old_password": "wrong"}, expect=422).fields == {"old_password"}
    for new in ("short77", "password123", 5, None):
        assert user.post(path, {**body, "new_password": new}, expect=422).fields == {"new_password"}
    assert user.post(path, {}, expect=422).fields == {"old_password", "new_password"}
    server.client(key=key).post(path, body, expect=403)
    server.client().post(path, body, expect=401)
    server.login(name)


def test_password_guessing_with_a_stolen_token_is_limited(homeport):
    """Wrong old passwords count as failed sign-ins of the address."""
    h = homeport({"limits.login_failures": 3}, free=False)
    u = h.user("stolen")
    body = {"old_password": "wrong", "new_password": "another good password"}
    got = [u.post("/api/v1/auth/password/change", body, expect=(422, 403)).status for _ in range(5)]
    assert got == [422, 422, 422, 403, 403], got
    u.post("/api/v1/auth/password/change", {**body, "old_password": PASSWORD}, expect=403)


def test_switched_off_user_is_out_at_once(server, admin, unique):
    """An administrator's switch works within one request, and everything says why. Sign-ins end for good; keys only rest."""
    u = server.user(unique("off"))
    other = server.login(u.me["username"])
    me, key = u.get(ME).data, api_key(u, "read")["key"]
    admin.patch(f"/api/v1/users/{me['id']}", {"is_active": False})
    tries = lambda: [u.get(ME, expect=401).code, other.get(ME, expect=401).code,
                     *(server.client().post(REFRESH, {"refresh_token": c.refresh}, expect=401).code for c in (u, other))]
    assert tries() == [401005] * 4, "switched off, not just signed out"
    assert server.client(key=key).get(ME, expect=401).code == 401005
    assert server.client().post(LOGIN, {"account": me["username"], "password": PASSWORD}, expect=401).code == 401005
    admin.patch(f"/api/v1/users/{me['id']}", {"is_active": True})
    assert tries() == [401004] * 4, "nothing that was signed in before comes back"
    server.client(key=key).get(ME)
    again = server.login(me["username"])
    assert again.get("/api/v1/sessions").data["total"] == 1


def test_switching_off_is_audited_with_every_sign_in_it_ends(homeport):
    """The audit log says who switched the account off and which sign-ins went with it, all under one request."""
    h = homeport()
    admin, u = h.admin(), h.user("off")
    h.login("off")
    r = admin.patch(f"/api/v1/users/{u.me['id']}", {"is_active": False})
    entries = [e for e in admin.all("/api/v1/audit") if e["request_id"] == r.headers["x-request-id"]]
    assert sorted((e["action"], e["target"]) for e in entries) == [("remove", "session"), ("remove", "session"), ("update", "user")], entries
    assert {e["user_id"] for e in entries} == {admin.get(ME).data["id"]} and {e["owner_id"] for e in entries} == {u.me["id"]}


def test_roles_count_at_once_and_only_super_admin_gives_them(server, admin, unique):
    """A role works from the next request on, in both directions, and an admin cannot make itself or another more than it is."""
    u, v = server.user(unique("role")), server.user(unique("role"))
    uid, vid = u.get(ME).data["id"], v.get(ME).data["id"]
    u.get("/api/v1/users", expect=403)
    admin.patch(f"/api/v1/users/{uid}", {"role": "admin"})
    u = server.login(u.me["username"])
    assert u.get("/api/v1/users", params={"limit": 1}).data["items"]
    for who in (uid, vid):
        u.patch(f"/api/v1/users/{who}", {"role": "super_admin"}, expect=403)
    admin.patch(f"/api/v1/users/{uid}", {"role": "user"})
    u.get("/api/v1/users", expect=(401, 403))


def test_me(user):
    """Users change their own profile but not what they are: nickname yes; role, is_active and id are refused by name."""
    assert user.patch(ME, {"nickname": "Nick 小"}).data["nickname"] == "Nick 小"
    bad = {"role": "admin", "is_active": False, "id": "1"}
    assert set(bad) <= user.patch(ME, bad, expect=422).fields
    assert user.get(ME).data["role"] == "user"


def test_another_users_things_do_not_exist(server, user, unique):
    """Another user's object answers 404, never 403, for every verb; and lists show only one's own."""
    d = quiet_domain(user, unique("own") + ".test")
    k, o = api_key(user), server.user(unique("other"))
    for path, verbs in ((f"/api/v1/domains/{d['id']}", "get patch delete"), (f"/api/v1/domains/{d['id']}/records", "get"),
                        (f"/api/v1/api-keys/{k['id']}", "delete")):
        for verb in verbs.split():
            o.request(verb.upper(), path, {} if verb == "patch" else None, expect=404)
    assert o.all("/api/v1/domains") == [] and o.all("/api/v1/api-keys") == []
    o.get(f"/api/v1/users/{user.get(ME).data['id']}", expect=(403, 404))


# ---- API keys
def test_key_is_shown_once(user):
    """The whole key is in the first answer only, in its promised form; lists have the name and no secret."""
    k = api_key(user, "read")
    prefix, key_id, secret = k["key"].split("_", 2)
    assert prefix == "hp" and key_id == k["id"] and len(secret) >= 22
    shown = user.get("/api/v1/api-keys").text
    assert k["name"] in shown and secret not in shown


def test_key_works_in_both_headers(server, user):
    """A key is good as Bearer and as X-API-Key; changed in its last letter it is not."""
    key = api_key(user, "read")["key"]
    wrong = key[:-1] + ("A" if key[-1] != "A" else "B")
    assert server.client(key=key).get(ME).data == server.client(headers={"X-API-Key": key}).get(ME).data
    server.client(key=wrong).get(ME, expect=401)
    server.client(headers={"X-API-Key": wrong}).get(ME, expect=401)


def test_scopes(server, user, unique):
    """A scope opens its own door only: read changes nothing, ddns:write makes domains but no keys, nothing exceeds the role."""
    body = lambda: {"name": unique("s") + ".test", "provider": "callback", "credentials": {"url": "http://127.0.0.1:9/"}, "is_active": False}
    with_scopes = lambda *s: server.client(key=api_key(user, *s)["key"])
    read, ddns, accounts, write = with_scopes("read"), with_scopes("ddns:read", "ddns:write"), with_scopes("accounts:read"), with_scopes("read", "write")
    read.get("/api/v1/domains"), ddns.get("/api/v1/domains"), accounts.get(ME), write.get(ME)
    accounts.get("/api/v1/domains", expect=403)
    read.post("/api/v1/domains", body(), expect=403)
    read.patch(ME, {"nickname": "x"}, expect=403)
    ddns.post("/api/v1/domains", body()), write.post("/api/v1/domains", body())
    ddns.post("/api/v1/api-keys", {"name": "more", "scopes": ["write"]}, expect=403)
    write.get("/api/v1/users", expect=403)
    assert "scopes" in user.post("/api/v1/api-keys", {"name": "x", "scopes": ["everything"]}, expect=422).fields
    assert "scopes" in user.post("/api/v1/api-keys", {"name": "x", "scopes": []}, expect=422).fields


@pytest.mark.parametrize("breaks", ["a\nb", "a\tb", "\n", "a\r\nb", "a\u0085b"])
def test_names_for_people_are_one_line(admin, server, user, breaks):
    """What is shown in lists and logs line by line holds no line break and no tab; 422 names the field."""
    ddns = "/api/v1/ddns/sources"
    replies = [("nickname", user.patch(ME, {"nickname": breaks}, expect=422)), ("nickname", user.put("/api/v1/user/profile", {"nickname": breaks}, expect=422)),
               ("nickname", admin.patch(f"/api/v1/users/{user.me['id']}", {"nickname": breaks}, expect=422)),
               ("nickname", server.client().post(LOGIN, {"device_id": "one-line-device", "nickname": breaks}, expect=422)),
               ("name", user.post("/api/v1/api-keys", {"name": breaks, "scopes": ["read"]}, expect=422)),
               ("reason", admin.post("/api/v1/bans", {"ip": "192.0.2.1", "reason": breaks}, expect=422)),
               ("name", user.post(ddns, {"name": breaks, "kind": "pushed", "family": "ipv4"}, expect=422))]
    for field, r in replies:
        assert r.fields == {field}, r
    assert user.patch(ME, {"nickname": "Zoë \U0001f3e0 \u202b\u05d0"}).data["nickname"] == "Zoë \U0001f3e0 \u202b\u05d0"


def test_what_a_key_cannot_do_says_so(admin, server, unique):
    """What only a signed-in person may do, a key of the highest role with all scopes may not; the answer speaks of the key, not the role."""
    key, other = server.client(key=api_key(admin, "read", "write")["key"]), server.user(unique("other"))
    there = f"/api/v1/users/{other.me['id']}"
    refused = [key.post("/api/v1/api-keys", {"name": "x", "scopes": ["read"]}, expect=403), key.post("/api/v1/auth/logout", expect=403),
               key.post("/api/v1/auth/password/change", {"old_password": PASSWORD, "new_password": PASSWORD + "!"}, expect=403),
               key.post("/api/v1/auth/mfa/enroll", expect=403), key.post("/api/v1/token-keys/rotate", expect=403),
               key.patch(ME, {"email": "evil@example.test"}, expect=403), key.patch(there, {"role": "operator"}, expect=403)]
    for r in refused:
        assert r.code == 403000 and "API key" in r.body["message"], r
    assert "role" in other.get("/api/v1/users", expect=403).body["message"]
    assert key.patch(there, {"email": f"{unique('moved')}@example.test"}).data["role"] == "user", "of lower roles a key may move the address"


def test_a_key_has_one_spelling(server, user):
    """Zeros before its number make another text of it, and that is no key."""
    key = api_key(user, "read")["key"]
    for wrong in (key.replace("hp_", "hp_0"), key.replace("hp_", "hp_+"), key.replace("hp_", "hp_ ")):
        assert server.client(key=wrong).get(ME, expect=401).code == 401007
        assert server.client(headers={"X-API-Key": wrong}).get(ME, expect=401).code == 401007


def test_a_key_makes_no_stronger_key(server, user):
    """A key cannot pass on more than it has: making a key with it is refused, or gives no scope that it lacks."""
    c = server.client(key=api_key(user, "accounts:write")["key"])
    c.post("/api/v1/api-keys", {"name": "x", "scopes": ["write"]}, expect=(403, 422))


def test_revoked_and_expired_keys_fail_at_once(server, user):
    """A deleted key is refused in the next request; one with expires_at is refused from that instant; the past is no expiry."""
    k = api_key(user, "read")
    c = server.client(key=k["key"])
    c.get(ME)
    user.delete(f"/api/v1/api-keys/{k['id']}")
    c.get(ME, expect=401)
    soon = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 2))
    c = server.client(key=api_key(user, "read", expires_at=soon)["key"])
    wait_until(lambda: c.get(ME, expect=(200, 401)).status == 401, 6, "the key's end", every=0.1)
    user.post("/api/v1/api-keys", {"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00.000Z"}, expect=422)
