"""Canaries (S12): recognisable secrets go in wherever a secret can; afterwards nothing that can be read has one of them.

One homeport with everything set up (mail, SMS, captcha, Cloudflare, a callback) at log.level = debug with log.access is
used well and badly. Then logs, lists, audit log, tasks, events, figures, the command line and the bytes of the store are
searched for each secret as it is, percent-encoded, in Base64 and in hex; what can be read also for its SHA-256.
"""
import base64
import functools
import hashlib
import json
import os
import re
import resource
import secrets
import signal
import subprocess
from urllib.parse import quote

import pytest

from conftest import FREE, HASTE
from lib import fake_captcha, mail_sink
from lib.callback import Callback
from lib.ddns import api_key, domain, record
from lib.fake_alibaba_letters import FakeAlibabaLetters
from lib.fake_alidns import KEY_SECRET as ALIBABA_SECRET
from lib.fake_cloudflare import FakeCloudflare
from lib.homeport import BIN, Homeport, clean_env
from lib.httpd import Reply, hang, status
from lib.rawhttp import Raw
from lib.sse import Events
from lib.totp import code as totp, other
from lib.wait import wait_until

AUTH, ME = "/api/v1/auth", "/api/v1/users/me"


class Canaries:
    """Secrets by name. `made` gives a new one that the search will know."""

    def __init__(self):
        self.known, self.refusals, self.kept = {}, [], []

    def made(self, name, form="{}"):
        return self.note(name, form.format("Canary" + secrets.token_urlsafe(12).replace("_", "x").replace("-", "y")))

    def note(self, name, secret):
        self.known[name] = secret
        if secret.count(".") == 2:  # of a JWT the last part is what nobody can guess
            self.known[name + ", signature"] = secret.rsplit(".", 1)[1]
        if secret.startswith("hp_"):
            self.known[name + ", last part"] = secret.split("_", 2)[2]
        return secret

    def tokens(self, name, data):
        tokens = data.get("tokens", data)
        for kind in ("access_token", "refresh_token"):
            if tokens.get(kind):
                self.note(f"{kind} of {name}", tokens[kind])
        return data

    @functools.lru_cache(maxsize=None)
    def forms(self, name, is_stored):
        """All the ways in which this secret could be written, in small letters; a pattern for six digits."""
        secret = self.known[name]
        raw = secret.encode()
        if len(raw) < 8:  # six digits are everywhere: only when they stand alone
            return [re.compile(rb"(?<![\w.])" + re.escape(raw.lower()) + rb"(?![\w.])").search]
        ways = {raw, quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode(), raw.hex().encode()}
        for shift in range(3):  # wherever it stands in what was encoded: without the letters its neighbours have a part in
            coded = base64.b64encode(b"\0" * shift + raw)[(0, 2, 3)[shift]:]
            whole = coded[:(len(coded.rstrip(b"=")) - 1) // 4 * 4]
            ways |= {whole, whole.translate(bytes.maketrans(b"+/", b"-_"))}
        if not is_stored:
            digest = hashlib.sha256(raw)
            ways |= {digest.hexdigest().encode(), base64.b64encode(digest.digest())[:40]}
        return [w.lower() for w in ways if len(w) >= 6]

    def found(self, where, data, is_stored=False, but=()):
        data = (data if isinstance(data, bytes) else data.encode()).lower()
        hits = []
        for name in self.known:
            if name.startswith(tuple(but)) and but:
                continue
            for form in self.forms(name, is_stored):
                m = form(data) if callable(form) else None
                at = m.start() if m else -1 if callable(form) else data.find(form)
                if at >= 0:
                    hits.append(f"{name} in {where}: ...{data[max(0, at - 80):at + 60]!r}")
        return hits


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The house after a bad day: everything of `misuse`, with what was seen and the canaries."""
    canary = Canaries()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mail_sink, "PASSWORD", canary.made("smtp.password"))
        patch.setattr(fake_captcha, "APP_SECRET", canary.made("captcha.app_secret"))
        key = canary.made("captcha.secret_key")
        canary.note("sms.access_key_secret", ALIBABA_SECRET)
        token = canary.made("cloudflare api_token")
        with FakeAlibabaLetters() as cloud, mail_sink.MailSink(auth=True) as sink, FakeCloudflare(token=token) as flare, \
                fake_captcha.FakeCaptcha(keys={fake_captcha.SECRET_ID: key}) as tencent, Callback() as callback:
            h = Homeport(tmp_path_factory.mktemp("canary") / "data", {
                **FREE, **HASTE, **cloud.sms_settings(), **sink.settings(), **fake_captcha.SETTINGS,
                "captcha.secret_key": key, "captcha.app_secret": fake_captcha.APP_SECRET, "captcha.endpoint": tencent.url,
                "captcha.login_failures": 1000, "ddns.cloudflare.endpoint": flare.endpoint, "metrics.token": canary.made("metrics.token"),
                "notify.public_url": "http://nas.example.test", "notify.timeout": 3, "log.level": "debug", "log.access": "true"})
            h.start()
            try:
                yield Day(h, canary, cloud, sink, flare, tencent, callback)
            finally:
                h.end()


class Day:
    """What people and programs do to a homeport, with canaries. `marker` is no secret: the search must find it."""

    def __init__(self, h, canary, *peers):
        self.h, self.canary = h, canary
        self.cloud, self.sink, self.flare, self.tencent, self.callback = peers
        self.marker, self.password, self.tickets = "marked-" + secrets.token_hex(4), canary.made("password"), 0
        self.events = None
        self.set_up()
        self.user = self.register()
        self.sign_in()
        self.letters()
        self.second_factor()
        self.keys()
        self.domains()
        self.mistakes()
        self.command_line()
        self.pending()

    def refused(self, reply):
        """What homeport says when it refuses is searched too."""
        assert reply.status >= 400, reply
        self.canary.refusals.append((f"refusal of {reply.response.request.method} {reply.response.request.url.path}", reply.text))
        return reply

    def kept(self, client, path, body):
        """With an Idempotency-Key, so that the answer is kept in the store."""
        reply = client.post(path, body, headers={"Idempotency-Key": "the same"})
        self.canary.kept.append(reply.response.request)
        return reply.data

    def solved(self):
        self.tickets += 1
        ticket = self.canary.made(f"captcha ticket {self.tickets}", "good-{}")
        return {"captcha_ticket": ticket, "captcha_randstr": "@" + ticket[5:]}

    def set_up(self):
        c, body = self.h.client(), {"username": "root-admin", "email": "admin@example.test", "password": self.canary.made("password of the administrator")}
        self.refused(c.post("/api/v1/setup", {**body, "token": self.canary.made("wrong setup token")}, expect=403))
        token = self.canary.note("setup token", self.h.setup_token())
        made = self.kept(c, "/api/v1/setup", {**body, "token": token})
        self.admin = c.with_tokens(self.canary.tokens("the administrator", made))
        self.events = Events(self.admin)

    def register(self):
        c, phone = self.h.client(), "+8613800138000"
        c.post(f"{AUTH}/sms/send", {"phone_number": phone, **self.solved()})
        digits = self.canary.note("sms code", self.cloud.messages[-1]["code"])
        body = {"username": self.marker, "email": "marked@example.test", "phone_number": phone, "password": self.password}
        wrong = self.canary.note("wrong sms code", other(digits))
        self.refused(c.post(f"{AUTH}/register", {**body, "sms_code": wrong, **self.solved()}, expect=422))
        self.refused(c.post(f"{AUTH}/sms/verify", {"phone_number": phone, "code": wrong}, expect=422))
        evil = {"captcha_ticket": self.canary.made("captcha ticket not passed", "evil-{}"), "captcha_randstr": "@"}
        self.refused(c.post(f"{AUTH}/register", {**body, "sms_code": digits, **evil}, expect=403))
        down = {"captcha_ticket": self.canary.made("captcha ticket not checked", "error-InternalError.{}"), "captcha_randstr": "@"}
        self.refused(c.post(f"{AUTH}/register", {**body, "sms_code": digits, **down}, expect=503))
        for change in ({"password": {"a": self.canary.made("password in an object")}}, {"password": [self.canary.made("password in a list")]},
                       {"passwort": self.canary.made("password in an unknown field")}, {"role": self.canary.made("password as a role")},
                       {"email": self.canary.made("password as a mail address")}, {"phone_number": self.canary.made("password as a number")}):
            self.refused(c.post(f"{AUTH}/register", {**body, "sms_code": digits, **self.solved(), **change}, expect=422))
        made = self.kept(c, f"{AUTH}/register", {**body, "sms_code": digits, **self.solved()})
        return c.with_tokens(self.canary.tokens("the registration", made))

    def sign_in(self):
        c, login = self.h.client(), f"{AUTH}/login"
        self.refused(c.post(login, {"account": self.marker, "password": self.canary.made("wrong password")}, expect=401))
        self.refused(c.post(login, {"account": self.canary.made("password typed as account"), "password": "x" * 8}, expect=401))
        self.refused(c.post(login, {"account": "nobody", "password": self.canary.made("password of nobody")}, expect=401))
        form = {"grant_type": "password", "username": self.marker, "password": self.password}
        self.canary.tokens("the OAuth form", c.request("POST", f"{AUTH}/token", data=form).data)
        self.refused(c.request("POST", f"{AUTH}/token", data={**form, "password": self.canary.made("wrong password of the OAuth form")}, expect=400))
        self.refused(c.request("POST", f"{AUTH}/token", data={**form, "client_secret": self.canary.made("client_secret"), "grant_type": "x"}, expect=400))
        one = self.canary.tokens("a sign-in", c.post(login, {"account": self.marker, "password": self.password}).data)
        two = self.canary.tokens("a refresh", c.post(f"{AUTH}/refresh", {"refresh_token": one["refresh_token"]}).data)
        h = self.h.client(token=two["access_token"])
        h.post(f"{AUTH}/logout")
        self.refused(h.get(ME, expect=401))
        self.refused(c.post(f"{AUTH}/refresh", {"refresh_token": two["refresh_token"]}, expect=401))
        self.refused(c.post(f"{AUTH}/refresh", {"refresh_token": two["access_token"]}, expect=401))
        device = {"device_id": self.canary.made("device_id"), "nickname": "TV"}
        made = self.canary.tokens("a device", self.kept(c, login, device))
        self.canary.tokens("a device, renewed", self.h.client(token=made["access_token"]).post(f"{AUTH}/refresh").data)
        self.refused(c.post(login, {"device_id": self.canary.made("device_id with a password"), "password": self.canary.made("password beside a device_id")}, expect=422))

    def letters(self):
        c = self.h.client()
        self.user.post(f"{AUTH}/email/send")
        text = self.sink.wait_mails(1)[-1].text
        token = self.canary.note("token of the mail link", re.search(r"token=([\w.]+)", text)[1])
        self.canary.note("token of the mail link, last part", token.rsplit(".", 1)[-1])
        self.refused(c.get(f"{AUTH}/email/verify", params={"token": self.canary.made("wrong token of a mail link")}, expect=422))
        c.get(f"{AUTH}/email/verify", params={"token": token})
        for name, account in (("reset token", self.marker), ("reset token not used", "root-admin")):
            sent = len(self.sink.mails)
            c.post(f"{AUTH}/password/forgot", {"account": account})
            token = self.canary.note(name, re.search(r"token=([\w.]+)", self.sink.wait_mails(sent + 1)[-1].text)[1])
            self.canary.note(name + ", last part", token.rsplit(".", 1)[-1])
            if account == self.marker:
                self.refused(c.post(f"{AUTH}/password/reset", {"token": self.canary.made("wrong reset token"), "new_password": self.canary.made("password of a wrong reset")}, expect=422))
                self.password = self.canary.made("password after the reset")
                c.post(f"{AUTH}/password/reset", {"token": token, "new_password": self.password})
                self.refused(c.post(f"{AUTH}/password/reset", {"token": token, "new_password": self.password}, expect=422))
        self.user = c.with_tokens(self.canary.tokens("after the reset", c.post(f"{AUTH}/login", {"account": self.marker, "password": self.password}).data))
        body = {"old_password": self.canary.made("wrong old password"), "new_password": self.canary.made("password that was not set")}
        self.refused(self.user.post(f"{AUTH}/password/change", body, expect=422))
        new = self.canary.made("password after the change")
        self.user.post(f"{AUTH}/password/change", {"old_password": self.password, "new_password": new})
        self.password = new

    def second_factor(self):
        enrolled = self.user.post(f"{AUTH}/mfa/enroll").data
        secret = self.canary.note("totp key", enrolled["secret"])
        self.canary.note("totp key, as bytes", base64.b32decode(secret + "=" * (-len(secret) % 8)).hex())
        self.canary.note("otpauth uri", enrolled["otpauth_uri"])
        good, late = totp(secret), totp(secret, 1)
        self.refused(self.user.post(f"{AUTH}/mfa/confirm", {"totp": self.canary.note("wrong totp", other(late))}, expect=422))
        codes = self.user.post(f"{AUTH}/mfa/confirm", {"totp": self.canary.note("totp", good)}).data["recovery_codes"]
        for n, one in enumerate(codes):
            self.canary.note(f"recovery code {n}", one)
            self.canary.note(f"recovery code {n}, in one word", one.replace("-", ""))
        c, body = self.h.client(), {"account": self.marker, "password": self.password}
        self.refused(c.post(f"{AUTH}/login", body, expect=401))
        self.refused(c.post(f"{AUTH}/login", {**body, "totp": self.canary.made("wrong recovery code")}, expect=401))
        for name, digits in (("totp of a sign-in", late), ("recovery", codes[0])):
            self.canary.note(name, digits)
            self.user = self.h.client().with_tokens(self.canary.tokens(f"a sign-in by {name}", c.post(f"{AUTH}/login", {**body, "totp": digits}).data))

    def keys(self):
        wrong, key = f"hp_1_{self.canary.made('wrong API key')}", self.canary.note("API key", api_key(self.user, "read", "write", name=self.marker)["key"])
        gone = api_key(self.user, "read", name="gone")
        self.canary.note("API key withdrawn", gone["key"])
        again = self.kept(self.user, "/api/v1/api-keys", {"name": "kept answer", "scopes": ["read"]})
        self.canary.note("API key in a kept answer", again["key"])
        assert self.kept(self.user, "/api/v1/api-keys", {"name": "kept answer", "scopes": ["read"]}) == again
        self.user.delete(f"/api/v1/api-keys/{gone['id']}")
        c = self.h.client()
        for good in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
            c.get(ME, headers=good)
        for bad in (wrong, key[:-3] + "AAA", gone["key"], self.canary.made("not even a key")):
            self.refused(c.get(ME, headers={"X-API-Key": bad}, expect=401))
            self.refused(c.get(ME, headers={"Authorization": f"Bearer {bad}"}, expect=401))
            c.nic("nowhere.example.test", "203.0.113.1", bad, expect=401)
        for scheme in ("Basic", "Digest", "Token"):
            self.refused(c.get(ME, headers={"Authorization": f"{scheme} {self.canary.made(f'Authorization: {scheme}')}"}, expect=401))
        self.refused(c.post("/api/v1/domains", {"name": "x.test"}, headers={"X-API-Key": key + self.canary.made("tail of a key")}, expect=401))
        token = self.user.token[:-4] + "AAAA"
        self.refused(c.get(ME, headers={"Authorization": f"Bearer {self.canary.note('token tampered with', token)}"}, expect=401))
        self.h.client(token=self.h.settings["metrics.token"]).http.get("/metrics").raise_for_status()
        c.http.get("/metrics", headers={"Authorization": f"Bearer {self.canary.made('wrong metrics.token')}"})

    def domains(self):
        flare = self.canary.known["cloudflare api_token"]
        wrong = self.canary.made("wrong cloudflare api_token")
        echo = lambda server, c, r: status(403, {"success": False, "result": None, "messages": [], "errors": [
            {"code": 9109, "message": f"Invalid access token {r.low.get('authorization', '')}"}]})(server, c, r)
        self.refused(self.user.post("/api/v1/domains", {"name": "x.test", "provider": "cloudflare", "credentials": {
            "api_token": {"a": self.canary.made("api_token in an object")}}}, expect=422))
        self.refused(self.user.post("/api/v1/domains", {"name": "x.test", "provider": "cloudflare", "credentials": {
            "token": self.canary.made("api_token in an unknown field")}}, expect=422))
        good = domain(self.user, "example.test", "cloudflare", {"api_token": flare})
        one = record(self.user, good, "www", value="203.0.113.7")
        wait_until(lambda: self.user.get(f"/api/v1/records/{one['id']}").data["sync_status"] == "synced", 15, "the first push")
        self.flare.fail(echo)
        self.user.patch(f"/api/v1/domains/{good['id']}", {"credentials": {"api_token": wrong}})
        self.user.patch(f"/api/v1/records/{one['id']}", {"value": "203.0.113.8"})
        self.failed(one)
        self.flare.heal()
        url, header, body = (self.canary.made(f"callback's {where}") for where in ("url", "header", "body"))
        said = {"n": 0}

        def talk(r):
            """Everything it was sent comes back, as status line, header and body; and sends elsewhere."""
            said["n"] += 1
            text = f"no such key: {r.target} {r.low.get('authorization')} {r.body.decode()}".encode()
            return Reply((401, 302, 500, 400)[said["n"] % 4], text, {"content-type": "text/plain", "location": f"http://127.0.0.1:9{r.target}"})
        self.callback.reply = talk
        for n, address in enumerate((self.callback.url, "http://127.0.0.1:9", "http://no-such-host.invalid")):
            calls = domain(self.user, f"call{n}.test", "callback", {"url": f"{address}/{{name}}?key={url}&ip={{value}}", "method": "POST",
                                                                   "headers": {"Authorization": f"Bearer {header}"}, "body": f'{{"key":"{body}"}}'})
            two = record(self.user, calls, "www", value="203.0.113.7")
            self.failed(two)
        tsig = base64.b64encode(self.canary.made("TSIG secret, as bytes").encode()).decode()
        server = {"server": "127.0.0.1:9", "key_name": "k", "algorithm": "hmac-sha256"}
        three = record(self.user, domain(self.user, "tsig.test", "rfc2136", {**server, "secret": self.canary.note("TSIG secret", tsig)}), "www", value="203.0.113.7")
        ali = domain(self.user, "ali.test", "alidns", {"access_key_id": "LTAI5tExample", "access_key_secret": self.canary.made("access_key_secret")}, is_active=False)
        self.refused(self.user.patch(f"/api/v1/domains/{ali['id']}", {"credentials": {"access_key_id": "", "access_key_secret": self.canary.made("access_key_secret without its id")}}, expect=422))
        self.failed(three)
        self.refused(self.user.post("/api/v1/ddns/sources", {"name": "s", "kind": "echo", "family": "ipv4", "url": f"ftp://{self.canary.made('url of a source')}@h/"}, expect=422))

    def failed(self, r):
        wait_until(lambda: self.user.get(f"/api/v1/records/{r['id']}").data["last_error"], 15, "a push that fails")

    def mistakes(self):
        """Secrets where none belongs: query strings, broken bodies, wrong types, headers that homeport does not know."""
        c, made = self.h.client(), self.canary.made
        self.user.get(ME, params={"access_token": made("access_token in the query")}, expect=(200, 400, 422))
        for path in (ME, "/api/v1/nothing/here", "/health", "/livez", "/docs", "/nic/update", "/metrics", "/api/v1/users"):
            for field in ("password", "token", "api_key", "key"):
                r = c.http.get(path, params={field: made(f"{field} in the query of {path}")})
                if r.status_code >= 400:
                    self.canary.refusals.append((path, r.text))
        c.http.get(ME, headers={"Cookie": f"session={made('cookie')}", "Proxy-Authorization": f"Basic {made('Proxy-Authorization')}",
                                "Referer": f"http://nas/?token={made('referer')}", "X-Auth-Token": made("X-Auth-Token")})
        login = f"{AUTH}/login"
        for name, content in (("a broken body", '{{"account":"a","password":"{}'), ("a body that is a text", '"{}"'), ("a body with an escape", '{{"password":"{}\\q"}}'),
                              ("two bodies", '{{"account":"a","password":"{}"}}{{}}')):
            self.refused(c.post(login, content=content.format(made(name)), headers={"Content-Type": "application/json"}, expect=(400, 422)))
        self.refused(c.post(login, content=f"password={made('a form for JSON')}", headers={"Content-Type": "application/x-www-form-urlencoded"}, expect=415))
        self.refused(c.post(login, {"account": "a", "password": made("a password too long") * 30}, expect=422))
        self.refused(c.post(login, content=made("a body too large") * 10000, headers={"Content-Type": "application/json"}, expect=413))
        for name, raw in (("a broken request line", "GET /?password={} HTTP/9.9\r\n\r\n"), ("a broken header", "GET / HTTP/1.1\r\nHost: a\r\nAuthorization Bearer {}\r\n\r\n"),
                          ("a wrong Host", "GET /?token={} HTTP/1.1\r\nHost: evil.example\r\n\r\n"), ("garbage", "{}\r\n\r\n"),
                          ("a head too large", "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + "{}" * 1000 + "\r\n\r\n")):
            secret = made(name)
            with Raw(self.h.port) as r:
                r.send(raw.replace("{}", secret).encode())
                if answer := r.answer():
                    self.canary.refusals.append((name, answer[2].decode()))

    def command_line(self):
        made = self.canary.made
        self.said = []
        for words, stdin in ((("user", "add", "by-hand", "--email", "hand@example.test", "--password-stdin"), made("password of user add")),
                             (("user", "passwd", "by-hand", "--password-stdin"), made("password of user passwd")),
                             (("user", "passwd", "nobody-here", "--password-stdin"), made("password of nobody's user passwd")),
                             (("user", "add", "by-hand", "--email", "hand@example.test", "--password-stdin"), made("password of a second user add")),
                             (("notify", "test", "hand@example.test"), None), (("config", "show"), None), (("config", "check"), None),
                             (("health",), None), (("audit", "verify"), None), (("dns", "plan"), None)):
            out = self.h.cli(*words, stdin=stdin and stdin + "\n")
            self.said.append((" ".join(words), out.stdout + out.stderr))
        for name in ("smtp.password", "metrics.token", "captcha.secret_key", "sms.access_key_secret"):
            env = {"HOMEPORT_" + name.upper().replace(".", "_"): made(f"{name} in the environment") + "\n"}
            out = subprocess.run([str(BIN), "config", "show", "--data", str(self.h.data)], env=clean_env(env), capture_output=True, text=True, timeout=30)
            self.said.append((f"config show with a line end in {name}", out.stdout + out.stderr))

    def pending(self):
        """Letters that cannot be sent just now: what they say waits in the store."""
        c = self.h.client()
        self.sink.fail("RCPT", f"451 4.7.1 later, {self.canary.known['smtp.password']}")
        plain = base64.b64encode(f"\0{mail_sink.USER}\0{mail_sink.PASSWORD}".encode()).decode()
        sent = self.sink.tries()
        self.admin.post(f"{AUTH}/email/send", expect=(200, 503))
        c.post(f"{AUTH}/password/forgot", {"account": "by-hand"}, expect=(200, 503))
        wait_until(lambda: self.sink.tries() > sent, 10, "a mail is put off")
        self.sink.heal()
        self.sink.fail("AUTH", f"454 4.7.0 cannot read AUTH PLAIN {plain}")
        sent = self.sink.tries()
        wait_until(lambda: self.sink.tries() > sent + 1, 10, "a sign-in at the mail server is put off")
        self.cloud.fail(lambda server, c, r: status(200, {"RequestId": "R", "Code": "isv.X", "Message": self.sms_said(r)})(server, c, r))
        c.post(f"{AUTH}/sms/send", {"phone_number": "+8613800138001", **self.solved()}, expect=503)
        self.cloud.heal()
        self.cloud.fail(hang())
        c.post(f"{AUTH}/sms/send", {"phone_number": "+8613800138009", **self.solved()}, expect=503)

    def sms_said(self, r):
        """The service refuses, and repeats the code that it was to send."""
        digits = json.loads(r.params["TemplateParam"])["code"]
        self.canary.note(f"sms code refused, {r.params['PhoneNumbers']}", digits)
        return f"no such template for {digits}"

    def lists(self):
        """(where, text) of every GET route, as the administrator and as the user, with an id of each thing there is."""
        document, seen = self.admin.schema().document["paths"], []
        for who, name in ((self.admin, "the administrator"), (self.user, "the user")):
            for path, methods in document.items():
                if "get" not in methods or path == "/api/v1/events":
                    continue
                for real in self.paths(who, path):
                    for page in range(20):
                        r = who.http.get(real)
                        seen.append((f"GET {real} as {name}", r.text))
                        cursor = r.status_code == 200 and r.text.startswith("{") and isinstance(r.json().get("data"), dict) and r.json()["data"].get("next_cursor")
                        if not cursor:
                            break
                        real = re.sub(r"\?.*|$", f"?cursor={quote(cursor)}", real, count=1)
        return seen

    def paths(self, who, path):
        if "{" not in path:
            return [path]
        items = {"/api/v1/domains/{id}/records": "/api/v1/domains"}.get(path, path.split("/{")[0])
        if items == "/api/v1/records":
            found = [r for d in who.all("/api/v1/domains") for r in who.all(f"/api/v1/domains/{d['id']}/records")]
        else:
            found = who.all(items) if who.http.get(items).status_code == 200 else []
        return [path.replace("{id}", str(i["id"])) for i in found]


def test_nothing_that_can_be_read_has_a_secret(world):
    """Logs, answers to GET, audit log, tasks, events, figures, refusals, the command line: none has any of the secrets."""
    canary, h = world.canary, world.h
    with Events(world.user, last_id="1") as own:
        own.wait(world.marker), own.wait("dns_record"), world.events.wait("dns_record")
        told = "\n".join(e["data"] for e in own.events + world.events.events)
    log, lists = "\n".join(h.lines), world.lists()
    metrics = h.client(token=h.settings["metrics.token"]).http.get("/metrics").text
    assert "homeport_sign_ins_failed_total" in metrics and len(lists) > 60
    hits = canary.found("the log", log, but=("setup token",))  # printed at the start, for the first administrator
    hits += canary.found("events", told) + canary.found("/metrics", metrics)
    for where, text in lists + canary.refusals + world.said:
        hits += canary.found(where, text)
    assert not hits, "\n".join(hits)
    # The search sees: what is no secret is where it should be.
    for where, text in (("log", log), ("events", told), ("lists", "".join(t for _, t in lists)), ("audit", str(world.admin.all("/api/v1/audit")))):
        assert (world.marker if where != "log" else "/api/v1/auth/login") in text, where
    assert any('"debug"' in line or '"access"' in line for line in h.lines) and "smtp.password = ***" in dict(world.said)["config show"]
    assert len(canary.known) > 120, len(canary.known)


def test_the_store_has_no_secret_in_plain_text(world):
    """What lies in the data folder, waiting letters and kept answers too, has none of them; settings and key file aside."""
    h, canary = world.h, world.canary
    h.stop()
    files = [p for p in h.data.rglob("*") if p.is_file() and p.name not in ("homeport.conf", "homeport.key")]
    stored = {p.name: p.read_bytes() for p in files}
    assert any(world.marker.encode() in b for b in stored.values()), "the search sees what is no secret"
    hits = [hit for name, data in stored.items() for hit in canary.found(name, data, is_stored=True)]
    key = (h.data / "homeport.key").read_bytes()
    # A body may hold a password: a hash of it that needs no key would be guessed faster than Argon2id.
    for request in canary.kept:
        framed = len(request.content).to_bytes(8, "little") + request.content
        for digest in (hashlib.blake2b(framed, digest_size=32), hashlib.blake2b(request.content, digest_size=32), hashlib.sha256(request.content)):
            hits += [f"hash of a body of {request.url.path} in {name}" for name, data in stored.items() if digest.digest() in data or digest.hexdigest().encode() in data]
    hits += [f"key file in {name}" for name, data in stored.items() if key in data or key.strip() in data]
    assert not hits, "\n".join(hits)
    world.h.start()


def test_a_crash_leaves_no_core_file(homeport, tmp_path):
    """However large a core file may be where homeport is started, there is none: keys and passwords would stand in it."""
    def crash(start):
        """Whether the kernel says that it wrote one."""
        process = start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
        limits.append(re.search(r"^Max core file size +(\S+) +(\S+)", open(f"/proc/{process.pid}/limits").read(), re.M).groups())
        os.kill(process.pid, signal.SIGSEGV)
        status = os.waitpid(process.pid, 0)[1]
        process.returncode = -signal.SIGSEGV
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGSEGV
        return os.WCOREDUMP(status)

    limits = []
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    h = homeport(start=False)
    h.write_settings()

    def serve(**kw):
        process = subprocess.Popen([str(BIN), "serve", "--data", str(h.data)], env=clean_env(), cwd=tmp_path, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, **kw)
        while b"listens on" not in process.stdout.readline():
            assert process.poll() is None
        return process

    assert not crash(serve)
    assert limits == [("1", "1")], "one byte: no file, and no pipe either (do_coredump() of the kernel)"
    if not crash(lambda **kw: subprocess.Popen(["sleep", "60"], cwd=tmp_path, **kw)):
        pytest.skip("nothing leaves a core file here, so this proved the limit only")
