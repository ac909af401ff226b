"""The command line: fixed names, exit codes a script can use, with the server running or stopped."""
import json
import re
import subprocess

import pytest

from lib.ddns import quiet_domain
from lib.homeport import ADMIN, BIN, PASSWORD, cli
from lib.wait import wait_until

SUBCOMMANDS = ["serve", "user", "audit", "health", "config", "openapi", "version"]


@pytest.fixture(autouse=True)
def binary():
    from conftest import need_binary
    need_binary()


def test_version_and_help():
    """`version` is one line with a version; --help works everywhere and exits 0; nonsense exits otherwise and says what there is."""
    r = cli("version")
    assert r.returncode == 0 and re.search(r"\d+\.\d+", r.stdout)
    for words in ([], *[[s] for s in SUBCOMMANDS]):
        r = cli(*words, "--help")
        assert r.returncode == 0 and len(r.stdout) > 40, (words, r)
    for words in (["nonsense"], ["serve", "--nonsense"], ["config"], ["user", "nonsense"]):
        r = cli(*words)
        assert r.returncode not in (0, -6, -11) and (r.stderr + r.stdout).strip(), (words, r)


def test_static_binary():
    """One static binary: no dynamic loader and no shared library."""
    text = subprocess.run(["file", "-L", str(BIN)], capture_output=True, text=True).stdout if _has("file") else "statically linked"
    assert "statically linked" in text or "static-pie" in text, text
    assert b"PT_INTERP" not in text.encode()


def _has(tool):
    import shutil
    return shutil.which(tool)


def test_openapi(server):
    """`homeport openapi` prints the same document that the server serves."""
    r = cli("openapi")
    assert r.returncode == 0 and json.loads(r.stdout) == server.client().schema().document


def test_health_command(homeport):
    """`health` exits 0 when the server is well and 1 when there is none, for container checks."""
    h = homeport()
    assert h.cli("health").returncode == 0
    h.stop()
    r = h.cli("health")
    assert r.returncode == 1 and (r.stdout + r.stderr).strip()


# ---- settings
@pytest.mark.parametrize("key, value, allowed", [
    ("http.listn", "127.0.0.1:1", None), ("http.allow_public", "maybe", "true"), ("ddns.cooldown", "-1", "0"),
    ("ddns.cooldown", "soon", "0"), ("http.fields_max", "100000", "1000"), ("net.allow_private", "10.0.0.0/33", None), ("http.listen", "nowhere", None)])
def test_a_wrong_setting_stops_the_start(homeport, key, value, allowed):
    """A wrong value or unknown key stops the start and names the key, the value and what is allowed; `config check` says the same."""
    h = homeport({key: value}, start=False)
    h.write_settings()
    for words in (["serve"], ["config", "check"]):
        r = cli(*words, data=h.data, timeout=10)
        said = r.stdout + r.stderr
        assert r.returncode not in (0, -6, -11) and key in said and value in said and (allowed or "") in said, said


def test_settings_come_from_four_places(homeport, tmp_path):
    """Default, file, environment, flag: each beats the one before, and `config show` tells which one won."""
    h = homeport({"ddns.cooldown": 7, "http.fields_max": 50}, start=False)
    h.write_settings()
    show = lambda env=None, *flags: cli("config", "show", *flags, data=h.data, env=env).stdout
    line = lambda text, key: next(x for x in text.splitlines() if re.match(rf"\s*{re.escape(key)}\s*=", x))
    assert "homeport.conf" in line(show(), "ddns.cooldown") and "7" in line(show(), "ddns.cooldown")
    assert "default" in line(show(), "net.timeout")
    env = line(show({"HOMEPORT_DDNS_COOLDOWN": "9"}), "ddns.cooldown")
    assert "9" in env and re.search("env|HOMEPORT_DDNS_COOLDOWN", env)
    assert "127.0.0.1:23456" in line(show(None, "--listen", "127.0.0.1:23456"), "http.listen")
    other = tmp_path / "other.conf"
    other.write_text("# a comment\n\nddns.cooldown = 11\n")
    assert "11" in line(show(None, "--config", other), "ddns.cooldown")


