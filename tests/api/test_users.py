"""Administration of accounts: who sees, changes and closes whose; and the list of signed-in devices."""
from lib.ddns import api_key, quiet_domain
from lib.homeport import PASSWORD

ME, LOGIN, REFRESH, USERS = "/api/v1/users/me", "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/users"


def test_users_are_listed_and_changed(server, admin, unique):
    """An administrator finds everybody, page by page or by role, and changes what a user may not; every step is in the audit log."""
    u = server.user(unique("adm"))
    path = f"{USERS}/{u.me['id']}"
    assert u.me["id"] in [x["id"] for x in admin.all(USERS, limit=7)]
    assert [x["username"] for x in admin.all(USERS, role="super_admin")] == ["root-admin"]
    assert admin.get(USERS, params={"role": "super_admin"}).data["total"] == 1
    admin.get(USERS, params={"role": "root"}, expect=400), admin.get(USERS, params={"role": ""}, expect=400)
    shown = admin.get(path)
    assert shown.data["username"] == u.me["username"] and "password_hash" not in shown.data
    change = {"nickname": "Née", "email": f"{unique('new')}@example.test", "phone_number": None, "role": "operator"}
    data = admin.patch(path, change).data
    assert {k: data[k] for k in change} == change and u.get(ME).data == data
    assert u.me["id"] in [x["id"] for x in admin.all(USERS, role="operator")]
    bad = {"role": "root", "is_active": "no", "email": "x", "phone_number": "1", "username": "n", "id": "1", "password_hash": "x"}
    assert admin.patch(path, bad, expect=422).fields == set(bad)
    admin.patch(path, {"email": "ADMIN@example.test"}, expect=409)
    last = admin.get("/api/v1/audit", params={"limit": 1}).data["items"][0]
    assert last["target"] == "user" and last["after"]["role"] == "operator" and last["before"]["role"] == "user"
    for verb in ("GET", "PATCH", "DELETE"):
        admin.request(verb, f"{USERS}/99", {} if verb == "PATCH" else None, expect=404)


def test_users_are_found_by_what_their_names_begin_with(homeport):
    """?q= finds by the beginning of user name, mail address or phone number, folded, each account once, page by page; total is their number."""
    admin = (h := homeport()).admin()
    register = lambda name, mail, phone=None: h.client().post("/api/v1/auth/register", {
        "username": name, "email": mail, "password": PASSWORD, **({"phone_number": phone} if phone else {})}).data["user"]["id"]
    ann = register("Anna", "anna@example.test", "+4930111111")
    anne = register("anne.b", "x1@example.test", "+4930222222")
    bob = register("bob", "ANNABOB@example.test", "+8613800138000")
    plus = register("carl", "+49plus@example.test")
    found = lambda q, limit=100: [u["id"] for u in admin.all(USERS, limit=limit, q=q)]
    for limit in (1, 2, 100):
        assert found("ann", limit) == [ann, anne, bob] == found("ANN", limit)
        assert found("+49", limit) == [ann, anne, plus] and found("anna", limit) == [ann, bob]
    assert found("anna@") == [ann] and found("annab") == [bob] and found("bob") == [bob] and found("+86") == [bob]
    assert found("x1@example.test") == [anne] and found("x1@example.testt") == [] == found("nna") == found("%") == found("a\u00e4")
    page = admin.get(USERS, params={"q": "ann", "limit": 1}).data
    assert page["total"] == 3 and page["next_cursor"]
    dora = register("ann", "dora@example.test")  # before the cursor: moves nobody
    rest = admin.get(USERS, params={"q": "ann", "cursor": page["next_cursor"]}).data
    assert [u["id"] for u in rest["items"]] == [anne, bob] and rest["total"] == 4 and rest["next_cursor"] is None
    assert found("ann") == [dora, ann, anne, bob]
    for bad in ({"q": ""}, {"q": "x" * 255}, {"q": "ann", "role": "user"}, {"q": "zzz", "cursor": page["next_cursor"]}, {"q": "a@", "cursor": page["next_cursor"]}):
        admin.get(USERS, params=bad, expect=400)
    h.user("nobody").get(USERS, params={"q": "a"}, expect=403)


def test_an_edit_of_a_changed_role_is_refused(server, admin, unique):
    """If-Match sees a changed role too, though its owner cannot edit it."""
    path = f"{USERS}/{server.user(unique('etag')).me['id']}"
    old = admin.get(path).headers["etag"]
    new = admin.patch(path, {"role": "operator"}, headers={"If-Match": old}).headers["etag"]
    admin.patch(path, {"role": "user"}, headers={"If-Match": old}, expect=412)
    admin.delete(path, headers={"If-Match": old}, expect=412)
    admin.delete(path, headers={"If-Match": new})


