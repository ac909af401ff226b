"""Bans: too many failed sign-ins of one address; what that refuses and what not; list, lift, by hand (accounts.md)."""
import time

import pytest

from lib.ddns import api_key
from lib.homeport import ADMIN, PASSWORD
from lib.wait import wait_until

BANS, ME, LOGIN, REGISTER, SETUP = "/api/v1/bans", "/api/v1/users/me", "/api/v1/auth/login", "/api/v1/auth/register", "/api/v1/setup"
TOKEN, REFRESH, CHANGE = "/api/v1/auth/token", "/api/v1/auth/refresh", "/api/v1/auth/password/change"
PROXY = {"http.trusted_proxies": "127.0.0.1/32", "limits.login_failures": 3}
BAD = "192.168.7.66"
BANNED = 403006


def behind(h, ip, **kw):
    return h.client(headers={"X-Forwarded-For": ip}, **kw)


def get_banned(h, ip=BAD, name="nobody"):
    c = behind(h, ip)
    got = [c.post(LOGIN, {"account": name, "password": "wrong"}, expect=(401, 403)).code for _ in range(5)]
    assert got == [401006] * 3 + [BANNED] * 2, got
    return c


def is_banned(h, ip=BAD):
    """By the right password."""
    r = behind(h, ip).post(LOGIN, {"account": ADMIN["username"], "password": PASSWORD}, expect=(200, 403))
    assert r.status == 200 or r.code == BANNED, r
    return r.status == 403


@pytest.fixture
def house(homeport):
    h = homeport(PROXY, free=False)
    h.root = h.admin()
    return h


def test_failures_ban_one_address(house):
    """The failure too many, and every sign-in after it, is 403006 with Retry-After; other addresses sign in."""
    c = get_banned(house)
    for r in (c.post(LOGIN, {"account": ADMIN["username"], "password": PASSWORD}, expect=403),
              c.post(REGISTER, {"username": "x1", "email": "x1@example.test", "password": PASSWORD}, expect=403),
              c.request("POST", TOKEN, data={"grant_type": "password", "username": ADMIN["username"], "password": PASSWORD}, expect=403)):
        assert r.code == BANNED and 3500 < int(r.headers["retry-after"]) <= 3600, r.headers
        assert int(r.headers["ratelimit-limit"]) > 0
    assert not is_banned(house, "192.168.7.2") and not is_banned(house, "127.0.0.1")
    items = house.root.all(BANS)
    assert [(b["ip"], b["failures"], b["reason"]) for b in items] == [(BAD, 4, "Too many failed sign-ins")]
    assert any(line.get("level") == "warning" and line.get("ip") == BAD and "failed sign-ins" in line["message"] for line in house.json_log())
    text = house.client().http.get("/metrics").text
    assert "\nhomeport_bans_total 1\n" in text and 'homeport_records_stored{kind="ban"} 1' in text
    assert "\nhomeport_sign_ins_failed_total 4\n" in text and "\nhomeport_ban_refusals_total 3\n" in text


def test_the_refusal_that_bans_says_how_long(house):
    """Already the answer to the failure that was one too many carries Retry-After."""
    c = behind(house, BAD)
    for _ in range(3):
        c.post(LOGIN, {"account": "nobody", "password": "wrong"}, expect=401)
    r = c.post(LOGIN, {"account": "nobody", "password": "wrong"}, expect=403)
    assert r.code == BANNED and 3590 <= int(r.headers["retry-after"]) <= 3600 and r.headers["ratelimit-limit"] == "300"


def test_valid_tokens_and_keys_pass(house):
    """One wrong gadget does not lock out its house: tokens, keys and refreshes of that address work; guesses do not."""
    u = house.user("anna", headers={"X-Forwarded-For": BAD})
    key = api_key(u, "write")["key"]
    get_banned(house)
    u.get(ME)
    behind(house, BAD, key=key).get(ME)
    assert behind(house, BAD).nic("nothing.example.com", "192.0.2.1", key=key) == "nohost"
    tokens = behind(house, BAD).post(REFRESH, {"refresh_token": u.refresh}).data
    behind(house, BAD, token=tokens["access_token"]).get(ME)
    new = behind(house, BAD).request("POST", TOKEN, data={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}).body
    u.bearer(new["access_token"]).get(ME)
    r = u.post(CHANGE, {"old_password": PASSWORD, "new_password": "another good one"}, expect=403)
    assert r.code == BANNED and int(r.headers["retry-after"]) > 0
    behind(house, BAD).post(REFRESH, {"refresh_token": "nonsense"}, expect=401)
    behind(house, BAD, token="nonsense").get(ME, expect=401)


