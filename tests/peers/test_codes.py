"""Codes by SMS and links by mail, through a real mail server and a stand-in for Alibaba SMS that verifies signatures."""
import concurrent.futures
import re

import httpx
import pytest

from lib.fake_alibaba_letters import FakeAlibabaLetters
from lib.homeport import PASSWORD
from lib.httpd import hang
from lib.mail_sink import MailSink
from lib.totp import code as totp, other
from lib.wait import wait_until

SEND, VERIFY, REGISTER, LOGIN = (f"/api/v1/auth/{word}" for word in ("sms/send", "sms/verify", "register", "login"))
MAIL_SEND, MAIL_VERIFY = "/api/v1/auth/email/send", "/api/v1/auth/email/verify"
FORGOT, RESET, ME = "/api/v1/auth/password/forgot", "/api/v1/auth/password/reset", "/api/v1/users/me"
CODE_WRONG, SMS_DOWN, MAIL_DOWN, SMS_OFF, MAIL_OFF = 422003, 503003, 503004, 409003, 409004
NEW = "another correct horse"


@pytest.fixture(scope="module")
def cloud():
    with FakeAlibabaLetters() as fake:
        yield fake


@pytest.fixture(scope="module")
def sink():
    with MailSink() as s:
        yield s


@pytest.fixture(scope="module")
def both(tmp_path_factory, cloud, sink):
    """A homeport with SMS and mail set up, limits off; its first administrator is made."""
    from conftest import FREE
    from lib.homeport import Homeport
    h = Homeport(tmp_path_factory.mktemp("both") / "data", {**FREE, **cloud.sms_settings(), **sink.settings(),
                                                           "notify.public_url": "http://nas.example.test:8080"}).start()
    h.first = h.admin()
    yield h
    h.end()


@pytest.fixture(autouse=True)
def healed(cloud, sink):
    cloud.code = None
    sink.heal()


def number(unique):
    return "+8613" + re.sub(r"\D", "", unique("1"))[-3:].rjust(3, "0") + re.sub(r"\D", "", unique("1"))[-6:].rjust(6, "7")


def sent_code(h, cloud, phone):
    before = len(cloud.messages)
    h.client().post(SEND, {"phone_number": phone})
    assert len(cloud.messages) == before + 1, "200 means that the service has taken it"
    return cloud.messages[-1]["code"]


def body(unique, phone=None, **more):
    name = unique("coded")
    return {"username": name, "email": f"{name}@example.test", "password": PASSWORD, "phone_number": phone, **more}


def new_user(h, cloud, unique):
    phone = number(unique)
    b = body(unique, phone)
    data = h.client().post(REGISTER, {**b, "sms_code": sent_code(h, cloud, phone)}).data
    return h.client().with_tokens(data), b


def link_in(mail):
    return re.search(r"http://\S+", mail.text)[0]


def token_in(mail):
    return re.search(r"token=([\w.]+)", mail.text)[1]


# ---- SMS
def test_registering_needs_the_code(both, cloud, unique):
    """Where SMS is set up an account needs a phone number and the code that was sent to it; the code is good once."""
    phone = number(unique)
    b = body(unique, phone)
    c = both.client()
    assert c.post(REGISTER, {k: v for k, v in b.items() if k != "phone_number"}, expect=422).fields >= {"phone_number", "sms_code"}
    assert "sms_code" in c.post(REGISTER, {**b, "sms_code": "123456"}, expect=422).fields
    digits = sent_code(both, cloud, phone)
    assert re.fullmatch(r"\d{6}", digits) and cloud.messages[-1]["PhoneNumbers"] == phone[3:]
    assert "sms_code" in c.post(REGISTER, {**b, "sms_code": other(digits)}, expect=422).fields
    assert c.post(REGISTER, {**b, "sms_code": digits}).data["user"]["phone_number"] == phone
    again = {**body(unique, phone), "sms_code": digits}
    assert "sms_code" in c.post(REGISTER, again, expect=422).fields


