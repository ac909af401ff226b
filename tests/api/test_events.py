"""Live events: what happens is told at once, to those it concerns, and nothing is missed over a broken line."""
from lib.ddns import quiet_domain, record
from lib.rawhttp import Raw
from lib.sse import Events
from lib.wait import wait_until


def test_changes_are_told_live(server, user, unique):
    """A change is told to its owner: a new record's id arrives with an event id and a type."""
    d = quiet_domain(user, unique("ev") + ".test")
    with Events(user) as e:
        r = record(user, d, value="5.6.7.8")
        got = e.wait(r["id"])
        assert got["id"] and got["event"]


def test_resume_misses_nothing_and_repeats_nothing(server, user, unique):
    """After a broken line Last-Event-ID brings what was missed, in order and once, and then what is new."""
    d = quiet_domain(user, unique("ev") + ".test")
    with Events(user) as e:
        last = e.wait(record(user, d, "one", value="5.6.7.1")["id"])["id"]
    missed = [record(user, d, f"n{i}", value="5.6.7.2")["id"] for i in range(5)]
    with Events(user, last_id=last) as e:
        e.wait(missed[-1])
        new = record(user, d, "new", value="5.6.7.3")["id"]
        e.wait(new)
        order = [next(i for i in [*missed, new] if i in x["data"]) for x in e.events if any(i in x["data"] for i in [*missed, new])]
        assert list(dict.fromkeys(order)) == [*missed, new]
        ids = [x["id"] for x in e.events]
        assert last not in ids and len(ids) == len(set(ids))


def test_a_stream_ends_with_what_opened_it(server, admin, user, unique):
    """Switched off, an account's open streams end at once and tell nothing of it; switched on again, the old token opens none, the key does."""
    d, path = quiet_domain(user, unique("ev") + ".test"), f"/api/v1/users/{user.me['id']}"
    key = server.client(key=user.post("/api/v1/api-keys", {"name": "k", "scopes": ["read"]}).data["key"])
    with Events(user) as mine, Events(key) as keyed:
        r = record(user, d, value="5.6.7.8")
        mine.wait(r["id"]), keyed.wait(r["id"])
        admin.patch(path, {"is_active": False})
        wait_until(lambda: mine.ended and keyed.ended, 10, "the end of both streams")
        assert not any('"is_active":false' in e["data"] for e in mine.events + keyed.events)
    admin.patch(path, {"is_active": True})
    user.get("/api/v1/events", expect=401)
    with Events(key) as keyed:
        again = record(server.login(user.me["username"]), d, "again", value="5.6.7.9")
        keyed.wait(again["id"])


def test_resume_over_a_restart(homeport):
    """Event ids hold over a crash: a client that comes back after kill -9 gets what it had not seen."""
    h = homeport()
    a = h.admin()
    token, d = a.token, quiet_domain(a, "ev.test")
    with Events(a) as e:
        last = e.wait(record(a, d, "one", value="5.6.7.1")["id"])["id"]
    missed = record(a, d, "two", value="5.6.7.2")["id"]
    h.restart(hard=True)
    with Events(h.client(token=token), last_id=last) as e:
        e.wait(missed)


def test_events_are_private(server, user, admin, unique):
    """Each client gets only what it may see: a stranger hears nothing of it, and its own change as proof that it listens."""
    other = server.user(unique("evo"))
    d, od = quiet_domain(user, unique("ev") + ".test"), quiet_domain(other, unique("ev") + ".test")
    with Events(other) as e:
        mine = record(user, d, value="5.6.7.8")["id"]
        e.wait(record(other, od, value="5.6.7.9")["id"])
        assert not [x for x in e.events if mine in x["data"] or d["id"] in x["data"]]


def test_signing_out_ends_the_stream(server, unique):
    """A stream ends with the session it belongs to."""
    u = server.user(unique("evq"))
    with Events(u) as e:
        u.post("/api/v1/auth/logout")
        wait_until(lambda: e.ended, 20, "the stream's end")


def test_events_need_a_sign_in_and_sane_ids(server, user):
    """No sign-in, no stream; a Last-Event-ID that was never given out is not a crash."""
    server.client().get("/api/v1/events", expect=401)
    for odd in ("abc", "-1", "99999999999999999999999", "1; drop"):
        with Raw(server.port) as r:
            r.send(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {user.token}\r\nLast-Event-ID: {odd}\r\n\r\n".encode())
            assert r.answer(head_only=True)[0] in (200, 400, 422)


def test_a_client_that_does_not_read_is_dropped(homeport):
    """A slow client costs itself, not the server: unread events end its connection and memory stays bounded."""
    h = homeport({"http.write_timeout": 2})
    a = h.admin()
    d, slow = quiet_domain(a, "ev.test"), Raw(h.port)
    slow.sock.setsockopt(1, 8, 4096)  # SO_RCVBUF
    slow.send(f"GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {a.token}\r\n\r\n".encode())
    assert slow.answer(head_only=True)[0] == 200
    before, r = h.memory_bytes(), record(a, d, type="TXT", value="x")
    fds = len(h.process_fds())
    for i in range(1500):
        a.patch(f"/api/v1/records/{r['id']}", {"value": f"{i} " + "y" * 3000})
    assert h.memory_bytes() - before < 64 << 20
    wait_until(lambda: len(h.process_fds()) < fds, 30, "the slow client is dropped")
    slow.sock.close()
