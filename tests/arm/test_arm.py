"""The ARM binaries of `./zigw build dist`: what a user does with them on a NAS, all of it with default settings.

    ./zigw build arm && HOMEPORT_BIN=tests/arm/armv7 sh tests/run.sh tests/arm     (or tests/arm/aarch64)

tests/arm/CPU runs the binary by qemu-user. It is that of `dist` but for LMDB's locks: qemu-user knows no robust futexes,
so `./zigw build arm` makes each once more with plain ones (CPU-qemu).
"""
import shutil
import struct
import subprocess
from types import SimpleNamespace

import pytest

from lib.crash import crash_under_load
from lib.ddns import api_key, domain, quiet_domain, record, synced
from lib.homeport import BIN, PASSWORD, ROOT, Homeport, clean_env, cli
from lib.sse import Events

MIB = 1 << 20
CPUS = {"aarch64": SimpleNamespace(qemu="qemu-aarch64", bits=64, machine=183, map_mib=16384, other="armv7"),
        "armv7": SimpleNamespace(qemu="qemu-arm", bits=32, machine=40, map_mib=1024, other="aarch64")}
CPU = CPUS.get(BIN.name)
GIVEN_OUT = ROOT / "zig-out/arm" / BIN.name


@pytest.fixture(autouse=True)
def needs():
    if CPU is None:
        pytest.skip("HOMEPORT_BIN is not tests/arm/armv7 or tests/arm/aarch64")
    if not shutil.which(CPU.qemu):
        pytest.skip(f"{CPU.qemu} is not installed (Debian: qemu-user)")
    if not GIVEN_OUT.exists():
        pytest.skip(f"no binary at {GIVEN_OUT}: build it first (./zigw build arm)")


@pytest.fixture
def nas(tmp_path):
    """A homeport with default settings (but for its port), not started yet."""
    h = Homeport(tmp_path / "data")
    yield h
    h.end()


def run(*argv):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, env=clean_env())


def store_max(h):
    """Bytes that the store may grow to, by /metrics."""
    lines = h.client().http.get("/metrics").text.splitlines()
    return int(float(next(line.split()[1] for line in lines if line.startswith("homeport_store_max_bytes "))))


def test_what_is_given_out(tmp_path):
    """The very binary of `dist`: for its CPU, static, below 4 MiB; it runs as far as it can without robust futexes, and says so."""
    image = GIVEN_OUT.read_bytes()
    assert len(image) < 4 * MIB, len(image)
    assert image[:4] == b"\x7fELF" and image[4] == CPU.bits // 32 and struct.unpack_from("<H", image, 18)[0] == CPU.machine
    assert b"/lib/ld-" not in image
    out = run(CPU.qemu, GIVEN_OUT, "version")
    assert out.returncode == 0 and out.stdout.startswith(f"homeport {(ROOT / 'VERSION').read_text().strip()} ("), out
    out = run(CPU.qemu, GIVEN_OUT, "config", "check", "--data", tmp_path)
    assert out.returncode == 0 and "configuration is good" in out.stdout, out
    out = run(CPU.qemu, GIVEN_OUT, "audit", "verify", "--config", "/dev/null", "--data", tmp_path / "none")
    assert out.returncode == 1 and "there is no store" in out.stderr, out
    out = run(CPU.qemu, GIVEN_OUT, "serve", "--data", tmp_path)
    assert out.returncode == 1 and "robust futexes" in out.stderr, out


def test_a_user_s_round(nas, knot):
    """Setup with the printed token, sign in, a domain and its records, a router's update, live events, the name server's word, crash, audit, stop."""
    assert nas.cli("config", "check").returncode == 0
    api = nas.start().admin()  # sets up, then signs in: Argon2id at its usual cost
    assert api.get("/api/v1/users/me").data["username"] == "root-admin"
    assert nas.cli("health").returncode == 0

    zone = domain(api, credentials=knot.credentials)
    with Events(api) as events:
        home = record(api, zone, "home", dynamic=True, ttl=60)
        text = record(api, zone, "text", "TXT", value="v=1; größer als 2^32: 4294967296")
        events.wait(home["id"])
        key = api_key(api, "ddns:write")["key"]
        assert api.nic("home.example.test", "203.0.113.7", key) == "good 203.0.113.7"
        knot.wait_values("home.example.test", "A", "203.0.113.7")
        told = events.wait("203.0.113.7")
        assert told["json"]["type"] == "dns_record" and told["json"]["at"].startswith("20"), told
    synced(api, home, "203.0.113.7")
    synced(api, text)
    assert api.get(f"/api/v1/records/{text['id']}").data["value"] == text["value"]
    assert int(home["id"]) > 1 << 32

    zone, ids = quiet_domain(api, "crash.test"), set()
    for _ in range(2):
        api = crash_under_load(nas, api.token, zone, 120, ids)
    assert api.get(f"/api/v1/records/{home['id']}").data["value"] == "203.0.113.7"
    nas.login("root-admin")
    nas.stop()
    out = nas.cli("audit", "verify")
    assert out.returncode == 0, out


def test_the_map_is_what_the_cpu_can_have(nas):
    """The store's map fits the address space without a setting: 16 GiB of 64 bits, 1 GiB of 32; less where that is taken."""
    nas.start()
    assert store_max(nas) == CPU.map_mib * MIB
    nas.stop()
    if CPU.bits == 64:
        return
    nas.env = {"QEMU_STACK_SIZE": "2800000000"}  # leaves no GiB in one piece
    try:
        nas.start()
    except RuntimeError:
        if "mmap stack" in nas.log():
            pytest.skip("this machine has too little memory for the big stack that crowds the address space")
        raise
    assert 64 * MIB <= store_max(nas) < 1024 * MIB
    nas.admin()
    nas.settings["auth.argon2_memory_kib"] = 1048576  # a GiB again: the caller hears 503, the log says why
    nas.restart()
    nas.client().post("/api/v1/auth/register", {"username": "ann", "email": "ann@example.test", "password": PASSWORD}, expect=503)
    assert "auth.argon2_memory_kib" in nas.log()
    nas.login("root-admin")  # her hash asks for less


def test_a_store_of_the_other_width_is_refused(tmp_path):
    """A data folder from a CPU with words of another width is refused by name, and left as it was."""
    other = BIN.with_name(CPU.other)
    made = subprocess.run([str(other), "user", "add", "ann", "--email", "ann@example.test", "--role", "user", "--password-stdin",
                           "--data", str(tmp_path)],
                          input=PASSWORD + "\n", capture_output=True, text=True, timeout=60, env=clean_env())
    assert made.returncode == 0, made
    before = (tmp_path / "data.mdb").read_bytes()
    out = cli("serve", data=tmp_path)
    assert out.returncode == 1 and f"written by a {96 - CPU.bits}-bit homeport" in out.stderr, out
    assert (tmp_path / "data.mdb").read_bytes() == before
