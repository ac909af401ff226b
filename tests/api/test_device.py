"""Devices that sign in by themselves, and the own profile."""
import concurrent.futures

import pytest

from lib.homeport import PASSWORD
from lib.jwt import parts

LOGIN, REFRESH, ME, PROFILE = "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/users/me", "/api/v1/user/profile"


def device(server, device_id, **more):
    return server.client().post(LOGIN, {"device_id": device_id, **more})


def test_first_sight_makes_an_account(server, unique):
    """A new device_id gets an account, a points account and one token of seven days; the second time it is the same account."""
    device_id = unique("device-0001-")
    first = device(server, device_id, nickname="phone").data
    assert first["refresh_token"] is None and first["user"]["nickname"] == "phone" and first["user"]["username"] is None
    assert "device_hash" not in first["user"] and device_id not in str(first)
    _, claims, _ = parts(first["access_token"])
    assert claims["exp"] - claims["iat"] == 7 * 86400 and claims["type"] == "access"
    again = device(server, device_id.upper(), nickname="other").data
    assert again["user"]["id"] == first["user"]["id"] and again["user"]["nickname"] == "phone"
    profile = server.client(token=again["access_token"]).get(PROFILE).data
    assert profile["points_balance"] == 0 and profile["is_vip"] is False and profile["vip_type"] is None


def test_at_once(server, unique):
    """The same new device_id many times at once: one account."""
    device_id = unique("device-parallel-")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = {r.data["user"]["id"] for r in pool.map(lambda _: device(server, device_id), range(8))}
    assert len(ids) == 1


def test_refresh_by_bearer_alone(server, unique):
    """A device renews its token with that token and nothing else; signed out, it cannot."""
    c = server.client(token=device(server, unique("device-refresh-")).data["access_token"])
    renewed = c.post(REFRESH).data
    assert renewed["refresh_token"] is None
    again = server.client(token=renewed["access_token"])
    again.get(ME)
    again.post("/api/v1/auth/logout")
    assert again.post(REFRESH, expect=401).code == 401004
    assert c.post(REFRESH, expect=401).code == 401004


def test_refresh_needs_something(server, user):
    """Without any token 401; with a person's access token the refresh token is asked for; a stale Bearer beside a good
    refresh token does not hurt."""
    assert server.client().post(REFRESH, expect=401).code == 401000
    assert server.client(token="nonsense").post(REFRESH, expect=401).code == 401002
    assert "refresh_token" in user.post(REFRESH, expect=422).fields
    name = user.get(ME).data["username"]
    good = server.client().post(LOGIN, {"account": name, "password": PASSWORD}).data["refresh_token"]
    assert server.client(token="nonsense").post(REFRESH, {"refresh_token": good}).data["access_token"]


@pytest.mark.parametrize("body, fields", [
    ({}, {"account", "password"}), ({"account": "x"}, {"password"}), ({"password": "x"}, {"account"}),
    ({"device_id": "short"}, {"device_id"}), ({"device_id": "x" * 129}, {"device_id"}), ({"device_id": 12345678}, {"device_id"}),
    ({"account": "a", "password": "b", "device_id": "12345678"}, {"device_id"}), ({"nickname": "x"}, {"account", "password"})])
def test_login_refuses(server, body, fields):
    """One wrong input per rule; each bad field is named."""
    assert fields <= server.client().post(LOGIN, body, expect=422).fields


def test_never_more_than_a_user(server, admin, unique):
    """A device whose account was given a higher role cannot sign in by its id any more; closed, neither."""
    device_id = unique("device-role-")
    user_id = device(server, device_id).data["user"]["id"]
    admin.patch(f"/api/v1/users/{user_id}", {"role": "operator"})
    server.client().post(LOGIN, {"device_id": device_id}, expect=403)
    admin.patch(f"/api/v1/users/{user_id}", {"role": "user"})
    device(server, device_id)
    admin.delete(f"/api/v1/users/{user_id}")
    server.client().post(LOGIN, {"device_id": device_id}, expect=401)


def test_closed_registration(homeport):
    """auth.register_open = false: devices that are known sign in, new ones do not."""
    h = homeport()
    device(h, "device-known-1")
    h.settings["auth.register_open"] = "false"
    h.restart()
    device(h, "device-known-1")
    assert h.client().post(LOGIN, {"device_id": "device-new-1"}, expect=403).code == 403004


def test_the_id_is_not_kept(homeport):
    """device_id is as good as a password: not in the audit log, the log or the store."""
    h = homeport()
    admin = h.admin()
    device(h, "Device-Canary-77")
    assert "canary" not in (str(admin.all("/api/v1/audit")) + str(admin.all("/api/v1/users")) + h.log(1000)).lower()
    h.stop()
    assert not any(b"anary-77" in p.read_bytes() for p in h.data.rglob("*") if p.is_file())


def test_profile(user):
    """PUT replaces the nickname and nothing else; If-Match guards it; other fields are refused by name."""
    answer = user.get(PROFILE)
    assert answer.data["nickname"] is None and answer.data["id"] == user.get(ME).data["id"]
    user.put(PROFILE, {"nickname": "Zoë"}, headers={"If-Match": answer.headers["etag"]})
    user.put(PROFILE, {"nickname": "late"}, headers={"If-Match": answer.headers["etag"]}, expect=412)
    assert user.get(PROFILE).data["nickname"] == "Zoë" == user.get(ME).data["nickname"]
    assert user.put(PROFILE, {"nickname": "x", "is_vip": True, "points_balance": 9}, expect=422).fields >= {"is_vip", "points_balance"}
    assert "nickname" in user.put(PROFILE, {"nickname": "x" * 65}, expect=422).fields
    user.put(PROFILE, {})
    assert user.get(PROFILE).data["nickname"] is None
