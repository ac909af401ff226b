"""The second factor: enrol, confirm, sign in, recovery codes, replay, guessing, roles that must have one (S14)."""
import concurrent.futures
from urllib.parse import parse_qs, urlsplit

import pytest

from lib.ddns import api_key
from lib.homeport import PASSWORD
from lib.totp import code, other

ME, LOGIN, FORM = "/api/v1/users/me", "/api/v1/auth/login", "/api/v1/auth/token"
ENROLL, CONFIRM, DISABLE = (f"/api/v1/auth/mfa/{word}" for word in ("enroll", "confirm", "disable"))
NEEDED, WRONG, MUST_ENROLL = 401009, 401010, 403009


def enrolled(client):
    """(name, secret, recovery codes) of a user whose second factor is on. Its code of now is spent, the next is not."""
    name = client.get(ME).data["username"]
    secret = client.post(ENROLL).data["secret"]
    recovery = client.post(CONFIRM, {"totp": code(secret)}).data["recovery_codes"]
    return name, secret, recovery


def login(server, name, totp=None, expect=None):
    body = {"account": name, "password": PASSWORD} | ({"totp": totp} if totp is not None else {})
    return server.client().post(LOGIN, body, expect=expect)


def test_enrol_confirm_sign_in(server, user):
    """The URI holds what an authenticator needs; nothing is asked for before the first code has proved it."""
    name = user.get(ME).data["username"]
    data = user.post(ENROLL).data
    uri = urlsplit(data["otpauth_uri"])
    query = {k: v[0] for k, v in parse_qs(uri.query).items()}
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", f"/homeport:{name}")
    assert query == {"secret": data["secret"], "issuer": "homeport", "digits": "6", "period": "30", "algorithm": "SHA1"}
    assert len(data["secret"]) == 32
    login(server, name)  # not confirmed: the password is enough still
    recovery = user.post(CONFIRM, {"totp": code(data["secret"])}).data["recovery_codes"]
    assert len(set(recovery)) == 10 and user.get(ME).data["mfa_enabled"] is True
    assert login(server, name, expect=401).code == NEEDED
    assert login(server, name, "", expect=401).code == NEEDED
    assert login(server, name, code(data["secret"], 1)).data["user"]["username"] == name


def test_a_code_is_good_once(server, user):
    """The code that confirmed cannot sign in; one that signed in cannot do so again, nor can an older one."""
    name, secret, _ = enrolled(user)
    next_code = code(secret, 1)
    assert login(server, name, code(secret), expect=401).code == WRONG
    login(server, name, next_code)
    for used in (next_code, code(secret), code(secret, -1)):
        assert login(server, name, used, expect=401).code == WRONG


def test_replay_in_parallel(server, user):
    """Of many sign-ins at once with one code a single one gets in."""
    name, secret, _ = enrolled(user)
    totp = code(secret, 1)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        statuses = [r.status for r in pool.map(lambda _: login(server, name, totp, expect=(200, 401, 429)), range(4))]
    assert sorted(statuses)[:2] == [200, 401], statuses


def test_recovery_codes(server, user):
    """Each works once, in any spelling, beside the others; it is no way to confirm a new factor."""
    name, _, recovery = enrolled(user)
    login(server, name, recovery[0])
    assert login(server, name, recovery[0], expect=401).code == WRONG
    login(server, name, recovery[1].lower().replace("-", " "))
    login(server, name, recovery[2].replace("-", ""))
    user.post(DISABLE, {"totp": recovery[3]})
    assert user.get(ME).data["mfa_enabled"] is False
    login(server, name)
    user.post(ENROLL)
    assert "totp" in user.post(CONFIRM, {"totp": recovery[4]}, expect=422).fields


def test_wrong_codes_make_one_wait(server, user):
    """After five wrong codes in a row even the right one has to wait: 429. Only who knows the password gets there."""
    name, secret, recovery = enrolled(user)
    wrong = other(code(secret, 1))
    for _ in range(5):
        assert login(server, name, wrong, expect=401).code == WRONG
    login(server, name, code(secret, 1), expect=429)
    login(server, name, recovery[0], expect=429)
    server.client().post(LOGIN, {"account": name, "password": "not the password", "totp": wrong}, expect=401)


def test_the_oauth_form_asks_as_well(server, user):
    """POST /auth/token is no way around: invalid_grant without the code, tokens with it."""
    name, secret, _ = enrolled(user)
    form = {"grant_type": "password", "username": name, "password": PASSWORD}
    assert server.client().request("POST", FORM, data=form, expect=400).body["error"] == "invalid_grant"
    assert server.client().request("POST", FORM, data={**form, "totp": code(secret, 1)}).body["access_token"]


