"""Holds every answer against the published OpenAPI document and the API's conventions, as it passes."""
import re
from functools import lru_cache

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

URN = "urn:openapi"
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
PLAIN = {"/openapi.json", "/health", "/livez", "/readyz", "/metrics", "/api/v1/auth/token"}  # no envelope
NOT_OUR_IDS = {"request_id", "device_id", "access_key_id", "secret_id", "provider_id", "key_id", "code_id"}


def pointer(part):
    return part.replace("~", "~0").replace("/", "~1")


class Schema:
    def __init__(self, document):
        self.document = document
        self.registry = Registry().with_resource(URN, Resource.from_contents(document, DRAFT202012))
        self.paths = [(re.compile("^" + re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(p)) + "$"), p)
                      for p in sorted(document.get("paths", {}), key=lambda p: p.count("{"))]

    def path_of(self, path):
        return next((p for rx, p in self.paths if rx.match(path)), None)

    @lru_cache(maxsize=None)
    def validator(self, template, method, status, media):
        responses = self.document["paths"][template][method]["responses"]
        name = next((n for n in (str(status), f"{status // 100}XX", "default") if n in responses), None)
        assert name, f"{method.upper()} {template} answers {status}, which openapi.json does not describe"
        where = ["paths", template, method, "responses", name]
        response = responses[name]
        if "$ref" in response:
            where = response["$ref"].removeprefix("#/").replace("~1", "/").split("/")
            response = self.document
            for part in where:
                response = response[part]
        content = response.get("content", {})
        if media not in content:
            assert not content, f"{template} {status}: {media} is not among {list(content)}"
            return None
        ref = "#/" + "/".join(pointer(p) for p in [*where, "content", media, "schema"])
        return jsonschema.Draft202012Validator({"$ref": URN + ref}, registry=self.registry)

    def check(self, method, path, status, media, body):
        template = self.path_of(path)
        if template is None or method.lower() not in self.document["paths"][template]:
            assert status >= 400, f"{method} {path} answers {status} but openapi.json does not know it"
            return
        v = self.validator(template, method.lower(), status, media)
        if v is not None:
            e = jsonschema.exceptions.best_match(v.iter_errors(body))
            assert e is None, f"{method} {path} {status} breaks its schema at {e.json_path}: {e.message}"


def check_conventions(path, response):
    """README.md "Conventions of the API": envelope, request id, ids as decimal strings, times in UTC with ms."""
    rid = response.headers.get("x-request-id")
    assert rid, f"no X-Request-Id on {path}"
    media = response.headers.get("content-type", "").split(";")[0]
    if media != "application/json" or not response.content:
        return None
    body = response.json()
    if path in PLAIN:
        return body
    if response.status_code < 400:
        assert set(body) == {"code", "message", "data"}, body
        assert body["code"] == 0 and body["message"] == "success", body
        check_values(body["data"], numbered=path.startswith("/api/v1/audit"))
    else:
        assert set(body) == {"code", "message", "data", "request_id"}, body
        assert body["code"] // 1000 == response.status_code, body
        assert body["message"] and isinstance(body["message"], str), body
        assert body["request_id"] == rid, (body, rid)
        if response.status_code == 422 and body["data"]:
            assert all(set(e) == {"field", "reason"} and e["reason"] for e in body["data"]["errors"]), body
    return body


def check_values(x, key="", numbered=False):
    """numbered: `id` is a sequence number (audit), not a Snowflake."""
    if isinstance(x, dict):
        for k, v in x.items():
            check_values(v, k, numbered)
    elif isinstance(x, list):
        for v in x:
            check_values(v, key, numbered)
    elif x is None or x == "" or (numbered and key == "id"):
        return
    elif (key == "id" or key.endswith("_id")) and key not in NOT_OUR_IDS:
        assert isinstance(x, str) and x.isdigit() and 0 < int(x) < 2**63, f"{key} is not a decimal string: {x!r}"
    elif key.endswith("_at"):
        assert TIME.match(x), f"{key} is not RFC 3339 in UTC with milliseconds: {x!r}"
