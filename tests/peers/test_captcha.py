"""The captcha before registering and signing in, judged by a stand-in for Tencent that verifies every signature."""
import json
import time

import pytest

from lib.fake_captcha import APP_ID, APP_SECRET, SECRET_ID, SECRET_KEY, SETTINGS, FakeCaptcha
from lib.homeport import ADMIN, PASSWORD
from lib.httpd import drop, garbage, half, hang, status
from lib.vectors import judge
from lib.wait import free_port, wait_until

REGISTER, LOGIN, TOKEN = "/api/v1/auth/register", "/api/v1/auth/login", "/api/v1/auth/token"
NEEDED, WRONG, DOWN = 403007, 403008, 503007


@pytest.fixture
def tencent():
    with FakeCaptcha() as f:
        yield f


@pytest.fixture
def guarded(homeport, tencent):
    """A homeport with a captcha, its first administrator made (which needs none)."""
    def make(**more):
        h = homeport({**SETTINGS, "captcha.endpoint": tencent.url, "net.timeout": 2, **{k.replace("__", "."): v for k, v in more.items()}})
        return h, h.admin()
    return make


def solved(ticket="good-1", randstr=None):
    return {"captcha_ticket": ticket, "captcha_randstr": randstr or f"@{ticket[5:]}"}


def account(name, **more):
    return {"username": name, "email": f"{name}@example.test", "password": PASSWORD, **more}


def wrong_three_times(c):
    for _ in range(3):
        c.post(LOGIN, {"account": ADMIN["username"], "password": "wrong password"}, expect=401)


def passes(admin):
    return [e for e in admin.all("/api/v1/audit") if e["target"] == "captcha_pass"]


def figures(h):
    lines = h.client().http.get("/metrics").text.splitlines()
    return tuple(int(next(l for l in lines if l.startswith(f"homeport_captcha_{w}_total ")).split()[1])
                 for w in ("checks", "refused", "unreachable"))


def test_register_needs_one(guarded, tencent):
    """Registering asks for a captcha: without 403007 and nothing made, solved 201; what was sent is what the page gave."""
    h, admin = guarded()
    c = h.client()
    assert c.get("/api/v1/auth/captcha").data == {"enabled": True, "app_id": str(APP_ID)}
    for part in ({}, {"captcha_ticket": "good-1"}, {"captcha_randstr": "@1"}, {"captcha_ticket": None, "captcha_randstr": None}):
        assert c.post(REGISTER, account("anna", **part), expect=403).code == NEEDED
    assert not tencent.seen
    made = c.post(REGISTER, account("anna", **solved()), expect=201).data
    assert made["user"]["username"] == "anna"
    sent = tencent.verified[0].json()
    assert sent == {"CaptchaType": 9, "Ticket": "good-1", "UserIp": "127.0.0.1", "Randstr": "@1", "CaptchaAppId": APP_ID, "AppSecretKey": APP_SECRET}
    assert c.post(REGISTER, account("berta", **solved()), expect=403).code == WRONG  # that ticket was used
    assert figures(h) == (2, 1, 0)


def test_what_is_refused_before_costs_no_ticket(guarded, tencent):
    """A body that cannot be taken is refused without asking Tencent; a taken name is told only to who has passed."""
    h, admin = guarded()
    c = h.client()
    c.post(REGISTER, account("anna", **{**solved(), "password": "password"}), expect=422)
    assert c.post(REGISTER, account("anna", captcha_ticket="t" * 2049, captcha_randstr="@"), expect=422).fields == {"captcha_ticket"}
    assert c.post(REGISTER, account("anna", captcha_ticket="t", captcha_randstr="r" * 129), expect=422).fields == {"captcha_randstr"}
    assert not tencent.seen
    assert c.post(REGISTER, account(ADMIN["username"]), expect=403).code == NEEDED
    assert c.post(REGISTER, account(ADMIN["username"], **solved("code-9-a", "@")), expect=403).code == WRONG
    c.post(REGISTER, account(ADMIN["username"], **solved()), expect=409)