def test_verify_is_good_once_and_still_registers(both, cloud, unique):
    """/sms/verify says yes once; after it the code registers, once."""
    phone = number(unique)
    digits = sent_code(both, cloud, phone)
    c = both.client()
    assert c.post(VERIFY, {"phone_number": phone, "code": other(digits)}, expect=422).code == CODE_WRONG
    c.post(VERIFY, {"phone_number": phone, "code": digits})
    assert c.post(VERIFY, {"phone_number": phone, "code": digits}, expect=422).code == CODE_WRONG
    c.post(REGISTER, {**body(unique, phone), "sms_code": digits})


def test_a_code_in_parallel(both, cloud, unique):
    """Many registrations at once with one code: one account."""
    phone = number(unique)
    digits = sent_code(both, cloud, phone)
    bodies = [{**body(unique, phone), "sms_code": digits} for _ in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(lambda b: both.client().post(REGISTER, b, expect=(201, 409, 422, 503)).status, bodies))
    assert statuses.count(201) == 1, statuses


def test_guessing_ends_a_code(both, cloud, unique):
    """After five wrong tries the right code is worth nothing."""
    phone = number(unique)
    digits = sent_code(both, cloud, phone)
    for _ in range(5):
        both.client().post(VERIFY, {"phone_number": phone, "code": other(digits)}, expect=422)
    assert both.client().post(VERIFY, {"phone_number": phone, "code": digits}, expect=422).code == CODE_WRONG


def test_one_a_minute(both, cloud, unique):
    """A number gets one code a minute, whoever asks: 429 with Retry-After."""
    phone = number(unique)
    sent_code(both, cloud, phone)
    assert int(both.client().post(SEND, {"phone_number": phone}, expect=429).headers["retry-after"]) > 0


@pytest.mark.parametrize("b", [{}, {"phone_number": "abc"}, {"phone_number": ""}, {"phone_number": 5}, {"phone_number": "+8613800000000", "x": 1}])
def test_send_refuses(both, b):
    """One wrong input per rule."""
    both.client().post(SEND, b, expect=422)


@pytest.mark.parametrize("code", ["isv.AMOUNT_NOT_ENOUGH", "isv.BUSINESS_LIMIT_CONTROL", "isp.SYSTEM_ERROR"])
def test_sms_down(both, cloud, unique, code):
    """When the service refuses, the call says so: 503003."""
    cloud.code = code
    assert both.client().post(SEND, {"phone_number": number(unique)}, expect=503).code == SMS_DOWN


def test_without_sms_and_mail(homeport, unique):
    """Nothing set up: sending answers 409 with a code of its own, registering needs no code."""
    h = homeport()
    assert h.client().post(SEND, {"phone_number": "+8613800000001"}, expect=409).code == SMS_OFF
    assert h.client().post(VERIFY, {"phone_number": "+8613800000001", "code": "123456"}, expect=409).code == SMS_OFF
    u = h.user(unique("nothing"))
    assert u.post(MAIL_SEND, expect=409).code == MAIL_OFF
    assert h.client().post(FORGOT, {"account": "x"}, expect=409).code == MAIL_OFF


# ---- mail
def test_confirming_an_address(both, cloud, sink, unique):
    """The link in the mail confirms, once; a wrong one does not; HEAD, which scanners of mail send, changes nothing."""
    user, b = new_user(both, cloud, unique)
    sink.mails.clear()
    user.post(MAIL_SEND)
    mail = sink.wait_mails(1)[0]
    assert mail.recipients == [b["email"]] and link_in(mail).startswith("http://nas.example.test:8080" + MAIL_VERIFY)
    token = token_in(mail)
    c = both.client()
    for wrong in ("", "1", "x.y", token[:-1], token[:-1] + ("0" if token[-1] != "0" else "1"), "1." + "0" * 64):
        assert c.get(MAIL_VERIFY, params={"token": wrong}, expect=422).code == CODE_WRONG
    c.request("HEAD", MAIL_VERIFY, params={"token": token}, expect=405)
    assert user.get(ME).data["email_verified"] is False
    assert c.get(MAIL_VERIFY, params={"token": token}).data == {"email": b["email"], "email_verified": True}
    assert user.get(ME).data["email_verified"] is True
    c.get(MAIL_VERIFY, params={"token": token}, expect=422)
    user.post(MAIL_SEND, expect=409)


