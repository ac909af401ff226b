"""Mail by SMTP against a real mail server: what arrives, what is refused, and that nothing goes out unprotected."""
import time

import pytest

from conftest import need_binary
from lib.homeport import cli
from lib.mail_sink import CUT, HANG, PASSWORD, USER, MailSink
from lib.tls_server import make_certificates
from lib.wait import wait_until

TO = "you+tag@example.test"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def send(tmp_path):
    """`homeport notify test` with these settings."""
    need_binary()

    def run(settings, to=TO, env=None):
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        lines = {"notify.timeout": 2, **settings}
        (data / "homeport.conf").write_text("".join(f"{k} = {v}\n" for k, v in lines.items()))
        return cli("notify", "test", to, data=data, env=env)

    return run


def refused(result, *words):
    assert result.returncode == 1 and not result.stdout, (result.stdout, result.stderr)
    for word in words:
        assert word in result.stderr, result.stderr
    assert PASSWORD not in result.stderr
    return result.stderr


def test_plain_on_loopback(send):
    """A mail arrives as RFC 5322 wants it: every field there once, words in UTF-8, lines with CR LF."""
    with MailSink() as sink:
        r = send(sink.settings())
        assert r.returncode == 0 and "250 2.0.0 Ok: queued as 4711" in r.stdout, r.stderr
        (mail,) = sink.wait_mails(1)
        m = mail.message
        assert (mail.sender, mail.recipients, mail.is_tls) == ("homeport@mail.example.test", [TO], False)
        assert m["from"] == "Häuschen <homeport@mail.example.test>" and m["to"] == TO
        assert m["subject"] == "homeport: a test letter" and m["auto-submitted"] == "auto-generated"
        assert m["mime-version"] == "1.0" and m.get_content_type() == "text/plain" and m.get_content_charset() == "utf-8"
        assert abs(m["date"].datetime.timestamp() - time.time()) < 30 and m["message-id"].startswith("<")
        assert len(m.keys()) == len(set(m.keys())) and not m.defects
        assert b"\n" not in mail.raw.replace(b"\r\n", b"") and max(map(len, mail.raw.split(b"\r\n"))) <= 76
        assert mail.raw.isascii() and "mail can be sent with these settings" in mail.text
        wait_until(lambda: sink.commands[-1] == "QUIT", 10, "QUIT")


def test_chinese(send):
    """In Chinese, with a site name that fills several encoded words, the subject reads as it was meant."""
    with MailSink() as sink:
        name = "我家的小服务器，放在客厅的柜子里"
        assert send(sink.settings() | {"notify.language": "zh", "notify.site_name": name}).returncode == 0
        (mail,) = sink.wait_mails(1)
        assert mail.message["subject"] == f"{name}：测试邮件" and name in mail.text and "您好" in mail.text
        assert mail.raw.isascii() and max(map(len, mail.raw.split(b"\r\n"))) <= 76


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("kind", ["rsa", "ec", "chain"])
def test_tls(send, certificates, tls, kind):
    """By STARTTLS and by TLS at once, with user and password, and the certificate checked."""
    with MailSink(tls, certificates, kind, auth=True) as sink:
        r = send(sink.settings() | {"net.ca_file": certificates / "ca.pem"})
        assert r.returncode == 0, r.stderr
        (mail,) = sink.wait_mails(1)
        assert mail.is_tls and mail.user == USER
        if tls == "starttls":
            assert sink.commands.index("STARTTLS") < sink.commands.index("AUTH")


def test_password_from_a_file(send, certificates, tmp_path):
    """smtp.password_FILE, as other secrets."""
    (tmp_path / "password").write_text(PASSWORD + "\n")
    with MailSink("starttls", certificates, auth=True) as sink:
        s = sink.settings() | {"net.ca_file": certificates / "ca.pem"}
        del s["smtp.password"]
        assert send(s, env={"HOMEPORT_SMTP_PASSWORD_FILE": str(tmp_path / "password")}).returncode == 0
        assert sink.wait_mails(1)[0].user == USER


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("kind,words", [("unknown", "not trusted"), ("wrong", "another name"), ("expired", "expired"),
                                        ("selfsigned", "not trusted")])
def test_bad_certificate(send, certificates, tls, kind, words):
    """A certificate that does not hold: neither password nor mail is sent."""
    with MailSink(tls, certificates, kind, auth=True) as sink:
        refused(send(sink.settings() | {"net.ca_file": certificates / "ca.pem"}), words)
        assert not sink.mails and "AUTH" not in sink.commands and "MAIL" not in sink.commands


