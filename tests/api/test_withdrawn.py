"""What is withdrawn is refused at the very next request, by what reads from a snapshot and by what goes through the core.

The request that withdraws and those that must be refused leave in one write on one kept-alive connection, on which the
credential was good (and is remembered) a moment ago. So there is no moment in between in which it would still work.
"""
import json

import pytest

from lib.ddns import api_key
from lib.homeport import ADMIN, PASSWORD
from lib.rawhttp import Raw

ME, USERS, LOGIN, KEYS = "/api/v1/users/me", "/api/v1/users", "/api/v1/auth/login", "/api/v1/api-keys"
LOGOUT, CHANGE, ROTATE, BANS = "/api/v1/auth/logout", "/api/v1/auth/password/change", "/api/v1/token-keys/rotate", "/api/v1/bans"
NOT_OURS, SIGNED_OUT, INACTIVE, KEY_INVALID = 401002, 401004, 401005, 401007
BANNED, FORBIDDEN = 403006, 403000
NEW = "another correct horse"


def bearer(c):
    return {"Authorization": f"Bearer {c if isinstance(c, str) else c.token}"}


def request(method, path, headers=None, body=None):
    content = b"" if body is None else json.dumps(body).encode()
    fields = {"Host": "localhost", "Content-Length": len(content), **({"Content-Type": "application/json"} if content else {}), **(headers or {})}
    return (f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n").encode() + content


def read_and_turn(who):
    """One request for each lane, that anybody signed in may send."""
    return [request("GET", ME, who), request("PATCH", ME, who, {"nickname": "still here"})]


class Line:
    """One connection; `sent` writes requests at once and gives status and code of each answer."""

    def __init__(self, h):
        self.raw = Raw(h.port)

    def sent(self, *requests):
        assert self.raw.send(b"".join(requests))
        answers = [self.raw.answer() for _ in requests]
        assert None not in answers, "the connection stays open"
        return [(status, json.loads(body).get("code")) for status, _, body in answers]


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """One homeport for all cases; its administrator is signed in anew for each, for some cases end his sessions too."""
    from conftest import FREE
    from lib.homeport import Homeport
    h = Homeport(tmp_path_factory.mktemp("withdrawn") / "data", FREE).start()
    h.admin()
    yield h
    h.end()


@pytest.fixture
def admin(homes):
    return homes.login(ADMIN["username"])


@pytest.fixture
def someone(homes, unique):
    return homes.user(unique("withdrawn"))


def session_of(c):
    """The newest: that of the sign-in just made."""
    return c.get("/api/v1/sessions").data["items"][0]["id"]


# Each case: (h, admin, user) -> the request that withdraws, the credentials that end by it with the code of their refusal, and
# those that must go on.
def logged_out(h, admin, user):
    other = h.login(user.me["username"])
    return request("POST", LOGOUT, bearer(user), {}), [(bearer(user), SIGNED_OUT)], [bearer(other)]


def logged_out_everywhere(h, admin, user):
    other, key = h.login(user.me["username"]), api_key(user, "read", "write")["key"]
    return request("POST", LOGOUT, bearer(user), {"all": True}), [(bearer(user), SIGNED_OUT), (bearer(other), SIGNED_OUT)], [bearer(key)]


def session_deleted(h, admin, user):
    other = h.login(user.me["username"])
    return request("DELETE", f"/api/v1/sessions/{session_of(other)}", bearer(user)), [(bearer(other), SIGNED_OUT)], [bearer(user)]


def own_session_deleted(h, admin, user):
    return request("DELETE", f"/api/v1/sessions/{session_of(user)}", bearer(user)), [(bearer(user), SIGNED_OUT)], [bearer(admin)]


def switched_off(h, admin, user):
    key = api_key(user, "read", "write")["key"]
    return (request("PATCH", f"{USERS}/{user.me['id']}", bearer(admin), {"is_active": False}),
            [(bearer(user), INACTIVE), (bearer(key), INACTIVE), ({"X-API-Key": key}, INACTIVE)], [bearer(admin)])


def closed(h, admin, user):
    key = api_key(user, "read", "write")["key"]
    return (request("DELETE", f"{USERS}/{user.me['id']}", bearer(admin)),
            [(bearer(user), (INACTIVE, SIGNED_OUT)), (bearer(key), (INACTIVE, KEY_INVALID))], [bearer(admin)])


def key_withdrawn(h, admin, user):
    key, other = api_key(user, "read", "write"), api_key(user, "read", "write")
    return (request("DELETE", f"{KEYS}/{key['id']}", bearer(user)),
            [(bearer(key["key"]), KEY_INVALID), ({"X-API-Key": key["key"]}, KEY_INVALID)], [bearer(user), bearer(other["key"])])


def password_changed(h, admin, user):
    other, key = h.login(user.me["username"]), api_key(user, "read", "write")["key"]
    return (request("POST", CHANGE, bearer(user), {"old_password": PASSWORD, "new_password": NEW}),
            [(bearer(other), SIGNED_OUT)], [bearer(user), bearer(key)])


def keys_rotated(h, admin, user):
    key = api_key(user, "read", "write")["key"]
    return (request("POST", ROTATE, bearer(admin), {"revoke_old": True}),
            [(bearer(user), NOT_OURS), (bearer(admin), NOT_OURS)], [bearer(key)])


CASES = [logged_out, logged_out_everywhere, session_deleted, own_session_deleted, switched_off, closed, key_withdrawn, password_changed,
         keys_rotated]


@pytest.mark.parametrize("case", CASES, ids=lambda f: f.__name__)
def test_refused_at_the_very_next_request(homes, admin, someone, case):
    """Reads and changes with the credential are answered, then it is withdrawn, and the next ones behind it are refused."""
    withdraw, ended, kept = case(homes, admin, someone)
    line = Line(homes)
    for who in [who for who, _ in ended] + kept:
        assert line.sent(*read_and_turn(who)) == [(200, 0)] * 2, "it is good before"
    answers = line.sent(withdraw, *(r for who, _ in ended for r in read_and_turn(who)), *(r for who in kept for r in read_and_turn(who)))
    assert answers[0][0] in (200, 201), answers
    refusals, rest = answers[1:1 + 2 * len(ended)], answers[1 + 2 * len(ended):]
    for (who, codes), read, turn in zip(ended, refusals[::2], refusals[1::2]):
        assert read[0] == turn[0] == 401 and read[1] == turn[1], (read, turn)
        assert read[1] in (codes if isinstance(codes, tuple) else (codes,)), read
    assert rest == [(200, 0)] * len(rest), "what was not withdrawn goes on"
    fresh = Line(homes)
    assert all(status == 401 for who, _ in ended for status, _ in fresh.sent(*read_and_turn(who))), "on another connection, too"


def test_a_change_behind_the_withdrawal_is_not_made(homes, admin, someone):
    """The refused change left nothing: the nickname is as it was before."""
    someone.patch(ME, {"nickname": "before"})
    withdraw = request("PATCH", f"{USERS}/{someone.me['id']}", bearer(admin), {"is_active": False})
    assert Line(homes).sent(withdraw, request("PATCH", ME, bearer(someone), {"nickname": "after"})) == [(200, 0), (401, INACTIVE)]
    assert admin.get(f"{USERS}/{someone.me['id']}").data["nickname"] == "before"


def test_what_is_given_back_counts_at_once(homes, admin, someone):
    """Switched on again, keys work at the very next request; sign-ins have ended for good."""
    key, path = api_key(someone, "read", "write")["key"], f"{USERS}/{someone.me['id']}"
    off, on = (request("PATCH", path, bearer(admin), {"is_active": value}) for value in (False, True))
    every = [r for who in (bearer(someone), bearer(key)) for r in read_and_turn(who)]
    refused = [(200, 0)] + [(401, INACTIVE)] * 4
    assert Line(homes).sent(off, *every, on, *every, off, *every) == (
        refused + [(200, 0)] + [(401, SIGNED_OUT)] * 2 + [(200, 0)] * 2 + refused)


def test_a_role_counts_at_once_in_both_directions(homes, admin, someone):
    """Given and taken away with requests right behind: what only administrators may read or change follows the role."""
    victim, key = homes.user(someone.me["username"] + "-other"), api_key(someone, "read", "write")["key"]
    path = f"{USERS}/{someone.me['id']}"
    up, down = (request("PATCH", path, bearer(admin), {"role": role}) for role in ("admin", "user"))

    def tries(who):
        return [request("GET", USERS + "?limit=1", who), request("PATCH", f"{USERS}/{victim.me['id']}", who, {"nickname": "x"})]
    line = Line(homes)
    assert line.sent(*tries(bearer(someone)), *tries(bearer(key))) == [(403, FORBIDDEN)] * 4
    raised = line.sent(up, *tries(bearer(key)))
    assert raised == [(200, 0)] * 3, "a key has its owner's rights"
    now = homes.login(someone.me["username"])
    assert line.sent(*tries(bearer(now))) == [(200, 0)] * 2
    answers = line.sent(down, *tries(bearer(now)), *tries(bearer(key)))
    assert answers[0] == (200, 0) and {status for status, _ in answers[1:]} <= {401, 403}, answers
    assert answers[3:] == [(403, FORBIDDEN)] * 2


def test_bans_count_at_once_and_end_at_once(homeport):
    """A ban made refuses the sign-in right behind it, lifted lets the next one in; what is signed in reads and writes on."""
    h = homeport({"http.trusted_proxies": "127.0.0.1/32", "limits.sign_in": 0, "limits.per_ip": 0}, free=False)
    admin, user = h.admin(), h.user("house", headers={"X-Forwarded-For": "192.168.7.2"})
    here = {"X-Forwarded-For": "192.168.7.66"}
    signs_in = request("POST", LOGIN, here, {"account": "house", "password": PASSWORD})
    form = b"grant_type=password&username=house&password=" + PASSWORD.replace(" ", "+").encode()
    granted = (f"POST /api/v1/auth/token HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.168.7.66\r\n"
               f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n").encode() + form
    signed_in = read_and_turn({**bearer(user), **here})
    line = Line(h)
    assert [s for s, _ in line.sent(signs_in, granted, *signed_in)] == [200] * 4
    answers = line.sent(request("POST", BANS, bearer(admin), {"ip": "192.168.7.66"}), signs_in, granted, *signed_in)
    assert [s for s, _ in answers] == [201, 403, 403, 200, 200] and answers[1][1] == BANNED, answers
    lift = request("DELETE", f"{BANS}/{admin.get(BANS).data['items'][0]['id']}", bearer(admin))
    assert [s for s, _ in line.sent(lift, signs_in, granted, *signed_in)] == [200] * 5
