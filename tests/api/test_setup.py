"""First start: the setup token and the first administrator (S1, S2, S3)."""
import re
import stat

import pytest

from lib.homeport import ADMIN, PASSWORD

SETUP = "/api/v1/setup"


def test_token_makes_the_first_administrator_once(homeport):
    """The printed token makes a super_admin, once: the same call again is refused, also after a restart, and no new token is printed."""
    h = homeport()
    token, c = h.setup_token(), h.client()
    c.post(SETUP, {"token": token, **ADMIN})
    me = h.login(ADMIN["username"]).get("/api/v1/users/me").data
    assert (me["role"], me["username"], me["email"]) == ("super_admin", ADMIN["username"], ADMIN["email"])
    again = {"token": token, "username": "second", "email": "second@example.test", "password": PASSWORD}
    c.post(SETUP, again, expect=404)
    h.lines.clear()
    h.restart()
    h.client().post(SETUP, again, expect=404)
    assert not [line for line in h.lines if "setup token" in line]
    assert h.login(ADMIN["username"]).get("/api/v1/users/me").data["id"] == me["id"]


def test_token_is_long_and_fresh(homeport):
    """Tokens cannot be guessed: at least 128 bits of text, and two folders have different ones."""
    a, b = homeport().setup_token(), homeport().setup_token()
    assert a != b and len(a) >= 22 and len(set(a)) > 8, (a, b)


@pytest.mark.parametrize("headers", [{}, {"Referer": "http://127.0.0.1/setup"}, {"X-Forwarded-For": "127.0.0.1"},
                                     {"Forwarded": "for=127.0.0.1"}, {"X-Real-IP": "127.0.0.1"}, {"Host": "localhost"}])
def test_without_the_token_nobody_gets_in(homeport, headers):
    """No token, no administrator, whatever headers claim: a missing one is 422, a wrong one 403, and nothing was made."""
    h = homeport()
    c = h.client(headers=headers)
    c.post(SETUP, ADMIN, expect=422)
    c.post(SETUP, {"token": "", **ADMIN}, expect=(403, 422))
    c.post(SETUP, {"token": h.setup_token()[:-1], **ADMIN}, expect=403)
    c.post(SETUP, {"token": "0" * 32, **ADMIN}, expect=403)
    c.post("/api/v1/auth/login", {"account": ADMIN["username"], "password": PASSWORD}, expect=401)


def test_five_wrong_tries_spend_the_token(homeport):
    """After five wrong tries the right token is refused too: a new one needs the command line or a restart."""
    h = homeport()
    c = h.client()
    for _ in range(5):
        c.post(SETUP, {"token": "x" * 32, **ADMIN}, expect=(403, 429))
    c.post(SETUP, {"token": h.setup_token(), **ADMIN}, expect=(403, 429))
    h.lines.clear()
    h.restart()
    h.admin()


def test_start_again_before_setup_has_a_new_token(homeport):
    """A token that nobody used does not outlive its process: after a restart only the new one works."""
    h = homeport()
    old = h.setup_token()
    h.lines.clear()
    h.restart()
    assert h.setup_token() != old
    h.client().post(SETUP, {"token": old, **ADMIN}, expect=403)
    h.admin()


@pytest.mark.parametrize("field, value", [
    ("password", "short"), ("password", "password"), ("password", "12345678"), ("password", ADMIN["username"]),
    ("username", ""), ("username", "a b"), ("email", "nobody"), ("extra", 1)])
def test_setup_names_the_bad_field(homeport, field, value):
    """Weak passwords and malformed names are refused by name, and the token stays good: the next, correct try works."""
    h = homeport()
    assert field in h.client().post(SETUP, {"token": h.setup_token(), **ADMIN, field: value}, expect=422).fields
    h.admin()


def test_listens_on_loopback_only(homeport):
    """A fresh binary is not on the network: every listening socket of the process is on 127.0.0.1."""
    h = homeport()
    inodes = {m[1] for f in h.process_fds() if (m := re.match(r"socket:\[(\d+)\]", f))}
    listening = []
    for name in ("tcp", "tcp6"):
        for line in open(f"/proc/{h.process.pid}/net/{name}").readlines()[1:]:
            part = line.split()
            if part[3] == "0A" and part[9] in inodes:
                listening.append(part[1])
    assert listening and all(a.startswith("0100007F:") for a in listening), listening


def test_data_folder_is_private(homeport):
    """What is stored is nobody else's: no file that homeport made can be read by group or others."""
    h = homeport()
    h.admin()
    for f in h.data.rglob("*"):
        if f.is_file() and f.name != "homeport.conf":
            assert not stat.S_IMODE(f.stat().st_mode) & 0o077, f


def test_the_token_is_not_kept(homeport):
    """The setup token is stored hashed, if at all: its text is in no file of the data folder."""
    h = homeport()
    token = h.setup_token().encode()
    assert not [f for f in h.data.rglob("*") if f.is_file() and token in f.read_bytes()]