def test_a_link_is_for_the_address_it_went_to(both, cloud, sink, unique):
    """Another address in the account meanwhile: the link confirms nothing."""
    user, b = new_user(both, cloud, unique)
    sink.mails.clear()
    user.post(MAIL_SEND)
    token = token_in(sink.wait_mails(1)[0])
    user.patch(ME, {"email": "other-" + b["email"]})
    both.client().get(MAIL_VERIFY, params={"token": token}, expect=422)
    assert user.get(ME).data["email_verified"] is False
    sink.wait_mails(2)


def confirmed(both, sink, user):
    sink.mails.clear()
    user.post(MAIL_SEND)
    both.client().get(MAIL_VERIFY, params={"token": token_in(sink.wait_mails(1)[0])})
    sink.mails.clear()


@pytest.mark.parametrize("by, new", [("owner", "moved"), ("owner", None), ("admin", "moved")])
def test_the_address_before_is_told(both, cloud, sink, unique, by, new):
    """A session alone may move the mail address, so the one before gets a letter, once, without the new one or a link; and
    the audit log has both addresses and the letter."""
    user, b = new_user(both, cloud, unique)
    confirmed(both, sink, user)
    path = ME if by == "owner" else f"/api/v1/users/{user.get(ME).data['id']}"
    r = (user if by == "owner" else both.first).patch(path, {"email": new and f"{new}-{b['email']}"})
    assert r.data["email_verified"] is False
    mail = sink.wait_mails(1)[0]
    assert mail.recipients == [b["email"]] and mail.message["subject"].endswith("your mail address was changed")
    assert "moved-" not in mail.raw.decode() + mail.text and "http" not in mail.text
    user.patch(ME, {"nickname": "x"})
    entries = [e for e in both.first.get("/api/v1/audit", params={"limit": 100}).data["items"] if e["request_id"] == r.headers["x-request-id"]]
    told = [e["after"] for e in entries if e["target"] == "letter" and e["action"] == "create"]
    assert [(t["template"], t["recipient"]) for t in told] == [("mail_moved", b["email"])], entries
    change = next(e for e in entries if e["target"] == "user")
    assert change["before"]["email"] == b["email"] and change["after"].get("email") == r.data["email"], change
    assert len(sink.mails) == 1


def test_the_same_address_in_other_letters_is_no_move(both, cloud, sink, unique):
    """Its case is nobody's business: no letter, and it stays confirmed."""
    user, b = new_user(both, cloud, unique)
    confirmed(both, sink, user)
    assert user.patch(ME, {"email": b["email"].upper(), "nickname": "n"}).data["email_verified"] is True
    user.patch(ME, {"email": "moved-" + b["email"]})
    assert len(sink.wait_mails(1)) == 1, "the first mail is that of the real move"


def test_moving_to_and_fro_floods_no_mailbox(both, cloud, sink, unique):
    """The first letter leaves; those of the next minute to the same address do not, and the change is made all the same."""
    user, b = new_user(both, cloud, unique)
    sink.mails.clear()
    for _ in range(4):
        user.patch(ME, {"email": "other-" + b["email"]})
        user.patch(ME, {"email": b["email"]})
    made = [e["after"]["recipient"] for e in both.first.get("/api/v1/audit", params={"limit": 100}).data["items"]
            if e["target"] == "letter" and e["action"] == "create" and e["after"]["template"] == "mail_moved" and b["email"] in e["after"]["recipient"]]
    assert sorted(made) == sorted([b["email"], "other-" + b["email"]])
    sink.wait_mails(2)


def test_a_notice_waits_for_the_mail_server(both, cloud, sink, unique):
    """While the mail server is down the address moves, and the letter about it leaves later."""
    user, b = new_user(both, cloud, unique)
    sink.mails.clear()
    sink.fail("RCPT", "451 4.7.1 later")
    user.patch(ME, {"email": "moved-" + b["email"]})
    wait_until(lambda: "RCPT" in sink.commands, 10, "a try")
    sink.heal()
    assert sink.wait_mails(1)[0].recipients == [b["email"]]


