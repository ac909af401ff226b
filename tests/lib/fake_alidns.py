"""Alibaba Cloud DNS 2015-01-09 as ../shared/protocols tells it, with an ACS3 verifier of our own."""
import calendar
import hashlib
import hmac
import itertools
import re
import time
import uuid
from urllib.parse import quote

from lib.httpd import Server, as_json

KEY_ID, KEY_SECRET = "LTAI5tExampleKeyId00001", "ExampleSecret0000000000000000001"
CLOCK_S = 900  # 15 minutes are allowed


def sha256(b):
    return hashlib.sha256(b).hexdigest()


def encode(s):
    return quote(s, safe="~")


def canonical_request(r, names):
    query = "&".join(f"{k}={v}" for k, v in sorted((encode(k), encode(v)) for k, v in r.query))
    headers = "".join(f"{n}:{r.low.get(n, '').strip()}\n" for n in names)
    return "\n".join([r.method, r.path, query, headers, ";".join(names), sha256(r.body)])


def sign(r, names, secret):
    text = "ACS3-HMAC-SHA256\n" + sha256(canonical_request(r, names).encode())
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Refused(Exception):
    def __init__(self, code, status=400, message=""):
        self.code, self.status, self.message = code, status, message or code


class FakeAlidns(Server):
    def __init__(self, domains=("example.test",), keys=None, ttl_min=600, **kw):
        self.keys = keys or {KEY_ID: KEY_SECRET}
        self.domains, self.ttl_min = set(domains), ttl_min
        self.records, self.nonces, self.ids = {}, set(), itertools.count(9999985)
        self.verified = []  # requests whose signature was right
        super().__init__(**kw)
        self.endpoint = self.url

    # ---- for tests
    def add(self, rr, type, value, domain="example.test", **more):
        r = {"RecordId": str(next(self.ids)), "DomainName": domain, "RR": rr, "Type": type, "Value": value, "TTL": 600,
             "Line": "default", "Status": "ENABLE", "Locked": False, "Weight": 1, **more}
        self.records[r["RecordId"]] = r
        return r

    def values(self, rr, type, domain="example.test"):
        with self.lock:
            return sorted(r["Value"] for r in self.records.values() if (r["DomainName"], r["RR"], r["Type"]) == (domain, rr, type))

    def actions(self, *names):
        return [r for r in self.requests() if not names or r.low.get("x-acs-action") in names]

    def writes(self):
        return self.actions("AddDomainRecord", "UpdateDomainRecord", "DeleteDomainRecord", "SetDomainRecordStatus",
                            "UpdateDomainRecordRemark", "DeleteSubDomainRecords")

    # ---- the gateway
    def handle(self, r):
        rid = str(uuid.uuid4()).upper()
        try:
            action = self.verify(r)
            op = getattr(self, "op_" + action, None)
            if op is None:
                raise Refused("InvalidAction.NotFound", 404)
            return as_json({"RequestId": rid, **op(r.params)})
        except Refused as e:
            return as_json({"RequestId": rid, "HostId": r.low.get("host", ""), "Code": e.code, "Message": e.message}, e.status)

    def verify(self, r):
        """The gateway's checks, in its order; returns the operation's name."""
        m = re.fullmatch(r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})",
                         r.low.get("authorization", ""))
        if not m or r.path != "/":
            raise Refused("IncompleteSignature")
        names, date = m[2].split(";"), r.low.get("x-acs-date", "")
        must = [k for k in r.low if k in ("host", "content-type") or k.startswith("x-acs-")]
        if names != sorted(names) or set(must) - set(names) or "x-acs-action" not in names:
            raise Refused("IncompleteSignature", message=f"unsigned: {sorted(set(must) - set(names))}")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", date):
            raise Refused("InvalidTimeStamp.Format")
        if m[1] not in self.keys:
            raise Refused("InvalidAccessKeyId.NotFound", 404)
        if abs(calendar.timegm(time.strptime(date, "%Y-%m-%dT%H:%M:%SZ")) - self.now()) > CLOCK_S:
            raise Refused("InvalidTimeStamp.Expired", message="Specified time stamp or date value is expired.")
        if r.low.get("x-acs-content-sha256") != sha256(r.body) or not hmac.compare_digest(sign(r, names, self.keys[m[1]]), m[3]):
            raise Refused("SignatureDoesNotMatch", message="server string to sign: " + canonical_request(r, names))
        nonce = r.low.get("x-acs-signature-nonce", "")
        if not nonce or nonce in self.nonces:
            raise Refused("SignatureNonceUsed")
        self.nonces.add(nonce)
        self.verified.append(r)
        return r.low["x-acs-action"]

    # ---- operations
    def domain(self, name):
        if name not in self.domains:
            raise Refused("InvalidDomainName.NoExist", message="The specified domain name does not exist.")
        return name

    def record(self, p):
        if p.get("RecordId") not in self.records:
            raise Refused("DomainRecordNotBelongToUser", message="The domain record does not belong to this user.")
        return self.records[p["RecordId"]]

    def page(self, found, p):
        size, number = int(p.get("PageSize", 20)), int(p.get("PageNumber", 1))
        if not 1 <= size <= 500:
            raise Refused("InvalidPageSize")
        part = found[(number - 1) * size:number * size]
        return {"TotalCount": len(found), "PageNumber": number, "PageSize": size, "DomainRecords": {"Record": part}}

    def op_DescribeSubDomainRecords(self, p):
        sub = p.get("SubDomain", "")
        domain = p.get("DomainName") or next((d for d in sorted(self.domains, key=len, reverse=True) if sub.endswith("." + d)), None)
        if domain is None:
            raise Refused("InvalidDomainName.NoExist")
        rr = sub.removesuffix(self.domain(domain)).rstrip(".")
        return self.page([r for r in self.records.values() if (r["DomainName"], r["RR"]) == (domain, rr or "@")
                          and p.get("Type", r["Type"]) == r["Type"] and p.get("Line", r["Line"]) == r["Line"]], p)

    def op_DescribeDomainRecords(self, p):
        domain, exact = self.domain(p.get("DomainName")), p.get("SearchMode") == "EXACT"
        rr, kind = p.get("RRKeyWord"), p.get("Type") or p.get("TypeKeyWord")
        match = lambda have, want: want is None or (have == want if exact else want in have)
        return self.page([r for r in self.records.values() if r["DomainName"] == domain and match(r["RR"], rr)
                          and kind in (None, r["Type"]) and match(r["Value"], p.get("ValueKeyWord"))], p)

    def op_DescribeDomainRecordInfo(self, p):
        return dict(self.record(p))

    def op_AddDomainRecord(self, p):
        self.check(p, self.domain(p.get("DomainName")), None)
        more = {"Priority": int(p["Priority"])} if "Priority" in p else {}
        r = self.add(p["RR"], p["Type"], p["Value"], p["DomainName"], TTL=int(p.get("TTL", 600)), Line=p.get("Line", "default"), **more)
        return {"RecordId": r["RecordId"]}

    def op_UpdateDomainRecord(self, p):
        r = self.record(p)
        self.check(p, r["DomainName"], r)
        r.update(RR=p["RR"], Type=p["Type"], Value=p["Value"], TTL=int(p.get("TTL", 600)), Line=p.get("Line", "default"))
        if "Priority" in p:
            r["Priority"] = int(p["Priority"])
        return {"RecordId": r["RecordId"]}

    def op_UpdateDomainRecordRemark(self, p):
        self.record(p)["Remark"] = p.get("Remark", "")
        return {}

    def op_DeleteDomainRecord(self, p):
        return {"RecordId": self.records.pop(self.record(p)["RecordId"])["RecordId"]}

    def op_SetDomainRecordStatus(self, p):
        status = p.get("Status", "").upper()
        if status not in ("ENABLE", "DISABLE"):
            raise Refused("InvalidStatus")
        r = self.record(p)
        r["Status"] = status
        return {"RecordId": r["RecordId"], "Status": p["Status"]}

    def check(self, p, domain, old):
        if not p.get("RR") or not re.fullmatch(r"@|(\*|[A-Za-z0-9_-]+)(\.[A-Za-z0-9_-]+)*", p["RR"]):
            raise Refused("InvalidRR.Format")
        for k in ("Type", "Value"):
            if not p.get(k):
                raise Refused(f"Missing{k}")
        if int(p.get("TTL", 600)) < self.ttl_min:
            raise Refused("InvalidTTL")
        line = p.get("Line", "default")
        same = [r for r in self.records.values() if (r["DomainName"], r["RR"], r["Line"]) == (domain, p["RR"], line)]
        if any((r["Type"], r["Value"]) == (p["Type"], p["Value"]) and (r is not old or (
                r["TTL"] == int(p.get("TTL", 600)) and str(r.get("Priority", "")) == p.get("Priority", str(r.get("Priority", ""))))) for r in same):
            raise Refused("DomainRecordDuplicate", message="The DNS record already exists.")
        if any(r is not old and r["Type"] != p["Type"] and "CNAME" in (r["Type"], p["Type"]) for r in same):
            raise Refused("DomainRecordConflict")
