"""Tencent's captcha service as ../shared/protocols tells it, with a TC3 verifier of our own.

Tickets say what they are: good-N is a human's, code-N-... is answered CaptchaCode N, evil-... passes with EvilLevel 100,
error-CODE-... is answered with that Error. A good ticket works once.
"""
import hashlib
import hmac
import json
import re
import time
import uuid

from lib.httpd import Server, as_json

SECRET_ID, SECRET_KEY = "AKIDExample0000000000000000000000001", "ExampleKey0000000000000000000001"
APP_ID, APP_SECRET = 190000000, "appSecretExample"
SETTINGS = {"captcha.secret_id": SECRET_ID, "captcha.secret_key": SECRET_KEY, "captcha.app_id": APP_ID, "captcha.app_secret": APP_SECRET}
CLOCK_S = 300


def sha256(b):
    return hashlib.sha256(b).hexdigest()


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256)


def sign(r, names, scope, timestamp, secret):
    headers = "".join(f"{n}:{r.low.get(n, '').strip()}\n" for n in names)
    canonical = "\n".join([r.method, r.path, r.target.partition("?")[2], headers, ";".join(names), sha256(r.body)])
    key = f"TC3{secret}".encode()
    for part in scope.split("/"):
        key = mac(key, part).digest()
    return mac(key, "\n".join(["TC3-HMAC-SHA256", timestamp, scope, sha256(canonical.encode())])).hexdigest()


class Refused(Exception):
    pass


class FakeTencent(Server):
    """The gateway: verifies, then hands the body to op_ACTION. All its answers are HTTP 200."""
    service, version = "captcha", "2019-07-22"

    def __init__(self, keys=None, **kw):
        self.keys, self.verified = keys or {SECRET_ID: SECRET_KEY}, []
        super().__init__(**kw)

    def handle(self, r):
        try:
            action = self.verify(r)
            op = getattr(self, "op_" + action, None)
            if op is None:
                raise Refused("InvalidAction")
            answer = op(json.loads(r.body))
        except Refused as e:
            answer = {"Error": {"Code": e.args[0], "Message": "m"}}
        return as_json({"Response": {**answer, "RequestId": str(uuid.uuid4())}})

    def verify(self, r):
        m = re.fullmatch(r"TC3-HMAC-SHA256 Credential=([^/, ]+)/(\d{4}-\d\d-\d\d)/([a-z]+)/tc3_request, "
                         r"SignedHeaders=([^, ]+), Signature=([0-9a-f]{64})", r.low.get("authorization", ""))
        timestamp = r.low.get("x-tc-timestamp", "")
        if not m or r.method != "POST" or r.path != "/" or not re.fullmatch(r"\d{1,12}", timestamp):
            raise Refused("AuthFailure.InvalidAuthorization")
        names = m[4].split(";")
        if names != sorted(names) or not {"content-type", "host"} <= set(names):
            raise Refused("AuthFailure.InvalidAuthorization")
        if m[1] not in self.keys:
            raise Refused("AuthFailure.SecretIdNotFound")
        if abs(int(timestamp) - self.now()) > CLOCK_S or m[2] != time.strftime("%Y-%m-%d", time.gmtime(int(timestamp))):
            raise Refused("AuthFailure.SignatureExpire")
        if m[3] != self.service or not hmac.compare_digest(sign(r, names, f"{m[2]}/{m[3]}/tc3_request", timestamp, self.keys[m[1]]), m[5]):
            raise Refused("AuthFailure.SignatureFailure")
        if r.low.get("x-tc-version") != self.version:
            raise Refused("NoSuchVersion")
        self.verified.append(r)
        return r.low.get("x-tc-action", "")


class FakeCaptcha(FakeTencent):
    def __init__(self, **kw):
        self.used = set()
        super().__init__(**kw)

    def tickets(self):
        return [r.json()["Ticket"] for r in self.seen]

    def op_DescribeCaptchaResult(self, p):
        for name, kind in (("CaptchaType", int), ("Ticket", str), ("UserIp", str), ("Randstr", str), ("CaptchaAppId", int), ("AppSecretKey", str)):
            if not isinstance(p.get(name), kind):
                raise Refused("MissingParameter" if name not in p else "InvalidParameter")
        if p["CaptchaType"] != 9:
            raise Refused("InvalidParameter")
        ticket, code, evil = p["Ticket"], 15, 0
        if m := re.match(r"error-([A-Za-z.]+)", ticket):
            raise Refused(m[1])
        if (p["CaptchaAppId"], p["AppSecretKey"]) != (APP_ID, APP_SECRET):
            code = 100
        elif ticket in self.used:
            code = 9
        elif m := re.match(r"code-(\d+)", ticket):
            code = int(m[1])
        elif ticket.startswith(("good-", "evil-")):
            code, evil = (1, 100 if ticket.startswith("evil-") else 0) if p["Randstr"] == f"@{ticket[5:]}" else (7, 0)
        self.used.add(ticket)
        return {"CaptchaCode": code, "CaptchaMsg": "OK" if code == 1 else "fail", "EvilLevel": evil, "GetCaptchaTime": 0,
                "SubmitCaptchaTime": int(self.now()), "DeviceRiskCategory": ""}