def test_mail_for_nobody(both, cloud, sink, unique):
    """Not signed in: the same answer for a known and an unknown address, and mail to the known one alone."""
    user, b = new_user(both, cloud, unique)
    sink.mails.clear()
    both.client().post(MAIL_SEND, {"email": unique("nobody") + "@example.test"})
    both.client().post(MAIL_SEND, {"email": b["email"].upper(), "language": "zh"})
    mail = sink.wait_mails(1)
    assert len(mail) == 1 and mail[0].recipients == [b["email"]] and "邮箱" in mail[0].message["subject"]
    assert "email" in both.client().post(MAIL_SEND, {}, expect=422).fields
    assert "email" in user.post(MAIL_SEND, {"email": "x@example.test"}, expect=422).fields


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_a_link_opened_in_a_browser(both, cloud, sink, unique):
    """Who prefers HTML is sent on to a page that says what came of it; programs keep getting JSON."""
    user, b = new_user(both, cloud, unique)
    sink.mails.clear()
    user.post(MAIL_SEND)
    token = token_in(sink.wait_mails(1)[0])
    opened = lambda accept, token=token, **kw: both.client().get(MAIL_VERIFY, params={"token": token}, headers={"accept": accept}, **kw)
    for accept in ("application/json", "application/json, text/html", "*/*", "text/htm", "application/json;q=0.5, TEXT/HTML"):
        assert opened(accept, "no.such", expect=422).code == CODE_WRONG
    for accept in (BROWSER, "Text/HTML ;q=0.9", "image/png, text/html, application/json"):
        r = opened(accept, "no.such", expect=303)
        assert (r.headers["location"], r.headers["content-length"]) == ("/#confirm-failed", "0")
    assert opened(BROWSER, expect=303).headers["location"] == "/#confirmed"
    assert user.get(ME).data["email_verified"] is True
    assert opened(BROWSER, expect=303).headers["location"] == "/#confirm-failed", "a link is good once"
    assert "303" in both.client().get("/openapi.json").body["paths"][MAIL_VERIFY]["get"]["responses"]


def test_mail_down(both, cloud, sink, unique):
    """A mail server that refuses: who is signed in is told, 503004; whoever is not learns nothing."""
    user, b = new_user(both, cloud, unique)
    sink.fail("RCPT", "550 5.1.1 no such user")
    assert user.post(MAIL_SEND, expect=503).code == MAIL_DOWN
    both.client().post(FORGOT, {"account": b["username"]})


# ---- forgotten passwords
def forgotten(both, sink, account, field="account"):
    sink.mails.clear()
    both.client().post(FORGOT, {field: account})
    return token_in(sink.wait_mails(1)[0])


def test_a_new_password(both, cloud, sink, unique):
    """The link sets a password once; all sign-ins end, API keys stay, and only the new password opens the account."""
    user, b = new_user(both, cloud, unique)
    key = both.client(key=user.post("/api/v1/api-keys", {"name": "k", "scopes": ["read"]}).data["key"])
    token = forgotten(both, sink, b["email"], "email")
    c = both.client()
    for bad in ("short77", "password123", b["username"].upper()):
        assert "new_password" in c.post(RESET, {"token": token, "new_password": bad}, expect=422).fields
    c.post(RESET, {"token": token, "new_password": NEW})
    assert user.get(ME, expect=401).code == 401004
    key.get(ME)
    c.post(LOGIN, {"account": b["username"], "password": PASSWORD}, expect=401)
    c.post(LOGIN, {"account": b["username"], "password": NEW})
    assert c.post(RESET, {"token": token, "new_password": PASSWORD}, expect=422).code == CODE_WRONG


def test_no_account_no_mail_same_answer(both, cloud, sink, unique):
    """Known, unknown and closed accounts get the same answer; only the known one gets mail."""
    user, b = new_user(both, cloud, unique)
    closed, closed_b = new_user(both, cloud, unique)
    both.first.delete(f"/api/v1/users/{closed.get(ME).data['id']}")
    sink.mails.clear()
    answers = [both.client().post(FORGOT, {"account": a}).body for a in
               (unique("nobody"), closed_b["username"], b["username"])]
    assert answers[0] == answers[1] == answers[2]
    assert [m.recipients for m in sink.wait_mails(1)] == [[b["email"]]]


