"""What an attacker tried, one promise each: requests that race, keys that reach for more, and stores that must not grow."""
import concurrent.futures
import hashlib
import re
import struct
import threading
import time
from pathlib import Path

import pytest

from lib.homeport import ADMIN, PASSWORD
from lib.mail_sink import MailSink
from lib.sse import Events
from lib.wait import wait_until

ME, LOGIN, KEYS, USERS = "/api/v1/users/me", "/api/v1/auth/login", "/api/v1/api-keys", "/api/v1/users"
SESSIONS, BANS, FORGOT, RESET = "/api/v1/sessions", "/api/v1/bans", "/api/v1/auth/password/forgot", "/api/v1/auth/password/reset"
NEW = "another correct horse"
# One hash at a time, each of about half a second: a request can be overtaken on its way.
SLOW = {"auth.hash_running": 1, "auth.argon2_memory_kib": 131072, "auth.argon2_passes": 4}


def key_of(client, *scopes):
    made = client.post(KEYS, {"name": "k", "scopes": list(scopes)}).data
    return client.server.client(key=made["key"])


# ---- an API key is not a sign-in
def test_a_key_does_not_move_the_mail_address(server, user, unique):
    """Links for a new password go to the mail address: an API key may not set it, whatever its scope; a sign-in may."""
    key, mail = key_of(user, "write"), f"{unique('moved')}@example.test"
    before = user.get(ME).data["email"]
    assert key.patch(ME, {"email": mail}, expect=403).code == 403000
    assert key.patch(ME, {"email": before.upper(), "nickname": "by key"}).data["nickname"] == "by key"
    assert user.patch(ME, {"email": mail}).data["email"] == mail


def test_an_administrators_key_does_not_move_its_owners_mail_address(server, admin, unique):
    """The same through administration: a key sets the mail address of accounts below its owner's role only."""
    key, other = key_of(admin, "write"), server.user(unique("below"))
    me, other_id = admin.get(ME).data, other.get(ME).data["id"]
    key.patch(f"{USERS}/{me['id']}", {"email": f"{unique('moved')}@example.test"}, expect=403)
    assert admin.get(ME).data["email"] == me["email"]
    key.patch(f"{USERS}/{other_id}", {"email": f"{unique('moved')}@example.test"})


def test_a_key_is_not_shown_what_a_sign_in_made(server, user, unique):
    """A kept answer belongs to the credential that got it: a key that repeats its owner's request is refused, as it
    would be without an Idempotency-Key, and does not get the new key."""
    key, again = key_of(user, "write"), {"Idempotency-Key": unique("twice-")}
    body = {"name": "made once", "scopes": ["read"]}
    made = user.post(KEYS, body, headers=again).data["key"]
    assert user.post(KEYS, body, headers=again).data["key"] == made
    assert made not in key.post(KEYS, body, headers=again, expect=403).text


def test_kept_requests_are_no_way_to_try_passwords(homeport):
    """What is stored of a registration with an Idempotency-Key is no plain hash of it, which could be tried fast."""
    h = homeport()
    h.admin()
    body = ('{"username":"kept","email":"kept@example.test","password":"%s"}' % PASSWORD).encode()
    h.client().post("/api/v1/auth/register", content=body,
                    headers={"content-type": "application/json", "Idempotency-Key": "kept-1"})
    plain = hashlib.blake2b(struct.pack("<Q", len(body)) + body, digest_size=32).hexdigest().encode()
    h.stop()
    files = [f for f in h.data.iterdir() if f.is_file()]
    assert any(b"kept@example.test" in f.read_bytes() for f in files), "the store was looked at"
    assert not any(plain in f.read_bytes() for f in files)
    h.start()


# ---- requests that race
def fill_the_hasher(h, count=5):
    """Sign-ins of nobody that wait in front of whatever is asked next."""
    def one():
        h.client().post(LOGIN, {"account": "nobody-there", "password": PASSWORD}, expect=401)
    threads = [threading.Thread(target=one) for _ in range(count)]
    for t in threads:
        t.start()
    wait_until(lambda: sum(t.is_alive() for t in threads) == count, 5, "all of them wait")
    time.sleep(0.2)  # they have been sent; the hasher works for seconds
    return threads


