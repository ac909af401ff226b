"""Cloudflare's API v4 as far as ../shared/protocols/cloudflare.md tells it, in memory."""
import ipaddress
import itertools
import re

from lib.httpd import Server, as_json

TOKEN = "cf-example-token-0001"
CREATED = "2026-01-01T00:00:00Z"


class Refused(Exception):
    def __init__(self, status, code, message="m"):
        self.reply = as_json({"success": False, "errors": [{"code": code, "message": message}], "messages": [],
                              "result": None}, status)


class FakeCloudflare(Server):
    def __init__(self, zones=("example.test",), token=TOKEN, **kw):
        self.token, self.ids = token, itertools.count(1)
        self.zones = {self.new_id(): z for z in zones}
        self.records = {}  # id -> record with zone_id
        super().__init__(**kw)
        self.endpoint = self.url + "/client/v4"

    def new_id(self):
        return f"{next(self.ids):032x}"

    # ---- for tests
    def zone_id(self, zone):
        return next(i for i, z in self.zones.items() if z == zone)

    def add(self, name, type, content, zone="example.test", **more):
        r = {"id": self.new_id(), "zone_id": self.zone_id(zone), "name": name, "type": type, "content": content,
             "proxiable": type in ("A", "AAAA", "CNAME"), "proxied": False, "ttl": 1, "comment": None, "tags": [],
             "created_on": CREATED, "modified_on": CREATED, "meta": {}, "settings": {}, **more}
        self.records[r["id"]] = r
        return r

    def values(self, name, type):
        with self.lock:
            return sorted(r["content"] for r in self.records.values() if (r["name"], r["type"]) == (name, type))

    def writes(self):
        return [r for r in self.requests() if r.method in ("POST", "PUT", "PATCH", "DELETE")]

    # ---- the service
    def handle(self, r):
        try:
            self.authorize(r)
            path = r.path.removeprefix("/client/v4")
            if path == "/user/tokens/verify" and r.method == "GET":
                return self.ok({"id": "t" * 32, "status": "active"})
            if path == "/zones" and r.method == "GET":
                zones = [{"id": i, "name": z, "status": "active", "paused": False, "type": "full"}
                         for i, z in self.zones.items() if r.params.get("name") in (None, z)]
                return self.page(zones, r, 20)
            m = re.fullmatch(r"/zones/([^/]+)(?:/dns_records(?:/([^/]+))?)?", path)
            if not m or m[1] not in self.zones:
                raise Refused(404, 7003, "Could not route to that zone, perhaps your object identifier is invalid?")
            if "/dns_records" not in path:
                return self.ok({"id": m[1], "name": self.zones[m[1]], "status": "active"})
            return self.collection(r, m[1]) if m[2] is None else self.single(r, m[1], m[2])
        except Refused as e:
            return e.reply

    def authorize(self, r):
        auth = r.low.get("authorization", "")
        if not re.fullmatch(r"Bearer [A-Za-z0-9_-]+", auth):
            raise Refused(400, 6003, "Invalid request headers")
        if auth != f"Bearer {self.token}":
            raise Refused(403, 9109, "Invalid access token")

    def collection(self, r, zone):
        if r.method == "GET":
            name = r.params.get("name.exact", r.params.get("name"))
            kind, content = r.params.get("type"), r.params.get("content.exact", r.params.get("content"))
            found = [x for x in self.records.values() if x["zone_id"] == zone and name in (None, x["name"])
                     and kind in (None, x["type"]) and content in (None, x["content"])]
            return self.page(found, r, 100)
        if r.method == "POST":
            new = self.check(zone, r.json(), None)
            return self.ok(self.shown(self.add(**{"zone": self.zones[zone], **new})))
        raise Refused(405, 10405, "Method not allowed")

    def single(self, r, zone, rid):
        old = self.records.get(rid)
        if old is None or old["zone_id"] != zone:
            raise Refused(404, 81044, "Record does not exist.")
        if r.method == "GET":
            return self.ok(self.shown(old))
        if r.method in ("PATCH", "PUT"):
            keep = {k: old[k] for k in ("name", "type", "content", "ttl", "proxied", "comment", "tags")}
            change = self.check(zone, {**(keep if r.method == "PATCH" else {}), **r.json()}, rid)
            old.update(change)
            return self.ok(self.shown(old))
        if r.method == "DELETE":
            del self.records[rid]
            return self.ok({"id": rid})
        raise Refused(405, 10405, "Method not allowed")

    def check(self, zone, x, rid):
        for k in ("type", "name", "content"):
            if not isinstance(x.get(k), str) and not (k == "content" and "data" in x):
                raise Refused(400, 1004, f"DNS Validation Error: {k} is required")
        x = {**x, "content": x.get("content", " ".join(str(v) for k, v in x.get("data", {}).items() if k != "priority"))}
        z = self.zones[zone]
        if x["name"] != z and not x["name"].endswith("." + z):
            raise Refused(400, 9007, "Name is not in this zone")
        if x["type"] in ("A", "AAAA"):
            try:
                ok = ipaddress.ip_address(x["content"]).version == (4 if x["type"] == "A" else 6)
            except ValueError:
                ok = False
            if not ok:
                raise Refused(400, 9005, f"Content for {x['type']} record is invalid.")
        ttl = x.get("ttl", 1)
        if ttl != 1 and not 60 <= ttl <= 86400:
            raise Refused(400, 1004, "DNS Validation Error: ttl")
        if x.get("proxied") and x["type"] not in ("A", "AAAA", "CNAME"):
            raise Refused(400, 1004, "This record type cannot be proxied")
        if len(x.get("comment") or "") > 100:
            raise Refused(400, 9200, "Comment is too long")
        same = [o for o in self.records.values() if o["zone_id"] == zone and o["name"] == x["name"] and o["id"] != rid]
        if any((o["type"], o["content"]) == (x["type"], x.get("content")) for o in same):
            raise Refused(400, 81058, "An identical record already exists.")
        if any(o["type"] != x["type"] and "CNAME" in (o["type"], x["type"]) for o in same if o["type"] in ("A", "AAAA", "CNAME")):
            raise Refused(400, 81053, "An A, AAAA, or CNAME record with that host already exists.")
        return {k: x[k] for k in ("name", "type", "content", "ttl", "proxied", "comment", "tags", "priority", "data") if k in x}

    # ---- answers
    @staticmethod
    def shown(record):
        return {k: v for k, v in record.items() if k != "zone_id" and not (k == "comment" and v is None)}

    def ok(self, result, **info):
        return as_json({"result": result, "success": True, "errors": [], "messages": [], **info})

    def page(self, items, r, per_page):
        per_page, page = int(r.params.get("per_page", per_page)), int(r.params.get("page", 1))
        part = [self.shown(x) for x in items[(page - 1) * per_page:page * per_page]]
        return self.ok(part, result_info={"page": page, "per_page": per_page, "count": len(part), "total_count": len(items),
                                          "total_pages": -(-len(items) // per_page)})