def test_config_check_and_masked_secrets(homeport, tmp_path):
    """A good file passes, and secrets are masked, also when they came from a _FILE."""
    secret = tmp_path / "token"
    secret.write_text("from-a-file-canary\n")
    h = homeport({"metrics.token": "in-the-file-canary"}, start=False)
    h.write_settings()
    assert cli("config", "check", data=h.data).returncode == 0
    for env in ({}, {"HOMEPORT_METRICS_TOKEN": "in-the-env-canary"}, {"HOMEPORT_METRICS_TOKEN_FILE": str(secret)}):
        r = cli("config", "show", data=h.data, env=env)
        assert r.returncode == 0 and "metrics.token" in r.stdout and "canary" not in r.stdout + r.stderr


def test_environment_data_folder(homeport):
    """HOMEPORT_DATA names the data folder where no flag does."""
    h = homeport({"ddns.cooldown": 13}, start=False)
    h.write_settings()
    r = cli("config", "show", env={"HOMEPORT_DATA": str(h.data)})
    assert re.search(r"ddns\.cooldown\s*=\s*13\b", r.stdout), r


def test_variables_of_kubernetes_are_ignored(homeport):
    """In a cluster whose service is called homeport it starts all the same, and tells of the variables at debug; a slip still stops it."""
    env = {"HOMEPORT_SERVICE_HOST": "10.96.0.17", "HOMEPORT_SERVICE_PORT": "8080", "HOMEPORT_PORT": "tcp://10.96.0.17:8080",
           "HOMEPORT_PORT_8080_TCP": "tcp://10.96.0.17:8080", "HOMEPORT_PORT_8080_TCP_ADDR": "10.96.0.17"}
    h = homeport({"log.level": "debug"}, env=env)
    line = next(x for x in h.json_log() if "Kubernetes" in x["message"])
    assert line["level"] == "debug" and set(line["variables"].split()) == set(env)
    r = cli("config", "check", data=h.data, env={"HOMEPORT_PORT": "8080"})
    assert r.returncode == 1 and "HOMEPORT_PORT" in r.stderr, r


def test_listen_flag_wins(homeport):
    """--listen beats the file: the server answers there."""
    from lib.wait import free_port
    h, port = homeport(start=False), free_port()
    h.start("--listen", f"127.0.0.1:{port}", ready=False)
    wait_until(lambda: _up(f"http://127.0.0.1:{port}/readyz"), 15, "the server on the flag's port")


def _up(url):
    import httpx
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


# ---- users
@pytest.mark.parametrize("running", [True, False])
def test_user_commands(homeport, running):
    """user add, passwd, role, disable and enable work with the server running or stopped, and count at once."""
    h = homeport()
    h.admin()
    if not running:
        h.stop()

    def then(check):
        h.start() if not running else None
        check()
        h.stop() if not running else None

    good = lambda *a, **k: (r := h.cli(*a, **k), r.returncode == 0 or pytest.fail(f"{a}: {r}"))[0]
    good("user", "add", "carol", "--email", "carol@example.test", "--role", "super_admin", "--password-stdin", stdin=PASSWORD + "\n")
    then(lambda: _is(h.login("carol").get("/api/v1/users/me").data["role"], "super_admin"))
    good("user", "passwd", "carol", "--password-stdin", stdin="another good password\n")
    then(lambda: (h.client().post("/api/v1/auth/login", {"account": "carol", "password": PASSWORD}, expect=401), h.login("carol", "another good password")))
    good("user", "role", "carol", "user")
    then(lambda: _is(h.login("carol", "another good password").get("/api/v1/users/me").data["role"], "user"))
    before = []
    then(lambda: before.append(h.login("carol", "another good password")))
    good("user", "disable", "carol")
    mine = lambda: h.client(token=before[0].token).get("/api/v1/users/me", expect=401).code
    then(lambda: (h.client().post("/api/v1/auth/login", {"account": "carol", "password": "another good password"}, expect=401), _is(mine(), 401005)))
    good("user", "enable", "carol")
    then(lambda: (h.login("carol", "another good password").get("/api/v1/users/me"), _is(mine(), 401004)))


