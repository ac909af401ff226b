#!/usr/bin/env python3
"""Checks of the code itself: what a reviewer would tire of saying. Last line: `N passed, N failed`.

    tests/tidy.py                     all checks
    tests/tidy.py --write-settings    writes what is made from schema/config.def: README's table, dist/homeport.conf

A check is a function here that yields complaints; none is one passed, each complaint one failed. Two tables at
the top hold the debts: functions and files that are longer than the house likes. Their limits only shrink: who
shortens one lowers its limit in the same commit, and a debt that is paid must leave the table.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES, FILE_LINES, SLACK = 70, 600, 30

# ---------------------------------------------------------------- debts

LONG_FUNCTIONS = {
    # Flat tables of cases.
    "tests/unit/test_address.c:test_classes": 100,
    "tests/unit/test_rdata.c:test_bad_values": 85,
}
LONG_FILES = {
    "tests/unit/test_dns_message.c": 920,
    "tests/unit/test_json.c": 640,
}

# ---------------------------------------------------------------- walls

PRODUCTS = {"account", "audit", "ddns", "notify", "task"}
# Which folders of src/ a file in one may include from. The core knows no product and no socket; products and
# edges know only the core; they meet where a program is put together. A task is a service between products.
INCLUDES = {
    "core": {"core", "store"},
    "store": {"store", "core"},
    "account": {"account", "task", "notify", "cloud", "core"},
    "audit": {"audit", "core"},
    "cloud": {"cloud", "core"},
    "ddns": {"ddns", "task", "cloud", "core"},
    "notify": {"notify", "task", "cloud", "core"},
    "task": {"task", "core"},
    "gate": {"gate", "account", "core"},
    "web": {"web", "ddns", "cloud", "core"},
    "edge": {"edge", "core"},
    "serve": {"serve", "edge", "gate", "web", "cloud", "store", "core"} | PRODUCTS,
    "cli": {"cli", "serve", "edge", "gate", "web", "cloud", "store", "core"} | PRODUCTS,
    "main.c": {"cli", "serve", "core"},
}
# Of the store the core knows the contract only, of it all only these the layer below.
ONLY_HEADERS = {("core", "store"): {"store/store.h"}, ("store", "core"): {"core/err.h", "core/text.h"}}
# Each library is wrapped once; src/cli/about.c prints versions.
LIBRARIES = {
    "uv.h": {"edge", "serve", "cli"},
    "curl/": {"edge"},
    "bearssl_hmac": {"edge", "account"},  # SHA-1, which libsodium has not: for codes of a second factor
    "bearssl.h": {"edge"},
    "llhttp.h": {"edge"},
    "lmdb.h": {"store"},
}
VERSIONS_ARE_PRINTED_IN = "src/cli/about.c"
# What a rule may not reach for by itself: it comes in a message or stands in the step.
QUIET_FOLDERS = PRODUCTS | {"core", "gate"}
OUTSIDE_WORLD = re.compile(r"\b(clock_gettime|gettimeofday|time|fopen|open|socket|connect|getenv|randombytes\w*|rand|"
                           r"pthread_\w+|sleep|usleep|nanosleep|uv_\w+)\(")
OUTSIDE_WORLD_IN = {
    "src/core/log.c": "writes lines with their time",
    "src/core/config.c": "reads the files that *_file settings name, before anything runs",
    "src/gate/gate.c": "runs on the loop: a seed for request ids, once",
    "src/account/gate_auth.c": "runs on the loop: a key for its table, once",
}

LEFT_OVER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\b(for now|not implemented yet|not there yet\")", re.I)
REGISTRIES = re.compile(r"pypi\.org|pythonhosted\.org|crates\.io|npmjs\.|registry\.yarnpkg|proxy\.golang\.org|ziglang\.org/"
                        r"|(deb|ftp|security|snapshot)\.debian\.org|archive\.ubuntu\.com|docker\.io|ghcr\.io|quay\.io"
                        r"|--(extra-)?index-url|githubusercontent|github\.com/\S+/(archive|releases)|mirrors?\.[a-z]", re.I)

# ---------------------------------------------------------------- reading


def files(*patterns):
    found = {f for p in patterns for f in ROOT.glob(p) if f.is_file() and "__pycache__" not in f.parts}
    return [f.relative_to(ROOT).as_posix() for f in sorted(found)]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def listed(name, folder=""):
    """The lines of a list such as src/SOURCES.txt; a bare name stands in `folder`."""
    lines = [line.split("#")[0].strip() for line in read(name).splitlines()]
    return [line if re.match(r"(src|tests)/", line) else folder + line for line in lines if line]


OURS = files("src/**/*.c", "src/**/*.h")
C_TESTS = files("tests/**/*.c", "tests/**/*.h", "bench/**/*.c", "bench/**/*.h")
SCHEMA = files("schema/*.def")
SCRIPTS = files("tests/**/*.py", "tests/**/*.sh", "vendor/*.sh", "vendor/*.py", "vendor/pip-shim/*", ".ci/*", "zigw",
                "build.zig", "bench/*.py", "bench/*.sh", "bench/*/*", "dist/*")


def without_comments(text):
    """C without comments and without what stands in quotes; lines stay lines."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m[0]) if m[0].startswith("/") else m[0][0] * 2
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def folder_of(name):
    return name.split("/")[1]