def test_an_older_link_is_worthless(both, cloud, sink, unique):
    """A change of the account after the mail was sent kills the link: its mailbox may be somebody else's by now."""
    user, b = new_user(both, cloud, unique)
    token = forgotten(both, sink, b["username"])
    user.patch(ME, {"email": "moved-" + b["email"]})
    assert both.client().post(RESET, {"token": token, "new_password": NEW}, expect=422).code == CODE_WRONG
    user.patch(ME, {"email": b["email"]})
    assert both.client().post(RESET, {"token": token, "new_password": NEW}, expect=422).code == CODE_WRONG, "nor when it moves back"
    sink.wait_mails(3)


def test_a_reset_keeps_the_second_factor(both, cloud, sink, unique):
    """Who has the mailbox alone does not get in (S14)."""
    user, b = new_user(both, cloud, unique)
    secret = user.post("/api/v1/auth/mfa/enroll").data["secret"]
    user.post("/api/v1/auth/mfa/confirm", {"totp": totp(secret)})
    token = forgotten(both, sink, b["username"])
    both.client().post(RESET, {"token": token, "new_password": NEW})
    assert both.client().post(LOGIN, {"account": b["username"], "password": NEW}, expect=401).code == 401009


def test_links_do_not_fit_elsewhere(both, cloud, sink, unique):
    """A link that confirms an address sets no password, and the other way round."""
    user, b = new_user(both, cloud, unique)
    sink.mails.clear()
    user.post(MAIL_SEND)
    confirm = token_in(sink.wait_mails(1)[0])
    reset = forgotten(both, sink, b["username"])
    both.client().post(RESET, {"token": confirm, "new_password": NEW}, expect=422)
    both.client().get(MAIL_VERIFY, params={"token": reset}, expect=422)


@pytest.mark.parametrize("b", [{}, {"token": "x"}, {"new_password": NEW}, {"token": "x" * 129, "new_password": NEW},
                               {"token": "1.2", "new_password": NEW, "x": 1}, {"token": 5, "new_password": NEW}])
def test_reset_refuses(both, b):
    """One wrong input per rule."""
    both.client().post(RESET, b, expect=422)


def test_nothing_of_it_is_told(both, cloud, sink, unique):
    """Codes and tokens are neither in the audit log, the log, the tasks nor in the store's bytes."""
    phone = number(unique)
    digits = sent_code(both, cloud, phone)
    user, b = new_user(both, cloud, unique)
    token = forgotten(both, sink, b["username"])
    told = str(both.first.all("/api/v1/audit")) + str(user.all("/api/v1/tasks")) + "\n".join(both.lines)
    assert token not in told and token.split(".")[1] not in told and f'"{digits}"' not in told
    stored = b"".join(p.read_bytes() for p in both.data.rglob("*") if p.is_file())
    assert token.split(".")[1].encode() not in stored


def test_limits_of_one_address(homeport, cloud, sink):
    """limits.codes: one address may have so many codes and links sent in an hour, to whomever."""
    h = homeport(settings={**cloud.sms_settings(), **sink.settings(), "limits.codes": 3}, free=False)
    for i in range(3):
        r = h.client().post(SEND, {"phone_number": f"+861390000{i:04}"})
        assert r.headers["ratelimit-limit"] == "3" and r.headers["ratelimit-remaining"] == str(2 - i)
    assert int(h.client().post(FORGOT, {"account": "x"}, expect=429).headers["retry-after"]) > 0


def test_a_stop_in_between(homeport, cloud, unique):
    """kill -9 while the SMS service is silent: after the restart the code is not sent a second time."""
    with FakeAlibabaLetters() as silent:
        h = homeport(settings=silent.sms_settings())
        silent.fail(hang())
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(_post_into_a_stop, h, SEND, {"phone_number": "+8613900001111"})
            silent.wait_requests(1)
            h.kill()
            waiting.result(20)
        silent.heal()
        h.start()
        admin = h.admin()
        letters = lambda: [t for t in admin.all("/api/v1/tasks") if t["kind"] == "letter_send"]
        wait_until(lambda: all(t["status"] not in ("pending", "processing") for t in letters()), 10, "no letter waits")
        assert len(silent.requests()) == 1


def _post_into_a_stop(h, path, b):
    try:
        h.client().post(path, b, expect=503)
    except httpx.TransportError:
        pass  # the server was killed