def test_login_after_three_failures(guarded, tencent):
    """The fourth sign-in of an address needs a captcha, right password or not; the OAuth form is no way round it."""
    h, admin = guarded()
    c = h.client()
    wrong_three_times(c)
    assert not tencent.seen
    good = {"account": ADMIN["username"], "password": PASSWORD}
    form = {"grant_type": "password", "username": ADMIN["username"], "password": PASSWORD}
    assert c.post(LOGIN, good, expect=403).code == NEEDED
    assert c.request("POST", TOKEN, data=form, expect=403).code == NEEDED
    assert c.post(LOGIN, {**good, **solved("evil-1")}, expect=403).code == WRONG
    assert c.post(LOGIN, {**good, "password": "wrong password", **solved()}, expect=401).code == 401006
    c.post(LOGIN, {**good, **solved("good-2")}, expect=200)
    assert c.request("POST", TOKEN, data={**form, **solved("good-2")}, expect=403).code == WRONG
    c.request("POST", TOKEN, data={**form, **solved("good-3")}, expect=200)
    assert tencent.tickets() == ["evil-1", "good-1", "good-2", "good-2", "good-3"]


def test_without_settings(homeport):
    """Nothing configured: nothing asked for, and a ticket that comes along is not looked at."""
    h = homeport()
    c = h.client()
    assert c.get("/api/v1/auth/captcha").data == {"enabled": False, "app_id": None}
    c.post(REGISTER, account("anna", **solved("trerror_1001", "@x")), expect=201)
    wrong_three_times(c)
    c.post(LOGIN, {"account": "anna", "password": PASSWORD}, expect=200)


@pytest.mark.parametrize("left_out", list(SETTINGS))
def test_half_of_the_settings_stops_the_start(homeport, left_out):
    """Some but not all of the four settings: homeport does not start, and says which one is missing."""
    h = homeport({k: v for k, v in SETTINGS.items() if k != left_out}, start=False)
    h.write_settings()
    for command in (("config", "check"), ("serve",)):
        out = h.cli(*command)
        assert out.returncode != 0 and f"{left_out} is missing" in out.stdout + out.stderr, out
        assert SECRET_KEY not in out.stdout + out.stderr and APP_SECRET not in out.stdout + out.stderr


@pytest.mark.parametrize("code", [7, 8, 9, 15, 21, 0, 99999])
def test_codes_that_mean_no(guarded, tencent, code):
    """Each CaptchaCode but 1 that is about the visitor refuses, once and without a second try, also with fail_open."""
    h, admin = guarded(captcha__fail_open="true")
    assert h.client().post(REGISTER, account("anna", **solved(f"code-{code}-x", "@")), expect=403).code == WRONG
    assert len(tencent.seen) == 1 and not passes(admin) and figures(h) == (1, 1, 0)


DOWNS = {  # name: (fault or None, ticket, requests sent)
    "code 16": (None, "code-16-a", 1), "code 100": (None, "code-100-a", 1),
    "AuthFailure": (None, "error-AuthFailure.SecretIdNotFound", 1), "Unauthorized": (None, "error-UnauthorizedOperation", 1),
    "no balance": (None, "error-ResourceUnavailable.X", 1), "throttled": (None, "error-RequestLimitExceeded", 1),
    "InternalError": (None, "error-InternalError", 2), "503": (status(503), "good-1", 2), "garbage": (garbage(), "good-1", 1),
    "half": (half(), "good-1", 1), "drop": (drop(), "good-1", 1), "hang": (hang(), "good-1", 1),
    "no code": (status(200, {"Response": {"RequestId": "r"}}), "good-1", 1)}