def inclusions(name):
    for number, line in enumerate(read(name).splitlines(), 1):
        if m := re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line):
            yield number, m[1] == '"', m[2]


def functions(name):
    """(first line, name, lines) of every function: in our layout its braces stand alone in the first column."""
    lines = read(name).splitlines()
    begin = None
    for i, line in enumerate(lines):
        if line == "{":
            begin = i
            while begin > 0 and lines[begin - 1].strip() and not re.search(r"[;}/\\]\s*$|^#", lines[begin - 1]):
                begin -= 1
        elif line == "}" and begin is not None:
            head = " ".join(lines[begin:i])
            called = re.search(r"([A-Za-z_]\w*)\s*\(", head)
            yield begin + 1, called[1] if called else "?", i - begin + 1
            begin = None

# ---------------------------------------------------------------- checks


def includes_point_inward():
    for name in OURS:
        may = INCLUDES.get(folder_of(name))
        if may is None:
            yield f"{name}: the walls in tests/tidy.py say nothing of src/{folder_of(name)}"
            continue
        for number, is_ours, header in inclusions(name):
            if not is_ours or header.endswith(".def"):
                continue
            target = header.split("/")[0]
            if target not in may:
                yield f"{name}:{number}: src/{folder_of(name)} may not include {header}"
            elif header not in ONLY_HEADERS.get((folder_of(name), target), {header}):
                yield f"{name}:{number}: of src/{target}, src/{folder_of(name)} may include {ONLY_HEADERS[folder_of(name), target]} only"


def libraries_are_wrapped_once():
    for name in OURS:
        for number, is_ours, header in inclusions(name):
            for library, wrapped_in in LIBRARIES.items():
                if not is_ours and header.startswith(library) and folder_of(name) not in wrapped_in and name != VERSIONS_ARE_PRINTED_IN:
                    yield f"{name}:{number}: <{header}> belongs to src/{' and src/'.join(sorted(wrapped_in))}"


def rules_reach_for_nothing():
    for name in OURS:
        if folder_of(name) not in QUIET_FOLDERS or name in OUTSIDE_WORLD_IN:
            continue
        for number, line in enumerate(without_comments(read(name)).splitlines(), 1):
            if m := OUTSIDE_WORLD.search(line):
                yield f"{name}:{number}: {m[1]}(): time, chance, files and network reach the core as messages or in the step"


def first_include_is_the_own_header():
    for name in OURS:
        own = name.removeprefix("src/")[:-1] + "h"
        first = next((header for _, is_ours, header in inclusions(name)), None)
        is_private = first is not None and first.endswith("_private.h") and first.split("/")[0] == folder_of(name)
        if name.endswith(".c") and f"src/{own}" in OURS and first != own and not is_private:
            yield f"{name}: its first include should be {own}: that is how a header shows it stands alone"


def headers_have_guards():
    for name in files("src/**/*.h", "tests/**/*.h", "bench/**/*.h"):
        guard = "HOMEPORT_" + re.sub(r"[/.]", "_", name.removeprefix("src/").replace("tests/unit/", "tests/")).upper()
        text = read(name)
        if not re.search(rf"^#ifndef {guard}\n#define {guard}$", text, re.M) or not text.rstrip().endswith("#endif"):
            yield f"{name}: wants a guard named {guard}"


def files_say_what_they_are_for():
    for name in OURS:
        text = read(name)
        if not text.startswith("/*") and not text.startswith(f'#include "{folder_of(name)}/'):
            yield f"{name}: begins neither with a comment nor with the header that has it"


