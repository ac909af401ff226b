"""Every operation, called with thousands of inputs made from /openapi.json: good ones, bad ones, and ones at the edges.

Schemathesis (pinned, in a venv of its own) goes over all operations twice: once with ids of things that are there,
once with any. Each answer must be one that the document promises: status, content type, schema; never a 5xx; what
breaks the schema is refused. Here each row of schema/routes.def is one test, so that a report names the operation.
"""
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from lib.pinned import venv_of

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".cache/schemathesis"
PINS = Path(__file__).with_name("requirements-schemathesis.txt")
CHECKS = ("not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
          "positive_data_acceptance,negative_data_rejection")
STREAMS = {"/api/v1/events"}  # never ends
EXAMPLES = {"there": 15, "any": 25}
ROUTES = [f"{method} {path}" for method, path in
          re.findall(r'^ROUTE\((\w+),\s*"([^"]+)"', (ROOT / "schema/routes.def").read_text(), re.M) if path not in STREAMS]

# A schema cannot say all that a rule asks for: input that fits it may still be refused, with a reason.
SETTINGS = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412, 422, 429, "5xx"]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 413, 414, 415, 422, 428, 429, 431, "5xx"]
[[operations]]
include-path = "/nic/update"  # dyndns2 refuses with 200 and a word
checks.negative_data_rejection.expected-statuses = ["2xx", "4xx"]
[[operations]]
include-method = "GET"  # cursors are text that only homeport can write
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", 400, 401, 403, 404, 409, 412, 422, 429, "5xx"]
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def schemathesis():
    """Its program; made ready once for these pins."""
    return venv_of(VENV, PINS) / "schemathesis"


def things(api):
    """One of each thing, and for each path its id. The provider is a port where nobody listens."""
    credentials = {"server": "127.0.0.1:9", "key_name": "k", "algorithm": "hmac-sha256", "secret": "AAECAwQFBgcICQoLDA0ODw=="}
    domain = api.post("/api/v1/domains", {"name": "schema.test", "provider": "rfc2136", "credentials": credentials}).data["id"]
    source = api.post("/api/v1/ddns/sources", {"name": "wan", "kind": "pushed", "family": "ipv4"}).data["id"]
    record = api.post(f"/api/v1/domains/{domain}/records", {"name": "www", "type": "A", "value": "203.0.113.1"}).data["id"]
    task = api.get("/api/v1/tasks").data["items"][0]["id"]
    return {"/api/v1/domains/": domain, "/api/v1/ddns/sources/": source, "/api/v1/records/": record, "/api/v1/tasks/": task}


def fixed_ids(ids):
    """Settings that put them into the paths, but for DELETE: the next call wants them too."""
    for route in ROUTES:
        method, path = route.split(" ")
        for prefix, thing in ids.items():
            if method != "DELETE" and path.startswith(prefix + "{id}"):
                yield (f'[[operations]]\ninclude-method = "{method}"\ninclude-path = "{path}"\n'
                       f'[operations.parameters]\n"path.id" = "{thing}"\n')


@pytest.fixture(scope="module")
def verdicts(schemathesis, server, admin, tmp_path_factory):
    """{(round, operation): what is wrong, or an empty text}; and the whole report for what is missing in it."""
    key = admin.post("/api/v1/api-keys", {"name": "schemathesis", "scopes": ["read", "write"]}).data["key"]
    folder = tmp_path_factory.mktemp("schemathesis")
    found = {}
    for name, more in (("there", "".join(fixed_ids(things(admin)))), ("any", "")):
        (folder / f"{name}.toml").write_text(SETTINGS + more)
        out = subprocess.run(
            [str(schemathesis), "--no-color", "--config-file", f"{name}.toml", "run", f"{server.base}/openapi.json",
             "--header", f"Authorization: Bearer {key}", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing",
             "--max-examples", str(EXAMPLES[name]), "--continue-on-failure", "--no-shrink", "--suppress-health-check", "all",
             "--warnings", "off", "--request-timeout", "20", "--seed", "20", "--report", "junit",
             "--report-junit-path", f"{name}.xml", *(x for path in STREAMS for x in ("--exclude-path", path))],
            cwd=folder, capture_output=True, text=True, timeout=600)
        assert server.running, f"homeport ended\n{server.log()}"
        assert (folder / f"{name}.xml").exists(), out.stdout[-4000:] + out.stderr[-2000:]
        for case in ElementTree.parse(folder / f"{name}.xml").getroot().iter("testcase"):
            said = "\n".join(f"{c.get('message') or ''}\n{c.text or ''}" for c in case if c.tag in ("failure", "error"))
            found[name, case.get("name")] = found.get((name, case.get("name")), "") + said
    return found


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("round_", EXAMPLES)
def test_the_document_is_kept(verdicts, round_, route):
    """Whatever is sent to this operation, the answer is one that /openapi.json promises for it."""
    assert (round_, route) in verdicts, "schemathesis did not get to it"
    if verdicts[round_, route]:
        pytest.fail(verdicts[round_, route][:4000], pytrace=False)