def test_no_starttls(send):
    """A server without STARTTLS gets nothing: the password would travel for all to read."""
    with MailSink(auth=True) as sink:
        s = sink.settings() | {"smtp.starttls": "true", "smtp.url": f"smtp://localhost:{sink.port}"}
        refused(send(s), "offers no STARTTLS")
        assert not sink.mails and "AUTH" not in sink.commands and "MAIL" not in sink.commands


def test_plain_is_for_loopback_alone(send):
    """smtp.starttls = false reaches no other machine, by whatever name: not a byte is sent."""
    refused(send({"smtp.url": "smtp://192.0.2.1:25", "smtp.from": "a@b.test", "smtp.starttls": "false"}),
            "not loopback", "smtp.starttls")


@pytest.mark.parametrize("command,reply,words", [
    ("RCPT", "451 4.7.1 Greylisted, come back", "451 4.7.1 Greylisted"),
    ("RCPT", "550 5.1.1 No such user", "550 5.1.1 No such user"),
    ("MAIL", "553 5.7.1 Not your address", "553 5.7.1"),
    ("BEFORE_DATA", "554 5.5.1 No", "554 5.5.1 No"),
    ("DATA", "552 5.3.4 Too large", "552 5.3.4 Too large"),
    ("DATA", "452 4.3.1 Disk full", "452 4.3.1 Disk full"),
    ("EHLO", "421 4.3.2 Going down", "421 4.3.2"),
])
def test_refusals(send, command, reply, words):
    """What the server says when it refuses is what the user reads."""
    with MailSink() as sink:
        sink.fail(command, reply)
        began = time.monotonic()
        assert "not sent" in refused(send(sink.settings()), words)
        assert time.monotonic() - began < 2


def test_wrong_password(send, certificates):
    """535: the settings to look at are named, and the password is not shown."""
    with MailSink("implicit", certificates, auth=True) as sink:
        s = sink.settings() | {"net.ca_file": certificates / "ca.pem", "smtp.password": "wrong-secret"}
        assert "wrong-secret" not in refused(send(s), "535", "smtp.user and smtp.password")
        assert not sink.mails


@pytest.mark.parametrize("fault", [CUT, HANG])
def test_silence_after_the_message(send, fault):
    """Silence after the whole message: nobody can know, and that is what is said."""
    with MailSink() as sink:
        sink.fail("DATA", fault)
        began = time.monotonic()
        refused(send(sink.settings()), "not known whether")
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("command", ["EHLO", "MAIL", "RCPT", "BEFORE_DATA"])
def test_silence_before_the_message(send, command):
    """Silence before the message has left is an ordinary fault."""
    with MailSink() as sink:
        sink.fail(command, HANG)
        began = time.monotonic()
        assert "not sent" in refused(send(sink.settings()))
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("fault", [CUT, HANG, "500 what?"])
def test_bad_goodbye(send, fault):
    """A server that took the mail and forgets to say good-bye has taken it, and nobody waits for it."""
    with MailSink() as sink:
        sink.fail("QUIT", fault)
        began = time.monotonic()
        assert send(sink.settings()).returncode == 0
        assert time.monotonic() - began < 1 and len(sink.mails) == 1


def test_not_set_up(send):
    """Without settings the command says which are needed."""
    refused(send({}), "smtp.url", "smtp.from")
    refused(send({}, to="+8613800000000"), "sms.sign_name")
    refused(send({}, to="nobody"), "mail address")
    refused(send({}, to="+12"), "digits")


@pytest.mark.parametrize("key,value", [
    ("smtp.url", "http://mail.test"), ("smtp.url", "smtp://user:pass@mail.test"), ("smtp.url", "smtp://mail.test/path"),
    ("smtp.url", "smtp://mail.test:0"), ("smtp.url", "smtp://"), ("smtp.from", "homeport"), ("smtp.from", "a <b@c"),
    ("smtp.from", "a <b@c>, d <e@f.test>"), ("smtp.from", "x@y@z.test"), ("notify.language", "de"), ("notify.mail", "pigeon"),
    ("sms.access_key_secret", "a b"), ("notify.public_url", "nas.lan"),
])
def test_settings_are_checked(send, key, value):
    """A wrong setting is refused with its name at the start, not at the first letter."""
    refused(send({key: value}), key)


@pytest.mark.parametrize("setting, missing", [("smtp.url = smtp://localhost:587", "smtp.from"), ("smtp.from = a@example.test", "smtp.url"),
                                              ("sms.sign_name = x", "sms.access_key_id"),
                                              ("directmail.account_name = a@example.test", "directmail.access_key_id")])
def test_half_a_setting_stops_the_start(tmp_path, setting, missing):
    """Settings that mean nothing without each other are missed by name, not by silence."""
    (tmp_path / "homeport.conf").write_text(setting + "\n")
    r = cli("config", "check", data=tmp_path)
    assert r.returncode != 0 and f"{missing} is missing" in r.stdout + r.stderr
