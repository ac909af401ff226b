"""What the measurements of bench/run share: homeport and bare as processes, load, figures, tables."""
import atexit
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CACHE = ROOT / ".cache/bench"
PEERS_DIR = Path(os.environ.get("PEERS_DIR", Path.home() / ".cache/homeport-peers"))
SCRATCH = Path(os.environ.get("BENCH_DIR", "/tmp/homeport-bench"))  # data folders: a real disk, or ratios lie
SECONDS = int(os.environ.get("BENCH_SECONDS", "4"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CONNECTIONS = 64
SERVER_CPU, LOAD_CPU = 0, 1
PASSWORD = "correct horse battery"


def binary(name):
    return Path(os.environ.get("BENCH_BIN", ROOT / "zig-out/bin")) / name


# --- tools ---------------------------------------------------------------------------

def wrk_path():
    """wrk of the peers, of the machine, or installed now."""
    ours = PEERS_DIR / "deb/usr/bin/wrk"
    if ours.exists():
        return str(ours)
    if not shutil.which("wrk"):
        if os.geteuid() != 0:
            sys.exit("bench: wrk is missing: apt-get install wrk")
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "wrk"], check=True,
                       stdout=subprocess.DEVNULL)
    return shutil.which("wrk")


def reader_path():
    """bench/reader.c, compiled when it is new."""
    out, source = CACHE / "reader", HERE / "reader.c"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["sh", str(ROOT / "zigw"), "cc", "-target", "x86_64-linux-musl", "-static", "-O2", "-D_GNU_SOURCE",
                        "-Wall", "-Wextra", "-Werror", "-o", str(out), str(source)], check=True)
    return str(out)


# --- processes -----------------------------------------------------------------------

running = []


def launch(command, cpu=SERVER_CPU, env=None, out=None):
    process = subprocess.Popen(["taskset", "-c", str(cpu), *map(str, command)], stdin=subprocess.DEVNULL,
                               stdout=out, stderr=subprocess.STDOUT if out else None,
                               env={**os.environ, **(env or {})})
    running.append(process)
    return process


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process in running:
        running.remove(process)


