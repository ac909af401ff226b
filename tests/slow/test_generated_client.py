"""A client that OpenAPI Generator writes from /openapi.json works: it signs in, makes an API key, reads with it (accounts.md)."""
import json
import os
import subprocess
from pathlib import Path

import pytest

from lib.homeport import PASSWORD
from lib.pinned import venv_of

HERE = Path(__file__).resolve().parent
VENV = HERE.parents[1] / ".cache/generator"
PINS = HERE / "requirements-generator.txt"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def generator():
    """The generator's Python; made ready once for these pins. Java comes with it."""
    return venv_of(VENV, PINS) / "python"


def run(*argv, cwd):
    env = {k: v for k, v in os.environ.items() if k not in ("JAVA_OPTS", "PYTHONPATH")}
    out = subprocess.run([str(a) for a in argv], cwd=cwd, env=env, capture_output=True, text=True, timeout=120)
    assert out.returncode == 0, out.stdout[-3000:] + out.stderr[-6000:]
    return out.stdout


def test_a_generated_client_works(homeport, generator, tmp_path):
    """Register, sign in in both ways, refresh, make a key, read a record with it, meet refusals: by the client's own types."""
    h = homeport()
    h.admin()
    (tmp_path / "openapi.json").write_text(h.client().http.get("/openapi.json").text)
    # It validates the document first. Its exit code says whether it could make something of all of it.
    run(generator.with_name("openapi-generator-cli"), "generate", "-g", "python", "-i", "openapi.json", "-o", "client",
        "--package-name", "homeport_client", cwd=tmp_path)
    seen = json.loads(run(generator, "-B", HERE / "generated_client_use.py", tmp_path / "client", h.base, "generated", PASSWORD, cwd=tmp_path))
    assert seen == {
        "registered": "generated", "wrong password": [401, 401006], "signed in": True, "role": "user", "refreshed": True, "granted": "bearer",
        "me by sign-in": "generated", "me by OAuth": "generated", "record": [True, "www", "A", "203.0.113.7", True], "list": ["203.0.113.7"],
        "out of scope": [403, 403001], "not there": [404, 404000], "key as bearer": [403, 403001], "no data": None,
        "withdrawn": [401, 401007]}, seen