def test_order_of_things(user):
    """Confirm before enrol, enrol twice, disable what is off: 409 each. A wrong code is a wrong field, not a lost sign-in."""
    user.post(CONFIRM, {"totp": "000000"}, expect=409)
    user.post(DISABLE, {"totp": "000000"}, expect=409)
    first = user.post(ENROLL).data["secret"]
    secret = user.post(ENROLL).data["secret"]
    assert first != secret, "an enrolment that was not finished is begun anew"
    assert "totp" in user.post(CONFIRM, {"totp": other(code(secret))}, expect=422).fields
    user.post(CONFIRM, {"totp": code(secret)})
    user.post(ENROLL, expect=409)
    user.post(CONFIRM, {"totp": code(secret, 1)}, expect=409)
    assert "totp" in user.post(DISABLE, {"totp": other(code(secret, 1))}, expect=422).fields
    user.post(DISABLE, {"totp": code(secret, 1)})


@pytest.mark.parametrize("body", [{}, {"totp": None}, {"totp": "12345"}, {"totp": 123456}, {"totp": "0" * 33}, {"totp": "123456", "x": 1}])
def test_refusals(user, body):
    """One wrong input per rule of the body."""
    user.post(CONFIRM, body, expect=422)


def test_keys_cannot_touch_it(server, user):
    """An API key neither sets up nor removes a second factor, whatever its scopes (S14)."""
    key = server.client(key=api_key(user, "read", "write")["key"])
    for path, body in ((ENROLL, None), (CONFIRM, {"totp": "123456"}), (DISABLE, {"totp": "123456"})):
        key.post(path, body, expect=403)


def test_nothing_secret_is_kept_in_sight(homeport):
    """Key and recovery codes are neither in the audit log nor in the log, nor readable in the store."""
    h = homeport()
    admin = h.admin()
    user = h.user("quiet")
    _, secret, recovery = enrolled(user)
    seen = str(admin.all("/api/v1/audit")) + h.log(10000)
    h.stop()
    stored = (h.data / "data.mdb").read_bytes() if (h.data / "data.mdb").exists() else b"".join(
        p.read_bytes() for p in h.data.rglob("*") if p.is_file())
    for word in (secret, *recovery, *(r.replace("-", "") for r in recovery)):
        assert word not in seen and word.encode() not in stored and word.lower().encode() not in stored


def test_roles_that_must_have_one(homeport):
    """auth.mfa_required_roles: until it is set up, such a user may set it up, look at himself, sign out; nothing else."""
    h = homeport(settings={"auth.mfa_required_roles": "super_admin, admin"})
    admin = h.admin()
    assert admin.get("/api/v1/users", expect=403).code == MUST_ENROLL
    assert admin.post("/api/v1/api-keys", {"name": "k", "scopes": ["read"]}, expect=403).code == MUST_ENROLL
    admin.get(ME)
    _, secret, _ = enrolled(admin)
    key = h.client(key=api_key(admin, "read")["key"])
    admin.get("/api/v1/users")
    key.get("/api/v1/users")
    admin.post(DISABLE, {"totp": code(secret, 1)})
    assert admin.get("/api/v1/users", expect=403).code == MUST_ENROLL, "at the very next request"
    assert key.get("/api/v1/users", expect=403).code == MUST_ENROLL
    h.user("plain").get("/api/v1/domains")


def test_an_administrator_switches_a_lost_one_off(server, admin, user):
    """Who lost everything is helped by an administrator, signed in; nobody else can switch one on for him."""
    name, _, _ = enrolled(user)
    path = f"/api/v1/users/{user.get(ME).data['id']}"
    key = server.client(key=api_key(admin, "write", "read")["key"])
    key.patch(path, {"mfa_enabled": False}, expect=403)
    admin.patch(path, {"mfa_enabled": False})
    login(server, name)
    assert "mfa_enabled" in admin.patch(path, {"mfa_enabled": True}, expect=422).fields
    assert any(e["action"] == "update" and "mfa_enabled" in str(e) for e in admin.get("/api/v1/audit").data["items"])


def test_required_roles_are_checked_at_the_start(homeport):
    """A word that is no role stops the start and names what is allowed."""
    h = homeport(settings={"auth.mfa_required_roles": "admin, boss"}, start=False)
    h.write_settings()
    out = h.cli("config", "check")
    assert out.returncode != 0 and "auth.mfa_required_roles" in out.stdout + out.stderr and "super_admin" in out.stdout + out.stderr