@atexit.register
def stop_all():
    for process in list(running):
        stop(process)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_us(pid):
    """CPU time of all its threads, to the nanosecond; threads that ended are left out."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1000


def pss_kib(pid):
    return int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M).group(1))


def wake_ups(pid):
    """Times that a thread of it went to sleep by itself."""
    text = "".join(p.read_text() for p in Path(f"/proc/{pid}/task").glob("*/status"))
    return sum(map(int, re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M)))


# --- homeport ------------------------------------------------------------------------

class Homeport:
    """A homeport on a port of its own, by default with an empty data folder."""

    def __init__(self, program="homeport", data=None, cpu=SERVER_CPU, under=(), **settings):
        SCRATCH.mkdir(parents=True, exist_ok=True)
        self.is_ours = data is None
        self.data = data or Path(tempfile.mkdtemp(prefix="data-", dir=SCRATCH))
        self.port = free_port()
        self.log = self.data / "bench.log"
        self.log.unlink(missing_ok=True)
        env = {"HOMEPORT_LIMITS_ENABLED": "false", "HOMEPORT_HTTP_CONNECTIONS_PER_IP": "200000"}
        env.update({"HOMEPORT_" + key.upper(): str(value) for key, value in settings.items()})
        began = time.perf_counter()
        with open(self.log, "wb") as log:
            self.process = launch([*under, binary(program), "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}"],
                                  cpu, env, log)
        self.pid, self.token, self.local = self.process.pid, None, threading.local()
        self.ready_ms = (self.await_ready() - began) * 1000
        if self.is_ours:
            self.set_up()

    def await_ready(self):
        deadline = time.perf_counter() + 30
        while time.perf_counter() < deadline and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as s:
                    s.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    if b" 200 " in s.recv(100):
                        return time.perf_counter()
            except OSError:
                pass
            time.sleep(0.0005)
        raise SystemExit("bench: homeport did not start:\n" + self.log.read_text())

    def set_up(self):
        deadline = time.time() + 10
        while not (found := re.search(r"setup token: (\S+)", self.log.read_text())):
            if time.time() > deadline:
                raise SystemExit("bench: no setup token in\n" + self.log.read_text())
            time.sleep(0.01)
        self.token = self.call("POST", "/api/v1/setup", {
            "token": found.group(1), "username": "admin", "email": "admin@example.test",
            "password": PASSWORD})["data"]["access_token"]

    def fill(self, count):
        """So many users, by homeport-tool beside the running server; PASSWORD is everybody's."""
        subprocess.run([str(binary("homeport-tool")), "fill", str(self.data), "0", str(count), PASSWORD], check=True)

    def sign_in(self):
        self.token = self.call("POST", "/api/v1/auth/login", {"account": "admin", "password": PASSWORD})["data"]["access_token"]

    def call(self, method, path, body=None, good=(200, 201, 202)):
        """One call over a kept-alive connection of the calling thread's own."""
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        data = answer.read()
        if answer.status not in good:
            raise SystemExit(f"bench: {method} {path} gave {answer.status}: {data[:500].decode()}")
        return json.loads(data) if data else None

    def domain(self, name, url="http://127.0.0.1:9/{name}", active=False):
        return self.call("POST", "/api/v1/domains", {
            "name": name, "provider": "callback", "credentials": {"url": url}, "is_active": active})["data"]["id"]

    def seed(self, domain, count, first=0, threads=32, **fields):
        """`count` records by concurrent creates; their ids."""
        ids, lock, numbers = [], threading.Lock(), iter(range(first, first + count))

        def work():
            mine = []
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    break
                record = {"name": f"seed{number}", "type": "A", "ttl": 300}
                record.update(fields or {"value": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"})
                mine.append(self.call("POST", f"/api/v1/domains/{domain}/records", record)["data"]["id"])
            with lock:
                ids.extend(mine)

        workers = [threading.Thread(target=work) for _ in range(threads)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        return sorted(ids, key=int)

    def seed_by_wrk(self, domain, count):
        """At least `count` more records, by wrk: ten times the speed of seed()."""
        begin = self.total(domain)
        while self.total(domain) - begin < count:
            create_load(self, domain, seconds=1)

    def total(self, domain):
        return self.call("GET", f"/api/v1/domains/{domain}/records?limit=1")["data"]["total"]

    def ids(self, domain):
        """All of a domain's records, page by page."""
        found, cursor = [], ""
        while cursor is not None:
            page = self.call("GET", f"/api/v1/domains/{domain}/records?limit=100{cursor}")["data"]
            found += [record["id"] for record in page["items"]]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
        return found

    def statuses(self):
        return self.call("GET", "/api/v1/ddns/status")["data"]["records"]

    def histogram(self, name):
        """{upper bound in ms: count} of a histogram of /metrics."""
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        c.request("GET", "/metrics")
        text = c.getresponse().read().decode()
        c.close()
        found = re.findall(rf'^{name}_bucket{{le="(\S+)"}} (\d+)$', text, re.M)
        return {float(bound) * 1000: int(count) for bound, count in found}

    def close(self):
        stop(self.process)
        if self.is_ours:
            shutil.rmtree(self.data, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Bare:
    """bench/bare.c, with answers of a given size."""

    def __init__(self, body_bytes, under=()):
        self.process = subprocess.Popen(["taskset", "-c", str(SERVER_CPU), *map(str, under), str(binary("homeport-bare")),
                                         "--bytes", str(body_bytes)], stdout=subprocess.PIPE, text=True)
        running.append(self.process)
        self.pid, self.port, self.token = self.process.pid, int(self.process.stdout.readline()), None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)


class Peer:
    """A program of ../shared/peers, started by its run script."""

    def __init__(self, folder, name, **env):
        out = subprocess.run([str(folder / f"run-{name}")], stdout=subprocess.PIPE, text=True, timeout=300, check=True,
                             env={**os.environ, "PIN": str(SERVER_CPU), "PEERS_DIR": str(PEERS_DIR),
                                  "PEERS_RUN": str(SCRATCH / "peers"), **env}).stdout
        self.keys = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        self.pid, self.token = int(self.keys["pid"]), self.keys.get("token")
        self.port, self.lua = int(self.keys["url"].rsplit(":", 1)[1]), folder / "apps/load.lua"

    def load(self, path, method="GET", seconds=None):
        return wrk(self, {"LOAD_PATH": self.keys[path], "LOAD_METHOD": method}, seconds, script=self.lua)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGTERM)


# --- load ----------------------------------------------------------------------------

def above_others(is_wanted):
    """As root: everything of this session goes before the machine's other work, which else is what tails of latency show.
    Among themselves server, load and reader compete as ever."""
    try:
        Path("/proc/self/autogroup").write_text("-19" if is_wanted else "0")
    except OSError:
        pass


def await_idle(server, limit=10):
    """Until it has worked off what it was given: hashes that wait outlive their connections."""
    until = time.time() + limit
    while time.time() < until:
        before = cpu_us(server.pid)
        time.sleep(0.1)
        if cpu_us(server.pid) - before < 2000:
            return


def others_busy():
    """CPU seconds that the whole machine has used."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def wrk(server, env, seconds=None, connections=CONNECTIONS, token=None, script=HERE / "load.lua", may_fail=False):
    """One run: rps, p50, p99 in ms, the server's CPU microseconds per request, failures, and the share of a
    CPU that others took."""
    seconds = seconds or SECONDS
    env = {**os.environ, **env, "LOAD_TOKEN": token or server.token or "",
           "LD_LIBRARY_PATH": str(PEERS_DIR / "deb/usr/lib/x86_64-linux-gnu")}
    began, cpu, busy, own = time.time(), cpu_us(server.pid), others_busy(), sum(os.times()[:4])
    done = subprocess.run(["taskset", "-c", str(LOAD_CPU), wrk_path(), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
                           "-s", str(script), f"http://127.0.0.1:{server.port}"],
                          env=env, stdout=subprocess.PIPE, text=True, check=False)
    cpu = cpu_us(server.pid) - cpu
    others = (others_busy() - busy - cpu / 1e6 - (sum(os.times()[:4]) - own)) / (time.time() - began)
    out = done.stdout
    count = int(re.search(r"(\d+) requests in", out).group(1))
    scale = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}
    result = {"rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), "cpu_us": cpu / max(1, count),
              "count": count, "busy": cpu / 1e6 / seconds, "others": max(0, others),
              "failed": sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", out)))}
    for p in (50, 99):
        value, unit = re.search(rf"^\s+{p}%\s+([\d.]+)(us|ms|s|m)", out, re.M).groups()
        result[f"p{p}_ms"] = float(value) * scale[unit]
    if result["failed"] and not may_fail:
        print(f"bench: {result['failed']} of {count} requests failed", file=sys.stderr)
    return result


next_first = [1]


def create_load(server, domain, seconds=None, connections=CONNECTIONS, limit=0):
    """Creates of A records, no two of the same name; with a limit, wrk stops after so many."""
    next_first[0] += 2_000_000
    return wrk(server, {"LOAD_METHOD": "POST", "LOAD_PATH": f"/api/v1/domains/{domain}/records",
                        "LOAD_FIRST": str(next_first[0]), "LOAD_LIMIT": str(limit),
                        "LOAD_BODY": '{"name":"bench%d","type":"A","value":"10.1.2.%d","ttl":300}'}, seconds, connections)


def read_load(server, ids, seconds=None, token=None):
    path = SCRATCH / "ids.txt"
    path.write_text("\n".join(ids[i * 7919 % len(ids)] for i in range(min(10000, len(ids)))) + "\n")
    return wrk(server, {"LOAD_IDS": str(path)}, seconds, token=token)


def path_load(server, path, seconds=None):
    return wrk(server, {"LOAD_PATH": path}, seconds)


def user_names(number):
    """User name and mail address of a user that homeport-tool made."""
    scattered = number * 2654435761 & 0xffffffff
    return f"u{scattered:08x}-{number}", f"m{scattered:08x}-{number}@example.test"


def lines_load(server, path, bodies, seconds=None, connections=CONNECTIONS, delay_ms=0):
    """POSTs of these bodies in their turn; whether they are refused is the caller's to judge by `failed`."""
    file = SCRATCH / f"lines-{server.port}.txt"
    file.write_text("".join(json.dumps(body) + "\n" for body in bodies))
    return wrk(server, {"LOAD_LINES": str(file), "LOAD_PATH": path, "LOAD_DELAY": str(delay_ms)}, seconds, connections, token="", may_fail=True)


def tool(*words):
    """What homeport-tool prints as KEY=VALUE, on the server's CPU."""
    out = subprocess.run(["taskset", "-c", str(SERVER_CPU), str(binary("homeport-tool")), *map(str, words)], stdout=subprocess.PIPE, text=True, check=True)
    return {k: int(v) for k, v in (line.split("=") for line in out.stdout.splitlines())}


class Reader:
    """bench/reader.c beside something else."""

    def __init__(self, server, path, seconds, every_us=1000):
        self.process = subprocess.Popen(["taskset", "-c", str(LOAD_CPU), reader_path(), str(server.port), path, server.token,
                                         str(seconds), str(every_us)], stdout=subprocess.PIPE, text=True)
        running.append(self.process)

    def result(self):
        out = self.process.communicate()[0]
        running.remove(self.process)
        return {k: int(v) for k, v in (line.split("=") for line in out.splitlines())}


def sync_rate(seconds=1.0):
    """write + fdatasync of 4 KiB in a file that has its blocks, times a second: what the disk allows."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    path = SCRATCH / "sync.dat"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, bytes(16 << 20))
        os.fsync(fd)
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            os.pwrite(fd, b"x" * 4096, count * 4096 % (16 << 20))
            os.fdatasync(fd)
            count += 1
        return count / (time.perf_counter() - began)
    finally:
        os.close(fd)
        path.unlink()


# --- instructions --------------------------------------------------------------------

def callgrind(out):
    """What to start a server under; `out` is the beginning of its files' names."""
    if not shutil.which("callgrind_control"):
        sys.exit("bench: valgrind is missing: apt-get install valgrind")
    return ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]


def instructions(server, out, request, rounds=100):
    """Instructions in user space for one request, the kernel's left out: `rounds` times a request on each of the
    connections. request(number) gives the bytes to send. The counts by function stay in out.1, out.2 ..."""
    def control(what):
        subprocess.run(["callgrind_control", what, str(server.pid)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    def drive(count, number):
        for _ in range(count):
            for s in sockets:
                s.sendall(request(number))
                number += 1
            for s in sockets:
                if b" 20" not in s.recv(65536)[:15]:
                    raise SystemExit("bench: a request was refused")

    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)]
    drive(3, 0)
    control("--zero")
    drive(rounds, 3 * CONNECTIONS)
    control("--dump")
    for s in sockets:
        s.close()
    newest = max(Path(out).parent.glob(Path(out).name + ".*"), key=lambda p: p.stat().st_mtime_ns)
    return int(re.search(r"^totals: (\d+)", newest.read_text(), re.M).group(1)) / (rounds * CONNECTIONS)


# --- figures -------------------------------------------------------------------------

def percentile(before, after, share):
    """The bucket's upper bound in ms under which `share` of what came between two histograms lies."""
    counts = {bound: after[bound] - before.get(bound, 0) for bound in after}
    total = max(counts.values())
    return min(bound for bound, count in counts.items() if count >= share * total)


def median(runs, key):
    return statistics.median(r[key] for r in runs)


def spread(runs, key):
    values = [r[key] for r in runs]
    return (max(values) - min(values)) / 2 / max(1e-9, statistics.median(values))


def interleaved(*measurements, rounds=None):
    """Runs A B A B ...; the runs of each. What disturbs the machine disturbs both."""
    results = [[] for _ in measurements]
    for _ in range(rounds or ROUNDS):
        for i, measure in enumerate(measurements):
            results[i].append(measure())
    return results


def table(rows):
    widths = [max(len(str(row[i])) for row in rows if i < len(row)) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        print("  " + "  ".join(str(cell).ljust(w) if i == 0 else str(cell).rjust(w)
                               for i, (cell, w) in enumerate(zip(row, widths))).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * w for w in widths))


def verdict(is_met):
    return "met" if is_met else "MISSED"


def save(name, results):
    CACHE.mkdir(parents=True, exist_ok=True)
    results = {"when": time.strftime("%Y-%m-%dT%H:%M:%S"), "load": os.getloadavg()[0], **results}
    (CACHE / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