@pytest.mark.parametrize("name", DOWNS)
@pytest.mark.parametrize("fail_open", ["false", "true"])
def test_it_cannot_be_asked(guarded, tencent, name, fail_open):
    """Each way in which Tencent gives no verdict: 503007, or with fail_open the request goes on, audited and warned of."""
    fault, ticket, sent = DOWNS[name]
    h, admin = guarded(captcha__fail_open=fail_open)
    if fault:
        tencent.fail(fault)
    began = time.monotonic()
    r = h.client().post(REGISTER, account("anna", **solved(ticket, "@1")), expect=201 if fail_open == "true" else 503)
    assert time.monotonic() - began < 4
    assert len(tencent.seen) == sent and figures(h) == (sent, 0, 1)
    if fail_open == "false":
        assert r.code == DOWN and not passes(admin)
        return
    entry, = passes(admin)
    after = entry["after"]
    assert entry["action"] == "create" and entry["ip"] == "127.0.0.1" and entry["request_id"] == r.headers["x-request-id"]
    assert (after["ip"], after["operation"]) == ("127.0.0.1", "user_register") and after["reason"]
    assert any(x["level"] == "warning" and "fail_open" in x["message"] and x["reason"] == after["reason"] for x in h.json_log())


def test_nobody_listens(homeport, tencent):
    """No connection at all: sent again once within the time limit, then 503007; login and the OAuth form tell the same."""
    h = homeport({**SETTINGS, "captcha.endpoint": f"http://127.0.0.1:{free_port()}", "net.timeout": 20, "captcha.login_failures": 0})
    c = h.client()
    assert c.post(LOGIN, {"account": "a", "password": PASSWORD, **solved()}, expect=503).code == DOWN
    form = {"grant_type": "password", "username": "a", "password": "b", **solved()}
    assert c.request("POST", TOKEN, data=form, expect=503).code == DOWN
    assert figures(h) == (4, 0, 2)


def test_a_question_that_is_refused_never_opens(guarded, tencent):
    """An Error about the request itself may be of the visitor's making: 503007 also with fail_open."""
    h, admin = guarded(captcha__fail_open="true")
    c = h.client()
    for i, code in enumerate(("InvalidParameterValue", "MissingParameter", "ResourceNotFound.X", "InvalidParameter.DomainRecordExist")):
        assert c.post(REGISTER, account(f"anna{i}", **solved(f"error-{code}")), expect=503).code == DOWN
    tencent.fail(status(400))
    assert c.post(REGISTER, account("anna", **solved()), expect=503).code == DOWN
    assert not passes(admin)


def test_once_more(guarded, tencent):
    """A passing fault costs the visitor nothing: the same ticket is sent again, and passes."""
    h, admin = guarded()
    tencent.fail(status(502), times=1)
    h.client().post(REGISTER, account("anna", **solved()), expect=201)
    assert tencent.tickets() == ["good-1", "good-1"] and figures(h) == (2, 0, 0)


@pytest.mark.parametrize("offset_s, sent", [(7200, 2), (-7200, 2), (60, 1)])
def test_clock(guarded, tencent, offset_s, sent):
    """A clock that is off is met with the answer's Date, once: the day of the scope too."""
    tencent.clock_offset_s = offset_s
    h, admin = guarded()
    h.client().post(REGISTER, account("anna", **solved()), expect=201)
    assert len(tencent.seen) == sent and len(tencent.verified) == 1
    assert (sent == 2) == any("clock is off" in line for line in h.lines)


def test_the_pages_own_ticket(guarded, tencent):
    """trerror_...: made by the page when it could not reach Tencent. Refused; with fail_open it passes, audited."""
    h, admin = guarded()
    assert h.client().post(REGISTER, account("anna", **solved("trerror_1001_190000000_1", "@x")), expect=403).code == WRONG
    h.stop()
    h.settings["captcha.fail_open"] = "true"
    h.start()
    h.client().post(REGISTER, account("anna", **solved("trerror_1001_190000000_1", "@x")), expect=201)
    assert [e["after"]["reason"] for e in passes(h.login(ADMIN["username"]))] == ["the visitor's page could not reach the service"]
    assert not tencent.seen


