"""Short words for what the dynamic DNS tests do again and again."""
from lib.wait import wait_until

DOMAINS, SOURCES = "/api/v1/domains", "/api/v1/ddns/sources"
CALLBACK = {"url": "http://127.0.0.1:9/{name}"}  # a provider nobody listens to; see lib/callback.py


def domain(api, name="example.test", provider="rfc2136", credentials=None, **more):
    return api.post(DOMAINS, {"name": name, "provider": provider, "credentials": credentials or CALLBACK, **more}).data


def quiet_domain(api, name, **more):
    """A domain whose records are stored but not pushed."""
    return domain(api, name, "callback", is_active=False, **more)


def record(api, domain, name="home", type="A", value=None, **more):
    body = {"name": name, "type": type, **({"value": value} if value is not None else {}), **more}
    return api.post(f"{DOMAINS}/{domain['id']}/records", body).data


def source(api, kind, family="ipv4", name=None, **more):
    return api.post(SOURCES, {"name": name or f"{kind} {family}", "kind": kind, "family": family, **more}).data


def api_key(api, *scopes, name="router", **more):
    return api.post("/api/v1/api-keys", {"name": name, "scopes": list(scopes) or ["read", "write"], **more}).data


def get_record(api, r):
    return api.get(f"/api/v1/records/{r['id']}").data


def wait_record(api, r, timeout=15, **want):
    """Waits until the record's fields are these; answers the record."""
    def look():
        now = get_record(api, r)
        return now if all(now[k] == v for k, v in want.items()) else None
    return wait_until(look, timeout, f"record becomes {want}; it is {get_record(api, r)}")


def synced(api, r, value=None, timeout=15):
    return wait_record(api, r, timeout, sync_status="synced", **({"value": value} if value else {}))


def history(api, r):
    return api.all(f"/api/v1/records/{r['id']}/history")


def needs_route(api, method, path):
    """Skips while the program does not have this route yet."""
    import pytest
    document = api.schema().document["paths"]
    if method.lower() not in document.get(path, {}):
        pytest.skip(f"not built yet: {method} {path}")