def test_an_admin_rules_only_over_lower_roles(server, admin, unique):
    """An admin changes users and operators; admins, itself and the super_admin it may read but not touch, nor make more of anybody."""
    boss, peer, u = (server.user(unique("rank")) for _ in range(3))
    for x in (boss, peer):
        admin.patch(f"{USERS}/{x.me['id']}", {"role": "admin"})
    root = admin.get(ME).data["id"]
    for who in (boss.me["id"], peer.me["id"], root):
        boss.get(f"{USERS}/{who}")
        for change in ({"role": "user"}, {"is_active": False}, {"nickname": "x"}, {"email": "evil@example.test"}):
            boss.patch(f"{USERS}/{who}", change, expect=403)
        boss.delete(f"{USERS}/{who}", expect=403)
    path = f"{USERS}/{u.me['id']}"
    for role in ("admin", "super_admin"):
        boss.patch(path, {"role": role}, expect=403)
    assert boss.patch(path, {"role": "operator", "nickname": "ok"}).data["role"] == "operator"
    key = server.client(key=api_key(admin, "write")["key"])
    key.patch(path, {"nickname": "by key"})
    key.patch(path, {"role": "super_admin"}, expect=403)  # more than the key's scopes
    for who in (u, server.client(key=api_key(u, "write")["key"])):
        who.patch(path, {"nickname": "x"}, expect=403)


def test_the_last_super_admin_stays(homeport):
    """Nobody, not even itself, takes the role, the switch or the account of the last active super_admin; with a second one it may go."""
    h = homeport()
    admin = h.admin()
    path = f"{USERS}/{admin.get(ME).data['id']}"
    for change in ({"role": "admin"}, {"is_active": False}):
        admin.patch(path, change, expect=409)
    admin.delete(path, expect=409)
    second = h.user("second")
    there = f"{USERS}/{second.me['id']}"
    admin.patch(there, {"role": "super_admin", "is_active": False})
    admin.patch(path, {"role": "admin"}, expect=409)  # one that is switched off does not count
    admin.patch(there, {"is_active": True})
    second = h.login("second")
    admin.patch(path, {"role": "admin"})
    admin.patch(there, {"nickname": "x"}, expect=403)
    second.delete(there, expect=409)
    second.patch(path, {"role": "super_admin"})
    admin.delete(there)
    second.get(ME, expect=401)


def test_a_closed_account_keeps_its_history(server, admin, unique):
    """Closing switches off, signs out and withdraws keys for good; the account and its things are still there to be looked at."""
    u = server.user(unique("closed"))
    path, key, d = f"{USERS}/{u.me['id']}", api_key(u, "read")["key"], quiet_domain(u, unique("kept") + ".test")
    admin.delete(path), admin.delete(path)
    u.get(ME, expect=401), server.client(key=key).get(ME, expect=401)
    server.client().post(REFRESH, {"refresh_token": u.refresh}, expect=401)
    server.client().post(LOGIN, {"account": u.me["username"], "password": PASSWORD}, expect=401)
    assert admin.get(path).data["is_active"] is False
    assert any(e["target"] == "domain" and e["target_id"] == d["id"] for e in admin.all("/api/v1/audit"))
    admin.patch(path, {"is_active": True})
    u.get(ME, expect=401), server.client(key=key).get(ME, expect=401)  # what was ended stays ended
    again = server.login(u.me["username"])
    assert again.get(f"/api/v1/domains/{d['id']}").data["name"] == d["name"]
    assert [k["is_revoked"] for k in again.all("/api/v1/api-keys")] == [True]


# ---- sessions
def test_sessions_are_listed_and_ended(server, user):
    """Signed-in devices are shown with address and program, and ending one puts it out at once."""
    name = user.get(ME).data["username"]
    tv = server.login(name, headers={"User-Agent": "living-room-tv/1"})
    s = next(s for s in user.all("/api/v1/sessions") if s["user_agent"] == "living-room-tv/1")
    assert s["ip"] == "127.0.0.1"
    user.delete(f"/api/v1/sessions/{s['id']}")
    tv.get(ME, expect=401)
    server.client().post(REFRESH, {"refresh_token": tv.refresh}, expect=401)
    user.get(ME)
    user.delete(f"/api/v1/sessions/{s['id']}", expect=404)


def test_sessions_are_ones_own_and_newest_first(server, user, unique):
    """Only one's own sessions are listed, newest first, page by page, without token numbers; another's answers 404."""
    for _ in range(4):
        server.login(user.me["username"])
    got = user.all("/api/v1/sessions", limit=2)
    assert len(got) == 5 == user.get("/api/v1/sessions").data["total"]
    assert [int(s["id"]) for s in got] == sorted((int(s["id"]) for s in got), reverse=True)
    assert {s["user_id"] for s in got} == {user.me["id"]}
    assert not {"refresh_id", "previous_id"} & set(got[0]) and got[0]["refreshed_at"] >= got[0]["created_at"]
    other = server.user(unique("other"))
    assert len(other.all("/api/v1/sessions")) == 1
    other.delete(f"/api/v1/sessions/{got[0]['id']}", expect=404)
    user.delete(f"/api/v1/sessions/{got[-1]['id']}")  # the own one: as signing out
    user.get(ME, expect=401)