def test_a_router_with_a_wrong_key(house):
    """Basic with a wrong key is `badauth`, and no failure of the address; from a banned one it is 403006."""
    u = house.user("anna")
    key = api_key(u, "write")["key"]
    c = behind(house, BAD)
    for _ in range(20):
        assert c.nic("a.example.com", "192.0.2.1", key=key[:-1] + "x", expect=401) == "badauth"
        c.get(ME, headers={"X-API-Key": key[:-1] + "x"}, expect=401)
        c.get(ME, headers={"Authorization": "Bearer nonsense"}, expect=401)
    assert not is_banned(house)
    get_banned(house)
    r = c.request("GET", "/nic/update", params={"hostname": "a.example.com"}, auth=("router", key[:-1] + "x"), expect=403)
    assert r.code == BANNED and int(r.headers["retry-after"]) > 3500
    c.nic("a.example.com", "192.0.2.1", expect=401)  # the challenge that some routers wait for
    assert c.nic("a.example.com", "192.0.2.1", key=key) == "nohost"


def test_lifting_counts_from_the_next_request(house):
    """DELETE lets the address sign in at once and forgets its failures; it works from the banned address itself."""
    admin = house.login(ADMIN["username"], headers={"X-Forwarded-For": BAD})
    get_banned(house)
    ban = admin.all(BANS)[0]
    assert admin.get(f"{BANS}/{ban['id']}").data == ban
    assert is_banned(house)
    admin.delete(f"{BANS}/{ban['id']}")
    assert not is_banned(house)
    admin.get(f"{BANS}/{ban['id']}", expect=404)
    admin.delete(f"{BANS}/{ban['id']}", expect=404)
    c = behind(house, BAD)
    for _ in range(3):
        c.post(LOGIN, {"account": "nobody", "password": "wrong"}, expect=401)
    assert not is_banned(house)


def test_by_hand(house):
    """An administrator bans an address or an IPv6 network, for a time or until it is lifted."""
    root = house.root
    ban = root.post(BANS, {"ip": BAD}, expect=201).data
    assert ban["ip"] == BAD and ban["expires_at"] is None and ban["failures"] == 0 and ban["reason"] is None
    r = behind(house, BAD).post(LOGIN, {"account": "nobody", "password": "wrong"}, expect=403)
    assert r.code == BANNED and "retry-after" not in r.headers
    root.post(BANS, {"ip": f"::ffff:{BAD}"}, expect=409)
    later = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 100))
    net = root.post(BANS, {"ip": "fd00:1:2:3::77", "reason": "noise", "expires_at": later}, expect=201).data
    assert (net["ip"], net["reason"], net["expires_at"]) == ("fd00:1:2:3::/64", "noise", later)
    assert is_banned(house, "fd00:1:2:3::1") and not is_banned(house, "fd00:1:2:4::1")
    r = behind(house, "fd00:1:2:3::5").post(LOGIN, {"account": "nobody", "password": "wrong"}, expect=403)
    assert 0 < int(r.headers["retry-after"]) <= 100
    assert [b["id"] for b in root.all(BANS)] == [net["id"], ban["id"]]
    assert [b["id"] for b in root.all(BANS, limit=1)] == [net["id"], ban["id"]]
    etag = root.get(f"{BANS}/{net['id']}").headers["etag"]
    root.delete(f"{BANS}/{net['id']}", headers={"If-Match": '"0-0"'}, expect=412)
    root.delete(f"{BANS}/{net['id']}", headers={"If-Match": etag})
    assert not is_banned(house, "fd00:1:2:3::1")