def overtaken(h, name, request):
    """The answer to `request`, which waits behind others while the command line gives `name` another password."""
    waiting = fill_the_hasher(h)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(request)
        time.sleep(0.1)
        h.cli("user", "passwd", name, "--password-stdin", stdin=NEW + "\n")
        assert not answer.done(), "it was to be overtaken"
        for t in waiting:
            t.join()
        return answer.result()


@pytest.mark.parametrize("form", [False, True])
def test_a_changed_password_overtakes_a_sign_in(homeport, form):
    """A sign-in that is being verified when the password is changed fails with the old one, and the new one stays."""
    h = homeport({**SLOW, "auth.argon2_passes": 3})
    h.admin()
    h.user("victim")
    h.settings |= SLOW  # the stored hash is outdated: a right password would have it made anew
    h.restart()

    def sign_in():
        if not form:
            return h.client().post(LOGIN, {"account": "victim", "password": PASSWORD}, expect=(200, 401)).status
        fields = {"grant_type": "password", "username": "victim", "password": PASSWORD}
        return h.client().http.post("/api/v1/auth/token", data=fields).status_code
    assert overtaken(h, "victim", sign_in) == (400 if form else 401)
    h.login("victim", NEW)


def test_outdated_hashes_are_made_anew_at_once_for_all(homeport):
    """Many sign-ins at once while the stored hash is outdated: all succeed, though the first changes it for the others."""
    h = homeport()
    h.admin()
    h.user("many")
    h.settings["auth.argon2_passes"] = 2
    h.restart()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: h.login("many").token, range(16)))


def test_a_changed_account_overtakes_a_link(homeport):
    """A link for a new password that is being used when the account is changed is worthless, as it is afterwards."""
    with MailSink() as sink:
        h = homeport({**SLOW, **sink.settings()})
        h.admin()
        h.user("victim")
        h.client().post(FORGOT, {"account": "victim"})
        wait_until(lambda: sink.mails, 10, "the mail")
        token = re.search(r"token=([\w.]+)", sink.mails[-1].text)[1]
        body = {"token": token, "new_password": "the attackers choice"}
        assert overtaken(h, "victim", lambda: h.client().post(RESET, body, expect=(200, 422)).status) == 422
        h.login("victim", NEW)


# ---- nobody learns who has an account
def commits(h):
    text = h.client().http.get("/metrics").text
    return int(re.search(r"^homeport_commits_total (\d+)", text, re.M)[1])


def test_sending_a_confirmation_costs_the_same_for_everybody(homeport):
    """A confirmation asked for without a sign-in is written down in any case: time does not tell who has an account."""
    with MailSink() as sink:
        h = homeport(sink.settings())
        h.admin()
        before = commits(h)
        h.client().post("/api/v1/auth/email/send", {"email": "nobody@example.test"})
        assert commits(h) > before


def test_a_full_queue_of_letters_does_not_tell(homeport):
    """With more letters waiting than there is room for, a forgotten password is answered alike for all accounts."""
    h = homeport({"smtp.url": "smtp://127.0.0.1:9", "smtp.from": "homeport@example.test", "smtp.starttls": "false",
                  "tasks.retry_base": 3600000, "tasks.retry_max": 3600000})
    h.admin()
    for i in range(205):
        name = f"waiting{i}"
        h.client().post("/api/v1/auth/register", {"username": name, "email": f"{name}@example.test", "password": PASSWORD})
        h.client().post(FORGOT, {"account": name})
    assert h.client().post(FORGOT, {"account": "nobody"}).body == h.client().post(FORGOT, {"account": ADMIN["username"]}).body
    assert h.client().post("/api/v1/auth/email/send", {"email": "waiting204@example.test"}).data is None


# ---- live events
def test_operators_hear_of_nothing_they_could_not_read(server, admin, unique):
    """An operator is told of neither bans nor letters nor signing keys, which only administrators can read; they are told."""
    name = unique("op")
    operator = server.user(name)
    admin.patch(f"{USERS}/{operator.get(ME).data['id']}", {"role": "operator"})
    operator = server.login(name)
    with Events(operator) as hears, Events(admin) as told:
        ban = admin.post(BANS, {"ip": "203.0.113.77"}).data["id"]
        key = admin.post("/api/v1/token-keys/rotate").data["id"]
        told.wait(ban)
        told.wait(key)
        end = operator.patch(ME, {"nickname": "the end"}).data["id"]
        hears.wait(end)
        assert not [e for e in hears.events if ban in e["data"] or key in e["data"]]