def functions_fit_a_screen():
    long = {}
    for name in OURS + C_TESTS:
        for number, function, lines in functions(name):
            key = f"{name}:{function}"
            limit = LONG_FUNCTIONS.get(key, FUNCTION_LINES)
            if lines > FUNCTION_LINES:
                long[key] = lines
            if lines > limit:
                yield f"{name}:{number}: {function}() has {lines} lines, at most {limit}"
    yield from paid(LONG_FUNCTIONS, long, "LONG_FUNCTIONS")


def files_have_one_subject():
    long = {}
    for name in OURS + C_TESTS + SCHEMA + SCRIPTS:
        lines = read(name).count("\n")
        limit = LONG_FILES.get(name, FILE_LINES)
        if lines > FILE_LINES:
            long[name] = lines
        if lines > limit:
            yield f"{name}: has {lines} lines, at most {limit}: look for the second subject"
    yield from paid(LONG_FILES, long, "LONG_FILES")


def paid(debts, long, table):
    for key, limit in debts.items():
        if key not in long:
            yield f"tests/tidy.py: {key} is short enough now: take it out of {table}"
        elif long[key] < limit - SLACK:
            yield f"tests/tidy.py: {key} has {long[key]} lines: lower its {limit} in {table}"


def nothing_is_left_over():
    for name in OURS + C_TESTS + SCHEMA + SCRIPTS:
        if name == "tests/tidy.py":
            continue
        for number, line in enumerate(read(name).splitlines(), 1):
            if m := LEFT_OVER.search(line):
                if not re.search(r"X{6}", line):  # mkstemp()
                    yield f"{name}:{number}: left-over note: {m[0]}"


def no_registry_is_named():
    for name in OURS + C_TESTS + SCHEMA + SCRIPTS + files("*.md", "vendor/*.md", "vendor/*.txt", "tests/*.txt"):
        if name == "tests/tidy.py":
            continue
        for number, line in enumerate(read(name).splitlines(), 1):
            if m := REGISTRIES.search(line):
                yield f"{name}:{number}: names a registry or mirror ({m[0]}); leave that to pip's, apt's and cargo's settings"


def sources_are_listed():
    sources = listed("src/SOURCES.txt")
    yield from same(sources, files("src/**/*.c"), "src/SOURCES.txt")


def tests_are_listed():
    yield from same(listed("tests/unit/LIST.txt", "tests/unit/"), files("tests/unit/*.c"), "tests/unit/LIST.txt")
    yield from same(listed("tests/sim/LIST.txt", "tests/sim/"), files("tests/sim/*.c"), "tests/sim/LIST.txt")


def same(wanted, there, where):
    for name in sorted({n for n in wanted if wanted.count(n) > 1}):
        yield f"{where}: {name} stands there twice"
    for name in sorted(set(wanted) - set(there)):
        if name.startswith("src/") and where.startswith("tests/sim") and (ROOT / name).is_file():
            continue
        yield f"{where}: {name} is not there"
    for name in sorted(set(there) - set(wanted)):
        yield f"{where}: {name} is missing in it"


def headers_are_used():
    used = {h for name in OURS + C_TESTS for _, is_ours, h in inclusions(name) if is_ours}
    for name in files("src/**/*.h"):
        if name.removeprefix("src/") not in used:
            yield f"{name}: nobody includes it"


def rows_are_used():
    """Every setting is read, every error given, every provider, command and check there by name."""
    text = "\n".join(without_comments(read(name)) for name in [*OURS, "schema/limits.def"])
    words = set(re.findall(r"\w+", text)) | {"provider_" + w for w in re.findall(r"provider_(\w+)", text)}
    for member, key in re.findall(r"^CONFIG\((\w+),\s*\"([^\"]+)\"", read("schema/config.def"), re.M):
        if member not in words:
            yield f"schema/config.def: nobody reads {key}"
    for error in re.findall(r"^ERR\((\w+),", read("schema/errors.def"), re.M):
        if f"ERR_{error}" not in words:
            yield f"schema/errors.def: nobody gives {error}"
    for check in re.findall(r"^CHECKER\((\w+),", read("schema/checks.def"), re.M):
        if f"check_{check}" not in words:
            yield f"schema/checks.def: nobody defines check_{check}()"
    for whole in re.findall(r"^WHOLE\((\w+),", read("schema/wholes.def"), re.M):
        if f"check_whole_{whole}" not in words:
            yield f"schema/wholes.def: nobody defines check_whole_{whole}()"


