"""The keys that sign tokens: put in force by route, command and schedule; old tokens, and what an emergency does to them."""
import base64
import json
import time

import pytest

from lib.ddns import api_key
from lib.homeport import cli
from lib.wait import wait_until

ME, REFRESH, KEYS, ROTATE = "/api/v1/users/me", "/api/v1/auth/refresh", "/api/v1/token-keys", "/api/v1/token-keys/rotate"
MALFORMED = 401002


def kid(token):
    head = token.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def test_a_rotation_disturbs_nobody(homeport):
    """After a rotation new tokens have the next kid, those of the key before stay good and refresh; it is listed and audited."""
    h = homeport()
    admin, u = h.admin(), h.user("steady")
    assert [(k["number"], k["retires_at"]) for k in admin.all(KEYS)] == [(1, None)] and kid(u.token) == kid(u.refresh) == "1"
    made = admin.post(ROTATE).data
    assert made["number"] == 2 and made["retires_at"] is None
    new, old = admin.all(KEYS)
    assert new == made and old["number"] == 1 and "secret" not in json.dumps([new, old])
    life = time.mktime(time.strptime(old["retires_at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime())
    assert 604800 - 60 < life <= 604800 + 1
    u.get(ME), admin.get(ME)
    assert kid(h.login("steady").token) == "2"
    u.with_tokens(h.client().post(REFRESH, {"refresh_token": u.refresh}).data).get(ME)
    assert kid(u.token) == kid(u.refresh) == "2"
    entries = [(e["action"], e["target"]) for e in admin.get("/api/v1/audit", params={"limit": 20}).data["items"]]
    assert ("create", "token_key") in entries and ("update", "token_key") in entries
    h.restart(hard=True)
    admin, u = (h.client(token=c.token) for c in (admin, u))
    admin.get(ME), u.get(ME)
    assert [k["number"] for k in admin.all(KEYS)] == [2, 1]


def test_an_emergency_ends_all_old_tokens_at_once(homeport):
    """With revoke_old the tokens of the keys before are refused at the very next request, the caller's and remembered ones too; API keys go on."""
    h = homeport()
    admin, u = h.admin(), h.user("leaked")
    key = h.client(key=api_key(u, "read")["key"])
    refresh = u.refresh
    for c in (admin, u, key):
        c.get(ME)
    assert admin.post(ROTATE, {"revoke_old": True}).data["number"] == 2
    for c in (admin, u):
        assert c.get(ME, expect=401).code == MALFORMED
    assert h.client().post(REFRESH, {"refresh_token": refresh}, expect=401).code == MALFORMED
    key.get(ME)
    again = h.login("leaked")
    assert kid(again.token) == "2"
    again.get(ME)
    h.restart(hard=True)
    assert h.client(token=u.token).get(ME, expect=401).code == MALFORMED
    h.client(token=again.token).get(ME)


@pytest.mark.parametrize("running", [True, False])
def test_keys_rotate_command(homeport, running):
    """`keys rotate` works with the server running or stopped; with --now-only old tokens are refused from the next request on."""
    h = homeport()
    admin, u = h.admin(), h.user("shell")

    def run(*words):
        if not running:
            h.process.terminate(), h.process.wait(10)
        r = h.cli("keys", "rotate", *words)
        if not running:
            h.start()
        assert r.returncode == 0 and r.stdout.count("\n") == 1, r
        return r.stdout

    assert "key 2 signs" in run()
    u.get(ME)
    assert kid(h.login("shell").token) == "2" and [k["number"] for k in admin.all(KEYS)] == [2, 1]
    assert "key 3 signs" in run("--now-only") and u.get(ME, expect=401).code == MALFORMED
    new = h.login("shell")
    assert kid(new.token) == "3"
    new.get(ME)
    r = cli("keys", "rotate", data=h.data / "nowhere")
    assert r.returncode == 1 and "no store" in r.stderr, r


def test_only_a_super_admin_signed_in_may(homeport):
    """Neither lower roles nor API keys see or move the keys."""
    h = homeport()
    admin, boss = h.admin(), h.user("boss")
    admin.patch(f"/api/v1/users/{boss.me['id']}", {"role": "admin"})
    h.client().get(KEYS, expect=401), h.client().post(ROTATE, expect=401)
    boss.get(KEYS, expect=403), boss.post(ROTATE, expect=403)
    h.client(key=api_key(admin, "read", "write")["key"]).post(ROTATE, expect=403)
    assert admin.post(ROTATE, {"revoke_old": "yes"}, expect=422).fields == {"revoke_old"}
    assert [k["number"] for k in admin.all(KEYS)] == [1]


def test_eight_keys_are_good_at_most(homeport):
    """The ninth rotation within the life of a token is refused with words, by route and command; an emergency is not."""
    h = homeport()
    admin = h.admin()
    for number in range(2, 9):
        assert admin.post(ROTATE).data["number"] == number
    admin.get(ME)
    assert "revoke_old" in admin.post(ROTATE, expect=409).body["message"]
    r = h.cli("keys", "rotate")
    assert r.returncode == 1 and "--now-only" in r.stderr, r
    assert admin.post(ROTATE, {"revoke_old": True}).data["number"] == 9
    admin = h.login("root-admin")
    assert admin.post(ROTATE).data["number"] == 10
    assert [k["number"] for k in admin.all(KEYS)] == [10, 9], "what had ended is taken away by the next rotation"


@pytest.mark.settings({"auth.key_rotation": 1})
def test_keys_rotate_on_schedule(api):
    """auth.key_rotation is the age at which another key takes over, by itself and without disturbing anybody."""
    wait_until(lambda: api.all(KEYS)[0]["number"] >= 3, 15, "the third key")
    api.get(ME)
    assert int(kid(api.server.login("root-admin").token)) >= 3


@pytest.mark.settings({"auth.key_rotation": 0})
def test_no_schedule(api):
    """With 0 keys rotate by command only."""
    assert [k["number"] for k in api.all(KEYS)] == [1]
    assert api.post(ROTATE).data["number"] == 2