@pytest.mark.parametrize("words", [["disable", ADMIN["username"]], ["role", ADMIN["username"], "admin"]])
def test_the_last_super_admin_stays(homeport, words):
    """The command line refuses to switch off or demote the last active super_admin; a switched-off second one does not count."""
    h = homeport()
    h.admin()
    add = h.cli("user", "add", "second", "--email", "s@example.test", "--role", "super_admin", "--password-stdin", stdin=PASSWORD)
    assert add.returncode == 0 and h.cli("user", "disable", "second").returncode == 0
    r = h.cli("user", *words)
    assert r.returncode == 1 and "last active super_admin" in r.stderr, r
    assert h.login(ADMIN["username"]).get("/api/v1/users/me").data["role"] == "super_admin"
    assert h.cli("user", "enable", "second").returncode == 0 and h.cli("user", *words).returncode == 0


# Of PASSWORD, made by libxcrypt; the third name is that of PHP and htpasswd.
BCRYPT = {kind: kind + "04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG" for kind in ("$2b$", "$2a$", "$2y$")}


@pytest.mark.parametrize("kind", BCRYPT)
def test_imported_bcrypt_hashes(homeport, kind):
    """A bcrypt hash brought along signs in, and is an Argon2id hash from that sign-in on; a wrong password changes nothing."""
    h = homeport()
    h.admin()
    r = h.cli("user", "add", "mover", "--email", "m@example.test", "--role", "user", "--hash-stdin", stdin=BCRYPT[kind] + "\n")
    assert r.returncode == 0, r
    assert BCRYPT[kind].encode() in (h.data / "data.mdb").read_bytes()
    h.client().post("/api/v1/auth/login", {"account": "mover", "password": PASSWORD + "x"}, expect=401)
    h.login("mover").get("/api/v1/users/me")
    last = h.login(ADMIN["username"]).get("/api/v1/audit", params={"limit": 20}).data["items"]
    assert any(e["target"] == "user" and e["action"] == "update" and e["after"] == {"password_hash": "***"} for e in last), last
    h.login("mover").get("/api/v1/users/me")
    h.client().post("/api/v1/auth/login", {"account": "mover", "password": PASSWORD + "x"}, expect=401)


def test_imported_argon2_hash_is_upgraded(homeport):
    """An Argon2id hash of other settings signs in and is made anew with ours."""
    other = homeport({"auth.argon2_memory_kib": 16384, "auth.argon2_passes": 3}, start=False)
    other.write_settings()
    assert other.cli("user", "add", "mover", "--email", "m@example.test", "--role", "user", "--password-stdin", stdin=PASSWORD).returncode == 0
    theirs = re.search(rb"\$argon2id\$v=19\$m=16384,t=3,p=1\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+", (other.data / "data.mdb").read_bytes())[0].decode()
    h = homeport()
    h.admin()
    assert h.cli("user", "add", "mover", "--email", "m@example.test", "--role", "user", "--hash-stdin", stdin=theirs).returncode == 0
    updates = lambda: [e for e in h.login(ADMIN["username"]).get("/api/v1/audit", params={"limit": 50}).data["items"]
                       if e["target"] == "user" and e["action"] == "update"]
    h.login("mover")
    assert len(updates()) == 1
    h.login("mover")
    assert len(updates()) == 1


@pytest.mark.parametrize("given", ["", PASSWORD, "$2b$31$" + "C" * 53, "$2b$03$" + "C" * 53, "$2x$05$" + "C" * 53, "$2b$05$" + "C" * 52, "$1$salt$hash",
                                   "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"])
def test_hashes_that_are_refused(homeport, given):
    """What is no whole Argon2id or bcrypt string, or costs too much to verify, makes no account; it is not shown again."""
    h = homeport(start=False)
    h.write_settings()
    r = h.cli("user", "add", "mover", "--email", "m@example.test", "--role", "user", "--hash-stdin", stdin=given + "\n")
    assert r.returncode == 1 and r.stderr.startswith("homeport: the hash ") and "C" * 20 not in r.stderr and PASSWORD not in r.stderr, r
    r = h.cli("user", "add", "mover", "--email", "m@example.test", "--role", "user", "--hash-stdin", "--password-stdin", stdin=given + "\n")
    assert r.returncode == 1 and "one of them" in r.stderr, r


def _is(a, b):
    assert a == b