def settings_are_told():
    """What is made from schema/config.def is what a fresh run would make."""
    for name, text in made_from_settings().items():
        if text is None:
            yield f"{name}: has no settings table to fill in"
        elif not (ROOT / name).is_file() or read(name) != text:
            yield f"{name}: is behind schema/config.def: run tests/tidy.py --write-settings"

# ---------------------------------------------------------------- settings for people

ROW = re.compile(r'CONFIG\((\w+),\s*"([^"]*)",\s*(\w+),\s*"([^"]*)",\s*(\d+),\s*(\d+),\s*"([^"]*)",\s*"((?:[^"\\]|\\.)*)"\)')
TABLE = re.compile(r"(<!-- settings: tests/tidy\.py --write-settings -->\n).*?(<!-- end of settings -->)", re.S)
GROUPS = {"http": "The listener", "store": "The data folder", "auth": "Accounts", "limits": "Limits", "net": "Calls to other servers",
          "ddns": "Dynamic DNS", "notify": "Letters: mail and SMS", "smtp": "Mail by SMTP",
          "directmail": "Mail by Alibaba DirectMail", "sms": "SMS by Alibaba", "tasks": "Tasks", "events": "Live events", "metrics": "Metrics", "log": "The log"}


def settings():
    """(key, kind, default, range, unit, sentence), in the order of config.def."""
    for _, key, kind, initial, least, most, unit, sentence in ROW.findall(read("schema/config.def")):
        bounds = {"number": f"{least} to {most}", "bool": "true, false"}.get(kind, "")
        yield key, kind, initial, bounds, unit, sentence


def settings_table():
    yield "| key | default | allowed | what it is |\n|---|---|---|---|\n"
    for key, kind, initial, bounds, unit, sentence in settings():
        shown = f"`{initial}`" if initial else ("none" if kind in ("secret", "list", "networks") else "")
        allowed = bounds or {"list": "a list", "networks": "networks, such as 192.168.0.0/16", "secret": "a secret"}.get(kind, "")
        yield f"| `{key}` | {shown}{f' {unit}' if unit and shown else ''} | {allowed} | {sentence} |\n"


def settings_sample():
    yield ("# homeport.conf: every setting with its default. Remove the # of a line to change it.\n"
           "# Looked for in the data folder, then in /etc/homeport/. Lists are separated by commas.\n"
           "# The environment comes before this file (http.listen is HOMEPORT_HTTP_LISTEN), flags before both.\n")
    last = ""
    for key, _, initial, bounds, unit, sentence in settings():
        group = key.split(".")[0]
        if group != last:
            yield f"\n# ---- {GROUPS.get(group, group)}\n"
        last = group
        allowed = ", ".join(x for x in (bounds, unit) if x)
        yield f"\n# {sentence}{f' ({allowed})' if allowed else ''}\n#{key} ={' ' if initial else ''}{initial}\n"


def made_from_settings():
    text = read("README.md") if (ROOT / "README.md").is_file() else ""
    table = "".join(settings_table())
    readme = TABLE.sub(lambda m: m[1] + table + m[2], text) if TABLE.search(text) else None
    return {"README.md": readme, "dist/homeport.conf": "".join(settings_sample())}


def write_settings():
    for name, text in made_from_settings().items():
        if text is None:
            sys.exit(f"{name}: has no settings table to fill in")
        (ROOT / name).write_text(text, encoding="utf-8")

# ---------------------------------------------------------------- running

CHECKS = [
    includes_point_inward, libraries_are_wrapped_once, rules_reach_for_nothing, first_include_is_the_own_header,
    headers_have_guards, files_say_what_they_are_for, functions_fit_a_screen, files_have_one_subject,
    nothing_is_left_over, no_registry_is_named, sources_are_listed, tests_are_listed, headers_are_used,
    rows_are_used, settings_are_told,
]


def main():
    if sys.argv[1:] == ["--write-settings"]:
        return write_settings()
    if sys.argv[1:]:
        sys.exit(__doc__)
    passed = failed = 0
    for check in CHECKS:
        complaints = list(check())
        for complaint in complaints:
            print(f"{check.__name__}: {complaint}")
        passed += not complaints
        failed += len(complaints)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