def test_the_visitors_address(guarded, tencent):
    """UserIp is who asks, by the rule of the trusted proxies, also as IPv6."""
    h, admin = guarded(http__trusted_proxies="127.0.0.1/32", http__allow_public="true")
    for i, ip in enumerate(("203.0.113.9", "2a00:1450::1")):
        h.client(headers={"x-forwarded-for": f"198.51.100.1, {ip}"}).post(REGISTER, account(f"anna{i}", **solved(f"good-{i}")), expect=201)
        assert tencent.seen[-1].json()["UserIp"] == ip


def test_who_hangs_up(guarded, tencent):
    """A client that goes away while Tencent thinks harms nobody: the next one is served."""
    import httpx
    h, admin = guarded()
    tencent.fail(hang(), times=3)
    for i in range(3):
        with pytest.raises(httpx.ReadTimeout):
            h.client(timeout=0.2).post(REGISTER, account(f"anna{i}", **solved(f"good-{i}")))
    tencent.wait_requests(3)
    h.client().post(REGISTER, account("berta", **solved("good-9")), expect=201)
    wait_until(lambda: figures(h) == (4, 0, 3), 10, "the time limit of the three")


def test_idempotency(guarded, tencent):
    """The same Idempotency-Key finds the first answer without a second ticket; a refusal is not kept."""
    h, admin = guarded()
    c = h.client()
    tries = lambda body, expect: c.post(REGISTER, body, expect=expect, headers={"idempotency-key": "k-1"})
    assert tries(account("anna", **solved("code-8-a", "@")), 403).code == WRONG
    first = tries(account("anna", **solved()), 201)
    assert tries(account("anna", **solved()), 201).data == first.data
    assert len(tencent.seen) == 2


def test_nothing_secret_is_shown(guarded, tencent):
    """Keys, tickets and passwords are in no log line, no audit entry, no answer and no figure."""
    h, admin = guarded(log__level="debug", log__access="true", captcha__fail_open="true")
    c = h.client()
    shown = [c.post(REGISTER, account("anna", **solved()), expect=201).text]
    shown.append(c.post(REGISTER, account("berta", **solved("error-AuthFailure.X-secret-ticket", "@r")), expect=201).text)
    shown.append(c.post(REGISTER, account("carla", **solved("code-7-secret-ticket", "@r")), expect=403).text)
    shown += [json.dumps(admin.all("/api/v1/audit")), c.http.get("/metrics").text, h.cli("config", "show").stdout, *h.lines]
    for secret in (SECRET_KEY, APP_SECRET, "good-1", "secret-ticket", PASSWORD):
        assert not any(secret in text for text in shown), secret
    assert SECRET_ID in h.cli("config", "show").stdout


def test_https_and_paths_of_the_endpoint(homeport, tencent):
    """An endpoint with a slash at its end is the same; one that is no address stops the start."""
    h = homeport({**SETTINGS, "captcha.endpoint": tencent.url + "/", "net.timeout": 2})
    h.client().post(REGISTER, account("anna", **solved()), expect=201)
    assert [(r.method, r.target) for r in tencent.verified] == [("POST", "/")]
    bad = homeport({**SETTINGS, "captcha.endpoint": "captcha.example"}, start=False)
    bad.write_settings()
    assert "captcha.endpoint" in bad.cli("config", "check").stderr


@pytest.mark.slow
def test_signatures_are_judged_by_the_vendor(guarded, tencent, tmp_path):
    """What homeport sends verifies under the vendor's own SDK: all raw bytes, with Chinese and quotes in the ticket."""
    h, admin = guarded()
    c = h.client()
    c.post(REGISTER, account("anna", **solved()), expect=201)
    c.post(REGISTER, account("berta", **solved('中文 "\\ é', "@\t%41")), expect=403)
    assert len(tencent.verified) == len(tencent.seen) == 2
    for verdict in judge(tmp_path / "judge", tencent.seen, {SECRET_ID: SECRET_KEY}):
        assert verdict["ok"], verdict