def test_user_add_refuses(homeport):
    """Bad input is refused with a reason: a weak password, a taken name, a role there is not, an unknown user."""
    h = homeport()
    h.admin()
    add = lambda name, role="user", password=PASSWORD: h.cli("user", "add", name, "--email", f"{name}@example.test", "--role", role, "--password-stdin", stdin=password + "\n")
    for r in (add("weak", password="12345678"), add(ADMIN["username"]), add("dave", role="king"), add("bad name"),
              h.cli("user", "disable", "nobody"), h.cli("user", "role", "nobody", "user")):
        assert r.returncode not in (0, -6, -11) and (r.stdout + r.stderr).strip(), r


def test_user_add_makes_setup_unnecessary(homeport):
    """A super_admin from the shell closes the setup page."""
    h = homeport()
    token = h.setup_token()
    assert h.cli("user", "add", "root1", "--email", "r@example.test", "--role", "super_admin", "--password-stdin", stdin=PASSWORD).returncode == 0
    h.client().post("/api/v1/setup", {"token": token, **ADMIN}, expect=404)
    h.login("root1")


def test_the_password_is_not_in_the_arguments():
    """There is no flag that would put a password into the process list."""
    assert not re.search(r"--password(?!-stdin|-file)\b", cli("user", "add", "--help").stdout)


# ---- one instance, whole data
def test_a_second_instance_refuses(homeport):
    """A second server on the same data refuses at once and says why; the first goes on."""
    from lib.wait import free_port
    h = homeport()
    r = cli("serve", "--listen", f"127.0.0.1:{free_port()}", data=h.data, timeout=10)
    assert r.returncode not in (0, -6, -11) and re.search("running|use|lock|instance", (r.stdout + r.stderr).lower()), r
    h.client().get("/readyz")


def test_port_taken(homeport):
    """A taken port is said by name, with an exit code."""
    h = homeport()
    other = homeport(start=False)
    other.settings["http.listen"] = h.settings["http.listen"]
    other.write_settings()
    r = cli("serve", data=other.data, timeout=10)
    assert r.returncode not in (0, -6, -11) and str(h.port) in r.stdout + r.stderr, r


def test_audit_verify(homeport):
    """`audit verify` passes on sound data, with the server running and stopped."""
    h = homeport()
    quiet_domain(h.admin(), "sound.test")
    assert h.cli("audit", "verify").returncode == 0
    h.stop()
    r = h.cli("audit", "verify")
    assert r.returncode == 0 and re.search(r"\d", r.stdout), r


def test_a_changed_byte_is_found(homeport):
    """A byte changed in an audit entry on disk is found and its place told: a known word in it is altered wherever it stands."""
    h, word = homeport(), b"tampering-canary-registrar"
    quiet_domain(h.admin(), "tamper.test", registrar=word.decode())
    h.stop()
    changed = 0
    for f in h.data.rglob("*"):
        if f.is_file() and f.name not in ("homeport.conf", "homeport.key"):
            data = f.read_bytes()
            if word in data:
                changed += data.count(word)
                f.write_bytes(data.replace(word, word.replace(b"canary", b"canarx")))
    assert changed, "the audit log has no trace of the change"
    r = h.cli("audit", "verify")
    assert r.returncode not in (0, -6, -11) and re.search(r"\d+", r.stdout + r.stderr), r


def test_cut_off_history_is_found_or_refused(homeport):
    """A store cut in half is refused with words, by verify and at the start: no crash, no silent loss."""
    h = homeport()
    a = h.admin()
    for i in range(20):
        quiet_domain(a, f"cut{i}.test")
    h.stop()
    big = max((f for f in h.data.rglob("*.mdb") if "lock" not in f.name), key=lambda f: f.stat().st_size)
    data = big.read_bytes()
    big.write_bytes(data[:len(data) // 2 // 4096 * 4096])
    r = h.cli("audit", "verify")
    assert r.returncode != 0 and (r.stdout + r.stderr).strip(), r


def test_read_only_folder(homeport, tmp_path):
    """A data folder that cannot be made is said plainly."""
    (tmp_path / "file").write_text("x")
    r = cli("serve", data=tmp_path / "file" / "data", timeout=10)
    assert r.returncode not in (0, -6, -11) and str(tmp_path / "file") in r.stdout + r.stderr, r