# ---- nothing grows without a bound
def test_sign_ins_of_one_user_are_bounded(server, unique):
    """At most 200 sign-ins of a user stand at once; the one used longest ago ends, the newest works, one that is used stays."""
    device = {"device_id": unique("endless-device-")}
    first, second = (server.client(token=server.client().post(LOGIN, device).data["access_token"]) for _ in range(2))
    for _ in range(198):
        server.client().post(LOGIN, device)
    first.bearer(first.post("/api/v1/auth/refresh").data["access_token"])
    last = server.client(token=server.client().post(LOGIN, device).data["access_token"])
    assert last.get(SESSIONS).data["total"] == 200
    first.get(ME)
    assert second.get(ME, expect=401).code == 401004


def test_api_keys_of_one_user_are_bounded(server, user):
    """A user has at most 200 API keys; one that was withdrawn makes room for another."""
    made = [user.post(KEYS, {"name": f"k{i}", "scopes": ["read"]}).data["id"] for i in range(200)]
    assert user.post(KEYS, {"name": "one more", "scopes": ["read"]}, expect=409).code == 409000
    user.delete(f"{KEYS}/{made[77]}")
    user.post(KEYS, {"name": "one more", "scopes": ["read"]})
    assert user.get(KEYS).data["total"] == 200
    user.post(KEYS, {"name": "one more", "scopes": ["read"]}, expect=409)


def test_new_devices_count_as_registrations(homeport):
    """One address makes as many accounts by new device ids in an hour as it may register; known devices go on."""
    h = homeport({"limits.register": 3, "http.trusted_proxies": "127.0.0.1/32"}, free=False)
    near, other = (h.client(headers={"X-Forwarded-For": f"192.168.9.{n}"}) for n in (1, 2))
    for i in range(3):
        near.post(LOGIN, {"device_id": f"device-number-{i}"})
    assert near.post(LOGIN, {"device_id": "device-number-3"}, expect=429).code == 429000
    near.post(LOGIN, {"device_id": "device-number-0"})
    other.post(LOGIN, {"device_id": "device-number-3"})


# ---- what is left behind
def test_failed_sign_ins_are_logged(server, user):
    """A failed sign-in leaves a line with address, request and, where there is one, the account; not the password."""
    me, wrong = user.get(ME).data, "a wrong password 4711"
    server.client().post(LOGIN, {"account": me["username"], "password": wrong}, headers={"X-Request-Id": "failed-1"}, expect=401)
    line = wait_until(lambda: [x for x in server.json_log() if x.get("request_id") == "failed-1"], 5, "the line")[0]
    assert line["message"] == "a sign-in failed" and line["ip"] == "127.0.0.1" and line["user_id"] == me["id"]
    assert not any(wrong in x for x in server.lines)


def test_taken_addresses_are_told_as_rarely_as_to_who_registers(homeport):
    """Whoever is signed in cannot try out mail addresses one after the other to learn who has an account."""
    h = homeport({"limits.register": 4}, free=False)
    h.admin()
    u, taken = h.user("curious"), {"email": ADMIN["email"]}
    for _ in range(4):
        u.patch(ME, taken, expect=409)
    assert u.patch(ME, taken, expect=429).code == u.patch(ME, {"phone_number": "+8613800000000"}, expect=429).code == 429000
    u.patch(ME, {"nickname": "goes on"})


def test_points_are_told_to_whose_they_are(server, admin, unique):
    """A device's points account is its user's in the audit log, so that the user hears of it and others do not."""
    user = server.client().post(LOGIN, {"device_id": unique("points-device-")}).data["user"]
    made = [e for e in admin.get("/api/v1/audit", params={"limit": 20}).data["items"]
            if e["target"] == "points_account" and e["target_id"] == user["id"]]
    assert [e["owner_id"] for e in made] == [user["id"]]


def test_a_crash_leaves_no_memory_behind(server):
    """Memory holds passwords, tokens and the key: the server writes no core dump, whatever it was started with."""
    limits = Path(f"/proc/{server.process.pid}/limits").read_text()
    assert re.search(r"^Max core file size +1 +1 ", limits, re.M), limits  # one byte: no file, and no pipe either
