"""../shared/protocols beside the project (or $HOMEPORT_SHARED): vectors and their judge."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROTOCOLS = Path(os.environ.get("HOMEPORT_SHARED") or Path(__file__).resolve().parents[3] / "shared") / "protocols"


def vectors(stem, *kinds):
    path = PROTOCOLS / "vectors" / f"{stem}.json"
    if not path.exists():
        return []
    return [v for v in json.loads(path.read_text())["vectors"] if v["kind"] in kinds]


def params(stem, *kinds):
    """For parametrize: one test a vector, named by its id; one skipped test when the folder is missing."""
    found = vectors(stem, *kinds)
    return [pytest.param(v, id=v["id"]) for v in found] or [pytest.param(None, marks=pytest.mark.skip(f"no vectors at {PROTOCOLS}"))]


def raw_request(http, headers=None):
    """The bytes of a vector's `http`."""
    body = http["body"].encode() if "body" in http else json.dumps(http["body_json"]).encode() if "body_json" in http else b""
    have = http["headers"].items() if isinstance(http["headers"], dict) else http["headers"]
    lines = [(k, v) for k, v in have if k.lower() not in ("content-length", *(headers or {}))] + list((headers or {}).items())
    head = f"{http['method']} {http['target']} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines)
    return (head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def judge(folder, requests, creds):
    """Holds raw requests against the vendor's own SDK. Returns the verdicts, one a request."""
    tool = PROTOCOLS / "make-vectors"
    if not tool.exists():
        pytest.skip(f"no judge at {tool}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "creds.json").write_text(json.dumps(creds))
    names = []
    for i, r in enumerate(requests):
        names.append(folder / f"{i:04d}.http")
        names[-1].write_bytes(r.raw)
    out = subprocess.run([sys.executable, str(tool), "judge", "--creds", str(folder / "creds.json"), *map(str, names)],
                         capture_output=True, text=True, timeout=900)
    assert out.stdout, out.stderr
    return [json.loads(line) for line in out.stdout.splitlines()]