@pytest.mark.parametrize("body, field", [({}, "ip"), ({"ip": "example.com"}, "ip"), ({"ip": "192.168.7.0/24"}, "ip"), ({"ip": "2001:db8::/48"}, "ip"),
                                         ({"ip": "192.0.2.1", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
                                         ({"ip": "192.0.2.1", "reason": "x" * 201}, "reason"), ({"ip": "192.0.2.1", "failures": 3}, "failures")])
def test_by_hand_refuses(server, admin, body, field):
    """Each wrong field is named."""
    assert admin.post(BANS, body, expect=422).fields == {field}


def test_only_administrators(server, admin, user):
    """Users neither see nor make nor lift bans."""
    ban = admin.post(BANS, {"ip": "192.0.2.99"}, expect=201).data
    for c, status in ((user, 403), (server.client(), 401)):
        c.get(BANS, expect=status)
        c.get(f"{BANS}/{ban['id']}", expect=status)
        c.post(BANS, {"ip": "192.0.2.98"}, expect=status)
        c.delete(f"{BANS}/{ban['id']}", expect=status)
    admin.delete(f"{BANS}/{ban['id']}")


@pytest.mark.parametrize("hard", [False, True])
def test_a_restart_keeps_bans(house, hard):
    """Neither a stop nor a crash lets a guesser in again, and a ban that was lifted stays lifted."""
    get_banned(house)
    get_banned(house, "192.168.7.67")
    root = house.root
    root.delete(f"{BANS}/{root.all(BANS)[0]['id']}")
    token = root.token
    house.restart(hard=hard)
    assert is_banned(house) and not is_banned(house, "192.168.7.67")
    assert [b["ip"] for b in house.client(token=token).all(BANS)] == [BAD]


def test_a_ban_ends_by_itself(homeport):
    """After limits.ban_time the address has all its tries again, and the next ban of it is a ban like any other."""
    h = homeport({**PROXY, "limits.ban_time": 1}, free=False)
    root = h.admin()
    get_banned(h)
    wait_until(lambda: not is_banned(h), 5, "the ban's end", every=0.1)
    get_banned(h)
    assert is_banned(h) and len(root.all(BANS)) == 1


def test_without_ban_time_an_address_waits(homeport):
    """limits.ban_time = 0: 429 until the window ends, and no record."""
    h = homeport({**PROXY, "limits.ban_time": 0, "limits.login_window": 2}, free=False)
    root = h.admin()
    c = behind(h, BAD)
    got = [c.post(LOGIN, {"account": "nobody", "password": "wrong"}, expect=(401, 429)).status for _ in range(5)]
    assert got == [401, 401, 401, 429, 429], got
    assert int(c.post(LOGIN, {"account": ADMIN["username"], "password": PASSWORD}, expect=429).headers["retry-after"]) > 0
    assert root.all(BANS) == []
    wait_until(lambda: c.post(LOGIN, {"account": ADMIN["username"], "password": PASSWORD}, expect=(200, 429)).status == 200, 10, "the window's end")


def test_a_success_does_not_clear_the_count(house):
    """Who owns an account cannot use it to guess at others without end."""
    house.user("anna", headers={"X-Forwarded-For": BAD})
    c = behind(house, BAD)
    for _ in range(3):
        c.post(LOGIN, {"account": ADMIN["username"], "password": "wrong"}, expect=401)
        c.post(LOGIN, {"account": "anna", "password": PASSWORD})
    assert c.post(LOGIN, {"account": ADMIN["username"], "password": "wrong"}, expect=403).code == BANNED


def test_wrong_setup_tokens_count(homeport):
    """Guessing at the setup token bans too, and the ban is kept though the request was refused."""
    h = homeport(PROXY, free=False)
    c = behind(h, BAD)
    got = [c.post(SETUP, {"token": "x" * 32, **ADMIN}, expect=403).code for _ in range(5)]
    assert got == [403003] * 3 + [BANNED] * 2, got
    root = h.admin()
    assert [b["ip"] for b in root.all(BANS)] == [BAD]


def test_audit_and_events(house):
    """Making a ban (by itself: nobody's act; by hand: whose) and lifting it are in the audit log, with the address."""
    get_banned(house)
    root = house.root
    ban = root.all(BANS)[0]
    root.delete(f"{BANS}/{ban['id']}")
    hand = root.post(BANS, {"ip": "192.0.2.5", "reason": "noise"}, expect=201).data
    lines = [e for e in root.all("/api/v1/audit") if e["target"] == "ban"]
    made, lifted, by_hand = sorted(lines, key=lambda e: int(e["id"]))
    assert (made["action"], made["user_id"], made["ip"], made["target_id"]) == ("create", None, BAD, ban["id"])
    assert made["after"]["ip"] == BAD and made["after"]["failures"] == 4
    assert (lifted["action"], lifted["target_id"]) == ("remove", ban["id"]) and lifted["user_id"] is not None
    assert (by_hand["action"], by_hand["user_id"], by_hand["target_id"]) == ("create", lifted["user_id"], hand["id"])


def test_loopback_may_be_banned(homeport):
    """Without a proxy the socket's address counts, this machine's too; the log warns, and the administrator lifts it."""
    h = homeport({"limits.login_failures": 3}, free=False)
    root = h.admin()
    c = h.client()
    for status in (401, 401, 401, 403, 403):
        c.post(LOGIN, {"account": "nobody", "password": "wrong"}, expect=status)
    assert any("http.trusted_proxies" in line["message"] for line in h.json_log())
    c.post(LOGIN, {"account": ADMIN["username"], "password": PASSWORD}, expect=403)
    root.delete(f"{BANS}/{root.all(BANS)[0]['id']}")
    h.login(ADMIN["username"])


def test_switched_off(homeport):
    """limits.enabled = false: no failure bans, and a ban of earlier times does not count."""
    h = homeport({**PROXY, "limits.enabled": "false"}, free=False)
    root = h.admin()
    root.post(BANS, {"ip": BAD}, expect=201)
    c = behind(h, BAD)
    for _ in range(10):
        c.post(LOGIN, {"account": "nobody", "password": "wrong"}, expect=401)
    assert not is_banned(h)


def test_failed_sign_ins_are_audited(homeport):
    """Who was tried, from where: the first of an hour for each account and address; unknown names too; no name is kept."""
    h = homeport()
    admin, user = h.admin(), h.user("guessed")
    user_id = user.get("/api/v1/users/me").data["id"]
    for account in ("guessed", "guessed", "nobody-at-all", "nobody-else", "guessed@example.test"):
        h.client().post("/api/v1/auth/login", {"account": account, "password": "a wrong one"}, expect=401)
    entries = [e for e in admin.all("/api/v1/audit") if e["target"] == "failed_sign_in"]
    assert sorted(str(e["after"].get("user_id")) for e in entries) == sorted([user_id, "None"]), entries
    assert all(e["after"]["ip"] == "127.0.0.1" and e["action"] == "create" for e in entries)
    assert "nobody-" not in str(entries)
